"""`streampay-smoke serve`: the service as a process, from its settings to its end."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from uvicorn import Config, Server

from streampay_smoke.core.ending_signals import ending_signals
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.core.system_facts import child_environment
from streampay_smoke.serve.app import Interface, ServedEnvironment
from streampay_smoke.serve.keys import Keyring, flagger_key
from streampay_smoke.serve.run_processes import GRACE_SECONDS, REPORT_SECONDS, RunProcesses
from streampay_smoke.serve.runs import Runs
from streampay_smoke.serve.store import Store
from streampay_smoke.settings.actuator import load_serve
from streampay_smoke.settings.deadline import CLEAN_UP_MOST_SECONDS
from streampay_smoke.settings.folders import history_file

CONNECTIONS: Final = 256
"""More callers at once are told 503."""

SHUTDOWN_SECONDS: Final = 3
"""How long answers that are under way may take once the service is told to end."""


class ServeConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """The service as its settings make it. `limit_seconds` is what one run may take in all."""

    tokens: tuple[Secret, ...]
    served: ServedEnvironment
    limit_seconds: float
    valid_seconds: float
    keep_runs: int
    history: Path | None = None


def load(environ: Mapping[str, str] | None = None, *, root: Path | None = None) -> ServeConfiguration:
    """Return the service as its settings make it; raises SettingsInvalid, for a missing token first of all."""
    given = load_serve(environ, root=root)
    limit_seconds = given.deadline_seconds + given.bake_seconds + CLEAN_UP_MOST_SECONDS + REPORT_SECONDS
    return ServeConfiguration(
        tokens=(given.serve_token, *([given.serve_token_b] if given.serve_token_b else [])),
        served=ServedEnvironment(
            environment=given.environment,
            region=given.region,
            base_url=given.base_url,
            targets=given.serve_targets,
            report_url=given.serve_report_url,
            wait_seconds=limit_seconds + GRACE_SECONDS,
        ),
        limit_seconds=limit_seconds,
        valid_seconds=given.serve_valid_seconds,
        keep_runs=given.serve_keep_runs,
        history=given.history,
    )


def serve(settings: ServeConfiguration, *, host: str, port: int, state: Path, concurrency: int) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; then end every run, which leaves its verdict, and return.

    Raises SettingsInvalid where the address or the state folder is not to be had.
    """
    store = Store(state.absolute())
    try:
        with _listening(host, port) as listener, _logging():
            history = history_file(settings.history, state.absolute())
            asyncio.run(_served(settings, store, history, listener, concurrency))
    finally:
        store.close()


def key_for(settings: ServeConfiguration, canary: str) -> str:
    """Return the key of a canary given as NAMESPACE/NAME; raises SettingsInvalid."""
    namespace, _, name = canary.partition("/")
    if not namespace or not name or "/" in name:
        raise SettingsInvalid(f"{canary!r} names no canary", next_step="give it as NAMESPACE/NAME")
    return flagger_key(settings.tokens[0], namespace, name)


async def _served(
    settings: ServeConfiguration, store: Store, history: Path, listener: socket.socket, concurrency: int
) -> None:
    report = settings.served.report_url
    given = {"SMOKE_HISTORY": str(history), **({"SMOKE_REPORT_URL": report} if report else {})}
    # Each attempt has an artifacts folder of its own; what is known of all runs is kept beside them.
    player = RunProcesses(child_environment(given), limit_seconds=settings.limit_seconds)
    runs = Runs(
        store,
        player,
        concurrency=concurrency,
        valid_seconds=settings.valid_seconds,
        keep=settings.keep_runs,
    )
    runs.start()
    app = Interface(runs, Keyring(settings.tokens), settings.served).app()
    server = _Server(
        Config(
            app,
            interface="asgi3",
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    for number in ending_signals():
        asyncio.get_running_loop().add_signal_handler(number, server.leave)
    address, port = listener.getsockname()[:2]
    sys.stdout.write(f"serving {settings.served.environment} at http://{address}:{port}\n")
    sys.stdout.flush()
    try:
        await server.serve(sockets=[listener])
    finally:
        await runs.close()


class _Server(Server):
    """uvicorn's server without its signal handlers, which would end the process before its runs are written down."""

    def leave(self) -> None:
        """Finish what is under way and return from `serve`."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol: without it 40 ms per answer
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(CONNECTIONS)
        except OSError as error:
            raise SettingsInvalid(
                f"cannot listen on {host}:{port}: {error.strerror}", next_step="use another --host or --port"
            ) from error
        yield listener


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Write the service's own lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logger = logging.getLogger("streampay_smoke.serve")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
