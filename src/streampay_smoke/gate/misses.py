"""Whose fault a missed objective is: the release's, unless something else explains it. Only the release is blamed."""

from collections.abc import Iterator, Sequence

import msgspec

from streampay_smoke.core.errors import Blame, FixtureMissing
from streampay_smoke.evidence import events
from streampay_smoke.evidence.bake import ERROR_BURN
from streampay_smoke.evidence.canary import CANARY_KINDS
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import KINDS, OtherCause, samples_of
from streampay_smoke.gate import statistics
from streampay_smoke.gate.attribution import EGRESS_PROBE, LEDGER_PROBE, PACE_PROBE, STABLE_PACE_PROBE, STABLE_PROBE
from streampay_smoke.gate.cpu_wait import SHARED_MACHINE_SHARE, cpu_wait_share, shares_machine, without_cpu_wait
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.objectives import (
    MISSED,
    UNATTRIBUTED,
    result_description,
    results,
    within_budget,
)
from streampay_smoke.gate.quarantine import QUARANTINED
from streampay_smoke.gate.verdict import FAIL, PASS, Check, ObjectiveResult

LEAST_LEDGER_ANSWERS = 3
"""Answers of the ledger that it takes to say how quickly this runner gets an answer of anybody."""

EDGE_SILENCES = ("refused", "http ")
"""Silence that the deployment's own edge tells of; any other may have been lost on this runner's way."""


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A gating objective that failed, and whose fault that is."""

    blame: Blame
    reason_code: str
    text: str


def misses(
    answers: Sequence[ObjectiveResult], run: RunHistory, entries: Sequence[Entry], checks: Sequence[Check]
) -> tuple[Miss, ...]:
    """Return the gating objectives that failed. The release is blamed only when nothing else explains it."""
    failed = [
        answer
        for answer in answers
        if answer.gates and answer.decision == FAIL and answer.kind not in CANARY_KINDS  # a finding of their own
    ]
    return tuple(_miss(answer, _explanation(answer, answers, run, entries, checks)) for answer in failed)


def left_out(checks: Sequence[Check]) -> frozenset[str]:
    """Return the ids of scenarios that give no samples: what does not gate as a check does not as an objective."""
    return frozenset(check.id for check in checks if check.status == QUARANTINED)


def _miss(answer: ObjectiveResult, elsewhere: tuple[Blame, str] | None) -> Miss:
    text = f"{answer.name}: {result_description(answer)}"
    if elsewhere is None:
        return Miss(blame=Blame.PRODUCT, reason_code=MISSED, text=text)
    blame, because = elsewhere
    return Miss(blame=blame, reason_code=UNATTRIBUTED, text=f"{text}; not the release's alone: {because}")


def _explanation(
    answer: ObjectiveResult,
    answers: Sequence[ObjectiveResult],
    run: RunHistory,
    entries: Sequence[Entry],
    checks: Sequence[Check],
) -> tuple[Blame, str] | None:
    """Return what else than the release explains a miss."""
    probes = _probes(run)
    disturbed = next((check for check in checks if _disturbs(check, run)), None)
    if disturbed is not None:
        return Blame(disturbed.attribution), f"{disturbed.scenario} was disturbed ({disturbed.rule})"
    if any(probe.name == EGRESS_PROBE and probe.ok is False for probe in probes):
        return Blame.HARNESS, "this runner's way to the deployment failed"
    if answer.kind == ERROR_BURN:
        stable_red = any(probe.name == STABLE_PROBE and probe.ok is False for probe in probes)
        return (Blame.DEPENDENCY, "the stable release is red in the same way") if stable_red else None
    causes = KINDS[answer.kind].other_causes
    if OtherCause.LEDGER in causes:
        unproved = _ledger_unproved(run, probes)
        if unproved:
            return Blame.DEPENDENCY, unproved
    if OtherCause.SLOW_WAY in causes:
        return _slow_elsewhere(answer, answers, run, entries, checks)
    if OtherCause.LOST in causes and not _flaky_at_the_edge(answer, run, checks):
        return Blame.HARNESS, "requests met with silence, and may have been lost on this runner's way"
    return None


def _probes(run: RunHistory) -> tuple[events.Probed, ...]:
    during = (probe for history in run.scenarios.values() for probe in history.probes)
    return (*run.probes_at_start, *during, *run.probes_in_bake)


def _disturbs(check: Check, run: RunHistory) -> bool:
    """Return whether what broke a check may have slowed the run down too.

    A scenario that never came to its end, or that the end of the run cut off, has only been kept waiting, and what a
    environment lacks slows nothing down.
    """
    if check.status != "broken" and not (check.status == "blocked" and check.attribution != Blame.PRODUCT.value):
        return False
    history = run.scenarios.get(check.id)
    if history is None:
        return True
    if history.failure is not None and history.failure.kind == FixtureMissing.kind:
        return False
    last = any(history is last for last in run.last_scenarios)
    cut_off = run.interrupted is not None and last and check.attribution == Blame.HARNESS.value
    return not cut_off


def _ledger_unproved(run: RunHistory, probes: Sequence[events.Probed]) -> str:
    """Return why a slow ledger may be the cause, "" where it was healthy each time it was asked, and at the end."""
    asked = [probe.ok for probe in probes if probe.name == LEDGER_PROBE]
    if False in asked:
        return "the ledger, asked directly, was not healthy during the run"
    end = run.measured
    if end is None and run.interrupted is not None and asked[-1:] == [True]:
        return ""
    if end is None or end.ledger_ok is not True:
        detail = end.ledger_detail if end and end.ledger_detail else "it was not asked"
        return f"the ledger did not prove its health: {detail}"
    return ""


def _slow_elsewhere(
    answer: ObjectiveResult,
    answers: Sequence[ObjectiveResult],
    run: RunHistory,
    entries: Sequence[Entry],
    checks: Sequence[Check],
) -> tuple[Blame, str] | None:
    """Return what else is as slow: this runner itself, the stable release, its way, or whatever this runner asks."""
    share = cpu_wait_share(answer.kind, entries, left_out(checks))
    entries = without_cpu_wait(entries)
    by_itself = share > 0 and not _missed_without(0.0, answer, run, entries, checks)
    if by_itself or (share >= SHARED_MACHINE_SHARE and shares_machine(run)):
        samples = samples_of(answer.kind)
        return Blame.HARNESS, f"this runner had no CPU for {100 * share:.2g} % of the time of its {samples}"
    compared = next((other for other in answers if other.kind == "read_comparison" and other.decision == PASS), None)
    if compared is not None:
        return Blame.DEPENDENCY, "the stable release is not faster at the same moment"
    stable = [probe.took_ms for probe in _probes(run) if probe.name == STABLE_PACE_PROBE and probe.took_ms is not None]
    slow = sum(took_ms > answer.threshold for took_ms in stable)
    if slow and 2 * slow >= len(stable):
        return Blame.DEPENDENCY, f"the stable release took as long at the same moment ({max(stable):.0f} ms)"
    way_ms = _way_ms(run)
    if way_ms is None and not stable and any(probe.name == PACE_PROBE for probe in _probes(run)):
        return Blame.HARNESS, "nobody could time this runner's way there"
    if way_ms and not _missed_without(way_ms, answer, run, entries, checks):
        return Blame.HARNESS, f"this runner's own way there takes {way_ms:.0f} ms for a round trip"
    ledger = run.ledger_answers_ms
    if len(ledger) >= LEAST_LEDGER_ANSWERS and statistics.quantile(ledger, 0.5) > answer.threshold:
        return Blame.HARNESS, "this runner waited as long for each answer of the ledger"
    return None


def _way_ms(run: RunHistory) -> float | None:
    """Return how long a round trip of this runner's way takes, None where nobody timed it: the upper median."""
    timed = sorted(_timed(run))
    return timed[len(timed) // 2] if timed else None


def _timed(run: RunHistory) -> Iterator[float]:
    for probe in _probes(run):
        if probe.name in {EGRESS_PROBE, PACE_PROBE} and probe.took_ms is not None:
            yield probe.took_ms


def _missed_without(
    way_ms: float, answer: ObjectiveResult, run: RunHistory, entries: Sequence[Entry], checks: Sequence[Check]
) -> bool:
    """Return whether an objective is missed by these entries when the time of this runner's way is taken off, too."""
    stated = run.objectives.objectives if run.objectives else ()
    again = results(stated, entries, checks, left_out=left_out(checks), less_ms=way_ms)
    return any(other.name == answer.name and other.decision == FAIL for other in again)


def _flaky_at_the_edge(answer: ObjectiveResult, run: RunHistory, checks: Sequence[Check]) -> bool:
    """Return whether too many checks needed a second attempt, counting silence that the deployment told of only."""
    flaky = sum(
        any(retry.because.startswith(EDGE_SILENCES) for retry in run.scenarios[check.id].retries)
        for check in checks
        if check.flaky and check.id in run.scenarios
    )
    return within_budget(flaky, answer.samples, answer.threshold, answer.confidence) == FAIL
