"""What GitHub Actions is told, and that evidence cannot give it commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streampay_smoke.evidence.policy import Policy
from streampay_smoke.gate.policy import Circumstances, VerdictSummary, decide
from streampay_smoke.gate.verdict import Verdict, VerdictStatus
from streampay_smoke.publish.github import annotations, announce, outputs
from streampay_smoke.publish.report_status import ReportStatus

ROLL_BACK = decide(
    VerdictSummary(status=VerdictStatus.FAIL, reason_code="promise_broken"),
    Policy(),
    Circumstances(whole_suite=True),
    run_id="r-1",
)


def test_a_failure_of_the_release_is_an_error_at_its_scenario(sample: Callable[[str], Any]) -> None:
    verdict, report = annotations(sample("failing").report)
    assert verdict.startswith("::error title=[product] FAIL::A caller with <junk>")
    assert verdict.endswith(" Reason code promise_broken, see docs/runbook.md#promise_broken.")
    assert report.startswith(
        "::error file=features/user_lists_streams.feature,line=21,"
        'title=[product] A caller with <junk> & "more" is refused::'
    )
    assert "saw 200 with 3 streams" in report


@pytest.mark.parametrize(
    ("name", "level"),
    [("ledger_down", "::warning "), ("killed", "::notice "), ("hook_failed", "::notice "), ("refused", "::error ")],
)
def test_the_level_says_whose_fault_it_is(sample: Callable[[str], Any], name: str, level: str) -> None:
    report = list(annotations(sample(name).report))
    assert report
    assert all(line.startswith(level) for line in report)


def test_a_pass_is_not_annotated(sample: Callable[[str], Any]) -> None:
    assert list(annotations(sample("passing").report)) == []


def test_a_verdict_no_check_explains_is_annotated_itself(sample: Callable[[str], Any]) -> None:
    run = sample("after_all_failed").report
    report = list(annotations(msgspec.structs.replace(run, scenarios=run.scenarios[1:])))
    assert [line.startswith("::notice title=[harness] INCONCLUSIVE::") for line in report] == [True]


def test_evidence_cannot_give_a_command(sample: Callable[[str], Any]) -> None:
    run = sample("failing").report
    scenario = run.scenarios[1]
    check = msgspec.structs.replace(
        scenario.check, scenario="100%, or: more\n::error::x", hint="50% lost\r\n::set-output name=verdict::PASS"
    )
    cause = msgspec.structs.replace(run.verdict.causes[0], scenario=check.scenario, text=check.hint)
    spoilt = msgspec.structs.replace(
        run,
        scenarios=(msgspec.structs.replace(scenario, check=check),),
        verdict=msgspec.structs.replace(run.verdict, causes=(cause,)),
    )
    _, report = annotations(spoilt)
    assert "\n" not in report
    assert "\r" not in report
    assert "title=[product] 100%25%2C or%3A more%0A%3A%3Aerror%3A%3Ax::" in report
    assert report.endswith("50%25 lost%0D%0A::set-output name=verdict::PASS")


def many(sample: Callable[[str], Any], count: int) -> Any:
    """A run in which so many checks failed, each in a way of its own, the last of them about money."""
    run = sample("failing").report
    scenario, cause = run.scenarios[1], run.verdict.causes[0]
    names = [f"check {number}" for number in range(count)]
    scenarios = tuple(
        msgspec.structs.replace(scenario, check=msgspec.structs.replace(scenario.check, id=name, scenario=name))
        for name in names
    )
    causes = tuple(
        msgspec.structs.replace(cause, checks=(name,), scenario=name, concern="money" if name == names[-1] else "x")
        for name in names
    )
    return msgspec.structs.replace(
        run, scenarios=scenarios, verdict=msgspec.structs.replace(run.verdict, causes=causes)
    )


@pytest.mark.parametrize("count", [1, 8, 9, 10, 37])
def test_no_more_are_made_than_are_shown_and_the_rest_is_counted(sample: Callable[[str], Any], count: int) -> None:
    report = list(annotations(many(sample, count)))
    assert len(report) == min(count + 1, 10)
    assert report[0].startswith("::error title=[product] FAIL::")
    assert report[1].partition("title=")[2].startswith("[product] check 0::")
    if count > 9:
        rest = count - 8
        assert report[-1].endswith(f"{rest} more causes, 1 of them about money: see the step's summary")


def test_a_blocked_check_is_no_annotation(sample: Callable[[str], Any]) -> None:
    assert not [line for line in annotations(sample("killed").report) if "The recipient is paid" in line]


@pytest.mark.parametrize("count", [1, 9, 37])
def test_money_that_was_not_looked_at_is_told_beside_its_cause(sample: Callable[[str], Any], count: int) -> None:
    run = many(sample, count)
    blocked = [
        msgspec.structs.replace(
            run.scenarios[0],
            outcome=ReportStatus.BLOCKED,
            location=f"features/{feature}.feature:7",
            check=msgspec.structs.replace(
                run.scenarios[0].check, id=f"{feature}/x", scenario=f"of {feature}", status="blocked", concern=concern
            ),
        )
        for feature, concern in (("access", "privacy and access"), ("records", "money"), ("settlement", "money"))
    ]
    first, *rest = run.verdict.causes
    cause = msgspec.structs.replace(first, concern="availability", blocked=tuple(each.check.id for each in blocked))
    verdict = msgspec.structs.replace(run.verdict, causes=(cause, *rest))
    run = msgspec.structs.replace(run, scenarios=(*run.scenarios, *blocked), verdict=verdict)
    report = list(annotations(run))
    assert len(report) == min(count + 2, 10)
    assert report[1] == (
        "::error file=features/settlement.feature,line=7,title=[product] not played%3A of settlement::"
        "2 checks about money not played, because of: check 0"
    )
    assert report[2].partition("title=")[2].startswith("[product] check 0::")


def test_outputs_are_what_later_jobs_decide_by(sample: Callable[[str], Any]) -> None:
    lines = outputs(sample("failing").verdict, ROLL_BACK).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert (values["verdict"], values["reason"], values["exit_code"]) == ("FAIL", "promise_broken", "1")
    assert (values["run_id"], values["action"]) == ("20261123T190000Z-abc123", "ROLLBACK")
    assert (values["decision"], values["page"]) == ("rollback", "false")


def test_an_output_cannot_smuggle_another(sample: Callable[[str], Any]) -> None:
    verdict: Verdict = msgspec.structs.replace(sample("failing").verdict, message="one\nverdict=PASS\nend")
    lines = outputs(verdict, ROLL_BACK).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("message<<"))
    delimiter = lines[start].removeprefix("message<<")
    assert len(delimiter) > 30
    assert lines[start + 1 : start + 5] == ["one", "verdict=PASS", "end", delimiter]


def test_files_are_appended_to_and_only_where_they_are_asked_for(sample: Callable[[str], Any], tmp_path: Path) -> None:
    run = sample("failing").report
    out, summary = tmp_path / "out", tmp_path / "summary"
    out.write_text("before=1\n")
    environ = {"GITHUB_OUTPUT": str(out), "GITHUB_STEP_SUMMARY": str(summary)}
    assert list(announce(run, ROLL_BACK, environ)) == []
    assert out.read_text().startswith("before=1\nverdict=FAIL\n")
    assert summary.read_text().startswith("# FAIL")
    assert len(list(announce(run, ROLL_BACK, {"GITHUB_ACTIONS": "true"}))) == 2
    assert list(announce(run, ROLL_BACK, {})) == []


def test_a_rehearsal_is_no_pass_for_later_jobs(sample: Callable[[str], Any]) -> None:
    verdict: Verdict = sample("passing").verdict
    rehearsed = msgspec.structs.replace(verdict, target=msgspec.structs.replace(verdict.target, rehearsal=True))
    for judged, said in ((verdict, "PASS"), (rehearsed, "REHEARSAL")):
        values = dict(line.split("=", 1) for line in outputs(judged, ROLL_BACK).splitlines())
        assert (values["verdict"], values["simulated"]) == (said, "true")
