from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.publish.report_model import SET_UP, TEAR_DOWN, ScenarioEnding, ScenarioReport, report_of
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.step_events import amount, pretty, step_event


def scenario(run: Any, name: str) -> ScenarioReport:
    found: ScenarioReport = next(report for report in run.report.scenarios if report.check.scenario == name)
    return found


def test_every_sample_run_tells_of_something(any_run: Any) -> None:
    assert any_run.report.scenarios


def test_a_run_that_is_no_pass_never_tells_of_passes_only(any_run: Any) -> None:
    unhappy = any_run.report.count(ReportStatus.FAILED) + any_run.report.count(ReportStatus.BROKEN)
    assert (unhappy == 0) == (any_run.verdict.verdict == "PASS")


def test_a_passing_run_tells_each_step_with_what_happened_in_it(sample: Callable[[str], Any]) -> None:
    paid = scenario(sample("passing"), "The recipient is paid exactly once")
    assert paid.outcome is ReportStatus.PASSED
    assert paid.message == ""
    assert (paid.steps[0].text, paid.steps[-1].text) == (SET_UP, TEAR_DOWN)
    last = paid.steps[-2]
    assert [report.words for report in last.step_events] == [
        "the service says it is ready",
        "settlement proved on the ledger",
    ]
    assert ("amount", "10.5 (105000000 stroops)") in last.step_events[1].facts


def test_a_broken_promise_is_the_failed_step_and_the_scenario_failed(sample: Callable[[str], Any]) -> None:
    report = scenario(sample("failing"), 'A caller with <junk> & "more" is refused')
    assert report.outcome is ReportStatus.FAILED
    assert report.failed_step is not None
    assert report.failed_step.text == "Then they are refused"
    assert [line.outcome for line in report.failed_step.step_events] == [ReportStatus.PASSED, ReportStatus.FAILED]
    assert "401 or 403" in report.message
    assert report.failure is not None


def test_a_dead_dependency_is_broken_and_the_rest_of_the_steps_are_not_reached(sample: Callable[[str], Any]) -> None:
    report = scenario(sample("ledger_down"), "The recipient is paid exactly once")
    assert report.outcome is ReportStatus.BROKEN
    assert [(step.text, step.outcome.value, step.note) for step in report.steps] == [
        ("Given a synthetic stream of 10 a day", "passed", ""),
        ("When it is settled", "broken", ""),
        ("Then the recipient is paid on the ledger exactly once", "skipped", "not reached"),
        (TEAR_DOWN, "passed", ""),
    ]
    assert "waited in vain" in report.steps[1].step_events[1].words


def test_a_killed_run_tells_what_was_interrupted_and_what_never_ran(sample: Callable[[str], Any]) -> None:
    run = sample("killed")
    interrupted = scenario(run, 'A caller with <junk> & "more" is refused')
    assert (interrupted.outcome, interrupted.ending) == (ReportStatus.BROKEN, ScenarioEnding.INTERRUPTED)
    assert interrupted.message.startswith("interrupted: ")
    assert [step.note for step in interrupted.steps] == ["", "interrupted here", "not reached"]
    assert interrupted.duration_ms > 0
    never = scenario(run, "The recipient is paid exactly once")
    assert (never.outcome, never.ending, never.duration_ms) == (ReportStatus.BLOCKED, ScenarioEnding.DID_NOT_RUN, 0)
    assert never.message.startswith("did not run: ")
    assert all(step.note == "not reached" for step in never.steps)


def test_an_excluded_scenario_is_skipped_with_its_reason_and_no_steps(sample: Callable[[str], Any]) -> None:
    report = scenario(sample("excluded"), "The recipient is paid exactly once")
    assert (report.outcome, report.ending) == (ReportStatus.SKIPPED, ScenarioEnding.EXCLUDED)
    assert "read-only" in report.message
    assert report.steps == ()


def test_a_refused_run_is_one_broken_check_that_says_why_and_what_next(sample: Callable[[str], Any]) -> None:
    (report,) = sample("refused").report.scenarios
    assert report.outcome is ReportStatus.BROKEN
    assert report.check.attribution == "safety"
    assert "public" in report.message
    assert "Next: set SMOKE_STELLAR_NETWORK" in report.message


def test_a_refusal_without_a_next_step_promises_none(script: Any) -> None:
    failure = events.Failure(kind="settings_invalid", blame="config", message="no URL.")
    entries = tuple(script().add(events.RunRefused(failure=failure)).entries)
    (report,) = report_of(entries, judge(JournalRead(entries=entries, sha256=""))).scenarios
    assert report.message == "no URL"


def test_an_empty_journal_is_one_broken_check(sample: Callable[[str], Any]) -> None:
    (report,) = sample("empty").report.scenarios
    assert report.outcome is ReportStatus.BROKEN
    assert report.check.attribution == "harness"


