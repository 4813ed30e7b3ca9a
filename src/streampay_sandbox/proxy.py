"""The proxy to a deployment: a proxy that disturbs what passes, as a load balancer does on a bad day."""

import contextlib
import http.client
import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
EVENTS = "text/event-stream"
_PIECE_BYTES = 65_536
GATEWAY_PAGE = "<html><head><title>{status}</title></head><body>nginx</body></html>"


class ProxiedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request on its way: its place among all requests (from 0) and among the connections made (from 0).

    Header names are lower case.
    """

    number: int
    connection: int
    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class ProxiedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it goes over the wire.

    `hang_up_after` is how many bytes of its content are sent before the connection is gone, None for all of them;
    `drip_seconds` is the pause after each piece of `drip_bytes`. `more` is what follows it piece by piece, where it is
    a stream of events, which need not end.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes
    hang_up_after: int | None = None
    drip_seconds: float = 0.0
    drip_bytes: int = 1
    more: Iterator[bytes] | None = None

    def header(self, name: str) -> str:
        """Return a header's first value, "" where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def with_header(self, name: str, value: str) -> "ProxiedAnswer":
        """Return the answer with a header in place of any of this name."""
        others = tuple((key, kept) for key, kept in self.headers if key.lower() != name)
        return replace(self, headers=(*others, (name, value)))


class SubstituteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer given in the place of the one behind; status 0 hangs up without any."""

    status: int
    text: str = ""
    content_type: str = "text/html"
    headers: Mapping[str, str] = {}

    def sent(self) -> ProxiedAnswer:
        """Return it as it goes over the wire."""
        headers = (("content-type", self.content_type), *self.headers.items())
        return ProxiedAnswer(status=self.status, headers=headers, content=self.text.encode())


def _unchanged(sent: ProxiedAnswer) -> ProxiedAnswer:
    return sent


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """Let it pass, to the upstream of this index, `seconds` later; `headers` replace those of its answer.

    `without` names request headers (lower case) that get lost and `path` is asked for instead, "" for the same.
    `times` is how often it is delivered; the last answer counts. `then` makes of it what is sent back.
    """

    to: int = 0
    seconds: float = 0.0
    headers: Mapping[str, str] = {}
    without: frozenset[str] = frozenset()
    with_body: bool = True
    path: str = ""
    times: int = 1
    then: Callable[[ProxiedAnswer], ProxiedAnswer] = _unchanged


ProxyDecision = SubstituteAnswer | Forward | ProxiedAnswer
ProxyBehaviour = Callable[[ProxiedRequest], ProxyDecision]


def pass_through(passing: ProxiedRequest) -> Forward:
    """Let everything pass."""
    return Forward()


def hang_up() -> SubstituteAnswer:
    """Return the answer of a process that dies on a request: none, and the connection is gone."""
    return SubstituteAnswer(status=0)


def gateway(status: int) -> SubstituteAnswer:
    """Return a gateway's own page, as it stands in for a deployment nobody reaches."""
    return SubstituteAnswer(status=status, text=GATEWAY_PAGE.format(status=status))


def burst(decisions: Sequence[ProxyDecision], *, path: str = "/", method: str = "", after: int = 0) -> ProxyBehaviour:
    """Return the disturbance of the first requests below a path, `after` so many: each meets the next of these."""
    left, skipped = iter(decisions), itertools.count()

    def behaviour(passing: ProxiedRequest) -> ProxyDecision:
        if passing.path.startswith(path) and method in {"", passing.method} and next(skipped) >= after:
            return next(left, Forward())
        return Forward()

    return behaviour


