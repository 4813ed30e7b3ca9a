"""The only HTTP client of the package: no redirects, no proxies, no cookie jar, one time limit per request.

The limit is the whole request's: name resolution, connecting, TLS, a drip-fed header or body. Nothing is ever
re-sent. The rest of the package sees `Client`, `Reply` and `NoAnswer`, never the library behind them.
"""

import contextlib
import errno
import http.cookiejar
import ipaddress
import logging
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpcore
import httpx
import msgspec

from streampay_smoke import __version__
from streampay_smoke.core.lifetimes import Closes

MAX_BODY_BYTES = 1_048_576
"""Longest body that is read; a longer one is no answer."""

Enough = Callable[[bytes], bool]
"""Whether as much of a body has come as somebody wants to read."""

USER_AGENT = f"streampay-smoke/{__version__}"
_KEEP_ALIVE_SECONDS = 2.0  # below the 5 s after which Node and uvicorn close: no race with the server's own close
_MAX_CONNECTIONS = 32

# At DEBUG these write request headers, and with them credentials.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)


def one_event(body: bytes) -> bool:
    """Return whether a first server-sent event with data is whole: an empty line follows its data."""
    _, found, rest = body.partition(b"data:")
    return bool(found) and (b"\n\n" in rest or b"\r\n\r\n" in rest)


class NoAnswer(Exception):
    """A request that brought no usable HTTP answer.

    `cause` is one of "dns", "refused", "reset", "unreachable", "timeout", "tls", "protocol", "too large" and
    "bad request" (it could not even be sent). `where` is the URL without query and user info.
    """

    def __init__(self, cause: str, *, where: str, waited_seconds: float, detail: str = "") -> None:
        super().__init__(f"{where}: {_CAUSES[cause]}{f' ({detail})' if detail else ''} after {waited_seconds:.1f} s")
        self.cause = cause
        self.where = where
        self.waited_seconds = waited_seconds


_CAUSES = {
    "dns": "the host name does not resolve",
    "refused": "the connection was refused",
    "reset": "the connection was closed without a full answer",
    "unreachable": "the host cannot be reached",
    "timeout": "there was no full answer in time",
    "tls": "TLS could not be established",
    "protocol": "the answer is not proper HTTP",
    "too large": "the answer is too large",
    "bad request": "the request cannot be sent",
}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer of any status; header names are lower case, `duration_ms` spans the whole request.

    `opened_connection` says that the time holds that of a new connection too.
    """

    status: int
    header_items: tuple[tuple[str, str], ...]
    content: bytes
    duration_ms: int
    opened_connection: bool = False

    def header(self, name: str) -> str:
        """Return the header's value, "" when absent, values of a repeated header joined with ", "."""
        return ", ".join(self.header_values(name))

    def header_values(self, name: str) -> tuple[str, ...]:
        """Return every value of a header that may be repeated, such as Set-Cookie."""
        return tuple(value for key, value in self.header_items if key == name.lower())

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are no UTF-8 become U+FFFD."""
        return self.content.decode("utf-8", errors="replace")


class Client(Closes):
    """Sends requests to one place; safe to use from several threads. Use as a context manager, or call close()."""

    def __init__(
        self, *, base_url: str, timeout_seconds: float, headers: Mapping[str, str] | None, authority: Path | None
    ) -> None:
        self.timeout_seconds = timeout_seconds
        no_cookies = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._httpx = httpx.Client(
            base_url=base_url,
            transport=_Transport(ssl.create_default_context(cafile=authority) if authority else None),
            trust_env=False,
            follow_redirects=False,
            cookies=no_cookies,
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity", **(headers or {})},
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        enough: Enough | None = None,
    ) -> Reply:
        """Send one request, once, and return its answer whatever the status; raises NoAnswer.

        A body is read to its end, or as far as `enough` asks for: a stream of events has none.
        `timeout_seconds` replaces the client's limit. `url` is absolute or a path below the base URL; `params`
        are its query.
        """
        limit = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        started = time.monotonic()
        where = _without_secrets(url, self._httpx.base_url)
        try:
            request = self._httpx.build_request(
                method, url, headers=headers, json=json, content=content, params=params, timeout=limit
            )
        except (httpx.InvalidURL, UnicodeError, TypeError, ValueError) as problem:
            # The library's own message may quote a header, and with it a secret.
            raise _no_answer("bad request", where, started, type(problem).__name__) from None
        _deadline.ends_at, _deadline.connected = started + limit, False
        try:
            response = self._httpx.send(request, stream=True)
            try:
                body = _decoded(_capped(response.iter_raw(), enough), response.headers.get("content-encoding", ""))
            finally:
                response.close()
        except _BadBody as problem:
            raise _no_answer(problem.cause, where, started, str(problem)) from None
        except _LIBRARY_ERRORS as problem:
            raise _no_answer(_cause_of(problem), where, started, _detail_of(problem)) from None
        return Reply(
            status=response.status_code,
            header_items=tuple((key.lower(), value) for key, value in response.headers.multi_items()),
            content=body,
            duration_ms=round((time.monotonic() - started) * 1000),
            opened_connection=_deadline.connected,
        )

    def close(self) -> None:
        """Close kept connections."""
        self._httpx.close()


_LIBRARY_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


def new_client(
    *,
    base_url: str = "",
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    authority: Path | None = None,
) -> Client:
    """Return a client; `timeout_seconds` bounds each whole request, `headers` go with every one.

    `authority` is a PEM file of the only certificate authorities that are trusted, such as a cluster's own. Raises
    OSError when it cannot be read or holds none.
    """
    return Client(base_url=base_url, timeout_seconds=timeout_seconds, headers=headers, authority=authority)


def is_loopback(host: str) -> bool:
    """Say whether a host, as a name or an address, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _BadBody(Exception):
    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class _Deadline(threading.local):
    """The request this thread is making: when it has to be over, on the monotonic clock, and whether it connected."""

    ends_at: float = float("inf")
    connected: bool = False

    def left(self, expired: type[httpcore.TimeoutException]) -> float:
        seconds = self.ends_at - time.monotonic()
        if seconds <= 0:
            raise expired("the request's time is over")
        return seconds


