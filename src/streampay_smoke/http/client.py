"""The only HTTP client of the package: no redirects, no cookie jar, one time limit per request.

The limit is the whole request's: name resolution, connecting, TLS, a drip-fed header or body. It is kept here because
httpx limits each wait of a request, not their sum: an answer that drips is never late. Nothing is ever re-sent. Proxies
and certificate authorities are those of the machine: see `proxies` and `trust`. The rest of the package sees `Client`,
`Reply` and `NoAnswer`, never the library behind them.
"""

import contextlib
import errno
import http.cookiejar
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
import msgspec

from streampay_smoke import __version__
from streampay_smoke.core.cpu_wait import cpu_wait_ms_since, cpu_wait_ns
from streampay_smoke.http import trust
from streampay_smoke.http.bodies import MAX_BODY_BYTES, BodyUnreadable, Enough, decoded
from streampay_smoke.http.proxies import DIRECT, Proxy, Route, route_to

USER_AGENT = f"streampay-smoke/{__version__}"
_KEEP_ALIVE_SECONDS = 2.0  # below the 5 s after which Node and uvicorn close: no race with the server's own close
_MAX_CONNECTIONS = 32
_ENOUGH_ASKED_SECONDS = 0.1

# At DEBUG these write request headers, and with them credentials.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)


class NoAnswer(Exception):
    """A request that brought no usable HTTP answer.

    `cause` is a key of `CAUSES`. `where` is the address without query and user info: the path too where it is below
    the client's base URL, scheme and host otherwise, for the path of an address somebody gave may hold a key. `told` is
    what happened, in words.
    """

    def __init__(self, cause: str, *, where: str, waited_seconds: float, detail: str = "") -> None:
        self.told = f"{CAUSES[cause]}{f' ({detail})' if detail else ''} after {waited_seconds:.1f} s"
        super().__init__(f"{where}: {self.told}")
        self.cause = cause
        self.where = where
        self.waited_seconds = waited_seconds


CAUSES = {
    "dns": "the host name does not resolve",
    "refused": "the connection was refused",
    "reset": "the connection was closed without a full answer",
    "unreachable": "the host cannot be reached",
    "timeout": "there was no full answer in time",
    "tls": "TLS could not be established",
    "untrusted": "this machine trusts no authority that vouches for its certificate",
    "proxy": "the proxy of this machine gave no way there",
    "protocol": "the answer is not proper HTTP",
    "body": "the body of the answer cannot be read",
    "too large": "the answer is too large",
    "bad request": "the request cannot be sent",
}
"""What can be in the way of an answer, by its short name."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer of any status; header names are lower case, `duration_ms` spans the whole request.

    `opened_connection` says that the time holds that of a new connection too, `cpu_wait_ms` for how much of it this
    runner had no CPU; None where the system does not tell.
    """

    status: int
    header_items: tuple[tuple[str, str], ...]
    content: bytes
    duration_ms: int
    opened_connection: bool = False
    cpu_wait_ms: int | None = None

    def header(self, name: str) -> str:
        """Return the header's value, "" when absent, values of a repeated header joined with ", "."""
        return ", ".join(self.header_values(name))

    def header_values(self, name: str) -> tuple[str, ...]:
        """Return every value of a header that may be repeated, such as Set-Cookie."""
        return tuple(value for key, value in self.header_items if key == name.lower())

    @property
    def text(self) -> str:
        """The body as UTF-8, without a byte order mark; bytes that are no UTF-8 become U+FFFD."""
        return self.content.decode("utf-8-sig", errors="replace")


