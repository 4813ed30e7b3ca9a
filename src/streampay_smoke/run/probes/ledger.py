"""Is it the ledger? It is asked directly, past the service, and mostly past the SDK."""

import time
from collections.abc import Collection

from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.chain.adapter import ContractMissing
from streampay_smoke.chain.contract import CREATED, StreamEvent
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS, STANDS_STILL_SECONDS
from streampay_smoke.chain.progress import LedgerProgress
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import Probed
from streampay_smoke.gate.attribution import CONTRACT_PROBE, LEDGER_PROBE, NETWORK_AGE_PROBE, TRAFFIC_PROBE
from streampay_smoke.http.ledger_health import ask_ledger_health, measured_seconds_per_ledger
from streampay_smoke.run.probes.limits import PROBE_SECONDS
from streampay_smoke.settings import Settings

RESET_DAYS = 7.0
"""A test network that has lived for longer than this was not reset just now: its contracts are there or never were."""

FEWEST_BUSY_LEDGERS = 2
"""In fewer ledgers than these, and in fewer than half of those looked at, writes of others explain no waiting."""

_DAY_SECONDS = 86_400


def ledger_probe(rpc_url: str, progress: LedgerProgress | None = None) -> Probed:
    """Ask the ledger's RPC for its health, past the service and past the SDK.

    A ledger that says "healthy" is not believed when nothing has closed since `progress` saw it last, or for so long
    that no clock of ours explains it.
    """
    if not rpc_url:
        return Probed(name=LEDGER_PROBE, ok=None, detail="no RPC is configured")
    answer = ask_ledger_health(rpc_url, timeout_seconds=PROBE_SECONDS)
    health = answer.health
    if health is None or not answer.well:
        return Probed(name=LEDGER_PROBE, ok=False, detail=answer.detail)
    stood_seconds = (progress or LedgerProgress()).stood_for(health.latest_ledger)
    closed_ago_seconds = time.time() - health.closed_at if health.closed_at else 0.0
    if stood_seconds >= STANDS_STILL_SECONDS:
        standing = f"no ledger after {health.latest_ledger} closed for {stood_seconds:.0f} s"
    elif closed_ago_seconds > CLOCK_SKEW_SECONDS + STANDS_STILL_SECONDS:
        standing = f"ledger {health.latest_ledger} closed {closed_ago_seconds:.0f} s ago by this runner's clock"
    else:
        return Probed(name=LEDGER_PROBE, ok=True, detail=answer.detail)
    return Probed(name=LEDGER_PROBE, ok=False, detail=f"it says healthy, but stands still: {standing}")


def network_age_probe(rpc_url: str) -> Probed:
    """Estimate how long the ledger has lived: its number times its cadence; ok for one too old to be just reset."""
    answer = ask_ledger_health(rpc_url, timeout_seconds=PROBE_SECONDS)
    if answer.health is None:
        return Probed(name=NETWORK_AGE_PROBE, ok=None, detail=f"getHealth says nothing usable: {answer.detail}")
    ledgers, seconds_each = answer.health.latest_ledger, answer.health.seconds_per_ledger
    days = ledgers * seconds_each / _DAY_SECONDS
    detail = f"ledger {ledgers} at {seconds_each:.1f} s each: about {days:.1f} days"
    return Probed(name=NETWORK_AGE_PROBE, ok=days >= RESET_DAYS, detail=detail)


def seconds_per_ledger(settings: Settings) -> float | None:
    """Return how far apart the newest ledgers closed; None where the RPC does not say in time, or keeps too few."""
    return measured_seconds_per_ledger(
        settings.rpc_url, timeout_seconds=PROBE_SECONDS, closes_on_demand=settings.network.simulated
    )


def traffic_probe(run_context: RunContext) -> Probed:
    """Look how much was written to the contract while the last request may have waited; not ok: by others, all along.

    They may be other runs, or the users of another release.
    """
    pace = seconds_per_ledger(run_context.settings)
    if not pace:
        return Probed(name=TRAFFIC_PROBE, ok=None, detail="no pace of the ledger is known")
    try:
        health = run_context.ledger.chain.health()
        ledgers = max(FEWEST_BUSY_LEDGERS, round(REQUEST_SECONDS / pace))
        first = max(health.oldest_ledger, health.latest_ledger - ledgers + 1)
        events = run_context.ledger.contract.stream_events(min(first, run_context.ledger.first_ledger))
        own_payer = run_context.own_payer_address
    except SmokeError as problem:
        return Probed(name=TRAFFIC_PROBE, ok=None, detail=f"the ledger could not be asked: {problem}")
    writes = writes_by_services(events, since_ledger=first, own_payer=own_payer)
    return traffic(writes, ledgers=ledgers, writes_at_once=run_context.settings.facts.service.writes_at_once)


def writes_by_services(
    events: Collection[StreamEvent], *, since_ledger: int, own_payer: str
) -> frozenset[tuple[int, str]]:
    """Return the ledger and the transaction of each write since a ledger, without those on streams that a payer opened.

    The gate opens streams of its own on the contract, past the service: they keep no write of the service waiting.
    """
    own = {event.stream_id for event in events if event.name == CREATED and event.fields.get("payer") == own_payer}
    return frozenset(
        (event.ledger, event.tx_hash) for event in events if event.ledger >= since_ledger and event.stream_id not in own
    )


def traffic(writes: Collection[tuple[int, str]], *, ledgers: int, writes_at_once: int) -> Probed:
    """Return whether writes, each a ledger and a transaction of the last `ledgers`, explain that another one waited.

    They do where they are more than this run's own, which has no more at once than its place says, and where one closed
    in each ledger: then they go in turn, whatever that place says.
    """
    busy, own = len({ledger for ledger, _ in writes}), (writes_at_once - 1) * ledgers
    detail = f"{len(writes)} writes in {busy} of {ledgers} ledgers, at most {own} of them by this run"
    all_along = busy >= max(FEWEST_BUSY_LEDGERS, ledgers / 2)
    in_turn = len(writes) == busy == ledgers
    return Probed(name=TRAFFIC_PROBE, ok=not (in_turn or (all_along and len(writes) > own)), detail=detail)


def contract_probe(run_context: RunContext) -> Probed:
    """Look the expected contract up on the ledger, past the service."""
    try:
        functions = run_context.ledger.chain.spec(run_context.settings.contract_id)
    except ContractMissing as problem:
        return Probed(name=CONTRACT_PROBE, ok=False, detail=str(problem))
    except SmokeError as problem:
        return Probed(name=CONTRACT_PROBE, ok=None, detail=f"the ledger could not be asked: {problem}")
    return Probed(name=CONTRACT_PROBE, ok=True, detail=f"it is there, with {len(functions)} functions")
