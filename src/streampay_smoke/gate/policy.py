"""What a verdict leads to: a pure function of the answer, the environment's policy, and what the run was.

It can only be more careful than the verdict: nothing but a PASS of the whole suite promotes, nothing but a FAIL rolls
back. Who acts on it is another question, and `may_act` is the only place that answers it.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate.canary import NO_WORSE, WORSE
from streampay_smoke.gate.objectives import MISSED
from streampay_smoke.gate.override import REASON_CODE as OVERRIDDEN
from streampay_smoke.gate.verdict import FAIL, ObjectiveResult, Verdict, VerdictStatus, json_schema

SCHEMA = "streampay.dev/gate-decision/v1"

FILE = "decision.json"
"""Where a run's folder has its decision."""

NOT_DEPLOYED = "release_unexpected"
"""The expected release never answered: there is nothing of it to roll back."""

HOLD, ROLL_BACK = "hold", "rollback"


class ReleaseStep(StrEnum):
    """What is done with the release; named as the actions of a verdict."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    HOLD = "hold"


class VerdictSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision looks at in a verdict.

    `missed` are the kinds of gating objectives that failed; `rehearsal` says that no deployment was judged,
    `ended_by_signal` that somebody ended the run.
    """

    status: VerdictStatus
    reason_code: str
    missed: tuple[str, ...] = ()
    rehearsal: bool = False
    ended_by_signal: bool = False

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictSummary":
        """Return the answer of a verdict."""
        return cls(
            status=verdict.verdict,
            reason_code=verdict.reason_code,
            missed=missed_kinds(verdict.objectives),
            rehearsal=verdict.target.rehearsal,
            ended_by_signal=verdict.ended_by_signal,
        )


def missed_kinds(results: Iterable[ObjectiveResult]) -> tuple[str, ...]:
    """Return the kinds of gating objectives that were missed."""
    missed = (result.kind for result in results if result.gates and result.decision == FAIL)
    return tuple(dict.fromkeys(missed))


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was.

    `whole_suite` says that every scenario of the smoke was planned, `by_path` that somebody named feature files.
    `target_release` is what was recorded before `deploy`, "" for nothing. `inconclusive_before` counts the runs of the
    whole suite right before this one that were INCONCLUSIVE too. `acts_here` says that this process could roll back.
    """

    whole_suite: bool
    by_path: bool = False
    on_fail: str = HOLD
    deploy: str = ""
    target_release: str = ""
    release_expected: str = ""
    inconclusive_before: int = 0
    acts_here: bool = True


class RolledBack(msgspec.Struct, frozen=True, kw_only=True):
    """How the rollback that was started ended: its exit code, None where it could not be started."""

    exit_code: int | None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`decision.json`. `acts` says that this run itself starts the rollback, `not_acting_because` why it does not.

    `regions` is what is done in each region of a merged verdict, empty for that of one run.
    """

    schema: str
    run_id: str
    verdict: VerdictStatus
    reason_code: str
    step: ReleaseStep
    page: bool
    because: str
    acts: bool
    not_acting_because: str
    deploy: str
    target_release: str
    inconclusive_in_a_row: int
    policy: Policy
    rollback: RolledBack | None = None
    regions: dict[str, ReleaseStep] = {}


def decide(answer: VerdictSummary, policy: Policy, run: Circumstances, *, run_id: str) -> Decision:
    """Return what an answer leads to."""
    counts = answer.status is VerdictStatus.INCONCLUSIVE and run.whole_suite and not answer.ended_by_signal
    in_a_row = run.inconclusive_before + 1 if counts else 0
    step, page, because = _step(answer, policy, run, in_a_row)
    refusals = may_act(run) if step is ReleaseStep.ROLLBACK else ()
    page = page or (bool(refusals) and run.on_fail == ROLL_BACK)  # somebody counts on a rollback that is not made
    return Decision(
        schema=SCHEMA,
        run_id=run_id,
        verdict=answer.status,
        reason_code=answer.reason_code,
        step=step,
        page=page,
        because=because,
        acts=step is ReleaseStep.ROLLBACK and not refusals,
        not_acting_because="; ".join(refusals),
        deploy=run.deploy,
        target_release=run.target_release,
        inconclusive_in_a_row=in_a_row,
        policy=policy,
    )


def step_of(answer: VerdictSummary, policy: Policy, *, whole_suite: bool, by_path: bool) -> ReleaseStep:
    """Return what an answer of such a run leads to: what a verdict calls for is never more than what is decided."""
    return _step(answer, policy, Circumstances(whole_suite=whole_suite, by_path=by_path), 0)[0]


def may_act(run: Circumstances) -> Sequence[str]:
    """Return everything that keeps a run from rolling back by itself, () for nothing.

    One feature played by hand must never do it: it takes the whole suite, and a deploy that was prepared for it.
    """
    return tuple(refusal.because for refusal in ROLLBACK_OBSTACLES if refusal.applies(run))


