"""The real Soroban host as the engine of the ledger: a program of its own (`engine/`) that runs one call at a time.

The ledger stays here. The program asks for each entry that a call meets, and says how they change.
"""

import contextlib
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.execution import NONROOT, Executed, Invocation, InvocationFailed, Recorded
from streampay_sandbox.ledger.keys import Key, account_id
from streampay_sandbox.ledger.state import BASE_RESERVE_STROOPS, Draft
from streampay_smoke.core.errors import SettingsInvalid, SmokeError

PROTOCOL_VERSION: Final = 30
"""The protocol that the program's crates speak (soroban-env-host 30)."""

PROGRAM: Final = "streampay-host"
BUILT: Final = Path("engine/target/release") / PROGRAM
"""Where `scripts/host.sh` puts the program, from a checkout's root."""

_STOP_SECONDS: Final = 5.0


def built_program() -> Path:
    """Return the program: of this checkout, else on the path; raises SettingsInvalid where there is none."""
    installed = shutil.which(PROGRAM)
    program = BUILT if BUILT.is_file() else Path(installed) if installed else None
    if program is None:
        raise SettingsInvalid(
            f"the real host is not built: there is no {BUILT} here, and no {PROGRAM} on the path",
            next_step="build it in a checkout with scripts/host.sh, which needs Rust (cargo)",
        )
    return program


class RealHostFailed(SmokeError):
    """The program is missing, ended, or did not understand what it was asked."""

    kind = "sandbox_host_failed"


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    read_only: bool
    entry: str | None
    live_until: int | None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the program: an entry it wants (`get`), why it refuses, or what became of the call."""

    get: str = ""
    refused: str = ""
    value: str | None = None
    error: str | None = None
    error_text: str = ""
    events: list[str] = []
    diagnostics: list[str] = []
    auth: list[str] = []
    resources: str = ""
    changes: list[_Change] = []
    instructions: int = 0


class RealHost(contextlib.AbstractContextManager["RealHost"]):
    """Runs calls in the real host; from any thread, one at a time. Ends its program when closed."""

    def __init__(self, program: Path) -> None:
        self._lock = threading.Lock()
        self._program = subprocess.Popen(
            [str(program.resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def apply(self, invocation: Invocation, declared: xdr.SorobanResources) -> Executed:
        """Run a call within its declared resources; raises InvocationFailed."""
        answer = self._run(invocation, mode="apply", resources=declared.to_xdr())
        return Executed(value=_value(answer), events=_events(answer), instructions=answer.instructions)

    def record(self, invocation: Invocation, *, auth_mode: str, address_v2: bool) -> Recorded:
        """Run a call to learn what it has to declare; raises InvocationFailed."""
        enforced = bool(invocation.auth) or auth_mode == "enforce"
        mode = "record_enforced" if enforced else "record_nonroot" if auth_mode == NONROOT else "record"
        answer = self._run(invocation, mode=mode, address_v2=address_v2)
        footprint = xdr.SorobanResources.from_xdr(answer.resources).footprint
        return Recorded(
            value=_value(answer),
            events=_events(answer),
            instructions=answer.instructions,
            read_only=[Key(key) for key in footprint.read_only],
            read_write=[Key(key) for key in footprint.read_write],
            auth=[xdr.SorobanAuthorizationEntry.from_xdr(entry) for entry in answer.auth],
        )

    def close(self) -> None:
        """End the program; a second call does nothing."""
        if self._program.stdin is not None:
            with contextlib.suppress(OSError):
                self._program.stdin.close()
        try:
            self._program.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        if self._program.stdout is not None:
            self._program.stdout.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, invocation: Invocation, *, mode: str, resources: str = "", address_v2: bool = False) -> _Answer:
        request = {
            "mode": mode,
            "ledger": _ledger(invocation),
            "function": invocation.function.to_xdr(),
            "source": account_id(invocation.source).to_xdr(),
            "auth": [entry.to_xdr() for entry in invocation.auth],
            "address_v2": address_v2,
            "resources": resources,
            "seed": _seed(invocation),
        }
        with self._lock:
            answer = self._ask(request)
            while answer.get:
                answer = self._ask(_entry(invocation.draft, Key(xdr.LedgerKey.from_xdr(answer.get))))
        if answer.refused:
            raise RealHostFailed(f"the real host refuses a call: {answer.refused}")
        if answer.error is not None:
            diagnostics = [xdr.DiagnosticEvent.from_xdr(event) for event in answer.diagnostics]
            raise InvocationFailed(xdr.SCError.from_xdr(answer.error), answer.error_text, diagnostics)
        for change in answer.changes:
            _store(invocation.draft, change)
        return answer

    def _ask(self, message: Mapping[str, Any]) -> _Answer:
        pipe_in, pipe_out = self._program.stdin, self._program.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        try:
            pipe_in.write(msgspec.json.encode(message).decode() + "\n")
            pipe_in.flush()
            line = pipe_out.readline()
        except (OSError, ValueError) as error:
            raise RealHostFailed(f"the real host has ended: {error}") from error
        if not line:
            raise RealHostFailed("the real host ended in the middle of a call")
        return msgspec.json.decode(line, type=_Answer)


def _ledger(invocation: Invocation) -> dict[str, Any]:
    ledger = invocation.ledger
    return {
        "protocol": PROTOCOL_VERSION,
        "sequence": ledger.sequence,
        "timestamp": ledger.timestamp,
        "network_id": ledger.network_id.hex(),
        "base_reserve": BASE_RESERVE_STROOPS,
        "min_temporary_ttl": ledger.lifetimes.least_temporary,
        "min_persistent_ttl": ledger.lifetimes.least_persistent,
        "max_ttl": ledger.lifetimes.most,
    }


def _seed(invocation: Invocation) -> str:
    """Return what random numbers of the call are drawn from: the same for the same call in the same ledger."""
    return hashlib.sha256(f"{invocation.ledger.sequence}".encode() + invocation.function.to_xdr_bytes()).hexdigest()


def _entry(draft: Draft, key: Key) -> dict[str, Any]:
    found = draft.get(key)
    if found is None:
        return {"entry": None, "live_until": None}
    return {"entry": found.ledger_entry().to_xdr(), "live_until": found.live_until}


def _store(draft: Draft, change: _Change) -> None:
    """Put one entry of the footprint into the draft as the host left it."""
    key = Key(xdr.LedgerKey.from_xdr(change.key))
    before = draft.get(key)
    live_until = change.live_until if change.live_until is not None else before.live_until if before else None
    if change.entry is not None:
        draft.put(key, xdr.LedgerEntry.from_xdr(change.entry).data, live_until)
    elif not change.read_only and before is not None:
        draft.remove(key)
    elif before is not None and live_until is not None and live_until != before.live_until:
        draft.extend(key, live_until)


def _value(answer: _Answer) -> xdr.SCVal:
    if answer.value is None:
        raise RealHostFailed("the real host answers neither a value nor an error")
    return xdr.SCVal.from_xdr(answer.value)


def _events(answer: _Answer) -> list[xdr.ContractEvent]:
    return [xdr.ContractEvent.from_xdr(event) for event in answer.events]
