"""The judge: a pure function from a journal to a verdict. PASS is earned; everything unproved holds."""

from collections.abc import Sequence

from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.journal import Entry, JournalRead
from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate import bake, canary, regions, time_spent
from streampay_smoke.gate.checks import examined
from streampay_smoke.gate.cost import cost_of
from streampay_smoke.gate.facts import (
    chain_of,
    cleanup_of,
    evidence_of,
    settlement_of,
    simulated_description,
    target_of,
)
from streampay_smoke.gate.findings import (
    Finding,
    findings_of_checks,
    findings_of_objectives,
    findings_of_the_bake,
    findings_of_the_canary,
    findings_of_the_run,
    findings_of_what_was_lost,
    unproved,
)
from streampay_smoke.gate.fleet import fleet_of, met_in_short, unreached
from streampay_smoke.gate.history import RunHistory, fold
from streampay_smoke.gate.message import ALONE, Beside, line, paragraph
from streampay_smoke.gate.misses import left_out
from streampay_smoke.gate.objectives import results
from streampay_smoke.gate.override import REASON_CODE, override_description, override_in_force
from streampay_smoke.gate.policy import VerdictSummary, missed_kinds, step_of
from streampay_smoke.gate.quarantine import QUARANTINED, lapsed
from streampay_smoke.gate.verdict import (
    EXIT_CODES,
    GRAVITY,
    RUN,
    SCHEMA,
    SIGNAL_EXIT_CODES,
    Action,
    Check,
    Data,
    Fleet,
    Timings,
    Verdict,
    VerdictStatus,
)

DEADLINE = "deadline"
TIME_OVER = frozenset({DEADLINE, "step_timeout"})
"""Interruptions that leave a proved fault standing, of the release or of the ledger: what was seen before, was seen."""


KILLED = "killed"
"""The reason of a run whose process ended without one of its own."""


def judge(journal: JournalRead) -> Verdict:
    """Return the verdict on a journal, of a run or of a merge. The same journal gives the same verdict anywhere."""
    run = fold(journal.entries)
    if run.merged is not None:
        return regions.merged(run, journal)
    fleet = fleet_of(run)
    found = examined(run)
    checks = tuple(each.check for each in found)
    alone = run.planned is not None and run.planned.comparison_only  # no scenario gives samples
    objectives = run.objectives.objectives if run.objectives and not alone else ()
    answers = (
        *results(objectives, journal.entries, checks, left_out=left_out(checks)),
        *bake.results(run),
        *canary.results(run),
    )
    findings = [
        *findings_of_the_run(run, journal),
        *findings_of_checks(run, found),
        *findings_of_what_was_lost(run),
        *findings_of_objectives(run, journal, checks, answers),
        *findings_of_the_bake(run),
        *findings_of_the_canary(run, answers),
    ]
    cut_off = _cut_off(run, checks, journal.entries)
    decisive = _decisive(run, findings, cut_off)
    causes = _in_order(decisive, [*findings, *([cut_off] if cut_off else [])])
    status = decisive.status if decisive else VerdictStatus.PASS
    reason_code = decisive.reason_code if decisive else canary.NO_WORSE if alone else "all_promises_kept"
    if decisive:
        text = _described(decisive)
    else:
        of_canary = canary.praise(run, answers)
        text = of_canary if alone else _praise(run, checks, fleet, of_canary)
    attribution = decisive.attribution if decisive else "none"
    override, refused_overrides = override_in_force(run, status, tampered=bool(journal.tampered_at))
    if override is not None:
        status, reason_code, text, attribution = (
            VerdictStatus(override.to),
            REASON_CODE,
            override_description(override, text),
            "none",
        )
    scenario = decisive.scenario if decisive and override is None else ""
    beside = Beside.of(causes, checks) if override is None else ALONE
    action = _action(run, status, reason_code, missed_kinds(answers))
    simulated = simulated_description(run, short=status is not VerdictStatus.PASS)
    started, named = run.started, run.started or run.refused
    return Verdict(
        schema=SCHEMA,
        run_id=named.run_id if named else "",
        verdict=status,
        exit_code=_exit_code(run, status, reason_code),
        reason_code=reason_code,
        message=line(status, attribution, action, simulated, scenario=scenario, text=text, beside=beside),
        attribution=attribution,
        action=action,
        target=target_of(run),
        chain=chain_of(run),
        checks=checks,
        settlement=settlement_of(run),
        objectives=answers,
        evidence=evidence_of(run, checks, journal),
        cleanup=cleanup_of(run),
        timings=Timings(
            started_at_ms=run.started_at_ms,
            ended_at_ms=run.ended_at_ms,
            total_ms=run.ended_at_ms - run.started_at_ms,
        ),
        warnings=(
            *dict.fromkeys(warning.text for warning in run.warnings),
            *unreached(fleet),
            *lapsed(run.quarantine),
            *refused_overrides,
        ),
        overrides=(override,) if override else (),
        message_long=paragraph(status, attribution, action, text=text, beside=beside),
        trace_id=started.trace_id if started else "",
        signed_by=started.signed_by if started else "",
        data=Data.of(status),
        causes=tuple(finding.cause for finding in causes),
        cost=cost_of(run, journal.entries),
        fleet=fleet,
    )