_deadline = _Deadline()


class _BoundedStream(httpcore.NetworkStream):
    """A connection on which every wait ends at the request's deadline, so that drips cannot stretch it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _deadline.left(httpcore.ConnectTimeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, limit))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedBackend(httpcore.NetworkBackend):
    """Resolves and connects within the request's deadline."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        _deadline.connected = True
        addresses = _resolve(host, port)
        for untried in range(len(addresses), 1, -1):
            try:
                return self._connect(addresses[-untried], port, share=untried)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, share=1)

    def _connect(self, address: str, port: int, *, share: int) -> httpcore.NetworkStream:
        limit = _deadline.left(httpcore.ConnectTimeout) / share
        return _BoundedStream(httpcore.SyncBackend().connect_tcp(address, port, limit))


class _NotResolved(httpcore.ConnectError):
    """A host name that has no address, or none in time."""


def _resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses; in a thread, for a resolver that hangs cannot be interrupted otherwise."""
    found: list[str] = []

    def look_up() -> None:
        with contextlib.suppress(OSError, UnicodeError):  # no address is told by `found` staying empty
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(info[4][0]) for info in infos))

    worker = threading.Thread(target=look_up, daemon=True, name="resolve")
    worker.start()
    worker.join(_deadline.left(httpcore.ConnectTimeout))
    if not found:
        raise _NotResolved(host)
    return found


class _Transport(httpx.BaseTransport):
    """Hands requests to one pool per scheme; the CA bundle is read for https only, where it is always used.

    SSL_CERT_FILE and SSL_CERT_DIR are honoured, for deployments behind a private authority, unless `trust` is given.
    """

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        self._trust = trust
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        response = self._pool(url.scheme).handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"timeout": {"pool": request.extensions["timeout"]["pool"]}},
            )
        )
        return httpx.Response(status_code=response.status, headers=response.headers, stream=_Body(response))

    def _pool(self, scheme: str) -> httpcore.ConnectionPool:
        with self._lock:
            if scheme not in self._pools:
                self._pools[scheme] = httpcore.ConnectionPool(
                    ssl_context=(self._trust or httpx.create_ssl_context()) if scheme == "https" else None,
                    max_connections=_MAX_CONNECTIONS,
                    keepalive_expiry=_KEEP_ALIVE_SECONDS,
                    network_backend=_BoundedBackend(),
                )
            return self._pools[scheme]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


def _capped(chunks: Iterable[bytes], enough: Enough | None = None) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _BadBody("too large", f"more than {MAX_BODY_BYTES} bytes")
        if enough is not None and enough(bytes(body)):
            break
    return bytes(body)


def _decoded(body: bytes, encoding: str) -> bytes:
    """Return the body without its content encoding: some gateways compress although nobody asked for it."""
    if encoding.strip().lower() in {"", "identity"} or not body:
        return body
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        raise _BadBody("protocol", "a content encoding nobody asked for")
    try:
        decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        return _capped([decoder.decompress(body, MAX_BODY_BYTES + 1)])
    except zlib.error:
        raise _BadBody("protocol", f"the body is not {encoding}") from None


def _without_secrets(url: str, base: httpx.URL) -> str:
    """Return where a request goes, without query and user info."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return "an address that is no URL"
    if parsed.is_relative_url:
        return f"{base.scheme}://{base.netloc.decode('ascii')}{base.path.rstrip('/')}/{parsed.path.lstrip('/')}"
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}{parsed.path}"


def _no_answer(cause: str, where: str, started: float, detail: str) -> NoAnswer:
    return NoAnswer(cause, where=where, waited_seconds=time.monotonic() - started, detail=detail)


_CAUSE_BY_ERROR: tuple[tuple[type[BaseException], str], ...] = (
    (_NotResolved, "dns"),
    (ssl.SSLError, "tls"),
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (httpcore.TimeoutException, "timeout"),
    (TimeoutError, "timeout"),
    (httpcore.LocalProtocolError, "bad request"),
    (httpcore.UnsupportedProtocol, "bad request"),
    (httpcore.ConnectError, "unreachable"),
    (httpcore.NetworkError, "reset"),
)


def _cause_of(problem: BaseException) -> str:
    """Return our word for what went wrong, told by the innermost known error of the chain."""
    chain = _chain(problem)
    for kind, cause in _CAUSE_BY_ERROR:
        if any(isinstance(error, kind) for error in chain):
            return cause
    # The peer hung up before a status line, or in the middle of a body.
    if "disconnected" in str(problem) or "without sending complete" in str(problem):
        return "reset"
    return "protocol"


def _chain(problem: BaseException) -> list[BaseException]:
    chain = [problem]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    return chain


def _detail_of(problem: BaseException) -> str:
    """Return the system's own short reason, where it is one that can hold no request data."""
    for error in reversed(_chain(problem)):
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        if isinstance(error, OSError) and error.errno is not None:
            return errno.errorcode.get(error.errno, "")
    return ""