class RollbackObstacle(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that keeps a run from acting, in words."""

    because: str
    applies: Callable[[Circumstances], bool]


ROLLBACK_OBSTACLES = (
    RollbackObstacle(because="it was not asked for (--on-fail rollback)", applies=lambda run: run.on_fail != ROLL_BACK),
    RollbackObstacle(because="behave was started by hand, and never rolls back", applies=lambda run: not run.acts_here),
    RollbackObstacle(because="a part of the suite was played", applies=lambda run: not run.whole_suite),
    RollbackObstacle(because="feature files were named by hand", applies=lambda run: run.by_path),
    RollbackObstacle(because="no deploy is named (--deploy)", applies=lambda run: not run.deploy),
    RollbackObstacle(because="no release is expected (--expect-release)", applies=lambda run: not run.release_expected),
    RollbackObstacle(
        because="no previous release was recorded before the deploy",
        applies=lambda run: bool(run.deploy) and not run.target_release,
    ),
    RollbackObstacle(
        because="the release that was recorded before the deploy is the expected one",
        applies=lambda run: bool(run.target_release) and run.target_release == run.release_expected,
    ),
)
"""Each of them alone is enough."""


WITHOUT_SUITE = "a person answers for it, and the whole suite was not played"


def _step(answer: VerdictSummary, policy: Policy, run: Circumstances, in_a_row: int) -> tuple[ReleaseStep, bool, str]:
    """Return what is done, whether somebody is paged, and why."""
    match answer.status:
        case VerdictStatus.PASS | VerdictStatus.FAIL | VerdictStatus.INCONCLUSIVE if answer.rehearsal:
            return ReleaseStep.HOLD, False, "nobody named a deployment: a rehearsal on the sandbox judges none"
        case VerdictStatus.PASS if run.whole_suite and answer.reason_code == OVERRIDDEN:
            return ReleaseStep.PROMOTE, False, "a person answers for it instead of the evidence"
        case VerdictStatus.PASS if answer.reason_code == OVERRIDDEN:
            return ReleaseStep.HOLD, False, f"{WITHOUT_SUITE}: that is no reason to promote"
        case VerdictStatus.INCONCLUSIVE if answer.reason_code == OVERRIDDEN:
            return ReleaseStep.HOLD, False, "a person answers for it instead of the evidence"
        case VerdictStatus.PASS if run.whole_suite:
            return ReleaseStep.PROMOTE, False, "every promise was proved"
        case VerdictStatus.PASS if answer.reason_code == NO_WORSE:
            return (
                ReleaseStep.HOLD,
                False,
                "a candidate that is no worse has kept no promise yet: it may get more traffic",
            )
        case VerdictStatus.PASS:
            return ReleaseStep.HOLD, False, "a part of the suite passed: that is no reason to promote"
        case VerdictStatus.FAIL:
            return _step_of_fail(answer, policy, run)
        case VerdictStatus.SAFETY:
            return ReleaseStep.HOLD, True, "something pointed at real money"
        case VerdictStatus.CONFIG:
            return ReleaseStep.HOLD, False, "nothing was judged"
        case VerdictStatus.INCONCLUSIVE:
            page = in_a_row >= policy.page_after_inconclusive
            times = f", the {_ordinal(in_a_row)} time in a row" if in_a_row > 1 else ""
            return ReleaseStep.HOLD, page, f"nothing is proved against the release{times}"


def _step_of_fail(answer: VerdictSummary, policy: Policy, run: Circumstances) -> tuple[ReleaseStep, bool, str]:
    if answer.reason_code == WORSE and not run.whole_suite:
        return (
            ReleaseStep.HOLD,
            False,
            "the candidate is worse than the stable release: whoever sends it traffic decides",
        )
    if not run.whole_suite or run.by_path:
        return ReleaseStep.HOLD, False, "a part of the suite failed: whoever played it decides"
    if answer.reason_code == NOT_DEPLOYED:
        return ReleaseStep.HOLD, True, "the expected release never answered: there is nothing of it to roll back"
    if answer.reason_code in {MISSED, WORSE}:
        kinds = ", ".join(answer.missed)
        if set(answer.missed) & set(policy.objectives_roll_back):
            return ReleaseStep.ROLLBACK, False, f"an objective that rolls back here was missed ({kinds})"
        return ReleaseStep.HOLD, True, f"an objective was missed, and it only holds here ({kinds})"
    if policy.broken_promise == ROLL_BACK:
        return ReleaseStep.ROLLBACK, False, "the release broke a promise"
    return ReleaseStep.HOLD, True, "the release broke a promise, and that only holds here"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def decision_description(decision: Decision) -> str:
    """Return one line for the console."""
    step = {ReleaseStep.PROMOTE: "promote", ReleaseStep.ROLLBACK: "roll back", ReleaseStep.HOLD: "hold"}[decision.step]
    page = ", and page somebody" if decision.page else ""
    if decision.rollback is not None:
        who = _rolled_back(decision, decision.rollback)
    elif decision.acts:
        who = f" -> {decision.target_release} is put back now"
    elif decision.not_acting_because:
        who = f" -> not by this run: {decision.not_acting_because}"
    else:
        who = ""
    return f"{step}{page}: {decision.because}{who}"


def _rolled_back(decision: Decision, rollback: RolledBack) -> str:
    if not decision.acts:
        return " -> a rollback was started before, by an earlier decision on this run"
    if rollback.exit_code == 0:
        return f" -> {decision.target_release} was put back"
    return f" -> the rollback to {decision.target_release} is not proved (exit code {rollback.exit_code})"


def to_json(decision: Decision) -> bytes:
    """Return the bytes of `decision.json`."""
    return msgspec.json.format(msgspec.json.encode(decision)) + b"\n"


def written_at(path: Path) -> Decision | None:
    """Return a decision that was written, None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Decision)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `decision.json`."""
    return json_schema(Decision, SCHEMA)
