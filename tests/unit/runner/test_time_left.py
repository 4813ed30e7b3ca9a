"""How long a run has, and how much of it may go into waiting for rate limits."""

from pathlib import Path

import pytest
from gate_stories import started

from streampay_smoke.evidence.events import CleanUpStarted, RateLimitWait, StepStarted
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.pending import Pending
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.progress import RunProgress
from streampay_smoke.runner.time_left import REQUESTS_SECONDS, THROTTLED_SECONDS, TimeLeft


@pytest.fixture
def now() -> list[float]:
    return [0.0]


def of(now: list[float], *, derived: bool) -> TimeLeft:
    return TimeLeft(100.0, derived=derived, seconds_per_ledger=5.0, clock=lambda: now[0])


def test_a_deadline_that_was_set_stands_and_what_is_to_come_keeps_its_time(now: list[float]) -> None:
    left = of(now, derived=False)
    left.ledger_steps = 4
    assert left.patience_seconds() == 100 - 4 * 5 - REQUESTS_SECONDS
    assert left.wait(10) == 0
    now[0] = 90
    assert (left.seconds, left.patience_seconds()) == (10, 0)


def test_a_ledger_that_seems_slow_does_not_take_all_patience(now: list[float]) -> None:
    left = of(now, derived=False)
    left.ledger_steps = 40
    assert left.patience_seconds() == (100 - REQUESTS_SECONDS) / 4
    now[0] = 95
    assert left.patience_seconds() == 0, "what is left is for requests"


def test_a_derived_deadline_is_extended_by_waits_up_to_a_limit(now: list[float]) -> None:
    left = of(now, derived=True)
    assert left.wait(12) == 12
    assert left.seconds == 112
    assert left.wait(THROTTLED_SECONDS) == THROTTLED_SECONDS - 12
    assert left.wait(1) == 0
    now[0] = 100 + THROTTLED_SECONDS
    assert left.patience_seconds() == 0


def test_a_wait_for_a_rate_limit_is_no_part_of_a_steps_budget() -> None:
    pending = Pending()
    pending.observe(StepStarted(text="When", budget_seconds=30))
    pending.observe(RateLimitWait(seconds=12, step_seconds=12))
    assert pending.budget_seconds == 42


def test_who_watches_a_run_from_outside_counts_from_its_start_however_long_that_took(tmp_path: Path) -> None:
    path, now = tmp_path / "journal.jsonl", [0.0]
    progress = RunProgress(path, deadline_seconds=30, clock=lambda: now[0])
    now[0] = 12.0
    assert not progress.step_is_stuck()
    assert progress.left_seconds == 18, "one that never starts is over all the same"
    with Journal(path, Redactor()) as journal:
        journal.append(started())
    progress.catch_up()
    assert progress.left_seconds == 30


def test_who_watches_a_run_from_outside_gives_it_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    progress = RunProgress(path, deadline_seconds=30, clock=lambda: 0.0)
    with Journal(path, Redactor()) as journal:
        journal.append(StepStarted(text="When", budget_seconds=-10))
        assert progress.step_is_stuck()
        journal.append(RateLimitWait(seconds=60, step_seconds=60, run_seconds=20))
        assert not progress.step_is_stuck()
        assert progress.left_seconds == 50
        journal.append(CleanUpStarted(within_seconds=40))
        assert not progress.step_is_stuck()
        assert progress.left_seconds == 50, "the clean-up ends before the deadline"
        journal.append(CleanUpStarted(within_seconds=60))
        assert not progress.step_is_stuck()
        assert progress.left_seconds == 60
