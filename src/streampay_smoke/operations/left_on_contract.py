"""Streams that killed runs opened on the contract itself, and what can still be done about them.

The journals in the artifacts folder name the runs, and most of their streams; the contract's own events name those of
a run that was killed before it could. A run's payer follows from its id: whoever sweeps can sign for it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from streampay_smoke.acceptance.resources.contract_streams import CONTRACT_STREAM, FINAL_STATUSES
from streampay_smoke.acceptance.resources.synthetic_streams import LEASE_SECONDS
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.chain.adapter import ChainAccount, ContractFailure
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.evidence.events import ResourceCreated, ResourceReleased, RunStarted
from streampay_smoke.gate.history import fold
from streampay_smoke.settings import Settings


class QuietRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal that nobody has written to for a while tells of its run: contract streams it made, and ended.

    `first_ledger` is the newest ledger when it began, None when it saw none.
    """

    environment: str
    run_id: str
    made: frozenset[int]
    ended: frozenset[int]
    first_ledger: int | None


class LeftOpen(msgspec.Struct, frozen=True, kw_only=True):
    """A contract stream that a run made, and did not note to have brought to its end."""

    environment: str
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

    SETTLEABLE = "settleable"
    """Its time is over: anybody may settle it."""

    CANCELLABLE = "cancellable"
    """Its time is not over, and we hold the payer's key that cancels it."""

    LOST = "lost"
    """It never started, and we do not hold the only key that could cancel it."""

    @property
    def is_due(self) -> bool:
        """Whether a sweep brings the stream to its end."""
        return self in {Fate.SETTLEABLE, Fate.CANCELLABLE}

    @property
    def because(self) -> str:
        """Why nothing is done about it."""
        return {Fate.RUNNING: "its time is not over", Fate.LOST: "it never started, and its payer is not ours"}[self]


def left_open(run_context: RunContext, *, older_than_seconds: float | None, now_seconds: float) -> Iterator[LeftOpen]:
    """Yield what quiet runs on this contract made and did not end: first what journals name. Raises ChainError."""
    runs = tuple(_quiet_runs(run_context.settings, older_than_seconds=older_than_seconds, now_seconds=now_seconds))
    for run in runs:
        yield from _left_by(run, run.made)
    for run, unnamed in _unnamed(run_context, runs):
        yield from _left_by(run, unnamed)


def fate_of(run_context: RunContext, left: LeftOpen) -> Fate:
    """Ask the contract what became of a stream; raises ChainError."""
    ledger = run_context.ledger
    try:
        state = ledger.contract.stream(left.stream_id)
    except ContractFailure as refusal:
        if refusal.name == "NotFound":
            return Fate.OVER
        raise
    if state.status in FINAL_STATUSES:
        return Fate.OVER
    settles = ledger.contract.profile.settles_in_one_call
    if settles and state.status != "draft" and ledger.chain.health().closed_at >= state.ends_at:
        return Fate.SETTLEABLE
    if state.payer == _payer_of(run_context, left).address:
        return Fate.CANCELLABLE
    return Fate.LOST if state.status == "draft" else Fate.RUNNING


def bring_to_end(run_context: RunContext, left: LeftOpen, fate: Fate) -> None:
    """Settle or cancel a stream, as its fate allows; raises ChainError."""
    contract = run_context.ledger.contract
    if fate is Fate.CANCELLABLE:
        contract.cancel(left.stream_id, _payer_of(run_context, left))
    else:
        contract.settle(left.stream_id, run_context.payer)


def _quiet_runs(settings: Settings, *, older_than_seconds: float | None, now_seconds: float) -> Iterator[QuietRun]:
    """Read the journals of runs on this contract; a run that wrote a moment ago may be under way."""
    needed_seconds = LEASE_SECONDS if older_than_seconds is None else older_than_seconds
    for path in sorted(settings.artifacts.glob("*/journal.jsonl")):
        if path.parent.is_symlink():
            continue
        with contextlib.suppress(OSError):  # a folder that goes away meanwhile, or is not ours to read
            run = fold(journals.read(path).entries)
            if run.started is None or not _is_here(run.started, settings):
                continue
            if now_seconds - run.ended_at_ms / 1000 >= needed_seconds:
                yield QuietRun(
                    environment=run.started.environment,
                    run_id=run.started.run_id,
                    made=_ids(run.created),
                    ended=_ids(run.released),
                    first_ledger=run.chains[0].ledger if run.chains else None,
                )


def _unnamed(run_context: RunContext, runs: tuple[QuietRun, ...]) -> Iterator[tuple[QuietRun, frozenset[int]]]:
    """Yield the streams that a run's payer opened and its journal does not name.

    Not where a seed is given: that payer is shared with runs that are under way.
    """
    first_ledgers = [run.first_ledger for run in runs if run.first_ledger is not None]
    if not first_ledgers or run_context.settings.signer_seed:
        return
    since_ledger = max(min(first_ledgers), run_context.ledger.chain.health().oldest_ledger)
    opened: dict[str, set[int]] = {}
    for event in run_context.ledger.contract.stream_events(since_ledger):
        if event.name == "created":
            opened.setdefault(event.fields["payer"], set()).add(event.stream_id)
    for run in runs:
        payer = run_context.payer_of(run.environment, run.run_id)
        yield run, frozenset(opened.get(payer.address, ())) - run.made


def _left_by(run: QuietRun, made: frozenset[int]) -> Iterator[LeftOpen]:
    for stream_id in sorted(made - run.ended):
        yield LeftOpen(environment=run.environment, run_id=run.run_id, stream_id=stream_id)


def _payer_of(run_context: RunContext, left: LeftOpen) -> ChainAccount:
    return run_context.payer_of(left.environment, left.run_id)


def _ids(noted: Sequence[ResourceCreated] | Sequence[ResourceReleased]) -> frozenset[int]:
    """Return the contract streams among resources."""
    return frozenset(int(each.id) for each in noted if each.kind == CONTRACT_STREAM and each.id.isdecimal())


def _is_here(started: RunStarted, settings: Settings) -> bool:
    """Whether a run was on this very contract: every sandbox has the same ids, and its own address."""
    same = (started.network, started.contract_id) == (settings.network.name, settings.contract_id)
    return same and (not settings.network.simulated or _rpc_host(started) == host_only(settings.rpc_url))


def _rpc_host(started: RunStarted) -> str:
    return host_only(started.settings.get("rpc_url", ""))
