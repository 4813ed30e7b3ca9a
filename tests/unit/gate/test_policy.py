"""What a verdict leads to, as a table: written by hand, so that the policy cannot vouch for itself."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gate_stories import LATE_READS, started
from msgspec.structs import replace
from sample_runs import judged, passing

from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.evidence.policy import OBJECTIVE_KINDS, Policy
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.policy import (
    Circumstances,
    Decision,
    ReleaseStep,
    RolledBack,
    VerdictSummary,
    decide,
    decision_description,
    may_act,
    schema,
    to_json,
    written_at,
)
from streampay_smoke.gate.verdict import ObjectiveResult, VerdictStatus

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "decision.schema.json"

PREPARED = Circumstances(whole_suite=True, on_fail="rollback", deploy="d-1", target_release="v1", release_expected="v2")
"""A run that may roll back by itself."""

BY_HAND = Circumstances(whole_suite=False, by_path=True)


def answer(status: str, reason_code: str = "", *missed: str) -> VerdictSummary:
    return VerdictSummary(status=VerdictStatus(status), reason_code=reason_code, missed=missed)


def decided(given: VerdictSummary, run: Circumstances = PREPARED, **policy: Any) -> Decision:
    return decide(given, Policy(**policy), run, run_id="r-1")


# status, reason code, kinds of missed objectives; step, page, acts
GOLDEN = [
    ("PASS", "all_promises_kept", (), "promote", False, False),
    ("PASS", "overridden", (), "promote", False, False),
    ("FAIL", "promise_broken", (), "rollback", False, True),
    ("FAIL", "never_ready", (), "rollback", False, True),
    ("FAIL", "service_unavailable", (), "rollback", False, True),
    ("FAIL", "release_mixed", (), "rollback", False, True),
    ("FAIL", "release_changed", (), "rollback", False, True),
    ("FAIL", "release_unexpected", (), "hold", True, False),
    ("FAIL", "objective_missed", ("error_burn",), "rollback", False, True),
    ("FAIL", "objective_missed", ("settlement_time", "error_burn"), "rollback", False, True),
    ("FAIL", "objective_missed", ("settlement_time",), "hold", True, False),
    ("FAIL", "objective_missed", ("read_latency",), "hold", True, False),
    ("FAIL", "objective_missed", (), "hold", True, False),
    ("FAIL", "promise_broken", ("read_latency",), "rollback", False, True),
    ("CONFIG", "settings_invalid", (), "hold", False, False),
    ("CONFIG", "suite_changed", (), "hold", False, False),
    ("INCONCLUSIVE", "chain_unavailable", (), "hold", False, False),
    ("INCONCLUSIVE", "terminated", (), "hold", False, False),
    ("INCONCLUSIVE", "deadline", (), "hold", False, False),
    ("SAFETY", "guard_refused", (), "hold", True, False),
]


@pytest.mark.parametrize(("status", "reason", "missed", "step", "page", "acts"), GOLDEN)
def test_golden(status: str, reason: str, missed: tuple[str, ...], step: str, page: bool, acts: bool) -> None:
    decision = decided(answer(status, reason, *missed))
    assert (decision.step, decision.page, decision.acts) == (step, page, acts)
    assert decision.because
    assert bool(decision.not_acting_because) is False


def test_a_word_instead_of_the_evidence_promotes_only_what_was_played_whole() -> None:
    decision = decided(answer("PASS", "overridden"), replace(PREPARED, whole_suite=False))
    assert decision.step == "hold"
    assert decision.because == (
        "a person answers for it, and the whole suite was not played: that is no reason to promote"
    )


def test_every_word_is_in_the_table() -> None:
    assert {row[0] for row in GOLDEN} == set(VerdictStatus)


@pytest.mark.parametrize(
    ("policy", "given", "step", "page"),
    [
        ({"broken_promise": "hold"}, answer("FAIL", "promise_broken"), "hold", True),
        ({"broken_promise": "hold"}, answer("FAIL", "objective_missed", "error_burn"), "rollback", False),
        (
            {"objectives_roll_back": ("settlement_time",)},
            answer("FAIL", "objective_missed", "settlement_time"),
            "rollback",
            False,
        ),
        ({"objectives_roll_back": ()}, answer("FAIL", "objective_missed", "error_burn"), "hold", True),
        ({"page_after_inconclusive": 1}, answer("INCONCLUSIVE"), "hold", True),
    ],
)
def test_an_environment_may_have_another_policy(
    policy: dict[str, Any], given: VerdictSummary, step: str, page: bool
) -> None:
    decision = decided(given, **policy)
    assert (decision.step, decision.page) == (step, page)


@pytest.mark.parametrize(("before", "page", "row"), [(0, False, 1), (1, False, 2), (2, True, 3), (9, True, 10)])
def test_the_third_inconclusive_run_in_a_row_wakes_somebody(before: int, page: bool, row: int) -> None:
    decision = decided(answer("INCONCLUSIVE"), replace(PREPARED, inconclusive_before=before))
    assert (decision.page, decision.inconclusive_in_a_row) == (page, row)
    assert decided(answer("PASS"), replace(PREPARED, inconclusive_before=before)).inconclusive_in_a_row == 0


def test_a_run_that_somebody_ended_wakes_nobody() -> None:
    ended = replace(answer("INCONCLUSIVE"), ended_by_signal=True)
    decision = decided(ended, replace(PREPARED, inconclusive_before=9))
    assert (decision.step, decision.page, decision.inconclusive_in_a_row) == ("hold", False, 0)


def test_an_inconclusive_part_of_the_suite_wakes_nobody() -> None:
    decision = decided(answer("INCONCLUSIVE"), replace(BY_HAND, inconclusive_before=9))
    assert (decision.page, decision.inconclusive_in_a_row) == (False, 0)


@pytest.mark.parametrize("status", list(VerdictStatus))
@pytest.mark.parametrize("whole", [True, False])
def test_it_is_never_bolder_than_the_verdict(status: VerdictStatus, whole: bool) -> None:
    for reason, missed, promise, by_path in itertools.product(
        ("promise_broken", "objective_missed", "release_unexpected"),
        ((), ("error_burn",)),
        ("rollback", "hold"),
        (True, False),
    ):
        run = replace(PREPARED, whole_suite=whole, by_path=by_path)
        decision = decided(answer(status, reason, *missed), run, broken_promise=promise)
        assert decision.step is not ReleaseStep.PROMOTE or (status is VerdictStatus.PASS and whole)
        assert decision.step is not ReleaseStep.ROLLBACK or (status is VerdictStatus.FAIL and whole and not by_path)
        assert not decision.acts or decision.step is ReleaseStep.ROLLBACK


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"on_fail": "hold"}, "it was not asked for (--on-fail rollback)"),
        ({"deploy": "", "target_release": ""}, "no deploy is named (--deploy)"),
        ({"release_expected": ""}, "no release is expected (--expect-release)"),
        ({"target_release": ""}, "no previous release was recorded before the deploy"),
        (
            {"target_release": "v2"},
            "the release that was recorded before the deploy is the expected one",
        ),
    ],
)
def test_each_of_these_alone_keeps_a_run_from_acting(change: dict[str, object], because: str) -> None:
    assert may_act(PREPARED) == ()
    run = replace(PREPARED, **change)
    assert may_act(run) == (because,)
    decision = decided(answer("FAIL", "promise_broken"), run)
    assert (decision.step, decision.acts, decision.not_acting_because) == (ReleaseStep.ROLLBACK, False, because)
    assert decision.page is (run.on_fail == "rollback")  # somebody counts on a rollback that is not made
    assert f"-> not by this run: {because}" in decision_description(decision)


@pytest.mark.parametrize("change", [{"whole_suite": False}, {"by_path": True}])
def test_one_feature_played_by_hand_never_acts(change: dict[str, bool]) -> None:
    run = replace(PREPARED, **change)
    assert len(may_act(run)) == 1
    decision = decided(answer("FAIL", "promise_broken"), run)
    assert (decision.step, decision.acts, decision.page) == (ReleaseStep.HOLD, False, False)
    assert decided(answer("FAIL", "objective_missed", "error_burn"), run).acts is False


def test_what_is_said() -> None:
    assert decision_description(decided(answer("PASS"))) == "promote: every promise was proved"
    assert (
        decision_description(decided(answer("FAIL"))) == "roll back: the release broke a promise -> v1 is put back now"
    )
    said = decision_description(decided(answer("INCONCLUSIVE"), replace(PREPARED, inconclusive_before=2)))
    assert said == "hold, and page somebody: nothing is proved against the release, the 3rd time in a row"
    assert decision_description(decided(answer("PASS"), BY_HAND)) == (
        "hold: a part of the suite passed: that is no reason to promote"
    )


@pytest.mark.parametrize(
    ("acts", "exit_code", "told"),
    [
        (True, 0, "-> v1 was put back"),
        (True, 1, "-> the rollback to v1 is not proved (exit code 1)"),
        (True, None, "-> the rollback to v1 is not proved (exit code None)"),
        (False, 0, "-> a rollback was started before, by an earlier decision on this run"),
    ],
)
def test_how_a_rollback_ended_is_said(acts: bool, exit_code: int | None, told: str) -> None:
    decision = replace(decided(answer("FAIL")), acts=acts, rollback=RolledBack(exit_code=exit_code))
    assert decision_description(decision).endswith(told)


def test_a_decision_that_was_written_is_read_back_and_what_is_none_is_none(tmp_path: Path) -> None:
    path = tmp_path / "decision.json"
    assert written_at(path) is None
    path.write_bytes(to_json(decided(answer("FAIL"))))
    assert written_at(path) == decided(answer("FAIL"))
    for content in (b"{", b"{}", b"\xff\xfe"):
        path.write_bytes(content)
        assert written_at(path) is None


REASONS = [
    (answer("PASS"), PREPARED, {}, "every promise was proved"),
    (answer("PASS"), BY_HAND, {}, "a part of the suite passed: that is no reason to promote"),
    (answer("SAFETY"), PREPARED, {}, "something pointed at real money"),
    (answer("CONFIG"), PREPARED, {}, "nothing was judged"),
    (answer("INCONCLUSIVE"), PREPARED, {}, "nothing is proved against the release"),
    (answer("FAIL"), BY_HAND, {}, "a part of the suite failed: whoever played it decides"),
    (
        answer("FAIL", "release_unexpected"),
        PREPARED,
        {},
        "the expected release never answered: there is nothing of it to roll back",
    ),
    (
        answer("FAIL", "objective_missed", "settlement_time", "error_burn"),
        PREPARED,
        {},
        "an objective that rolls back here was missed (settlement_time, error_burn)",
    ),
    (
        answer("FAIL", "objective_missed", "settlement_time", "read_latency"),
        PREPARED,
        {},
        "an objective was missed, and it only holds here (settlement_time, read_latency)",
    ),
    (answer("FAIL"), PREPARED, {}, "the release broke a promise"),
    (answer("FAIL"), PREPARED, {"broken_promise": "hold"}, "the release broke a promise, and that only holds here"),
]


@pytest.mark.parametrize(("given", "run", "policy", "because"), REASONS)
def test_why(given: VerdictSummary, run: Circumstances, policy: dict[str, Any], because: str) -> None:
    assert decided(given, run, **policy).because == because


def test_a_decision_is_told_whole() -> None:
    run = Circumstances(whole_suite=True, deploy="d-1", target_release="v1", inconclusive_before=1)
    policy = {"page_after_inconclusive": 9}
    assert decided(answer("INCONCLUSIVE", "deadline"), run, **policy) == Decision(
        schema="streampay.dev/gate-decision/v1",
        run_id="r-1",
        verdict=VerdictStatus.INCONCLUSIVE,
        reason_code="deadline",
        step=ReleaseStep.HOLD,
        page=False,
        because="nothing is proved against the release, the 2nd time in a row",
        acts=False,
        not_acting_because="",
        deploy="d-1",
        target_release="v1",
        inconclusive_in_a_row=2,
        policy=Policy(page_after_inconclusive=9),
        rollback=None,
    )


def test_every_reason_not_to_act_is_said() -> None:
    run = replace(PREPARED, on_fail="hold", release_expected="")
    assert decided(answer("FAIL"), run).not_acting_because == (
        "it was not asked for (--on-fail rollback); no release is expected (--expect-release)"
    )


def test_an_answer_names_each_kind_of_gating_objective_that_was_missed_once(
    journaled: Callable[..., JournalRead],
) -> None:
    def result(kind: str, decision: str, *, gates: bool) -> ObjectiveResult:
        return replace(LATE_READS, name=f"{kind}, again", kind=kind, unit="s", decision=decision, gates=gates)

    results = (
        result("read_latency", "fail", gates=False),
        result("ready_time", "pass", gates=True),
        result("error_burn", "fail", gates=True),
        result("settlement_time", "fail", gates=True),
        result("error_burn", "fail", gates=True),
    )
    verdict = replace(judge(journaled(started())), objectives=results)
    assert VerdictSummary.of(verdict) == VerdictSummary(
        status=verdict.verdict, reason_code=verdict.reason_code, missed=("error_burn", "settlement_time")
    )
    assert verdict.reason_code


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (14, "14th"),
        (21, "21st"),
        (111, "111th"),
    ],
)
def test_rows_are_counted_decision_description(number: int, said: str) -> None:
    decision = decided(answer("INCONCLUSIVE"), replace(PREPARED, inconclusive_before=number - 1))
    assert f"the {said} time in a row" in decision.because


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'latency' is no kind of objective"):
        Policy(objectives_roll_back=("latency",))
    with pytest.raises(ValueError, match="at least 1"):
        Policy(page_after_inconclusive=0)
    assert Policy(objectives_roll_back=OBJECTIVE_KINDS).objectives_roll_back == OBJECTIVE_KINDS


def test_the_file_is_indented_and_its_schema_is_the_documented_one() -> None:
    content = to_json(decided(answer("FAIL", "promise_broken")))
    assert content.startswith(b'{\n  "schema": "streampay.dev/gate-decision/v1",\n  "run_id": "r-1",\n')
    assert content.endswith(b"}\n")
    assert schema() == json.loads(SCHEMA.read_text())


@pytest.mark.parametrize("status", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_a_rehearsal_leads_to_nothing(status: str) -> None:
    run = replace(PREPARED, inconclusive_before=9)
    decision = decided(replace(answer(status, "promise_broken"), rehearsal=True), run)
    assert (decision.step, decision.page, decision.acts) == (ReleaseStep.HOLD, False, False)
    assert "nobody named a deployment" in decision.because


def test_a_verdict_says_that_it_was_a_rehearsal(journaled: Callable[..., JournalRead]) -> None:
    for rehearsal in (True, False):
        verdict = judge(journaled(started(rehearsal=rehearsal)))
        assert VerdictSummary.of(verdict).rehearsal is rehearsal
        assert verdict.target.rehearsal is rehearsal


@pytest.mark.parametrize(("exit_code", "ended"), [(143, True), (130, True), (3, False)])
def test_a_run_that_somebody_ended_is_not_counted_in_a_row(exit_code: int, ended: bool) -> None:
    verdict = replace(judged(passing()).verdict, verdict=VerdictStatus.INCONCLUSIVE, exit_code=exit_code)
    given = VerdictSummary.of(verdict)
    assert given.ended_by_signal is ended
    assert decided(given, replace(PREPARED, inconclusive_before=1)).inconclusive_in_a_row == (0 if ended else 2)


def test_a_worse_candidate_beside_a_part_of_the_suite_holds_and_wakes_nobody() -> None:
    decision = decided(answer("FAIL", "canary_worse", "canary_reads"), replace(PREPARED, whole_suite=False))
    assert (decision.step, decision.page) == (ReleaseStep.HOLD, False)
    assert decision.because == "the candidate is worse than the stable release: whoever sends it traffic decides"


@pytest.mark.parametrize(
    ("reason_code", "because"),
    [
        ("candidate_no_worse", "a candidate that is no worse has kept no promise yet: it may get more traffic"),
        ("overridden", "a person answers for it, and the whole suite was not played: that is no reason to promote"),
        ("all_promises_kept", "a part of the suite passed: that is no reason to promote"),
    ],
)
def test_a_pass_of_less_than_the_suite_holds_and_wakes_nobody(reason_code: str, because: str) -> None:
    decision = decided(answer("PASS", reason_code), replace(PREPARED, whole_suite=False))
    assert (decision.step, decision.page, decision.because) == (ReleaseStep.HOLD, False, because)
