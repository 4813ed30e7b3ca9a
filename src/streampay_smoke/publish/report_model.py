"""A run as a story: the journal and the verdict folded into what every report shows, and nothing else.

No report listens to a runner. Hook errors, clean-up errors, skips and kills are in the journal like everything else,
so each report tells them by construction, and what the journal redacted stays redacted.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.gate.verdict import RUN, Check, Verdict, VerdictStatus
from streampay_smoke.publish.report_status import RED, ReportStatus
from streampay_smoke.publish.step_events import StepEvent, step_event

SET_UP = "Set up"
TEAR_DOWN = "Tear down"


class ScenarioEnding(StrEnum):
    """How far a scenario got."""

    FINISHED = "finished"
    EXCLUDED = "excluded"
    INTERRUPTED = "interrupted"
    DID_NOT_RUN = "did not run"


_UNFINISHED = {
    ScenarioEnding.INTERRUPTED: "the run ended before this scenario did",
    ScenarioEnding.DID_NOT_RUN: "this scenario was expected and left no evidence",
}


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """One step, or what hooks did before and after the steps. Times are Unix milliseconds."""

    text: str
    outcome: ReportStatus
    started_at_ms: int
    duration_ms: int
    failure: events.Failure | None = None
    note: str = ""
    step_events: tuple[StepEvent, ...] = ()


class ScenarioReport(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the verdict with the evidence it came from."""

    check: Check
    outcome: ReportStatus
    ending: ScenarioEnding
    started_at_ms: int
    duration_ms: int
    tags: tuple[str, ...] = ()
    location: str = ""
    description: str = ""
    failure: events.Failure | None = None
    steps: tuple[StepReport, ...] = ()
    blocked_because: str = ""
    lane: int = 0

    @property
    def message(self) -> str:
        """Why this is not a plain pass: the verdict's own words, with how far the scenario got. Empty for a pass."""
        unfinished = _UNFINISHED.get(self.ending)
        if unfinished is not None:
            return f"{self.ending}: {unfinished}{f' ({self.blocked_because})' if self.blocked_because else ''}"
        return self.check.hint if self.outcome is not ReportStatus.PASSED else ""

    @property
    def is_unfinished(self) -> bool:
        """Whether the scenario was expected and never came to its end."""
        return self.ending in _UNFINISHED

    @property
    def failed_step(self) -> StepReport | None:
        """The first step that was not kept, if any."""
        return next((step for step in self.steps if step.outcome in {*RED, ReportStatus.BLOCKED}), None)

    @property
    def broken_check(self) -> StepEvent | None:
        """The first assertion that did not hold, if any."""
        step_events = (step_event for step in self.steps for step_event in step.step_events)
        return next((each for each in step_events if each.is_check and each.outcome in RED), None)


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run. `scenarios` is never empty: a run that was refused is told by one broken check.

    `entries` are the evidence itself. `decision` is what the verdict leads to, in one line; "" where nobody decided.
    `since_green` is what changed since the last green run, in one sentence; "" where that is not known.
    """

    verdict: Verdict
    started: events.RunStarted | None
    scenarios: tuple[ScenarioReport, ...]
    entries: tuple[Entry, ...] = ()
    decision: str = ""
    since_green: str = ""

    @property
    def red(self) -> tuple[ScenarioReport, ...]:
        """The checks somebody has to look at, the gravest cause first, then in the order of the run."""
        order = [red for cause in self.verdict.causes for red in cause.checks]
        place = {red: at for at, red in enumerate(order)}
        red = (scenario for scenario in self.scenarios if scenario.outcome in RED)
        return tuple(sorted(red, key=lambda scenario: place.get(scenario.check.id, _place_of(scenario, len(order)))))

    def blocked_by(self, check_id: str) -> tuple[ScenarioReport, ...]:
        """Return the checks that were not played because of what this check met, or the run for RUN."""
        return tuple(scenario for scenario in self.scenarios if scenario.check.blocked_by == check_id)

    def count(self, outcome: ReportStatus) -> int:
        """Return how many checks have this outcome."""
        return sum(scenario.outcome is outcome for scenario in self.scenarios)

    @property
    def by_feature(self) -> dict[str, tuple[ScenarioReport, ...]]:
        """The scenarios of each feature, in the order of the run."""
        features = dict.fromkeys(scenario.check.feature for scenario in self.scenarios)
        return {
            name: tuple(scenario for scenario in self.scenarios if scenario.check.feature == name) for name in features
        }


def _place_of(scenario: ScenarioReport, last: int) -> int:
    """Return the place of a check that no cause names: the run itself comes first, others last."""
    return -1 if scenario.check.id == RUN else last


def report_of(entries: Sequence[Entry], verdict: Verdict, *, decision: str = "", since_green: str = "") -> RunReport:
    """Return the story of a run. The verdict decides every outcome; the journal explains it."""
    chapters = _entries_by_scenario(entries)
    started = next((entry.event for entry in entries if isinstance(entry.event, events.RunStarted)), None)
    plan = next((entry.event for entry in entries if isinstance(entry.event, events.RunPlanned)), None)
    expected = {scenario.id: scenario for scenario in plan.expected} if plan else {}
    scenarios = [
        _scenario(check, expected.get(check.id), chapters.get(check.id, ()), verdict) for check in verdict.checks
    ]
    if _run_itself_is_at_fault(entries, verdict):
        scenarios.insert(0, _run_check(entries, verdict))
    return RunReport(
        verdict=verdict,
        started=started,
        scenarios=tuple(scenarios),
        entries=tuple(entries),
        decision=decision,
        since_green=since_green,
    )


def _entries_by_scenario(entries: Sequence[Entry]) -> dict[str, tuple[Entry, ...]]:
    """Return each scenario's entries, from its start to the next one's; a repeated scenario keeps its last attempt."""
    chapters: dict[str, list[Entry]] = {}
    current: list[Entry] | None = None
    for entry in entries:
        match entry.event:
            case events.ScenarioStarted(id=scenario_id):
                current = chapters[scenario_id] = [entry]
            case events.RunFinished() | events.Interrupted():
                current = None
            case _ if current is not None:
                current.append(entry)
            case _:
                pass
    return {scenario_id: tuple(chapter) for scenario_id, chapter in chapters.items()}


def _scenario(
    check: Check, expected: events.ExpectedScenario | None, chapter: Sequence[Entry], verdict: Verdict
) -> ScenarioReport:
    finished = next((entry.event for entry in chapter if isinstance(entry.event, events.ScenarioFinished)), None)
    outcome = ReportStatus.of_check(check)
    ending = _ending(check, chapter)
    steps = _steps(expected.steps if expected else (), chapter, outcome, ending)
    if finished is not None and finished.failure is not None:
        steps = _with_hook_failure(steps, finished.failure, chapter[-1].at_ms)
    return ScenarioReport(
        check=check,
        outcome=outcome,
        ending=ending,
        started_at_ms=chapter[0].at_ms if chapter else verdict.timings.ended_at_ms,
        duration_ms=finished.duration_ms if finished else (chapter[-1].at_ms - chapter[0].at_ms if chapter else 0),
        tags=expected.tags if expected else (),
        location=expected.location if expected else "",
        description=expected.description if expected else "",
        failure=next((step.failure for step in steps if step.failure is not None), None),
        steps=tuple(steps),
        blocked_because=verdict.message if check.blocked_by == RUN else "",
        lane=chapter[0].lane if chapter else 0,
    )


def _ending(check: Check, chapter: Sequence[Entry]) -> ScenarioEnding:
    if check.status == "excluded":
        return ScenarioEnding.EXCLUDED
    if check.status != "missing":
        return ScenarioEnding.FINISHED
    return ScenarioEnding.INTERRUPTED if chapter else ScenarioEnding.DID_NOT_RUN


class _OpenStep(msgspec.Struct, kw_only=True):
    """A step, or a stretch of hooks between steps, while its events are gathered."""

    text: str
    started_at_ms: int
    last_at_ms: int
    step_events: list[StepEvent] = msgspec.field(default_factory=list)
    finished: events.StepFinished | None = None
    is_hook: bool = False

    def report(self, unhappy: ReportStatus, ending: ScenarioEnding) -> StepReport:
        """Return the step as it ended; `unhappy` is what an unhappy step of this scenario is called."""
        outcome, note = ReportStatus.PASSED, ""
        if self.finished is not None:
            outcome = ReportStatus.of_step(self.finished.status, unhappy)
        elif not self.is_hook and ending is ScenarioEnding.INTERRUPTED:
            outcome, note = ReportStatus.BROKEN, "interrupted here"
        elif not self.is_hook:
            outcome, note = ReportStatus.BROKEN, "began and never ended"
        return StepReport(
            text=self.text,
            outcome=outcome,
            started_at_ms=self.started_at_ms,
            duration_ms=self.finished.duration_ms if self.finished else self.last_at_ms - self.started_at_ms,
            failure=self.finished.failure if self.finished else None,
            note=note,
            step_events=tuple(self.step_events),
        )


def _steps(
    planned: Sequence[str], chapter: Sequence[Entry], outcome: ReportStatus, ending: ScenarioEnding
) -> list[StepReport]:
    """Return the steps that ran, then the planned ones that were not reached."""
    if ending is ScenarioEnding.EXCLUDED:
        return []
    gathered = _gathered(chapter)
    unhappy = outcome if outcome in {ReportStatus.FAILED, ReportStatus.BLOCKED} else ReportStatus.BROKEN
    reports = [step.report(unhappy, ending) for step in gathered]
    ran = sum(not step.is_hook for step in gathered)
    at_ms = chapter[-1].at_ms if chapter else 0
    rest = [
        StepReport(text=text, outcome=ReportStatus.SKIPPED, started_at_ms=at_ms, duration_ms=0, note="not reached")
        for text in planned[ran:]
    ]
    tail = [reports.pop()] if rest and gathered and gathered[-1].text == TEAR_DOWN else []
    return reports + rest + tail


def _gathered(chapter: Sequence[Entry]) -> list[_OpenStep]:
    gathered: list[_OpenStep] = []
    for entry in chapter:
        match entry.event:
            case events.StepStarted(text=text):
                gathered.append(_OpenStep(text=text, started_at_ms=entry.at_ms, last_at_ms=entry.at_ms))
            case events.StepFinished() as finished:
                step = _step_of(gathered, finished, entry.at_ms)
                step.finished, step.last_at_ms = finished, entry.at_ms
            case event:
                described = step_event(event, entry.at_ms)
                if described is not None:
                    step = _running(gathered) or _hooks(gathered, entry.at_ms)
                    _append(step.step_events, described)
                    step.last_at_ms = entry.at_ms
    return gathered


def _append(step_events: list[StepEvent], event: StepEvent) -> None:
    """Add an event; a request that again got no answer, for the same reason, counts with the one before."""
    last = step_events[-1] if step_events else None
    if last is not None and last.is_repeated_by(event):
        step_events[-1] = last.repeated(event)
    else:
        step_events.append(event)


def _running(gathered: Sequence[_OpenStep]) -> _OpenStep | None:
    return next((step for step in reversed(gathered) if not step.is_hook and step.finished is None), None)


def _step_of(gathered: list[_OpenStep], finished: events.StepFinished, at_ms: int) -> _OpenStep:
    """Return the running step, or a new one when behave reports a step it never ran (undefined, skipped)."""
    step = _running(gathered)
    if step is None:
        started_at_ms = at_ms - finished.duration_ms
        step = _OpenStep(text=finished.text, started_at_ms=started_at_ms, last_at_ms=at_ms)
        gathered.append(step)
    return step


def _hooks(gathered: list[_OpenStep], at_ms: int) -> _OpenStep:
    """Return the stretch of hooks an event outside any step belongs to."""
    if gathered and gathered[-1].is_hook:
        return gathered[-1]
    text = TEAR_DOWN if gathered else SET_UP
    gathered.append(_OpenStep(text=text, started_at_ms=at_ms, last_at_ms=at_ms, is_hook=True))
    return gathered[-1]


def _with_hook_failure(steps: list[StepReport], failure: events.Failure, at_ms: int) -> list[StepReport]:
    """Show a hook's or a clean-up's failure where no step shows it already."""
    if any(step.failure is not None for step in steps):
        return steps
    reached = any(step.outcome is not ReportStatus.SKIPPED for step in steps)
    name = TEAR_DOWN if reached else SET_UP
    told = next(
        (step for step in steps if step.text == name),
        StepReport(text=name, outcome=ReportStatus.BROKEN, started_at_ms=at_ms, duration_ms=0),
    )
    broken = msgspec.structs.replace(told, outcome=ReportStatus.BROKEN, failure=failure)
    others = [step for step in steps if step is not told]
    return [*others, broken] if reached else [broken, *others]


def _run_itself_is_at_fault(entries: Sequence[Entry], verdict: Verdict) -> bool:
    """Whether the verdict has a cause no scenario shows: refused, empty, tampered with, ended from outside."""
    if not verdict.checks or any(isinstance(entry.event, events.RunRefused) for entry in entries):
        return True
    red = {check.attribution for check in verdict.checks if ReportStatus.of_check(check) in RED}
    return verdict.verdict is not VerdictStatus.PASS and verdict.attribution not in red


def _run_check(entries: Sequence[Entry], verdict: Verdict) -> ScenarioReport:
    refused = next((entry.event for entry in entries if isinstance(entry.event, events.RunRefused)), None)
    failure = refused.failure if refused else None
    hint = verdict.message_long or verdict.message
    if failure is not None:
        next_step = f". Next: {failure.next_step}." if failure.next_step else ""
        hint = f"{failure.message.rstrip('.')}{next_step}"
    plan = next((entry.event for entry in entries if isinstance(entry.event, events.RunPlanned)), None)
    compared = plan is not None and plan.comparison_only and not refused
    status = {VerdictStatus.FAIL: "failed", VerdictStatus.PASS: "passed"}.get(verdict.verdict, "broken")
    check = Check(
        id=RUN,
        feature="Candidate and stable release" if compared else "The run itself",
        scenario=next(
            name
            for name, applies in (
                ("The run was refused before any scenario", refused is not None),
                ("The candidate is no worse than the stable release", compared),
                ("The run as a whole", True),
            )
            if applies
        ),
        status=status,
        attribution=verdict.attribution if verdict.attribution != "none" else Blame.HARNESS.value,
        assertions=0,
        duration_ms=verdict.timings.total_ms,
        attempts=(),
        hint=hint,
        rule=verdict.reason_code,
    )
    return ScenarioReport(
        check=check,
        outcome=ReportStatus.of_check(check),
        ending=ScenarioEnding.FINISHED,
        started_at_ms=verdict.timings.started_at_ms,
        duration_ms=verdict.timings.total_ms,
        tags=("critical",),
        failure=failure,
    )
