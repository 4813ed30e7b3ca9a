"""Starts the whole sandbox, a ledger and a StreamPay on it, inside this process or as a command."""

import contextlib
import os
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from streampay_sandbox.wire_versions import DEFAULT_WIRE_VERSION
from streampay_smoke.core.ending_signals import ending_signals
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret

if TYPE_CHECKING:
    from streampay_sandbox.ledger import SandboxLedger
    from streampay_sandbox.ledger.deployed_contract import DeployedContract
    from streampay_sandbox.server import LoopbackServer
    from streampay_sandbox.service.limits import TokenBuckets
    from streampay_sandbox.service.parts import Parts, ServiceSettings
    from streampay_sandbox.service.settlement import Treasury

LEDGER_TIMEOUT_SECONDS = 10.0
"""The service is less patient with its ledger than the gate with it (15 s), for its callers are waiting. An RPC that is
slow because several runs share the machine does not make it refuse a settlement."""

TRANSACTION_VALID_SECONDS = 20

STREAM_CONTRACT = "streampay-stream"
WITHDRAWAL_CONTRACT = "streampay-contracts-v0.2"
CONTRACT_PROFILES = (STREAM_CONTRACT, WITHDRAWAL_CONTRACT)
"""The contracts that a run can be pointed at, by their profiles; the service always settles on the first one."""


class Sandbox(contextlib.AbstractContextManager["Sandbox"]):
    """A running sandbox; stops at the end of a `with` block or by `stop()`."""

    def __init__(
        self,
        *,
        ledger: "SandboxLedger",
        server: "LoopbackServer",
        treasury: "Treasury",
        settings: "ServiceSettings",
        parts: "Parts",
        contract_profile: str = STREAM_CONTRACT,
    ) -> None:
        self._ledger = ledger
        self._contract_profile = contract_profile
        self._server = server
        self._treasury = treasury
        self._settings = settings
        self._parts = parts
        self._beside: list[LoopbackServer] = []
        self.base_url = server.url
        self.rpc_url = ledger.rpc_url
        self.friendbot_url = ledger.friendbot_url

    def closed_at_ms(self) -> Sequence[int]:
        """Return when its ledgers closed, in Unix milliseconds, the oldest first."""
        book = self._ledger.node.book
        return [book.ledger(number).closed_at_ms for number in range(book.oldest.sequence, book.latest.sequence + 1)]

    def ready_document(self) -> dict[str, Any]:
        """Return where everything answers, and under `env` the variables that point a run at it.

        It holds the sandbox's secrets, which are made anew at each start: for a file that only its owner reads.
        """
        return {
            "base_url": self.base_url,
            "rpc_url": self.rpc_url,
            "friendbot_url": self.friendbot_url,
            "network_passphrase": self._ledger.passphrase,
            "contract_id": self._ledger.contract_id,
            "env": environ_of(self.base_url, self._ledger, self._settings, contract_profile=self._contract_profile),
        }

    def restart_service(self) -> None:
        """Let the service forget what a process that keeps everything in its memory forgets at a restart."""
        self._parts.forget()

    def start_beside(self) -> str:
        """Start one more StreamPay on the same ledger, without any fault and with a memory of its own: its address."""
        from streampay_sandbox.server import LoopbackServer
        from streampay_sandbox.service.app import build_app
        from streampay_sandbox.service.parts import honest_parts, new_memory

        stopping = threading.Event()
        parts = honest_parts(self._settings, self._treasury, memory=new_memory(None), stopping=stopping)
        self._beside.append(LoopbackServer(build_app(parts), stopping=stopping).start())
        return self._beside[-1].url

    def stop(self) -> None:
        """Stop the service, then the ledger; a second call does nothing."""
        for server in (self._server, *self._beside):
            server.stop()
        self._treasury.close()
        self._ledger.stop()

    def __exit__(self, *error: object) -> None:
        self.stop()


def refuse_unknown_profile(contract_profile: str) -> None:
    """Raise SettingsInvalid for a profile that the sandbox has no contract of."""
    if contract_profile not in CONTRACT_PROFILES:
        raise SettingsInvalid(
            f"the sandbox has no contract of profile {contract_profile}",
            next_step=f"set SMOKE_CONTRACT_PROFILE, or --contract-profile, to one of: {', '.join(CONTRACT_PROFILES)}",
        )


