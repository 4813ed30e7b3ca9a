"""The service without its sockets: an application that is called, a clock that is set, runs that end when told."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.types import Message
from waits import HANG_SECONDS

from streampay_smoke.core.secret import Secret
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.serve.app import Interface, ServedEnvironment
from streampay_smoke.serve.attempts import RunOrder
from streampay_smoke.serve.keys import Keyring
from streampay_smoke.serve.run_processes import RunAnswer, RunProcesses
from streampay_smoke.serve.runs import Runs
from streampay_smoke.serve.store import Store

TOKEN = "first-token-0123456789abcdef"
OTHER_TOKEN = "other-token-0123456789abcdef"
BEARER = {"authorization": f"Bearer {TOKEN}"}

PLACE = ServedEnvironment(
    environment="staging",
    region="",
    base_url="https://staging.example",
    targets=("https://preview.example",),
    report_url="https://reports.example/{run_id}/",
    wait_seconds=5.0,
)

T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode().strip()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Clock:
    """Milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def pass_seconds(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class ToldPlayer(RunProcesses):
    """Plays what it is told: words in order, the last one for ever. With `waits`, a run ends at `let_go()`."""

    def __init__(self, *words: VerdictStatus, waits: bool = False, held: bool = False) -> None:
        super().__init__({}, limit_seconds=1)
        self.words = list(words) or [VerdictStatus.PASS]
        self.played: list[RunOrder] = []
        self.waits = waits
        self.held = held
        self._gone = asyncio.Event()

    def let_go(self) -> None:
        self._gone.set()

    def close(self) -> None:
        self.words = [VerdictStatus.INCONCLUSIVE]
        self.let_go()

    async def play(self, order: RunOrder, folder: Path, started: Callable[[int], None]) -> RunAnswer:
        self.played.append(order)
        started(0)
        if self.waits:
            await self._gone.wait()
        status = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        told = {"reason_code": f"told_{status.lower()}", "message": f"{status}: as told", "run_id": "run-1"}
        return RunAnswer(verdict=status, held=self.held, **told)


class Service:
    """A service over a state folder, driven from synchronous tests."""

    def __init__(
        self,
        state: Path,
        player: RunProcesses | None = None,
        *,
        tokens: tuple[str, ...] = (TOKEN,),
        served: ServedEnvironment = PLACE,
        concurrency: int = 2,
        keep: int = 100,
        clock: Clock | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self.clock = clock or Clock()
        self.player = player or ToldPlayer()
        self.store = Store(state)
        self.runs = Runs(
            self.store, self.player, concurrency=concurrency, valid_seconds=3600, keep=keep, now_ms=self.clock
        )
        keyring = Keyring([Secret(token) for token in tokens])
        self.app = Interface(self.runs, keyring, served, now_ms=self.clock).app()
        self.do(self._started())

    async def _started(self) -> None:
        self.runs.start()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(asyncio.wait_for(what, HANG_SECONDS))

    def let_work(self) -> None:
        """Let everything that can go on do so."""
        self.do(self._turns())

    async def _turns(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def stop(self) -> None:
        self.do(self.runs.close())
        self.store.close()
        self._loop.close()

    def crash(self) -> None:
        """End as kill -9 does: nothing is written, nobody is told."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self.let_work()
        self.store.close()
        self._loop.close()

    def get(self, path: str, headers: Mapping[str, str] = BEARER) -> Reply:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: object, headers: Mapping[str, str] = BEARER) -> Reply:
        return self.call("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)

    def answer(self, deploy: str) -> Any:
        """Return what counts for a deploy once everything has worked."""
        self.let_work()
        return self.get(f"/v1/runs/{deploy}").json

    def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = BEARER) -> Reply:
        return self.do(self._call(method, path, [body], headers))

    async def _call(self, method: str, path: str, chunks: list[bytes | None], headers: Mapping[str, str]) -> Reply:
        """Call the application; a None among the chunks is a caller that sends no more."""
        target, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": target,
            "raw_path": target.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8780),
        }
        left = list(chunks)
        sent: list[Message] = []

        async def receive() -> Message:
            chunk = left.pop(0) if left else None
            if chunk is None:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": chunk, "more_body": bool(left)}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start = next(message for message in sent if message["type"] == "http.response.start")
        body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return Reply(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=body,
        )


def canary(checksum: str = "abc", *, key: str, **metadata: str) -> dict[str, object]:
    """What Flagger posts for the canary shop/pay."""
    return {
        "name": "pay",
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": checksum,
        "metadata": {"key": key, **metadata},
    }