class Client(contextlib.AbstractContextManager["Client"]):
    """Sends requests to one place; safe to use from several threads. Use as a context manager, or call close().

    `timeout_seconds` bounds each whole request, `headers` go with every one. `authority` is a PEM file of the only
    certificate authorities that are trusted, such as a cluster's own; OSError when it cannot be read or holds none. A
    `direct` client uses no proxy, whatever is set: for addresses that exist on this machine's own link only. Where
    `address` is given, connections that need no proxy go to that IP address of the host and to no other.
    """

    def __init__(
        self,
        *,
        base_url: str = "",
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        authority: Path | None = None,
        direct: bool = False,
        address: str = "",
    ) -> None:
        self.timeout_seconds = timeout_seconds
        no_cookies = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._transport = _Transport(trust.only(authority) if authority else None, direct=direct, address=address)
        self._httpx = httpx.Client(
            base_url=base_url,
            transport=self._transport,
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

        Raises SettingsInvalid where a proxy variable or SSL_CERT_FILE names nothing that can be used.

        A body is read to its end, or as far as `enough` asks for: a stream of events has none.
        `timeout_seconds` replaces the client's limit. `url` is absolute or a path below the base URL; `params`
        are added to its query.
        """
        limit = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        started, waited_ns = time.monotonic(), cpu_wait_ns()

        def no_answer(cause: str, detail: str) -> NoAnswer:
            where = _without_secrets(url, self._httpx.base_url)
            return NoAnswer(cause, where=where, waited_seconds=time.monotonic() - started, detail=detail)

        try:
            whole = httpx.URL(url).copy_merge_params(dict(params)) if params else url
            request = self._httpx.build_request(
                method, whole, headers=headers, json=json, content=content, timeout=limit
            )
        except (httpx.InvalidURL, UnicodeError, TypeError, ValueError) as problem:
            # The library's own message may quote a header, and with it a secret.
            raise no_answer("bad request", type(problem).__name__) from None
        route = self._transport.route_to(request.url)
        _deadline.ends_at, _deadline.connected, _deadline.at_proxy = started + limit, False, ""
        try:
            # Past the library's own sending, which reads the target of a redirect even where none is followed.
            response = self._transport.handle_request(request)
            try:
                _refuse_answer_of_proxy(response, route, request.url.scheme)
                body, whole_body = _read(response.iter_raw(), enough)
                if whole_body:
                    body = decoded(body, response.headers.get("content-encoding", ""))
            finally:
                response.close()
        except BodyUnreadable as problem:
            raise no_answer(problem.cause, str(problem)) from None
        except _ProxyAnswered as problem:
            raise no_answer(problem.cause, f"{route.description}: status {problem.status}") from None
        except _LIBRARY_ERRORS as problem:
            cause, detail = _cause_description(problem)
            raise no_answer(cause, ": ".join(filter(None, (route.description, detail)))) from None
        return Reply(
            status=response.status_code,
            header_items=tuple((key.lower(), value) for key, value in response.headers.multi_items()),
            content=body,
            duration_ms=round((time.monotonic() - started) * 1000),
            opened_connection=_deadline.connected,
            cpu_wait_ms=cpu_wait_ms_since(waited_ns),
        )

    def close(self) -> None:
        """Close kept connections; what is asked next opens one, as often as this is called."""
        self._transport.close()

    def __exit__(self, *error: object) -> None:
        self.close()


_LIBRARY_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ProxyError,
)


_GATEWAY_STATUSES = frozenset({502, 503, 504})
_PROXY_AUTHENTICATION_REQUIRED = 407
_MARKS_OF_A_PROXY = ("proxy-status", "x-squid-error")
"""Headers by which a proxy says that an answer is its own (RFC 9209, and Squid)."""


class _ProxyAnswered(Exception):
    """A proxy answered in the place of the host that was asked."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
        # A proxy that did not get through says nothing of itself: the host may be gone, or the way to it.
        self.cause = "unreachable" if status in _GATEWAY_STATUSES else "proxy"


def _refuse_answer_of_proxy(response: httpx.Response, route: Route, scheme: str) -> None:
    if route.proxy is None or scheme != "http":
        return
    marked = response.status_code >= 400 and any(
        mark in response.headers and (mark != "proxy-status" or "error=" in response.headers[mark])
        for mark in _MARKS_OF_A_PROXY
    )
    if marked or response.status_code == _PROXY_AUTHENTICATION_REQUIRED:
        raise _ProxyAnswered(response.status_code)


class _Deadline(threading.local):
    """The request this thread is making: when it has to be over, on the monotonic clock, and whether it connected.

    `at_proxy` is "connecting" while a proxy is on its way to be reached, and "asked" while it is to open a tunnel.
    `enough_came` says, while a body that need not end is read, whether the rest of it is still wanted.
    """

    ends_at: float = float("inf")
    connected: bool = False
    at_proxy: str = ""
    enough_came: Callable[[], bool] | None = None

    def left(self, expired: type[httpcore.TimeoutException]) -> float:
        seconds = self.ends_at - time.monotonic()
        if seconds <= 0:
            raise expired("the request's time is over")
        return seconds


_deadline = _Deadline()


class _EnoughCame(Exception):
    """Nothing came for a while, and nothing more is wanted."""


class _BoundedStream(httpcore.NetworkStream):
    """A connection on which every wait ends at the request's deadline, so that drips cannot stretch it.

    `then` is what the request is doing at the proxy once TLS with it is there, None where TLS is with the host itself.
    """

    def __init__(self, stream: httpcore.NetworkStream, *, then: str | None = None) -> None:
        self._stream = stream
        self._then = then

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        enough_came = _deadline.enough_came
        while enough_came is not None:
            left_seconds = _deadline.left(httpcore.ReadTimeout)
            try:
                return self._stream.read(max_bytes, min(_ENOUGH_ASKED_SECONDS, left_seconds))
            except httpcore.ReadTimeout:
                if enough_came():
                    raise _EnoughCame from None
        return self._stream.read(max_bytes, _deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _deadline.left(httpcore.ConnectTimeout)
        if self._then is None:
            _deadline.at_proxy = ""
        secured = _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, limit))
        _deadline.at_proxy = self._then or ""
        return secured

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedBackend(httpcore.NetworkBackend):
    """Resolves and connects within the request's deadline, to the host itself or to a proxy that is to tunnel to it."""

    def __init__(self, proxy: Proxy | None, *, tunnels: bool, address: str) -> None:
        self._proxy = proxy
        self._address = "" if proxy else address
        self._once_there = "asked" if proxy is not None and tunnels else ""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        _deadline.connected = True
        _deadline.at_proxy = "connecting" if self._proxy else ""
        stream = self._connected(host, port)
        if self._proxy is not None and self._proxy.scheme == "https":
            return _BoundedStream(stream, then=self._once_there)
        _deadline.at_proxy = self._once_there
        return _BoundedStream(stream)

    def _connected(self, host: str, port: int) -> httpcore.NetworkStream:
        addresses = [self._address] if self._address else _resolve(host, port)
        for untried in range(len(addresses), 1, -1):
            try:
                return self._connect(addresses[-untried], port, share=untried)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, share=1)

    def _connect(self, address: str, port: int, *, share: int) -> httpcore.NetworkStream:
        limit = _deadline.left(httpcore.ConnectTimeout) / share
        return httpcore.SyncBackend().connect_tcp(address, port, limit)


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


