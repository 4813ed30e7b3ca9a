"""Calls and answers as plain values, so that everything behind the socket is a function of one to the other."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request, cookie_parser
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

MAX_BODY_BYTES = 262_144
MAX_WEBHOOK_BYTES = 1_048_576
"""Longest bodies that are read; a longer one is refused with 413."""

WEBHOOKS = "/api/webhooks"
"""Where other services report: signed, larger, and without a browser's CSRF pair."""

KEEP_ALIVE_SECONDS = 30.0
LOOK_SECONDS = 0.25
"""A feed says something each 30 s, as measured, and looks this often whether the service is going down."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class HttpCall(msgspec.Struct, frozen=True, kw_only=True):
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
    def is_webhook(self) -> bool:
        """Whether another service calls, and no browser."""
        return self.path == WEBHOOKS or self.path.startswith(f"{WEBHOOKS}/")

    @property
    def most_bytes(self) -> int:
        """How long the body may be."""
        return MAX_WEBHOOK_BYTES if self.is_webhook else MAX_BODY_BYTES

    @property
    def is_write(self) -> bool:
        """Whether the method changes something."""
        return self.method in WRITES


Feed = Callable[[Callable[[str], object]], AbstractContextManager[None]]
"""Hands every text that comes to a listener, from any thread, for as long as the block runs."""


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One response: `document` is sent as JSON; without one, `text` is sent as `media_type`.

    What `feed` brings is sent after it, for as long as the connection lasts.
    """

    status: int = 200
    document: Any = None
    text: str = ""
    feed: Feed | None = None
    media_type: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "HttpAnswer":
        """Return the same answer with more headers."""
        return msgspec.structs.replace(self, headers={**self.headers, **headers})

    def with_document(self, document: Any) -> "HttpAnswer":
        """Return the same answer with another JSON body."""
        return msgspec.structs.replace(self, document=document)

    def with_status(self, status: int) -> "HttpAnswer":
        """Return the same answer with another status."""
        return msgspec.structs.replace(self, status=status)


Handler = Callable[[HttpCall], HttpAnswer]
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


def endpoint(route: str, handler: Handler, stopping: threading.Event) -> Callable[[Request], Awaitable[Response]]:
    """Return the Starlette endpoint that answers with `handler`, run in the thread pool.

    A feed ends when `stopping` is set.
    """

    async def serve(request: Request) -> Response:
        answer = await run_in_threadpool(handler, await _call(request, route))
        return _response(answer) if answer.feed is None else _Fed(answer, answer.feed, stopping)

    return serve


async def _call(request: Request, route: str) -> HttpCall:
    call = HttpCall(
        method=request.method,
        path=request.url.path,
        route=route,
        params=dict(request.path_params),
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=b"",
        client=request.client.host if request.client else "",
        connection=":".join(map(str, request.client)) if request.client else "",
    )
    return msgspec.structs.replace(call, body=await _body(request, call.most_bytes))


async def _body(request: Request, most_bytes: int) -> bytes:
    """Return the body, or one byte more than is allowed of a longer one, chunked or not."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most_bytes:
        return b" " * (most_bytes + 1)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            break
    return bytes(body[: most_bytes + 1])


class _Fed(StreamingResponse):
    """A response that goes on until the client leaves; it listens before its first byte is sent."""

    def __init__(self, answer: HttpAnswer, feed: Feed, stopping: threading.Event) -> None:
        self._first = answer.text or ": listening\n\n"
        self._feed = feed
        self._stopping = stopping
        self._texts = asyncio.Queue[str]()
        headers = dict(answer.headers)
        super().__init__(self._event_stream(), status_code=answer.status, headers=headers, media_type=answer.media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        with self._feed(lambda text: loop.call_soon_threadsafe(self._texts.put_nowait, text)):
            await super().__call__(scope, receive, send)

    async def _event_stream(self) -> AsyncIterator[str]:
        yield self._first
        silent_seconds = 0.0
        while not self._stopping.is_set():
            try:
                yield await asyncio.wait_for(self._texts.get(), LOOK_SECONDS)
                silent_seconds = 0.0
            except TimeoutError:
                silent_seconds += LOOK_SECONDS
            if silent_seconds >= KEEP_ALIVE_SECONDS:
                yield ": keep-alive\n\n"
                silent_seconds = 0.0


def _response(answer: HttpAnswer) -> Response:
    if answer.document is None:
        media_type = answer.media_type or None
        return Response(answer.text, status_code=answer.status, headers=dict(answer.headers), media_type=media_type)
    return Response(
        json_bytes(answer.document),
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type="application/json",
    )
