"""The road to a deployment: a proxy that disturbs what passes, as a load balancer does on a bad day."""

import http.client
import itertools
import socket
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"})
GATEWAY_PAGE = "<html><head><title>{status}</title></head><body>nginx</body></html>"


class Passing(msgspec.Struct, frozen=True, kw_only=True):
    """A request on its way: its place among all requests (from 0) and among the connections made (from 0)."""

    number: int
    connection: int
    method: str
    path: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer given in the place of the one behind; status 0 hangs up without any."""

    status: int
    text: str = ""
    content_type: str = "text/html"


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """Let it pass, to the upstream of this index, `seconds` later; `headers` replace those of its answer."""

    to: int = 0
    seconds: float = 0.0
    headers: dict[str, str] = {}


Disturbance = Callable[[Passing], Reply | Forward]


def undisturbed(passing: Passing) -> Forward:
    """Let everything pass."""
    return Forward()


def hang_up() -> Reply:
    """Return the answer of a process that dies on a request: none, and the connection is gone."""
    return Reply(status=0)


def gateway(status: int) -> Reply:
    """Return a gateway's own page, as it stands in for a deployment nobody reaches."""
    return Reply(status=status, text=GATEWAY_PAGE.format(status=status))


def burst(replies: Sequence[Reply], *, path: str = "/", method: str = "", after: int = 0) -> Disturbance:
    """Return the disturbance that gives the first requests below a path, `after` so many, these answers one by one."""
    left, skipped = iter(replies), itertools.count()

    def disturb(passing: Passing) -> Reply | Forward:
        if passing.path.startswith(path) and method in {"", passing.method} and next(skipped) >= after:
            return next(left, Forward())
        return Forward()

    return disturb


class Proxy:
    """Serves on loopback from `with` to its end; `passed` are the requests in the order they came."""

    def __init__(self, *upstreams: str, disturb: Disturbance = undisturbed) -> None:
        self.passed: list[Passing] = []
        self._upstreams = upstreams
        self._disturb = disturb
        self._lock = threading.Lock()
        self._connections = itertools.count()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def decide(self, connection: int, method: str, path: str) -> Reply | Forward:
        """Return what becomes of a request that has come."""
        with self._lock:
            passing = Passing(number=len(self.passed), connection=connection, method=method, path=path)
            self.passed.append(passing)
            return self._disturb(passing)

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Peers hang up on purpose here."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.connection_number = proxy.next_connection()

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            decided = proxy.decide(self.connection_number, self.command, self.path)
            if isinstance(decided, Reply):
                self._answer_in_place(decided)
            else:
                proxy.wait(decided.seconds)
                self._forward(proxy.upstream(decided.to), body, decided.headers)

        def _answer_in_place(self, reply: Reply) -> None:
            if reply.status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._send(reply.status, [("content-type", reply.content_type)], reply.text.encode())

        def _forward(self, upstream: str, body: bytes, replaced: dict[str, str]) -> None:
            parts = urlsplit(upstream)
            behind = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                behind.request(self.command, self.path, body=body or None, headers=headers)
                answer = behind.getresponse()
                content = answer.read()
                left_out = HOP_BY_HOP | set(replaced)
                passed_on = [(name, value) for name, value in answer.getheaders() if name.lower() not in left_out]
                self._send(answer.status, [*passed_on, *replaced.items()], content)
            finally:
                behind.close()

        def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            """Say nothing: a caller reads the gate's output, not the road's."""

    return Handler