def test_a_clean_up_error_after_passed_steps_is_broken_and_shown_as_such(sample: Callable[[str], Any]) -> None:
    report = scenario(sample("hook_failed"), "The recipient is paid exactly once")
    assert report.outcome is ReportStatus.BROKEN
    assert (report.steps[-1].text, report.steps[-1].outcome) == (TEAR_DOWN, ReportStatus.BROKEN)
    assert report.steps[-1].failure is not None
    assert {step.outcome for step in report.steps[:-1]} == {ReportStatus.PASSED}


def test_a_hook_error_before_the_first_step_is_shown_before_the_steps(sample: Callable[[str], Any]) -> None:
    report = scenario(sample("set_up_failed"), "The recipient is paid exactly once")
    assert report.outcome is ReportStatus.BROKEN
    assert (report.steps[0].text, report.steps[0].outcome) == (SET_UP, ReportStatus.BROKEN)
    assert {step.note for step in report.steps[1:]} == {"not reached"}


def test_a_hook_error_of_a_tear_down_that_did_something_stays_in_its_place(script: Any, sample: Any) -> None:
    run = script().begin().open(ready := sample("passing").entries[1].event.expected[0])
    run.step(ready.steps[0]).step(ready.steps[1])
    run.add(events.ResourceReleased(kind="stream", id="st_1"))
    failure = events.Failure(kind="harness_error", blame="harness", message="clean-up failed")
    run.close(ready, "cleanup_error", failure)
    report = report_of(tuple(run.entries), sample("hook_failed").verdict).scenarios[0]
    assert [step.text for step in report.steps].count(TEAR_DOWN) == 1
    assert report.steps[-1].failure == failure
    assert report.steps[-1].step_events


def test_a_run_that_failed_outside_its_scenarios_tells_of_the_run_itself(sample: Callable[[str], Any]) -> None:
    run = sample("after_all_failed")
    assert run.report.scenarios[0].check.id == "run"
    assert run.report.scenarios[0].outcome is ReportStatus.BROKEN
    assert run.report.count(ReportStatus.PASSED) == 3


def test_a_run_whose_checks_explain_the_verdict_needs_no_check_of_its_own(sample: Callable[[str], Any]) -> None:
    assert all(report.check.id != "run" for report in sample("failing").report.scenarios)


def test_a_step_behave_reports_without_having_run_it_is_told(script: Any, sample: Callable[[str], Any]) -> None:
    ready = sample("passing").entries[1].event.expected[0]
    run = script().begin().open(ready)
    run.add(events.StepFinished(text=ready.steps[0], status="undefined", duration_ms=0))
    run.add(events.StepFinished(text=ready.steps[1], status="skipped", duration_ms=0))
    report = report_of(tuple(run.close(ready, "error").entries), sample("hook_failed").verdict).scenarios[0]
    assert [step.outcome for step in report.steps] == [ReportStatus.BROKEN, ReportStatus.SKIPPED]


def test_a_step_that_never_ended_in_a_finished_scenario_is_broken(script: Any, sample: Callable[[str], Any]) -> None:
    ready = sample("passing").entries[1].event.expected[0]
    run = script().begin().open(ready).add(events.StepStarted(text=ready.steps[0])).close(ready)
    report = report_of(tuple(run.entries), sample("passing").verdict).scenarios[0]
    assert report.steps[0].note == "began and never ended"
    assert report.steps[0].outcome is ReportStatus.BROKEN


def test_a_check_the_journal_knows_nothing_of_is_still_told(sample: Callable[[str], Any]) -> None:
    run = sample("passing")
    report = report_of((), run.verdict)
    assert [item.check.id for item in report.scenarios] == [check.id for check in run.verdict.checks]
    assert all(item.steps == () for item in report.scenarios)


def test_a_repeated_scenario_tells_its_last_attempt(script: Any, sample: Callable[[str], Any]) -> None:
    run = script().begin().ready().ready().refused().paid().finish()
    report = report_of(tuple(run.entries), sample("passing").verdict).scenarios[0]
    assert len([step for step in report.steps if step.text == "Then it is ready within 30 seconds"]) == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("passed", "passed"),
        ("failed", "failed"),
        ("broken", "broken"),
        ("missing", "broken"),
        ("excluded", "skipped"),
        ("skipped", "skipped"),
        ("a word of tomorrow", "broken"),
    ],
)
def test_only_passed_is_a_pass(sample: Callable[[str], Any], status: str, outcome: str) -> None:
    check = msgspec.structs.replace(sample("passing").verdict.checks[0], status=status)
    assert ReportStatus.of_check(check) == outcome
    blocked = msgspec.structs.replace(check, blocked_by="another")
    assert ReportStatus.of_check(blocked) == ("passed" if status == "passed" else "blocked")


