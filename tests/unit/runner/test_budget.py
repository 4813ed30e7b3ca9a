"""Budgets of steps, whose fault it is when one is over, and the alarm that says so."""

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from waits import HANG_SECONDS

from streampay_smoke.core.ending_signals import ending_signals
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Journal, read
from streampay_smoke.evidence.pending import Pending
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.progress import RunProgress
from streampay_smoke.runner.budget import StepTimeout, budget_seconds, takes
from streampay_smoke.runner.interruption import Interruption

PLACE: Any = SimpleNamespace(
    step_seconds=30.0, ledger_step_seconds=90.0, service=SimpleNamespace(ready_within_seconds=60.0)
)


@pytest.mark.parametrize(("budget", "seconds"), [("step", 30), ("journey", 60), ("readiness", 90), ("ledger", 90)])
def test_a_step_takes_what_its_function_says(budget: str, seconds: float) -> None:
    @takes(budget)
    def step() -> None:
        """Take long."""

    assert budget_seconds(step, PLACE) == seconds


def test_a_step_that_says_nothing_takes_a_step() -> None:
    assert budget_seconds(lambda: None, PLACE) == 30


def test_a_budget_nobody_knows_is_refused_when_the_step_file_is_read() -> None:
    with pytest.raises(KeyError):
        takes("forever")


@pytest.mark.parametrize(
    ("peer", "waited", "blame"),
    [
        ("service", 16.0, Blame.PRODUCT),
        ("ledger", 16.0, Blame.DEPENDENCY),
        ("stable", 16.0, Blame.HARNESS),
        ("service", 14.0, Blame.HARNESS),
        ("ledger", 0.1, Blame.HARNESS),
    ],
)
def test_who_owes_an_answer_and_took_most_of_the_time_is_blamed(peer: str, waited: float, blame: Blame) -> None:
    times = iter([0.0, waited])
    pending = Pending(clock=lambda: next(times))
    pending.observe(events.StepStarted(text="When asked", budget_seconds=30.0))
    pending.observe(events.Awaiting(peer=peer, what="GET /x"))
    error = StepTimeout.at(pending)
    assert (error.kind, error.blame) == ("step_timeout", blame)
    assert "longer than its 30 s" in str(error)
    assert "GET /x" in str(error)
    assert error.next_step


def test_a_step_that_waits_for_nobody_is_the_suites() -> None:
    pending = Pending()
    pending.observe(events.StepStarted(text="When asked", budget_seconds=30.0))
    assert StepTimeout.at(pending).blame is Blame.HARNESS


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    before = {number: signal.getsignal(number) for number in (*ending_signals(), signal.SIGALRM)}
    watched = Interruption(lambda: "in step 'When asked'")
    with watched.watching():
        yield watched
    for number, handler in before.items():
        signal.signal(number, handler)


def in_a_step(interruption: Interruption, play: Any) -> None:
    interruption.interruptible(play)()


def over_in_a_step(interruption: Interruption) -> None:
    interruption.limit(0.05)  # on a busy machine the alarm may come right here
    in_a_step(interruption, sleep_long)


class Over(Exception):
    """The budget is over."""


def sleep_long() -> None:
    time.sleep(HANG_SECONDS)
    pytest.fail("nothing ended this")


def test_a_step_ends_with_its_budget_and_the_run_goes_on(interruption: Interruption) -> None:
    interruption.limit(HANG_SECONDS)
    interruption.begin_step(0.05, Over)
    with pytest.raises(Over):
        in_a_step(interruption, sleep_long)
    interruption.end_step()
    assert interruption.reason == ""
    next_alarm_seconds, _ = signal.getitimer(signal.ITIMER_REAL)
    assert next_alarm_seconds > 2, "the alarm of a step is taken back: what is left is the run's"


def test_a_step_that_waits_for_a_rate_limit_gets_the_time_it_waits(interruption: Interruption) -> None:
    interruption.limit(30)
    interruption.begin_step(1, Over)
    interruption.allow_step(20)
    next_alarm_seconds, _ = signal.getitimer(signal.ITIMER_REAL)
    assert 10 < next_alarm_seconds < 22


def test_a_nearer_deadline_ends_the_run_and_says_where(interruption: Interruption) -> None:
    interruption.begin_step(30, Over)
    with pytest.raises(KeyboardInterrupt):
        over_in_a_step(interruption)
    assert interruption.event() == events.Interrupted(
        reason="deadline", detail="the 0.05 s of this run were over in step 'When asked'"
    )


def test_what_ends_a_run_has_a_time_of_its_own(interruption: Interruption) -> None:
    began_seconds = 0.0

    def play() -> None:
        nonlocal began_seconds
        try:
            over_in_a_step(interruption)
        finally:
            began_seconds = time.monotonic()
            interruption.reserve(0.6)
            sleep_long()

    with pytest.raises(KeyboardInterrupt):
        play()
    assert time.monotonic() - began_seconds >= 0.6, "the alarm repeats after 0.5 s, which is no concern of a clean-up"
    assert "the 0.05 s of this run were over" in interruption.event().detail


def clean_up(interruption: Interruption, *during: Callable[[], object], whole_run: bool = True) -> None:
    with interruption.cleaning_up(whole_run=whole_run):
        for each in during:
            each()


def sends(number: signal.Signals) -> Callable[[], None]:
    return partial(signal.raise_signal, number)


def test_the_first_signal_waits_for_the_clean_up(interruption: Interruption) -> None:
    cleaned: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        clean_up(interruption, sends(signal.SIGTERM), partial(cleaned.append, 1))
    assert (cleaned, interruption.reason) == ([1], "SIGTERM")


