"""What requests and answers look like: records, limits, and how a refusal is answered."""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.serve.attempts import DeployName, Region, Release, Url
from streampay_smoke.serve.runs import RETRY_SECONDS, Closing, OrderDiffers, Overtaken, QueueFull, Unknown

MAX_BODY_BYTES: Final = 16_384
BODY_SECONDS: Final = 5.0
"""How long a caller may take to send its request."""

_log = logging.getLogger("streampay_smoke.serve")

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a run. `environment` and `region` are the service's own where they are left out."""

    deploy: DeployName
    environment: str = ""
    region: Region = ""
    release: Release = ""
    base_url: Url = ""


class RerunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for another attempt; None for what the attempt before had."""

    deploy: DeployName
    environment: str = ""
    region: Region = ""
    release: Release | None = None
    base_url: Url | None = None
    supersedes: str = ""


class CanaryMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a Canary's webhook may say under `metadata`; the rest of it is other people's."""

    key: str = ""
    environment: str = ""
    region: Region = ""
    release: Release = ""
    base_url: Url = ""


class CanaryWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """What Flagger posts."""

    name: str
    namespace: str
    checksum: str
    phase: str = ""
    metadata: CanaryMetadata = CanaryMetadata()


class AnswerData(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in one hop; `pass` and `fail` are both false unless a fresh verdict says one of them."""

    verdict: str
    passed: bool = msgspec.field(name="pass")
    failed: bool = msgspec.field(name="fail")
    score: int


class DeployAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a deploy. `verdict` is the run's own word, `data.verdict` what may be made of it now."""

    data: AnswerData
    deploy: str
    environment: str
    region: str
    state: str = ""
    release: str = ""
    base_url: str = ""
    attempt: int = 0
    id: str = ""
    supersedes: str = ""
    superseded_by: str = ""
    verdict: VerdictStatus | None = None
    reason_code: str = ""
    message: str = ""
    run_id: str = ""
    asked_at: str = ""
    started_at: str = ""
    finished_at: str = ""
    valid_until: str = ""
    report_url: str = ""


class RequestRefused(Exception):
    """A request that is answered without an attempt."""

    def __init__(self, status: int, error: str, next_step: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.next_step = next_step
        self.headers = dict(headers or {})


_STATUS: Final[Mapping[type[SmokeError], int]] = {
    OrderDiffers: 409,
    Overtaken: 409,
    Unknown: 404,
    QueueFull: 429,
    Closing: 503,
}
"""What a caller is told when an attempt cannot be had. 429 and 503 say when to come back."""


def answered(handler: Handler) -> Handler:
    """Turn refusals into answers, and write one line for each request: no header, no query, no body."""

    @functools.wraps(handler)
    async def handle(request: Request) -> Response:
        began = time.monotonic()
        try:
            response = await handler(request)
        except RequestRefused as refused:
            response = _refusal(refused)
        except msgspec.ValidationError as error:
            response = _refusal(RequestRefused(422, f"the request is not understood: {error}", "see docs/serve.md"))
        except tuple(_STATUS) as error:
            status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
            later = {"Retry-After": str(RETRY_SECONDS)} if status in {429, 503} else {}
            response = _refusal(RequestRefused(status, str(error), error.next_step, later))
        took_ms = round((time.monotonic() - began) * 1000)
        _log.info("%s %r %d %d ms", request.method, request.url.path, response.status_code, took_ms)
        return response

    return handle


def _refusal(refused: RequestRefused) -> Response:
    body = {"error": refused.error, **({"next": refused.next_step} if refused.next_step else {})}
    return json_response(refused.status, body, refused.headers)


def json_response(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that nobody may keep for later."""
    fresh = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(content) + b"\n", status, fresh, "application/json")


async def body_of(request: Request) -> bytes:
    """Return the body of a request, which is small and comes at once; raises Refused."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise RequestRefused(
                        413, f"a request holds {MAX_BODY_BYTES} bytes at most", headers={"Connection": "close"}
                    )
    except TimeoutError as error:
        raise RequestRefused(
            408, f"the request took longer than {BODY_SECONDS:g} s", headers={"Connection": "close"}
        ) from error
    except ClientDisconnect as error:
        raise RequestRefused(400, "the request was cut off") from error
    return bytes(body)


def decoded(body: bytes, kind: type[T]) -> T:
    """Return a body as a record; raises Refused for what is no JSON, msgspec.ValidationError for another record."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestRefused(400, "the body is not JSON", "see docs/serve.md") from error