def addresses_of(url: str, *, within_seconds: float) -> tuple[str, ...]:
    """Return the IP addresses of a URL's host, of the family that is connected to first.

    None where a proxy of this machine leads there, which resolves the name itself, and where it does not resolve.
    """
    parts = urlsplit(url)
    if route_to(url).proxy is not None or not parts.hostname:
        return ()
    _deadline.ends_at = time.monotonic() + within_seconds
    try:
        found = _resolve(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    except (httpcore.ConnectError, httpcore.ConnectTimeout):
        return ()
    return tuple(address for address in found if (":" in address) == (":" in found[0]))


class _Transport(httpx.BaseTransport):
    """Hands requests to one pool per scheme and proxy; certificates are read for https only: that costs time.

    `trusted` replaces the authorities of this machine, `address` the host's own addresses where no proxy is used.
    """

    def __init__(self, trusted: ssl.SSLContext | None, *, direct: bool, address: str) -> None:
        self._trusted = trusted
        self._address = address
        self._direct = direct
        self._pools: dict[tuple[str, Proxy | None], httpcore.ConnectionPool] = {}
        self._routes: dict[tuple[str, str, int | None], Route] = {}
        self._lock = threading.Lock()

    def route_to(self, url: httpx.URL) -> Route:
        """Return how an address is reached: as the variables of this process say when its host is first asked."""
        host = (url.scheme, url.host, url.port)
        if host not in self._routes:
            self._routes[host] = DIRECT if self._direct else route_to(str(url))
        return self._routes[host]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        response = self._pool(url.scheme, self.route_to(url).proxy).handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"timeout": {"pool": request.extensions["timeout"]["pool"]}},
            )
        )
        return httpx.Response(status_code=response.status, headers=response.headers, stream=_Body(response))

    def _pool(self, scheme: str, proxy: Proxy | None) -> httpcore.ConnectionPool:
        with self._lock:
            if (scheme, proxy) not in self._pools:
                self._pools[scheme, proxy] = self._new_pool(scheme, proxy)
            return self._pools[scheme, proxy]

    def _new_pool(self, scheme: str, proxy: Proxy | None) -> httpcore.ConnectionPool:
        secure = scheme == "https"
        trusted = (self._trusted or trust.trusted()) if secure else None
        backend = _BoundedBackend(proxy, tunnels=secure, address=self._address)
        if proxy is None:
            return httpcore.ConnectionPool(
                ssl_context=trusted,
                max_connections=_MAX_CONNECTIONS,
                keepalive_expiry=_KEEP_ALIVE_SECONDS,
                network_backend=backend,
            )
        return httpcore.HTTPProxy(
            proxy_url=proxy.url,
            proxy_auth=(proxy.user.encode(), proxy.password.encode()) if proxy.user or proxy.password else None,
            ssl_context=trusted,
            proxy_ssl_context=trust.trusted() if proxy.scheme == "https" else None,
            max_connections=_MAX_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
            network_backend=backend,
        )

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