@pytest.mark.parametrize("status", ["failed", "error", "undefined", "pending", "hook_error", "cleanup_error", ""])
def test_a_step_that_did_not_pass_is_what_its_scenario_is(status: str) -> None:
    assert ReportStatus.of_step(status, ReportStatus.FAILED) is ReportStatus.FAILED
    assert ReportStatus.of_step(status, ReportStatus.BROKEN) is ReportStatus.BROKEN


@pytest.mark.parametrize(
    ("stroops", "text"),
    [
        (0, "0 (0 stroops)"),
        (1, "0.0000001 (1 stroops)"),
        (10_000_000, "1 (10000000 stroops)"),
        (-15_000_000, "-1.5 (-15000000 stroops)"),
    ],
)
def test_amounts_are_told_exactly(stroops: int, text: str) -> None:
    assert amount(stroops) == text


def test_bodies_are_told_indented_when_they_are_json_and_as_they_are_when_not() -> None:
    assert pretty('{"a":1}') == '{\n  "a": 1\n}'
    assert pretty("HTTP 200\nx: y\n\n[1]") == "HTTP 200\nx: y\n\n[\n  1\n]"
    assert pretty("<html>") == "<html>"
    assert pretty("HTTP 502\n\n<html>") == "HTTP 502\n\n<html>"
    assert pretty("") == ""


@pytest.mark.parametrize(
    ("event", "words", "outcome"),
    [
        (events.Settled(stream_id="s", tx_hash="t", ledger=None, proof="service", amount_stroops=None),
         "settlement claimed by the service, ledger not asked", "passed"),
        (events.Settled(stream_id="s", tx_hash="t", ledger=1, proof="oracle", amount_stroops=1),
         "settlement proved by oracle", "passed"),
        (events.ServiceSeen(release="r", simulated=True), "the deployment introduced itself as a simulation", "passed"),
        (events.ServiceSeen(release="r"), "the deployment introduced itself", "passed"),
        (events.Retried(target="GET /x", attempt=2, because="http 502"),
         "sent GET /x again after silence (http 502): attempt 2", "broken"),
        (events.ReleaseSeen(moment="end", release=""),
         "the release that answered after the last check: not stated", "passed"),
        (events.ChainSeen(network="testnet", simulated=False, ledger=7, contract_id="C"),
         "the ledger answered: testnet, at ledger 7", "passed"),
        (events.Probed(name="ledger", ok=False, detail="down"), "control probe, ledger: not ok", "broken"),
        (events.Probed(name="ledger", ok=None, detail=""), "control probe, ledger: does not apply here", "skipped"),
        (events.Waited(what="it", met=True, within_seconds=5, waited_seconds=0.25, attempts=1, last="x"),
         "waited for it: 0.2 s of 5 s, 1 try", "passed"),
        (events.Exchanged(peer="service", method="GET", target="/x", status=None, duration_ms=3, error="reset"),
         "service: GET /x → no answer (3 ms)", "broken"),
    ],
)  # fmt: skip
def test_each_event_is_worded_plainly(event: events.AnyEvent, words: str, outcome: str) -> None:
    line = step_event(event, 1_000)
    assert line is not None
    assert (line.words, line.outcome.value) == (words, outcome)


def test_events_that_frame_a_run_are_no_happenings() -> None:
    assert step_event(events.StepStarted(text="x"), 0) is None


def test_the_story_of_a_run_keeps_its_features_in_order(sample: Callable[[str], Any]) -> None:
    assert list(sample("passing").report.by_feature) == [
        "Service is ready",
        "Authenticated user lists streams",
        "Synthetic stream is created and settled",
    ]


def test_a_verdict_that_blames_nobody_blames_the_harness_when_the_run_is_empty(sample: Callable[[str], Any]) -> None:
    verdict = msgspec.structs.replace(sample("empty").verdict, attribution="none")
    (report,) = report_of((), verdict).scenarios
    assert report.check.attribution == "harness"


def test_a_request_that_stays_without_an_answer_is_one_line_that_counts(script: Any) -> None:
    asked = events.Exchanged(
        peer="ledger", method="POST", target="getNetwork", status=None, duration_ms=2, error="connection refused"
    )
    other = msgspec.structs.replace(asked, error="timed out")
    ready = events.ExpectedScenario(id="r", feature="f", scenario="s", location="", tags=(), steps=("Given it",))
    run = script().begin(expected=(ready,)).open(ready).step("Given it", asked, asked, asked, other).close(ready)
    entries = tuple(run.finish().entries)
    report = report_of(entries, judge(JournalRead(entries=entries, sha256="5" * 64)))
    assert [each.words for each in report.scenarios[-1].steps[0].step_events] == [
        "ledger: POST getNetwork → no answer, 3 times in 202 ms",
        "ledger: POST getNetwork → no answer (2 ms)",
    ]
