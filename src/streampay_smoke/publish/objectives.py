"""Service level objectives as every report shows them."""

import msgspec

from streampay_smoke.gate.objectives import bounds_description, result_description
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, ObjectiveResult, Verdict
from streampay_smoke.publish.report_status import ReportStatus

_OUTCOMES = {PASS: ReportStatus.PASSED, INSUFFICIENT: ReportStatus.SKIPPED}
_DECISIONS = {PASS: "kept", FAIL: "missed", INSUFFICIENT: "not decided: too few samples"}


class ObjectiveReport(msgspec.Struct, frozen=True, kw_only=True):
    """One objective: what came of it, what was measured, and how sure that is."""

    name: str
    outcome: ReportStatus
    decision: str
    measured: str
    certainty: str


def objective_reports(verdict: Verdict) -> tuple[ObjectiveReport, ...]:
    """Return the objectives of a verdict. A miss is failed where it gates, and broken where it is only shown."""
    return tuple(_objective_report(answer) for answer in verdict.objectives)


def counted(verdict: Verdict) -> str:
    """Return e.g. "1 kept, 5 not decided: too few samples"; empty without objectives."""
    decisions = [answer.decision for answer in verdict.objectives]
    return ", ".join(f"{decisions.count(each)} {words}" for each, words in _DECISIONS.items() if each in decisions)


def _objective_report(answer: ObjectiveResult) -> ObjectiveReport:
    missed = ReportStatus.FAILED if answer.gates else ReportStatus.BROKEN
    bounds = bounds_description(answer)
    parts = (
        answer.method,
        f"{bounds} at confidence {answer.confidence:g}" if bounds else "",
        f"{answer.warm_up} warm-up samples left out" if answer.warm_up else "",
        answer.note,
    )
    return ObjectiveReport(
        name=answer.name,
        outcome=_OUTCOMES.get(answer.decision, missed),
        decision=f"{_DECISIONS[answer.decision]}{'' if answer.gates else ' (shown only)'}",
        measured=result_description(answer),
        certainty="; ".join(part for part in parts if part),
    )
