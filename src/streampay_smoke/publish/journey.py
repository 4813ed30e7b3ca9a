"""The journey of one settlement: what the user asked for, what the ledger showed, and what was checked, with times."""

from collections.abc import Iterator

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.publish.payment import SETTLE
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.report_status import RED, ReportStatus
from streampay_smoke.publish.stages import Stage, stages
from streampay_smoke.publish.step_events import StepEvent

REQUESTS = {
    "create": "The user orders a stream",
    "start": "The user starts the stream",
    SETTLE: "The user asks for the settlement",
}
"""The requests of a journey by their purpose, in words."""

_SHOWN = frozenset({events.Waited, events.TransactionSeen, events.Settled})


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One moment: milliseconds since the journey began, what happened, and the facts or step_events that show it."""

    after_ms: int
    title: str
    outcome: ReportStatus
    facts: tuple[tuple[str, str], ...] = ()
    details: tuple[StepEvent, ...] = ()


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """The way of one settlement, and the scenario that it was made in."""

    scenario: ScenarioReport
    stages: tuple[Stage, ...]
    moments: tuple[Moment, ...]


def journey(run: RunReport) -> Journey | None:
    """Return the way of the settlement the verdict names, else of one that is red, else of the first; None for none."""
    found = [scenario for scenario in run.scenarios if any(each.purpose == SETTLE for each in _happenings(scenario))]
    if not found:
        return None
    tx_hash = run.verdict.settlement.tx_hash
    scenario = min(found, key=lambda each: (not _proves(each, tx_hash), each.outcome not in RED))
    return Journey(
        scenario=scenario,
        stages=stages(tuple(_happenings(scenario))),
        moments=tuple(sorted(_moments(scenario), key=lambda moment: moment.after_ms)),
    )


def _happenings(scenario: ScenarioReport) -> Iterator[StepEvent]:
    return (step_event for step in scenario.steps for step_event in step.step_events)


def _proves(scenario: ScenarioReport, tx_hash: str) -> bool:
    return bool(tx_hash) and any(
        each.kind is events.Settled and ("transaction", tx_hash) in each.facts for each in _happenings(scenario)
    )


def _moments(scenario: ScenarioReport) -> Iterator[Moment]:
    """Yield requests and what the ledger showed as they happened, and the checks of a step as one."""
    began_ms: int | None = None
    for step in scenario.steps:
        for each in step.step_events:
            if each.purpose in REQUESTS and began_ms is None:
                began_ms = each.at_ms
            if began_ms is not None and (each.purpose in REQUESTS or each.kind in _SHOWN):
                yield _moment(each, began_ms)
        checks = tuple(each for each in step.step_events if each.is_check)
        if began_ms is not None and checks:
            red = next((check.outcome for check in checks if check.outcome in RED), ReportStatus.PASSED)
            after_ms = checks[-1].at_ms - began_ms
            yield Moment(after_ms=after_ms, title=f"Checked: {step.text}", outcome=red, details=checks)


def _moment(step_event: StepEvent, began_ms: int) -> Moment:
    """Return a request at the time it was sent, and anything else at the time it was over."""
    if step_event.purpose in REQUESTS:
        answer = step_event.words.rpartition("→")[2].strip()
        title = f"{REQUESTS[step_event.purpose]}: {answer}"
        return Moment(
            after_ms=step_event.at_ms - began_ms, title=title, outcome=step_event.outcome, details=(step_event,)
        )
    return Moment(
        after_ms=step_event.at_ms + step_event.duration_ms - began_ms,
        title=step_event.words[:1].upper() + step_event.words[1:],
        outcome=step_event.outcome,
        facts=()
        if step_event.kind is events.Waited and step_event.outcome is ReportStatus.PASSED
        else step_event.facts,
    )
