"""The facts of a run that every verdict states: target, ledger, settlement, evidence, clean-up."""

from collections.abc import Sequence

from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.verdict import (
    Chain,
    Check,
    Cleanup,
    Evidence,
    Settlement,
    Target,
)


def target_of(run: RunHistory) -> Target:
    """Return which deployment was judged, and every release it was seen in."""
    started, named = run.started, run.started or run.refused
    observed = dict.fromkeys([*(service.release for service in run.services if service.release), *run.releases])
    return Target(
        environment=named.environment if named else "",
        region=named.region if named else "",
        base_url=started.base_url if started else "",
        release_expected=started.release_expected if started else "",
        releases_observed=tuple(observed),
        simulated=bool(started and started.service_simulated) or any(service.simulated for service in run.services),
        rehearsal=bool(started and started.rehearsal),
        read_from=named.read_from if named else {},
        reached=run.service_answered or bool(observed or run.services),
    )


def chain_of(run: RunHistory) -> Chain:
    """Return which ledger was asked, and where it stood first and last."""
    first, last = (run.chains[0], run.chains[-1]) if run.chains else (None, None)
    return Chain(
        network=run.started.network if run.started else "",
        simulated=bool(run.started and run.started.network == "sandbox") or bool(first and first.simulated),
        contract_id=run.started.contract_id if run.started else "",
        ledger_start=first.ledger if first else None,
        ledger_end=last.ledger if last else None,
    )


def settlement_of(run: RunHistory) -> Settlement:
    """Return the first settlement that was proved."""
    proved = [settled for scenario in run.scenarios.values() for settled in scenario.settlements]
    if not proved:
        return Settlement(stream_id="", tx_hash="", ledger=None, proof="none")
    first = proved[0]
    return Settlement(stream_id=first.stream_id, tx_hash=first.tx_hash, ledger=first.ledger, proof=first.proof)


def evidence_of(run: RunHistory, checks: Sequence[Check], journal: JournalRead) -> Evidence:
    """Return what was promised to run, what did, and what is missing."""
    return Evidence(
        expected_ids=tuple(check.id for check in checks if check.status != "excluded"),
        executed_ids=tuple(check.id for check in checks if check.status != "excluded" and _finished(run, check.id)),
        missing_ids=tuple(check.id for check in checks if check.status == "missing"),
        excluded_ids=tuple(check.id for check in checks if check.status == "excluded"),
        assertions=sum(check.assertions for check in checks),
        journal_sha256=journal.sha256,
    )


def _finished(run: RunHistory, scenario_id: str) -> bool:
    history = run.scenarios.get(scenario_id)
    return history is not None and history.finished is not None


def cleanup_of(run: RunHistory) -> Cleanup:
    """Return how much synthetic data was made, brought to an end, and left behind."""
    made = {(resource.kind, resource.id) for resource in run.created}
    gone = {(resource.kind, resource.id) for resource in run.released}
    return Cleanup(created=len(made), deleted=len(made & gone), leaked=len(made - gone))


def simulated_description(run: RunHistory, *, short: bool) -> str:
    """Return what was simulated, "" for nothing."""
    target, chain = target_of(run).simulated, chain_of(run).simulated
    texts = {
        (True, True): "simulated" if short else "simulated service and ledger",
        (True, False): "simulated service",
        (False, True): "simulated ledger",
        (False, False): "",
    }
    return texts[target, chain]


def foreign_simulation(run: RunHistory) -> bool:
    """Whether a sandbox answered for an environment that chose neither the sandbox nor its ledger."""
    if run.started is None or run.started.service_simulated or run.started.network == "sandbox":
        return False
    return any(service.simulated for service in run.services)
