"""A deployment engine's HTTP interface on loopback, which can be told to be slow, busy, deaf or out of its mind."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from waits import HANG_SECONDS


@dataclass
class Asked:
    """A request as it arrived; header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answered:
    """What is answered: `body` is sent as JSON unless it is bytes."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Engine(Protocol):
    """What an engine does with a request."""

    def answer(self, asked: Asked) -> Answered: ...


Matches = Callable[[Asked], bool]


def any_request(asked: Asked) -> bool:
    del asked
    return True


def writes(asked: Asked) -> bool:
    """Requests that change something. AWS posts everything and says in a header what it asks."""
    action = asked.headers.get("x-amz-target", "").rpartition(".")[2]
    return not action.startswith(("Describe", "List", "Get", "BatchGet")) if action else asked.method != "GET"


class Double:
    """Serves an engine. Disturbances are taken in the order they were told, each for one request it matches."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.asked: list[Asked] = []
        self.url = ""
        self.defects: list[Exception] = []
        self._disturbances: list[tuple[Matches, Callable[[Asked], Answered | None]]] = []
        self._lock = threading.Lock()

    def refuse(
        self,
        status: int,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        when: Matches = any_request,
    ) -> None:
        """Answer for the engine, which does not hear of the request."""
        answered = Answered(status, {} if body is None else body, headers or {})
        self._disturbances += [(when, lambda asked: answered)] * times

    def hang_up(self, *, when: Matches = any_request) -> None:
        """Close the connection without asking the engine."""
        self._disturbances.append((when, lambda asked: None))

    def act_and_hang_up(self, *, when: Matches = any_request) -> None:
        """Let the engine act, and close the connection instead of telling so."""

        def act(asked: Asked) -> None:
            self.engine.answer(asked)

        self._disturbances.append((when, act))

    def never_answer(self, released: threading.Event, *, when: Matches = any_request) -> None:
        """Keep the request waiting until `released`."""

        def wait(asked: Asked) -> None:
            released.wait(HANG_SECONDS)

        self._disturbances.append((when, wait))

    def first(self, act: Callable[[], None], *, when: Matches = any_request) -> None:
        """Let something else happen before the engine gets the request."""

        def then(asked: Asked) -> Answered:
            act()
            return self.engine.answer(asked)

        self._disturbances.append((when, then))

    def answer(self, asked: Asked) -> Answered | None:
        with self._lock:
            self.asked.append(asked)
            chosen = next((one for one in self._disturbances if one[0](asked)), None)
            if chosen is None:
                return self.engine.answer(asked)
            self._disturbances.remove(chosen)
        return chosen[1](asked)

    def written(self) -> list[Asked]:
        """The requests that asked for a change."""
        return [asked for asked in self.asked if writes(asked)]


@contextlib.contextmanager
def serving(engine: Engine) -> Iterator[Double]:
    """Serve an engine on loopback."""
    double = Double(engine)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            try:
                answered = double.answer(asked)
            except Exception as defect:  # noqa: BLE001 (told when the test ends, not in a thread's traceback)
                double.defects.append(defect)
                answered = None
            if answered is None:
                self.close_connection = True
                return
            self.send_response(answered.status)
            content = b"" if answered.status == 204 else answered.content
            for name, value in {"content-type": "application/json", **answered.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET
        do_PUT = do_GET
        do_PATCH = do_GET

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    if double.defects:
        raise double.defects[0]