def start_sandbox(
    *,
    port: int = 0,
    rpc_port: int = 0,
    close_seconds: float = 0.0,
    faults: Sequence[str] = (),
    release: str = "sandbox",
    buckets: "TokenBuckets | None" = None,
    rpc_version: str = DEFAULT_WIRE_VERSION,
    contract_file: Path | None = None,
    contract_profile: str = STREAM_CONTRACT,
    latency_seconds: float = 0.0,
) -> Sandbox:
    """Start a ledger and a StreamPay on it, and return once both answer.

    Port 0 takes a free one; `close_seconds` 0 closes a ledger for each transaction. `latency_seconds` is how far away
    the StreamPay is. `buckets` are its rate limits, by default as measured; where ledgers are instant, those on writes
    refill sooner. `rpc_version` is one of `WIRE_VERSIONS`. The code in `contract_file` is deployed as the stream
    contract, and run by the real host; runs are pointed at the contract of `contract_profile`. Raises SettingsInvalid
    for a port that is taken, a fault, a version or a profile nobody knows, and a contract that cannot be run.
    """
    refuse_unknown_profile(contract_profile)
    # What serves the sandbox costs half a second to import, and a run against a deployment needs none of it.
    from streampay_sandbox.faults import chosen_faults
    from streampay_sandbox.ledger import start_ledger
    from streampay_sandbox.service.limits import INSTANT_REFILL_SECONDS, TokenBuckets

    if buckets is None and not close_seconds:
        buckets = TokenBuckets(refill_seconds=INSTANT_REFILL_SECONDS)
    chosen = chosen_faults(faults)
    contract = contract_of(contract_file)
    with contextlib.ExitStack() as started:  # what has started ends where the rest does not start
        if contract is not None:
            started.callback(contract.host.close)
        ledger = start_ledger(
            port=rpc_port, close_seconds=close_seconds, faults=chosen.ledger, rpc_version=rpc_version, contract=contract
        )
        started.callback(ledger.stop)
        sandbox = _with_service(
            ledger,
            port=port,
            faults=chosen.service,
            release=release,
            buckets=buckets,
            contract_profile=contract_profile,
            latency_seconds=latency_seconds,
        )
        started.pop_all()
    return sandbox


def contract_of(file: Path | None) -> "DeployedContract | None":
    """Return a release's own contract, None where the sandbox's models are to be used; raises SettingsInvalid."""
    from streampay_sandbox.ledger.deployed_contract import DeployedContract

    return None if file is None else DeployedContract.from_file(file)


def _with_service(
    ledger: "SandboxLedger",
    *,
    port: int,
    faults: tuple[str, ...],
    release: str,
    buckets: "TokenBuckets | None",
    contract_profile: str,
    latency_seconds: float,
) -> Sandbox:
    from streampay_sandbox.server import LoopbackServer, far_away
    from streampay_sandbox.service.app import build_app
    from streampay_sandbox.service.faults import faulty
    from streampay_sandbox.service.parts import honest_parts, new_memory

    settings, treasury = new_settings(ledger, release), new_treasury(ledger)
    stopping = threading.Event()
    parts = faulty(honest_parts(settings, treasury, memory=new_memory(buckets), stopping=stopping), faults)
    app = far_away(build_app(parts), latency_seconds) if latency_seconds else build_app(parts)
    server = LoopbackServer(app, port, stopping=stopping).start()
    return Sandbox(
        ledger=ledger,
        server=server,
        treasury=treasury,
        settings=settings,
        parts=parts,
        contract_profile=contract_profile,
    )


def new_settings(ledger: "SandboxLedger", release: str) -> "ServiceSettings":
    """Return what a StreamPay on this ledger is told at its start, with secrets made anew."""
    from streampay_sandbox.service.parts import ServiceSettings

    return ServiceSettings(
        release=release,
        rpc_url=ledger.rpc_url,
        network_passphrase=ledger.passphrase,
        contract_id=ledger.contract_id,
        jwt_secret=Secret(secrets.token_hex(32)),
        api_key=Secret(secrets.token_hex(24)),
        webhook_secret=Secret(secrets.token_hex(24)),
    )


