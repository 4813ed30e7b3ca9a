"""What is made of a gate's answer, with gates that say what they are told to."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from waits import HANG_SECONDS

from streampay_sandbox.fault import Severity, Truth
from streampay_selftest import case_run
from streampay_selftest.case import Case
from streampay_selftest.case_run import CONTRADICTION, NO_ANSWER, CaseRun, is_right, play
from streampay_selftest.conditions import beside_other_runs, environment_file, setting

SCRIPT = Path(__file__).parents[2] / "support" / "fake_gate.py"

FAULT = Case(name="f", story="s", severity=Severity.CATASTROPHIC, caught_by="streams/")
DISTURBANCE = Case(name="n", story="s", severity=Severity.DISTURBANCE, truth=Truth.DEPENDENCY, or_else=(Truth.NONE,))


def gate(*arguments: str) -> Sequence[str]:
    return (sys.executable, str(SCRIPT), *arguments)


def played(case: Case, *arguments: str) -> CaseRun:
    return play(case, 0, hurried=True, gate=gate(*arguments))


def test_a_fault_that_is_caught_by_its_check_is_right() -> None:
    answer = played(FAULT, "FAIL", "product", "ledger/other", "streams/a-list")
    assert (answer.status, answer.attribution, answer.caught_by) == ("FAIL", "product", "streams/a-list")
    assert answer.red == ("ledger/other", "streams/a-list")
    assert answer.message == "selected ['@streams']"
    assert 0 < answer.seconds < HANG_SECONDS
    assert answer.cpu_seconds > 0
    assert is_right(FAULT, answer)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["PASS", "none"], "a gate that says PASS to a fault"),
        (["FAIL", "product", "ledger/other"], "a fault that another check saw"),
        (["INCONCLUSIVE", "harness", "streams/a"], "a fault that is held for the runner's sake"),
        (["FAIL", "product", "streams/a", "--exit", "0"], "an exit code that promotes what the verdict rolls back"),
    ],
)
def test_a_fault_that_is_not_told_as_one_is_wrong(arguments: Sequence[str], why: str) -> None:
    assert not is_right(FAULT, played(FAULT, *arguments)), why


def test_a_reason_code_names_a_fault_of_the_whole_run() -> None:
    case = Case(name="f", story="s", severity=Severity.SERIOUS, caught_by="told_")
    answer = played(case, "FAIL", "product")
    assert (answer.caught_by, is_right(case, answer), answer.message) == ("told_so", True, "selected ['@smoke']")


def test_a_fault_that_names_no_check_is_never_right() -> None:
    case = Case(name="f", story="s", severity=Severity.SERIOUS)
    assert not is_right(case, CaseRun(case="f", seed=0, status="FAIL", attribution="product", caught_by=""))


@pytest.mark.parametrize("arguments", [["PASS", "none"], ["INCONCLUSIVE", "dependency"]])
def test_a_disturbance_may_be_ridden_out_or_held(arguments: Sequence[str]) -> None:
    assert is_right(DISTURBANCE, played(DISTURBANCE, *arguments))


@pytest.mark.parametrize(
    "arguments", [["FAIL", "product"], ["INCONCLUSIVE", "harness"], ["CONFIG", "config"], ["SAFETY", "safety"]]
)
def test_a_disturbance_that_is_called_something_else_is_wrong(arguments: Sequence[str]) -> None:
    assert not is_right(DISTURBANCE, played(DISTURBANCE, *arguments))


def test_an_exit_code_that_is_no_answer() -> None:
    answer = played(DISTURBANCE, "PASS", "none", "--exit", "7")
    assert (answer.status, answer.problem) == (NO_ANSWER, "exit code 7: the last words")


def test_an_exit_code_that_contradicts_the_verdict() -> None:
    assert played(DISTURBANCE, "PASS", "none", "--exit", "1").status == CONTRADICTION


@pytest.mark.parametrize(("status", "attribution"), [("CONFIG", "config"), ("FAIL", ""), ("PASS", "")])
def test_without_a_verdict_only_config_says_whose_it_is(status: str, attribution: str) -> None:
    answer = played(DISTURBANCE, status, "none", "--silent")
    assert (answer.status, answer.attribution, answer.problem) == (
        status,
        attribution,
        "no verdict.json: the last words",
    )


def test_a_gate_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_run, "OVERTIME_SECONDS", 1.0)
    hasty = replace(DISTURBANCE, conditions=(setting(SMOKE_DEADLINE_SECONDS="0.5"),))
    answer = played(hasty, "PASS", "none", "--hang")
    assert (answer.status, answer.seconds) == (NO_ANSWER, 1.5)


def test_of_two_runs_the_one_that_is_wrong_counts() -> None:
    told = Case(name="n", story="s", severity=Severity.DISTURBANCE, truth=Truth.NONE, features=("readiness",))
    assert is_right(told, played(told, "PASS", "none"))
    twice = Case(
        name="n",
        story="s",
        severity=Severity.DISTURBANCE,
        truth=Truth.NONE,
        conditions=(beside_other_runs("@chain"), environment_file(ready_within_seconds=1)),
    )
    assert is_right(twice, played(twice, "PASS", "none"))
    assert not is_right(twice, played(twice, "FAIL", "product"))


def test_what_a_wrong_run_left_is_kept_and_nothing_of_a_right_one(tmp_path: Path) -> None:
    kept = tmp_path / "f-0"
    for _ in range(2):
        play(FAULT, 0, hurried=True, gate=gate("PASS", "none"), evidence=tmp_path)
    assert (kept / "run" / "verdict.json").is_file()
    assert (kept / "output.txt").read_text() == "the last words\n"
    play(FAULT, 1, hurried=True, gate=gate("PASS", "none", "--silent"), evidence=tmp_path)
    play(FAULT, 2, hurried=True, gate=gate("FAIL", "product", "streams/a"), evidence=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"f-0", "f-1"}
    assert not (tmp_path / "f-1" / "run").exists()
