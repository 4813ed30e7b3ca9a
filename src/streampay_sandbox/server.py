"""An ASGI application served on 127.0.0.1 from a thread of this process: quick to start, quick to stop, silent."""

import asyncio
import socket
import threading
from contextlib import AbstractContextManager
from typing import Any, Final, Self

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config, Server

from streampay_smoke.core.errors import SettingsInvalid, SmokeError

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 1.0
_DRAIN_STEP_SECONDS: Final = 0.002


def far_away(app: ASGIApp, latency_seconds: float) -> ASGIApp:
    """Return an application that every request reaches so much later."""

    async def later(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await asyncio.sleep(latency_seconds)
        await app(scope, receive, send)

    return later


class LoopbackServer(AbstractContextManager["LoopbackServer"]):
    """Serves `app` on 127.0.0.1 until stopped; `port` 0 takes a free one.

    `stopping` is set as the first thing `stop()` does, so that an application that deliberately hangs can wait on
    it instead of sleeping. `errors` holds the exceptions the application let through (the client got a 500).
    """

    def __init__(
        self, app: ASGIApp, port: int = 0, *, stopping: threading.Event | None = None, grace_seconds: float = 2.0
    ) -> None:
        self.stopping = stopping or threading.Event()
        self.errors: list[Exception] = []
        self._app = app
        self._port = port
        self._grace_seconds = grace_seconds
        self._thread: threading.Thread | None = None
        self._server: _QuietServer | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the requested one before `start()`."""
        return self._port

    @property
    def url(self) -> str:
        """Root address without a trailing slash, e.g. `http://127.0.0.1:43121`."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> Self:
        """Listen and return once requests are answered; raises SettingsInvalid when the port is taken."""
        if self._thread is not None:
            raise SmokeError("this loopback server was already started", next_step="make a new one")
        listener = _listen(self._port)
        self._port = listener.getsockname()[1]
        server = self._server = _QuietServer(self._config(), self._grace_seconds)
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name=f"loopback-{self._port}", daemon=True
        )
        self._thread.start()
        if not server.answering.wait(_START_SECONDS):
            self.stop()
            raise SmokeError(f"the loopback server on port {self._port} did not start within {_START_SECONDS:g} s")
        return self

    def stop(self) -> None:
        """Close every connection and wait for the thread; a second call does nothing."""
        self.stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.leave()
            self._thread.join()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def _config(self) -> Config:
        return Config(
            self._observed_app,
            interface="asgi3",
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level=60,  # above CRITICAL: the sandbox shares its terminal with the run it serves
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing stands before it that may say whose connection it is
            date_header=False,  # each application tells the time itself, or does not
            timeout_keep_alive=75,
        )

    async def _observed_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self.errors.append(error)
            raise


class _QuietServer(Server):
    """uvicorn's server, woken by an event instead of looking ten times a second."""

    def __init__(self, config: Config, grace_seconds: float) -> None:
        super().__init__(config)
        self.answering = threading.Event()
        self._grace_seconds = grace_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Event | None = None

    def leave(self) -> None:
        """Ask the serving thread to finish; safe from any thread, at any time."""
        self.should_exit = True
        loop, leaving = self._loop, self._leaving
        if loop is not None and leaving is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(leaving.set)
            except RuntimeError:
                return  # the loop closed in between: it is already leaving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets=sockets)
        self.answering.set()

    async def main_loop(self) -> None:
        leaving = self._leaving
        while leaving is not None and not await self.on_tick(0):  # each tick refreshes the Date header
            try:
                await asyncio.wait_for(leaving.wait(), _TICK_SECONDS)
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(int(self._grace_seconds / _DRAIN_STEP_SECONDS)):
            if not self._busy():
                break
            await asyncio.sleep(_DRAIN_STEP_SECONDS)
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            transport: Any = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    def _busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol: without it 40 ms per answer
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SettingsInvalid(
            f"cannot listen on {HOST}:{port}: {error.strerror}", next_step="use another port, or 0 for a free one"
        ) from error
    listener.listen(256)
    return listener
