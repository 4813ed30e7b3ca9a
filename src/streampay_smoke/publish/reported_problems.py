"""What went wrong in a run, the gravest first: one problem for each cause, with the checks it blocks."""

from collections.abc import Iterator

import msgspec

from streampay_smoke.gate.concerns import Concern, proves_settlement, rank_of
from streampay_smoke.gate.verdict import RUN, Cause, VerdictStatus
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.report_status import RED, ReportStatus

THE_RUN = "The run itself"

TITLE_CHARACTERS = 120

BLOCKED_NAMED = 2
"""Blocked checks that are named; the others are counted."""


class ReportedProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong.

    `scenario` is the check that shows it best, None for the run itself; `equal` counts the other checks that failed in
    the same way. `blocked` are those that were not played because of it, the gravest first.
    """

    title: str
    text: str
    attribution: str
    outcome: ReportStatus
    concern: str = ""
    scenario: ScenarioReport | None = None
    equal: int = 0
    blocked: tuple[ScenarioReport, ...] = ()

    @property
    def beside(self) -> str:
        """How many other checks it concerns, and which are the gravest of those it blocks; "" for none."""
        parts = (f"{self.equal} more failed in the same way" if self.equal else "", self._blocking())
        return "; ".join(part for part in parts if part)

    def _blocking(self) -> str:
        if not self.blocked:
            return ""
        count = len(self.blocked)
        money = sum(scenario.check.concern == Concern.MONEY for scenario in self.blocked)
        about = f", {money} about money" if money else ""
        names = ", ".join(scenario.check.scenario for scenario in self.blocked[:BLOCKED_NAMED])
        rest = ", ..." if count > BLOCKED_NAMED else ""
        return f"{count} {'check was' if count == 1 else 'checks were'} not played because of it{about}: {names}{rest}"


def reported_problems(run: RunReport) -> tuple[ReportedProblem, ...]:
    """Return what went wrong. Each red check is in one of them, and each cause of the verdict is one."""
    problems = [_of_cause(cause, run) for cause in run.verdict.causes]
    problems = problems or [_of_the_run(scenario) for scenario in run.red if scenario.check.id == RUN]
    causes = {red for cause in run.verdict.causes for red in cause.checks}
    problems += [_of_check(scenario) for scenario in run.red if scenario.check.id not in {RUN, *causes}]
    return tuple(problems)


def _of_cause(cause: Cause, run: RunReport) -> ReportedProblem:
    red = tuple(_red(cause, run))
    if not red:
        standing = next((scenario for scenario in run.red if scenario.check.id == RUN), None)
        text = standing.message if standing is not None and cause is run.verdict.causes[0] else cause.text
        outcome = ReportStatus.FAILED if cause.verdict is VerdictStatus.FAIL else ReportStatus.BROKEN
        return ReportedProblem(
            title=THE_RUN,
            text=text,
            attribution=cause.attribution,
            outcome=outcome,
            concern=cause.concern,
            blocked=_blocked(cause, run),
        )
    return msgspec.structs.replace(
        _of_check(red[0]),
        title=cause.scenario or _clause(cause.text),
        text=cause.text,
        concern=cause.concern,
        equal=len(red) - 1,
        blocked=_blocked(cause, run),
    )


def _clause(text: str) -> str:
    """Return the beginning of a text that says what happened."""
    clause = text.partition(" (")[0]
    return clause if len(clause) <= TITLE_CHARACTERS else f"{clause[: TITLE_CHARACTERS - 1]}…"


def _blocked(cause: Cause, run: RunReport) -> tuple[ScenarioReport, ...]:
    blocked = [scenario for scenario in run.scenarios if scenario.check.id in cause.blocked]
    return tuple(sorted(blocked, key=_gravity))


def _gravity(scenario: ScenarioReport) -> tuple[int, bool]:
    """Return what blocked checks are ordered by: the gravest concern first, and in it what proves a settlement."""
    return rank_of(scenario.check.concern), not proves_settlement(scenario.check.id, ())


def _red(cause: Cause, run: RunReport) -> Iterator[ScenarioReport]:
    """Yield the red checks of a cause, the one that is as grave as the cause first."""
    red = [scenario for scenario in run.scenarios if scenario.check.id in cause.checks and scenario.outcome in RED]
    yield from sorted(red, key=lambda scenario: scenario.check.concern != cause.concern)


def _of_check(scenario: ScenarioReport) -> ReportedProblem:
    return ReportedProblem(
        title=scenario.check.scenario,
        text=scenario.message,
        attribution=scenario.check.attribution,
        outcome=scenario.outcome,
        concern=scenario.check.concern,
        scenario=scenario,
    )


def _of_the_run(scenario: ScenarioReport) -> ReportedProblem:
    return msgspec.structs.replace(_of_check(scenario), title=THE_RUN, scenario=None)