def new_treasury(ledger: "SandboxLedger") -> "Treasury":
    """Return the operator's account on this ledger, which was born with coins."""
    from streampay_sandbox.service.settlement import Treasury
    from streampay_sandbox.service.stellar import Stellar
    from streampay_sandbox.service.stream_contract import StreamContractClient

    stellar = Stellar(
        ledger.rpc_url,
        ledger.passphrase,
        timeout_seconds=LEDGER_TIMEOUT_SECONDS,
        valid_seconds=TRANSACTION_VALID_SECONDS,
        channels=ledger.birth.channels,
    )
    contract = StreamContractClient(stellar, ledger.contract_id, ledger.native_token_id, ledger.birth.operator)
    return Treasury(contract)


def environ_of(
    base_url: str, ledger: "SandboxLedger", settings: "ServiceSettings", *, contract_profile: str = STREAM_CONTRACT
) -> dict[str, str]:
    """Return the variables that point a run at a StreamPay of the sandbox, and at one of its contracts."""
    withdraws = contract_profile == WITHDRAWAL_CONTRACT
    return {
        "SMOKE_ENV": "sandbox",
        "SMOKE_BASE_URL": base_url,
        "SMOKE_STELLAR_NETWORK": "sandbox",
        "SMOKE_STELLAR_RPC_URL": ledger.rpc_url,
        "SMOKE_STELLAR_FRIENDBOT_URL": ledger.friendbot_url,
        "SMOKE_CONTRACT_ID": ledger.withdrawal_contract_id if withdraws else ledger.contract_id,
        "SMOKE_TOKEN_CONTRACT_ID": ledger.native_token_id,
        "SMOKE_AUTH_MODE": "wallet",
        "SMOKE_AUTH_JWT_SECRET": settings.jwt_secret.reveal(),
        "SMOKE_API_KEY": settings.api_key.reveal(),
        # A service cannot settle there for its recipients: only who withdraws is paid.
        **({"SMOKE_CONTRACT_PROFILE": contract_profile, "SMOKE_SETTLEMENT_PROOF": "service"} if withdraws else {}),
        # Ledgers that close at once leave nothing to wait for side by side.
        **({"SMOKE_LANES": "1"} if ledger.closes_at_once else {}),
    }


def serve(
    *,
    ready_file: Path | None = None,
    port: int = 0,
    rpc_port: int = 0,
    close_seconds: float = 0.0,
    faults: Sequence[str] = (),
    release: str = "sandbox",
    rpc_version: str = DEFAULT_WIRE_VERSION,
    contract_file: Path | None = None,
    contract_profile: str = STREAM_CONTRACT,
) -> None:
    """Serve the sandbox until SIGTERM, SIGINT or SIGHUP.

    `ready_file` gets the ready document once both answer, readable by its owner only, and goes away at the end. Without
    it the variables that point a run at the sandbox are printed, to be copied into a shell: they end with the sandbox.
    Raises SettingsInvalid as `start_sandbox`, and when the file cannot be written. To be called from the main
    thread of a process that has no other threads yet.
    """
    with (
        stoppable() as wait,
        start_sandbox(
            port=port,
            rpc_port=rpc_port,
            close_seconds=close_seconds,
            faults=faults,
            release=release,
            rpc_version=rpc_version,
            contract_file=contract_file,
            contract_profile=contract_profile,
        ) as sandbox,
    ):
        try:
            if ready_file is not None:
                write_private(ready_file, msgspec.json.format(msgspec.json.encode(sandbox.ready_document())))
            sys.stdout.write(
                f"sandbox: StreamPay at {sandbox.base_url}, Stellar RPC at {sandbox.rpc_url} (all simulated)\n"
            )
            if ready_file is None:
                sys.stdout.writelines(f"{line}\n" for line in exports(sandbox.ready_document()["env"]))
            sys.stdout.flush()
            wait()
        finally:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)


def exports(environ: Mapping[str, str]) -> list[str]:
    """Return the lines that set these variables in a shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in environ.items()]


@contextlib.contextmanager
def stoppable() -> Iterator[Callable[[], int]]:
    """Give what waits for SIGTERM, SIGINT or SIGHUP.

    Blocked in here, the signals stay pending in every thread until they are waited for: none is lost or half handled.
    """
    stopping = ending_signals()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    try:
        yield lambda: signal.sigwait(stopping)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def write_private(path: Path, content: bytes) -> None:
    """Write a file in one step that only its owner can read."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise SettingsInvalid(
            f"cannot write the ready file {path}: {error.strerror}", next_step="give a path in an existing folder"
        ) from error
