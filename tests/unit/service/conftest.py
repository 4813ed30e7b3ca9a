"""A small deployment on a loopback socket that answers what a test scripts, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from streampay_smoke.evidence.events import AnyEvent


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Says(msgspec.Struct, frozen=True, kw_only=True):
    status: int = 200
    json: Any = msgspec.UNSET
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        return (self.text if self.json is msgspec.UNSET else json.dumps(self.json)).encode()


Script = Says | Callable[[Asked], Says]


class ScriptedService:
    """Answers from scripts by `METHOD /path` (query left out). Several answers are given in turn, the last for good."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._scripts: dict[str, list[Script]] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Stay quiet."""

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                asked = Asked(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                )
                says = service.answer(asked)
                self.send_response(says.status)
                for name, value in says.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(says.body)))
                self.end_headers()
                self.wfile.write(says.body)

            do_GET = do_POST = do_PATCH = do_DELETE = do_OPTIONS = _answer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def on(self, request: str, *scripts: Script) -> "ScriptedService":
        self._scripts[request] = list(scripts)
        return self

    def answer(self, asked: Asked) -> Says:
        self.asked.append(asked)
        scripts = self._scripts.get(f"{asked.method} {asked.path.partition('?')[0]}")
        if not scripts:
            return Says(status=404, text="<!DOCTYPE html><html><title>Not found</title></html>")
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script if isinstance(script, Says) else script(asked)

    def requests(self, request: str) -> list[Asked]:
        return [asked for asked in self.asked if f"{asked.method} {asked.path.partition('?')[0]}" == request]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    service = ScriptedService()
    yield service
    service.close()


@pytest.fixture
def events() -> list[AnyEvent]:
    return []