def _read(chunks: Iterable[bytes], enough: Enough | None) -> tuple[bytes, bool]:
    """Return a body, and whether it is the whole one or as much of it as was `enough`."""
    body = bytearray()
    _deadline.enough_came = (lambda: enough(bytes(body))) if enough is not None else None
    try:
        for chunk in chunks:
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BodyUnreadable("too large", f"more than {MAX_BODY_BYTES} bytes")
            if enough is not None and enough(bytes(body)):
                return bytes(body), False
    except _EnoughCame:
        return bytes(body), False
    finally:
        _deadline.enough_came = None
    return bytes(body), True


def _without_secrets(url: str, base: httpx.URL) -> str:
    """Return where a request goes: scheme and host, and the path where it is below the base URL."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return "an address that is no URL"
    if parsed.is_relative_url:
        return f"{base.scheme}://{base.netloc.decode('ascii')}{base.path.rstrip('/')}/{parsed.path.lstrip('/')}"
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


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


def _cause_description(problem: BaseException) -> tuple[str, str]:
    """Return our word for what went wrong, and the system's own reason where that can hold no request data."""
    if isinstance(problem, httpcore.ProxyError):
        status = str(problem).partition(" ")[0]
        answered = _ProxyAnswered(int(status) if status.isdecimal() else 0)
        return answered.cause, f"status {answered.status}"
    cause, detail = _cause_of(problem), _detail_of(problem)
    if not _deadline.at_proxy or cause == "bad request":
        return cause, detail
    text = f"{CAUSES[cause]} ({detail})" if detail else CAUSES[cause]
    # Once it is asked for a tunnel, its silence may be that of the host behind it.
    return ("unreachable" if _deadline.at_proxy == "asked" and cause in {"timeout", "reset"} else "proxy"), text


def _cause_of(problem: BaseException) -> str:
    """Return our word for what went wrong, told by the innermost known error of the chain."""
    chain = _chain(problem)
    if any(isinstance(error, ssl.SSLCertVerificationError) and trust.is_unknown_authority(error) for error in chain):
        return "untrusted"
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
