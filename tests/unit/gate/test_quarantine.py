"""Quarantine: a check that does not gate is shown, keeps what it found, and covers for nothing else."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from gate_stories import HELD, MONEY, READY, SETTLED, ended, planned, played, started

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Verdict, VerdictStatus, to_json

Told = Callable[..., JournalRead]

LIST = msgspec.structs.replace(READY, id="streams/listed", scenario="Streams are listed", tags=("smoke", "streams"))
BROKEN = events.Failure(kind="promise_broken", blame="product", message="the list is empty", next_step="look")
REFUSED = events.Failure(kind="guard_refused", blame="safety", message="public network", next_step="stop")
READY_PASSED = played(READY, HELD)


def quarantine(until: str = "2026-11-25", scenario: str = LIST.id, **changes: Any) -> events.QuarantineRead:
    entry = events.QuarantineEntry(id=scenario, owner="team-lists", ticket="T-1", until=until, reason="flaky")
    return events.QuarantineRead(**{"today": "2026-11-23", "entries": (entry,), **changes})


def verdict_on(
    journaled: Told,
    read: events.QuarantineRead | None,
    *listed: Any,
    statuses: dict[str, str] | None = None,
    failed: bool = True,
    **finish: Any,
) -> Verdict:
    story = [started(), *([read] if read else []), planned(READY, LIST), READY_PASSED, *listed]
    words = statuses or {READY.id: "passed", LIST.id: "failed"}
    return judge(journaled(*story, events.RunFinished(failed=failed, hook_failures=0, statuses=words, **finish)))


FAILED_LIST = played(LIST, status="failed", failure=BROKEN)


def test_a_quarantined_check_that_fails_does_not_gate_and_is_shown(journaled: Told) -> None:
    verdict = verdict_on(journaled, quarantine(), FAILED_LIST)
    assert (verdict.verdict, verdict.exit_code) == (VerdictStatus.PASS, 0)
    check = verdict.checks[1]
    assert check.status == "quarantined"
    assert check.quarantined is not None
    assert (check.quarantined.found, check.quarantined.owner, check.quarantined.ticket) == (
        "failed",
        "team-lists",
        "T-1",
    )
    assert "the list is empty" in check.hint
    assert "1 quarantined" in verdict.message
    assert check.id in verdict.evidence.executed_ids


def test_the_same_check_without_quarantine_gates(journaled: Told) -> None:
    assert verdict_on(journaled, None, FAILED_LIST).verdict is VerdictStatus.FAIL


def test_its_last_day_still_counts(journaled: Told) -> None:
    assert verdict_on(journaled, quarantine("2026-11-23"), FAILED_LIST).verdict is VerdictStatus.PASS


def test_past_its_day_it_gates_again_and_the_verdict_warns(journaled: Told) -> None:
    verdict = verdict_on(journaled, quarantine("2026-11-22"), FAILED_LIST)
    assert verdict.verdict is VerdictStatus.FAIL
    assert verdict.warnings == (
        "the quarantine of streams/listed ended on 2026-11-22: it gates again (team-lists, T-1)",
    )
    assert verdict.checks[1].quarantined is None


def test_a_quarantined_check_that_passes_says_so(journaled: Told) -> None:
    passed = {READY.id: "passed", LIST.id: "passed"}
    verdict = verdict_on(journaled, quarantine(), played(LIST, HELD), statuses=passed, failed=False)
    assert verdict.verdict is VerdictStatus.PASS
    assert verdict.checks[1].status == "passed"
    assert verdict.checks[1].quarantined is not None


def test_safety_gates_from_quarantine_too(journaled: Told) -> None:
    verdict = verdict_on(journaled, quarantine(), played(LIST, status="failed", failure=REFUSED))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.SAFETY, "guard_refused")


@pytest.mark.parametrize("listed", [[], played(LIST)[:2]])
def test_a_quarantined_check_that_left_no_evidence_is_missing(journaled: Told, listed: list[Any]) -> None:
    verdict = verdict_on(journaled, quarantine(), *listed)
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "scenarios_missing")


@pytest.mark.parametrize("finish", [{"hook_failures": 1}, {"cleanup_errors": 1}])
def test_it_does_not_cover_for_a_hook_or_a_clean_up_that_failed(journaled: Told, finish: dict[str, int]) -> None:
    statuses = {READY.id: "passed", LIST.id: "failed"}
    story = (started(), quarantine(), planned(READY, LIST), READY_PASSED, FAILED_LIST)
    counts = {"hook_failures": 0, **finish}
    verdict = judge(journaled(*story, events.RunFinished(failed=True, statuses=statuses, **counts)))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "harness_error")


def test_another_check_still_gates(journaled: Told) -> None:
    statuses = {READY.id: "failed", LIST.id: "failed"}
    story = (started(), quarantine(), planned(READY, LIST), played(READY, status="failed", failure=BROKEN), FAILED_LIST)
    assert (
        judge(journaled(*story, events.RunFinished(failed=True, hook_failures=0, statuses=statuses))).verdict
        is VerdictStatus.FAIL
    )


@pytest.mark.parametrize("excluded", [(), (events.Exclusion(id=READY.id, reason="read-only"),)])
def test_quarantine_of_everything_is_no_pass(journaled: Told, excluded: tuple[events.Exclusion, ...]) -> None:
    expected = (READY, LIST) if excluded else (LIST,)
    story = (started(), quarantine(), planned(*expected, excluded=excluded), played(LIST, HELD))
    verdict = judge(journaled(*story, events.RunFinished(failed=False, hook_failures=0, statuses={LIST.id: "passed"})))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.CONFIG, "everything_excluded")


def test_a_defect_of_the_file_is_config(journaled: Told) -> None:
    read = quarantine(entries=(), problems=("quarantine.toml, entry 1: it has no owner",))
    passed = {READY.id: "passed", LIST.id: "passed"}
    verdict = verdict_on(journaled, read, played(LIST, HELD), statuses=passed, failed=False)
    assert (verdict.verdict, verdict.reason_code, verdict.exit_code) == (VerdictStatus.CONFIG, "suite_defective", 2)
    assert "it has no owner" in verdict.message


def test_warnings_are_in_the_verdict_once_and_change_nothing(journaled: Told) -> None:
    warned = events.Warned(code="credential_slot_b", text="slot B was used")
    story = (started(), planned(MONEY), warned, warned, played(MONEY, HELD, SETTLED), ended(settlement__paid="passed"))
    verdict = judge(journaled(*story))
    assert (verdict.verdict, verdict.warnings) == (VerdictStatus.PASS, ("slot B was used",))
    assert b'"warnings": [' in to_json(verdict)
