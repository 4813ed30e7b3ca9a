"""Streams that killed runs opened on the contract itself: the payer's key died with the run, the contract lives on.

The journals in the artifacts folder name them. A stream whose time is over can be settled by anybody.
"""

import contextlib
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from streampay_smoke.chain.adapter import ContractFailure
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import ResourceCreated, ResourceReleased, RunStarted
from streampay_smoke.promises.ledger import DIRECT_STREAM, FINAL_STATUSES
from streampay_smoke.settings import Settings
from streampay_smoke.surroundings import LEASE_SECONDS, Surroundings


class LeftOpen(msgspec.Struct, frozen=True, kw_only=True):
    """A contract stream that a journal names as made and not as brought to its end."""

    run_id: str
    stream_id: int

    def __str__(self) -> str:
        return f"contract stream {self.stream_id} of run {self.run_id}"


class Fate(StrEnum):
    """What can be done about a stream that was left open."""

    OVER = "over"
    """It has come to its end by itself, or its network was reset."""

    RUNNING = "running"
    """Its time is not over yet; then anybody may settle it."""

    DUE = "due"
    """Anybody may settle it, or we hold its payer's key."""

    LOST = "lost"
    """It never started, and only the key that died with its run could cancel it."""

    @property
    def because(self) -> str:
        """Why nothing is done about it."""
        return {Fate.RUNNING: "its time is not over", Fate.LOST: "it never started, and its payer's key is gone"}[self]


def left_open(settings: Settings, *, older_than_seconds: float | None, now_seconds: float) -> Iterator[LeftOpen]:
    """Yield what the journals of runs on this contract name; a run that wrote a moment ago may be under way."""
    needed_seconds = LEASE_SECONDS if older_than_seconds is None else older_than_seconds
    for path in sorted(settings.artifacts.glob("*/journal.jsonl")):
        if path.parent.is_symlink():
            continue
        with contextlib.suppress(OSError):  # a folder that goes away meanwhile, or is not ours to read
            entries = journals.read(path).entries
            started = next((entry.event for entry in entries if isinstance(entry.event, RunStarted)), None)
            if started is None or not _is_here(started, settings):
                continue
            if now_seconds - entries[-1].at_ms / 1000 >= needed_seconds:
                events = [entry.event for entry in entries]
                made = {event.id for event in events if isinstance(event, ResourceCreated) and _on_contract(event)}
                ended = {event.id for event in events if isinstance(event, ResourceReleased) and _on_contract(event)}
                for stream_id in sorted(map(int, made - ended)):
                    yield LeftOpen(run_id=started.run_id, stream_id=stream_id)


def fate_of(surroundings: Surroundings, left: LeftOpen) -> Fate:
    """Ask the contract what became of a stream; raises ChainError."""
    ledger = surroundings.ledger
    try:
        state = ledger.contract.stream(left.stream_id)
    except ContractFailure as refusal:
        if refusal.name == "NotFound":
            return Fate.OVER
        raise
    if state.status in FINAL_STATUSES:
        return Fate.OVER
    if surroundings.settings.signer_seed and state.payer == surroundings.payer.address:
        return Fate.DUE
    if state.status == "draft":
        return Fate.LOST
    return Fate.DUE if ledger.chain.health().closed_at >= state.ends_at else Fate.RUNNING


def bring_to_end(surroundings: Surroundings, left: LeftOpen) -> None:
    """Cancel a stream whose payer's key we hold, settle any other; raises ChainError."""
    contract, payer = surroundings.ledger.contract, surroundings.payer
    if contract.stream(left.stream_id).payer == payer.address:
        contract.cancel(left.stream_id, payer)
    else:
        contract.settle(left.stream_id, payer)


def _on_contract(event: ResourceCreated | ResourceReleased) -> bool:
    return event.kind == DIRECT_STREAM and event.id.isdecimal()


def _is_here(started: RunStarted, settings: Settings) -> bool:
    """Whether a run was on this very contract: every sandbox has the same ids, and its own address."""
    same = (started.network, started.contract_id) == (settings.network.name, settings.contract_id)
    return same and (not settings.network.simulated or started.settings.get("rpc_url") == settings.rpc_url)