def test_another_signal_cuts_the_clean_up_off(interruption: Interruption) -> None:
    with pytest.raises(KeyboardInterrupt):
        clean_up(interruption, sends(signal.SIGINT), sends(signal.SIGTERM), lambda: pytest.fail("it went on"))
    assert interruption.reason == "SIGINT"


def test_no_signal_cuts_the_clean_up_of_a_lane_off(interruption: Interruption) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    clean_up(interruption, sends(signal.SIGINT), whole_run=False)
    assert interruption.reason == "SIGTERM"


def test_the_time_of_a_clean_up_ends_it(interruption: Interruption) -> None:
    with pytest.raises(KeyboardInterrupt):
        clean_up(interruption, lambda: interruption.limit(0.05), sleep_long, whole_run=False)
    assert interruption.reason == "deadline"


def test_a_process_forked_off_a_run_that_was_ended_meanwhile_does_not_begin(interruption: Interruption) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        interruption.resume()


def test_what_ends_a_run_in_time_has_at_least_its_own_time(interruption: Interruption) -> None:
    interruption.limit(30)
    interruption.reserve(0.05)
    left_seconds, _ = signal.getitimer(signal.ITIMER_REAL)
    assert left_seconds > 20
    interruption.limit(5)
    interruption.reserve(30)
    left_seconds, _ = signal.getitimer(signal.ITIMER_REAL)
    assert left_seconds > 20


def test_a_step_that_swallows_the_alarm_gets_another_and_at_last_the_deadline(interruption: Interruption) -> None:
    alarms = []

    def stubborn() -> None:
        while True:
            try:
                sleep_long()
            except Over:
                alarms.append("swallowed")
                if len(alarms) == 2:
                    interruption.limit(0.05)

    interruption.limit(HANG_SECONDS)
    interruption.begin_step(0.05, Over)
    with pytest.raises(KeyboardInterrupt):
        in_a_step(interruption, stubborn)
    assert len(alarms) >= 2
    assert interruption.reason == "deadline"


def test_behaves_own_work_around_a_step_is_let_alone(interruption: Interruption) -> None:
    interruption.begin_step(0.02, Over)
    time.sleep(0.1)  # the alarm comes meanwhile, and finds no step
    interruption.end_step()


def writing(journal: Journal) -> Any:
    def write() -> None:
        journal.append(events.StepStarted(text="a"))
        sleep_long()

    return write


def test_a_line_of_the_journal_is_never_torn(interruption: Interruption, tmp_path: Path) -> None:
    class Slow(Redactor):
        def value(self, value: Any) -> Any:
            interruption.begin_step(0.01, Over)
            time.sleep(0.1)  # the alarm comes meanwhile
            return value

    with Journal(tmp_path / "journal", Slow(), uninterrupted=interruption.uninterrupted) as journal:
        with pytest.raises(Over):
            in_a_step(interruption, writing(journal))
        interruption.end_step()
        journal.append(events.StepStarted(text="b"))
    kept = read(tmp_path / "journal")
    assert (len(kept.entries), kept.tampered_at, kept.truncated) == (2, 0, False)


def test_a_signal_that_arrives_while_a_line_is_written_still_ends_the_run(
    interruption: Interruption, tmp_path: Path
) -> None:
    class Kills(Redactor):
        def value(self, value: Any) -> Any:
            signal.raise_signal(signal.SIGTERM)
            return value

    with (
        Journal(tmp_path / "journal", Kills(), uninterrupted=interruption.uninterrupted) as journal,
        pytest.raises(KeyboardInterrupt),
    ):
        in_a_step(interruption, writing(journal))
    assert interruption.reason == "SIGTERM"
    assert len(read(tmp_path / "journal").entries) == 1


def test_a_signal_that_comes_twice_interrupts_once(interruption: Interruption) -> None:
    """A terminal's reaches the whole process group, and once more through the supervisor."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)
    assert interruption.reason == "SIGHUP"
    with pytest.raises(KeyboardInterrupt):  # another one is meant
        signal.raise_signal(signal.SIGTERM)


def told(path: Path, *story: events.AnyEvent, at_ms: int) -> None:
    with Journal(path, Redactor(), now_ms=lambda: at_ms) as journal:
        for event in story:
            journal.append(event)


NOW_MS = time.time_ns() // 1_000_000
STEP = events.StepStarted(text="When asked", budget_seconds=5.0)


@pytest.mark.parametrize(
    ("story", "age_ms", "stuck"),
    [
        ([STEP], 10_000, True),
        ([STEP], 1_000, False),
        ([events.StepStarted(text="When asked")], 10_000, False),
        ([STEP, events.StepOverran(text="When asked", budget_seconds=5.0)], 10_000, False),
        ([STEP, events.StepFinished(text="When asked", status="passed", duration_ms=1)], 10_000, False),
        ([], 0, False),
    ],
)
def test_a_step_is_stuck_when_its_budget_is_over_and_nothing_was_written(
    tmp_path: Path, story: list[events.AnyEvent], age_ms: int, stuck: bool
) -> None:
    told(tmp_path / "journal", *story, at_ms=time.time_ns() // 1_000_000 - age_ms)
    assert RunProgress(tmp_path / "journal", deadline_seconds=1).step_is_stuck() is stuck


def test_a_journal_is_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    stuck = RunProgress(path, deadline_seconds=1)
    assert not stuck.step_is_stuck()
    told(path, STEP, at_ms=1)
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    assert not stuck.step_is_stuck()
    path.write_bytes(whole)
    assert stuck.step_is_stuck()
    told(path, events.StepFinished(text="When asked", status="passed", duration_ms=1), at_ms=2)
    assert not stuck.step_is_stuck()
