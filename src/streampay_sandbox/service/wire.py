"""Calls and answers as plain values, so that everything behind the socket is a function of one to the other."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request, cookie_parser
from starlette.responses import Response

MAX_BODY_BYTES = 262_144
"""Longest body that is read; a longer one is refused with 413."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `route` is the path's template, header names are lower case, `caller` is "" until known.

    `connection` names the connection it came over, among those that are open.
    """

    method: str
    path: str
    route: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str
    connection: str = ""
    caller: str = ""

    def header(self, name: str) -> str:
        """Return the header's value, "" when absent."""
        return self.headers.get(name, "")

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies sent."""
        return cookie_parser(self.header("cookie"))

    @property
    def is_write(self) -> bool:
        """Whether the method changes something."""
        return self.method in WRITES


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One response: `document` is sent as JSON; without one, `text` is sent as `media_type`."""

    status: int = 200
    document: Any = None
    text: str = ""
    media_type: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """Return the same answer with more headers."""
        return msgspec.structs.replace(self, headers={**self.headers, **headers})

    def with_document(self, document: Any) -> "Answer":
        """Return the same answer with another JSON body."""
        return msgspec.structs.replace(self, document=document)

    def with_status(self, status: int) -> "Answer":
        """Return the same answer with another status."""
        return msgspec.structs.replace(self, status=status)


Handler = Callable[[Call], Answer]
Layer = Callable[[Handler], Handler]
"""Wraps a handler: sees the call before it and the answer after it."""


def layered(handler: Handler, layers: tuple[Layer, ...]) -> Handler:
    """Return `handler` inside `layers`, the first one outermost."""
    for layer in reversed(layers):
        handler = layer(handler)
    return handler


def json_bytes(document: Any) -> bytes:
    """Return the JSON that is sent for a document."""
    return msgspec.json.encode(document)


def endpoint(route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return the Starlette endpoint that answers with `handler`, run in the thread pool."""

    async def serve(request: Request) -> Response:
        call = await _call(request, route)
        return _response(await run_in_threadpool(handler, call))

    return serve


async def _call(request: Request, route: str) -> Call:
    return Call(
        method=request.method,
        path=request.url.path,
        route=route,
        params=dict(request.path_params),
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await _body(request),
        client=request.client.host if request.client else "",
        connection=":".join(map(str, request.client)) if request.client else "",
    )


async def _body(request: Request) -> bytes:
    """Return the body, or one byte more than is allowed of a longer one, chunked or not."""
    if (
        request.headers.get("content-length", "0").isdecimal()
        and int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES
    ):
        return b" " * (MAX_BODY_BYTES + 1)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body[: MAX_BODY_BYTES + 1])


def _response(answer: Answer) -> Response:
    if answer.document is None:
        media_type = answer.media_type or None
        return Response(answer.text, status_code=answer.status, headers=dict(answer.headers), media_type=media_type)
    return Response(
        json_bytes(answer.document),
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type="application/json",
    )
