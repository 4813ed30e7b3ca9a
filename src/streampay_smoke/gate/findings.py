"""Reasons against PASS: from the run as a whole, its plan, its scenarios and its objectives."""

from collections.abc import Sequence

import msgspec

from streampay_smoke.core.errors import Blame, PromiseBroken
from streampay_smoke.evidence.events import Failure
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate import canary
from streampay_smoke.gate.attribution import REASON_CODES
from streampay_smoke.gate.bake import unobserved
from streampay_smoke.gate.blocking import BLOCKED, Examined
from streampay_smoke.gate.checks import EVIDENCE_MISSING, MISSING
from streampay_smoke.gate.concerns import Concern, rank_of
from streampay_smoke.gate.facts import (
    foreign_simulation,
    target_of,
)
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.misses import misses
from streampay_smoke.gate.quarantine import QUARANTINED, in_force
from streampay_smoke.gate.releases import mismatch
from streampay_smoke.gate.verdict import (
    STATUS_OF_BLAME,
    Cause,
    Check,
    ObjectiveResult,
    VerdictStatus,
)

NAMED = 3
"""How many of several things a text names."""

CLOCK_STEP_SECONDS = 5.0
"""A clock that is corrected by more than this in the middle of a run has made its times worthless."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One reason against PASS.

    `checks` are the ids of those that are red for it, `blocked` of those that could not be played because of it.
    `scenario` is the name of the only one that is red, "" where the reason stands for itself.
    """

    status: VerdictStatus
    reason_code: str
    attribution: str
    text: str
    scenario: str = ""
    concern: str = Concern.OPERABILITY
    checks: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause:
        """The same, as the verdict keeps it."""
        return Cause(
            verdict=self.status,
            reason_code=self.reason_code,
            attribution=self.attribution,
            concern=self.concern,
            text=self.text,
            checks=self.checks,
            blocked=self.blocked,
            scenario=self.scenario,
        )


_HOW_TO_SELECT = "check --tags (SMOKE_TAGS), --name and the feature files; docs/tags.md lists the tags"


def findings_of_the_run(run: RunHistory, journal: JournalRead) -> Sequence[Finding]:
    """Return what speaks against PASS in the journal, the plan, the end of the run and the releases seen."""
    findings: list[Finding] = []
    if journal.tampered_at:
        findings.append(unproved("journal_tampered", f"line {journal.tampered_at} of the journal does not follow"))
    if run.refused is not None:
        failure = run.refused.failure
        blame = Blame(failure.blame)
        findings.append(
            Finding(
                status=STATUS_OF_BLAME[blame], reason_code=failure.kind, attribution=blame, text=_with_next(failure)
            )
        )
    elif run.planned is None or run.started is None:
        findings.append(unproved("never_started", "the journal ends before any scenario was planned"))
    else:
        findings += _findings_of_the_plan(run)
    if run.finished is None and run.refused is None and run.interrupted is None:
        findings.append(unproved("unfinished", "the journal ends before the run did"))
    elif run.finished is None:
        pass  # why is told above, or by what ended the run
    elif abs(run.finished.clock_moved_seconds) > CLOCK_STEP_SECONDS:
        moved = f"this runner's clock was moved by {run.finished.clock_moved_seconds:g} s while the run was played"
        findings.append(unproved("runner_clock_off", moved))
    elif _failed_outside_scenarios(run):
        findings.append(unproved("harness_error", "behave failed outside the scenarios (a hook or a clean-up)"))
    strange = mismatch(run.started.release_expected if run.started else "", run.sightings)
    if strange is not None:
        findings.append(
            Finding(
                status=STATUS_OF_BLAME[strange.blame],
                reason_code=strange.reason_code,
                attribution=strange.blame,
                text=strange.text,
            )
        )
    if foreign_simulation(run):
        findings.append(
            Finding(
                status=VerdictStatus.CONFIG,
                reason_code="simulated_target",
                attribution=Blame.CONFIG,
                text=f"{target_of(run).environment} answered as a sandbox: a simulation cannot vouch for a deployment",
            )
        )
    return findings


def _findings_of_the_plan(run: RunHistory) -> Sequence[Finding]:
    plan = run.planned
    assert plan is not None
    findings = [
        Finding(status=VerdictStatus.CONFIG, reason_code="suite_defective", attribution=Blame.CONFIG, text=problem)
        for problem in (*plan.problems, *(run.quarantine.problems if run.quarantine else ()))
    ]
    if plan.comparison_only:
        return findings
    if not plan.expected:
        text = f"no scenario matches {plan.tags or 'the selection'}; {_HOW_TO_SELECT}"
        findings.append(
            Finding(status=VerdictStatus.CONFIG, reason_code="nothing_selected", attribution=Blame.CONFIG, text=text)
        )
    elif {scenario.id for scenario in plan.expected} <= {exclusion.id for exclusion in plan.excluded} | set(
        in_force(run.quarantine)
    ):
        text = "every selected scenario is excluded in this environment or quarantined"
        findings.append(
            Finding(status=VerdictStatus.CONFIG, reason_code="everything_excluded", attribution=Blame.CONFIG, text=text)
        )
    return findings