def _in_order(decisive: Finding | None, findings: Sequence[Finding]) -> Sequence[Finding]:
    """Return every finding, the decisive one first and then the gravest."""
    if decisive is None:
        return ()
    rest = sorted((each for each in findings if each != decisive), key=lambda each: GRAVITY.index(each.status))
    return (decisive, *rest)


def _described(finding: Finding) -> str:
    return f"{finding.scenario}: {finding.text}" if finding.scenario else finding.text


def _decisive(run: RunHistory, findings: Sequence[Finding], cut_off: Finding | None) -> Finding | None:
    """Return the gravest finding; an interruption leaves only what had been proved by then standing."""
    by_gravity = sorted(findings, key=lambda finding: GRAVITY.index(finding.status))
    gravest = by_gravity[0] if by_gravity else None
    if run.interrupted is None or cut_off is None:
        return gravest
    if gravest is not None and gravest.status is VerdictStatus.SAFETY:
        return gravest
    if run.interrupted.reason in TIME_OVER:
        if gravest is not None and gravest.status is VerdictStatus.FAIL:
            return gravest
        waited = next((finding for finding in findings if finding.attribution == Blame.DEPENDENCY), None)
        if waited is not None:  # what took the time is known: it is not the suite's own trouble
            return waited
    return cut_off


def _cut_off(run: RunHistory, checks: Sequence[Check], entries: Sequence[Entry]) -> Finding | None:
    """Return that the run was ended from outside, and which checks it did not get to; None for one that was not."""
    if run.interrupted is None:
        return None
    doing = run.doing
    if run.interrupted.reason in TIME_OVER:
        how = f"{run.interrupted.detail} {doing}".strip()
        if run.interrupted.reason == DEADLINE:
            how = "; ".join(filter(None, (how, time_spent.description(run, entries)))) + f". Next: {_more_time(run)}"
        ended = unproved(run.interrupted.reason, how)
    else:
        by = "" if run.interrupted.reason == KILLED else f"ended by {run.interrupted.reason}"  # its detail says how
        how = " ".join(filter(None, (by, run.interrupted.detail, doing)))
        ended = unproved("terminated", how)
    return replace(ended, blocked=tuple(check.id for check in checks if check.blocked_by == RUN))


def _more_time(run: RunHistory) -> str:
    """Return how an operator gives a run more time, if what it waited for is no trouble of its own."""
    environment = run.started.environment if run.started else "NAME"
    return (
        "see what the time went into; where all of it was needed, raise SMOKE_DEADLINE_SECONDS (--deadline, or "
        f"deadline_seconds in environments/{environment}.toml)"
    )


def _exit_code(run: RunHistory, status: VerdictStatus, reason_code: str) -> int:
    if reason_code == "terminated" and run.interrupted is not None:
        return SIGNAL_EXIT_CODES.get(run.interrupted.reason, EXIT_CODES[status])
    if status is VerdictStatus.INCONCLUSIVE and _two_state(run):
        return EXIT_CODES[VerdictStatus.FAIL]
    return EXIT_CODES[status]


def _action(run: RunHistory, status: VerdictStatus, reason_code: str, missed: tuple[str, ...]) -> Action:
    """Return what the verdict calls for: the step that is decided on it, by the policy of the environment."""
    step = step_of(
        VerdictSummary(
            status=status,
            reason_code=reason_code,
            missed=missed,
            rehearsal=run.started is not None and run.started.rehearsal,
        ),
        run.started.policy if run.started else Policy(),
        whole_suite=run.planned is not None and run.planned.whole_suite,
        by_path=run.planned is not None and run.planned.by_path,
    )
    return Action[step.name]


def _two_state(run: RunHistory) -> bool:
    """Whether the operator asked that INCONCLUSIVE be treated as a failure, for engines with two states."""
    return run.started is not None and run.started.on_inconclusive == "fail"


def _praise(run: RunHistory, checks: Sequence[Check], fleet: Fleet | None, of_canary: str) -> str:
    passed = [check for check in checks if check.status == "passed"]
    held_apart = [check for check in checks if check.status == QUARANTINED]
    excluded = len(checks) - len(passed) - len(held_apart)
    settlement = settlement_of(run)
    parts = [
        f"{len(passed)} {'scenario' if len(passed) == 1 else 'scenarios'}",
        f"{sum(check.assertions for check in passed)} assertions",
    ]
    if settlement.tx_hash:
        parts.append(f"settlement proved by the {settlement.proof}")
    if run.bake_ended:
        parts.append(f"watched for {run.bake_ended.watched_seconds:g} s")
    parts += met_in_short(fleet)
    if excluded:
        parts.append(f"{excluded} excluded here")
    flaky = sum(check.flaky for check in passed)
    if flaky:
        parts.append(f"{flaky} flaky")
    if held_apart:
        parts.append(f"{len(held_apart)} quarantined and not passed")
    if of_canary:
        parts.append(of_canary)
    return ", ".join(parts)