class DisturbingProxy(contextlib.AbstractContextManager["DisturbingProxy"]):
    """Serves on loopback from `with` to its end; `passed` are the requests in the order they came."""

    def __init__(self, *upstreams: str, behaviour: ProxyBehaviour = pass_through) -> None:
        self.passed: list[ProxiedRequest] = []
        self._upstreams = upstreams
        self._behaviour = behaviour
        self._lock = threading.Lock()
        self._connections = itertools.count()
        self._stopping = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def decide(
        self, connection: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> ProxyDecision:
        """Return what becomes of a request that has come."""
        with self._lock:
            passing = ProxiedRequest(
                number=len(self.passed), connection=connection, method=method, path=path, headers=headers, body=body
            )
            self.passed.append(passing)
            return self._behaviour(passing)

    def next_connection(self) -> int:
        """Return the number of a connection that was just made."""
        return next(self._connections)

    def wait(self, seconds: float) -> None:
        """Hold a request up; the end of the proxy ends the wait."""
        self._stopping.wait(seconds)

    def upstream(self, index: int) -> str:
        """Return the address of an upstream."""
        return self._upstreams[index]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop taking requests; none that is under way is waited for."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def __exit__(self, *error: object) -> None:
        self.stop()


@contextlib.contextmanager
def full_queue() -> Iterator[int]:
    """Give a port of loopback that connecting to hangs: its queue of connections is full, and nobody empties it."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = held.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: DisturbingProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Peers hang up on purpose here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.proxy = self.server.proxy
        self.connection_number = self.proxy.next_connection()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.path = _origin_form(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        match self.proxy.decide(self.connection_number, self.command, self.path, headers, body):
            case Forward() as forward:
                self.proxy.wait(forward.seconds)
                with self._behind(forward) as behind:
                    self._send(_remade(self._answer_behind(behind, forward, headers, body), forward.then))
            case SubstituteAnswer() as reply:
                self._send(reply.sent())
            case sent:
                self._send(sent)

    def _behind(self, forward: Forward) -> contextlib.closing[http.client.HTTPConnection]:
        parts = urlsplit(self.proxy.upstream(forward.to))
        return contextlib.closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30))

    def _answer_behind(
        self, behind: http.client.HTTPConnection, forward: Forward, headers: Mapping[str, str], body: bytes
    ) -> ProxiedAnswer:
        left_out = HOP_BY_HOP | forward.without
        kept = {name: value for name, value in headers.items() if name not in left_out}
        content = body if body and forward.with_body else None
        for _ in range(forward.times - 1):
            behind.request(self.command, forward.path or self.path, body=content, headers=kept)
            answer = behind.getresponse()
            if _need_not_end(answer):
                behind.close()
            else:
                answer.read()
        behind.request(self.command, forward.path or self.path, body=content, headers=kept)
        answer = behind.getresponse()
        replaced = HOP_BY_HOP | set(forward.headers)
        passed_on = [(name, value) for name, value in answer.getheaders() if name.lower() not in replaced]
        passed_on += forward.headers.items()
        more = iter(partial(answer.read1, _PIECE_BYTES), b"") if _need_not_end(answer) else None
        content = answer.read() if more is None else next(more, b"")
        return ProxiedAnswer(status=answer.status, headers=tuple(passed_on), content=content, more=more)

    def _send(self, sent: ProxiedAnswer) -> None:
        if sent.status == 0:
            self._hang_up()
            return
        self.send_response_only(sent.status)  # what stands behind says who it is, and by its own clock
        for name, value in sent.headers:
            self.send_header(name, value)
        if sent.more is None:
            self.send_header("content-length", str(len(sent.content)))
        else:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        for piece in itertools.chain(_pieces(sent), sent.more or ()):
            self.wfile.write(piece)
            self.proxy.wait(sent.drip_seconds)
        if sent.hang_up_after is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Say nothing: a caller reads the gate's output, not the proxy's."""


def _need_not_end(answer: http.client.HTTPResponse) -> bool:
    return answer.status == 200 and answer.headers.get_content_type() == EVENTS


def _remade(sent: ProxiedAnswer, then: Callable[[ProxiedAnswer], ProxiedAnswer]) -> ProxiedAnswer:
    """Return what is sent back; of events that need not end only the connection can be changed: they may break off."""
    remade = then(sent)
    if sent.more is None:
        return remade
    breaks_off = remade.hang_up_after is not None and remade.hang_up_after < len(sent.content)
    return replace(remade, more=None) if breaks_off else sent


def _origin_form(target: str) -> str:
    """Return the path and query of a request's target: what is sent to a forward proxy names the host as well."""
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"


def _pieces(sent: ProxiedAnswer) -> Iterator[bytes]:
    """Yield what of the content is sent, in the pieces it is sent in."""
    content = sent.content[: sent.hang_up_after]
    if not sent.drip_seconds:
        yield content
        return
    for place in range(0, len(content), sent.drip_bytes):
        yield content[place : place + sent.drip_bytes]