def findings_of_checks(run: RunHistory, examined: Sequence[Examined]) -> Sequence[Finding]:
    """Return one finding for each cause that keeps gating checks from passing, the gravest first.

    Equal failures are one finding. What is blocked stands with its cause.
    """
    silent = {"passed", "excluded", QUARANTINED, BLOCKED}
    if run.ended_early:  # that is a finding of its own, with all that never came to its end
        silent.add(MISSING)
    groups: dict[object, list[Examined]] = {}
    for each in examined:
        if each.check.status not in silent:
            groups.setdefault((_reason_code(run, each.check), *each.signature), []).append(each)
    found = [_finding(run, group, examined) for group in groups.values()]
    reported = {blocked for finding in found for blocked in finding.blocked}
    astray = [each for each in examined if each.check.status == BLOCKED and each.check.id not in reported]
    found += [_finding(run, [each], examined) for each in astray]  # its cause does not gate: it does
    return sorted(found, key=_gravity)


def _gravity(finding: Finding) -> tuple[bool, int, int]:
    """Return what findings of one word are ordered by: what is known before what is not, then the gravest."""
    return finding.attribution == Blame.HARNESS, rank_of(finding.concern), -len(finding.blocked)


def _finding(run: RunHistory, group: Sequence[Examined], examined: Sequence[Examined]) -> Finding:
    """Return the finding that checks with equal failures are."""
    first = min(group, key=lambda each: rank_of(each.check.concern))
    ids = tuple(each.check.id for each in group)
    blocked = tuple(each.check.id for each in examined if each.check.blocked_by in ids)
    scenario = "" if blocked or first.stands_for_itself else first.check.scenario
    text, named = first.headline, f"{scenario}: "
    if text.lower().startswith(named.lower()):  # the promise is the scenario's own name
        text = text[len(named) :]
    return Finding(
        status=STATUS_OF_BLAME[Blame(first.check.attribution)],
        reason_code=_reason_code(run, first.check),
        attribution=first.check.attribution,
        text=text,
        scenario=scenario,
        concern=first.check.concern,
        checks=ids,
        blocked=blocked,
    )


def findings_of_objectives(
    run: RunHistory, journal: JournalRead, checks: Sequence[Check], answers: Sequence[ObjectiveResult]
) -> Sequence[Finding]:
    """Return one finding for each gating objective that was missed."""
    return [
        Finding(
            status=STATUS_OF_BLAME[miss.blame],
            reason_code=miss.reason_code,
            attribution=miss.blame.value,
            text=miss.text,
            concern=Concern.AVAILABILITY,
        )
        for miss in misses(answers, run, journal.entries, checks)
    ]


def findings_of_what_was_lost(run: RunHistory) -> Sequence[Finding]:
    """Return that the release forgot streams of this run; not where another release answered in its place."""
    if not run.lost or run.started is None or mismatch(run.started.release_expected, run.sightings) is not None:
        return ()
    names = [lost.id for lost in run.lost]
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    made = sum(created.kind == run.lost[0].kind for created in run.created)
    return (
        Finding(
            status=VerdictStatus.FAIL,
            reason_code="streams_lost",
            attribution=Blame.PRODUCT,
            text=f"the service no longer knew {len(names)} of the {made} streams of this run after the last check: "
            f"{shown} ({run.lost[0].seen})",
            concern=Concern.MONEY,
        ),
    )


def findings_of_the_bake(run: RunHistory) -> Sequence[Finding]:
    """Return what keeps a bake that was asked for from being evidence: it did not end, or saw nothing."""
    if run.started is None or not run.started.bake_seconds:
        return ()
    if run.bake is None or run.bake_ended is None:
        return (unproved("bake_incomplete", f"the release was not watched for {run.started.bake_seconds:g} s"),)
    dark = unobserved(run.bake.bake, run.looks)
    return [unproved("bake_unobserved", f"the bake could not see: {source}") for source in dark]


_BLAME_OF_CANARY = {canary.WORSE: Blame.PRODUCT, canary.BOTH_BAD: Blame.DEPENDENCY}
"""Whose a canary's problem is; where nothing is proved, this gate's."""


def findings_of_the_canary(run: RunHistory, answers: Sequence[ObjectiveResult]) -> Sequence[Finding]:
    """Return what a comparison with the stable release says against PASS, where one was asked for."""
    problem = canary.problem_of(run, answers)
    if problem is None:
        return ()
    blame = _BLAME_OF_CANARY.get(problem.reason_code, Blame.HARNESS)
    return (
        Finding(
            status=STATUS_OF_BLAME[blame],
            reason_code=problem.reason_code,
            attribution=blame,
            text=problem.text,
            concern=Concern.AVAILABILITY,
        ),
    )


def _reason_code(run: RunHistory, check: Check) -> str:
    if check.status == MISSING:
        return "scenarios_missing"
    if check.rule in REASON_CODES:
        return REASON_CODES[check.rule]
    history = run.scenarios[check.id]
    if history.failure is not None:
        return history.failure.kind
    return PromiseBroken.kind if check.status == "failed" else EVIDENCE_MISSING


def _failed_outside_scenarios(run: RunHistory) -> bool:
    """Whether behave failed for something no gating scenario tells: a quarantined one must not cover for it."""
    assert run.finished is not None
    failed = {name for name, status in run.finished.statuses.items() if status not in {"passed", "skipped"}}
    if not failed:
        return run.finished.failed
    return failed <= set(in_force(run.quarantine)) and bool(run.finished.hook_failures or run.finished.cleanup_errors)


def _with_next(failure: Failure) -> str:
    return f"{failure.message}; {failure.next_step}" if failure.next_step else failure.message


def unproved(reason_code: str, text: str) -> Finding:
    """Return a finding that only says that something was not proved."""
    return Finding(status=VerdictStatus.INCONCLUSIVE, reason_code=reason_code, attribution=Blame.HARNESS, text=text)
