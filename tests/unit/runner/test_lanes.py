"""Lanes are processes: what they tell arrives, and whatever becomes of one touches no other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from waits import HANG_SECONDS

from streampay_smoke.core import times
from streampay_smoke.evidence.events import Checked, RunFinished, ScenarioStarted, StepStarted
from streampay_smoke.runner.interruption import Interruption
from streampay_smoke.runner.lane_wire import (
    AnyMessage,
    Frames,
    Happened,
    LaneEnded,
    Learned,
    Printed,
    ScenarioPlayed,
    Sender,
    StepPlayed,
)
from streampay_smoke.runner.lanes import LaneLost, Lanes
from streampay_smoke.runner.write_slots import WriteSlots

ENDED = LaneEnded(failed=False, statuses={}, hook_failures=0, cleanup_errors=0)


class Run:
    """Lanes that play functions, and what they told."""

    def __init__(self) -> None:
        self.interruption = Interruption()
        self.lanes = Lanes(self.interruption)
        self.heard: list[tuple[int, AnyMessage]] = []

    def start(self, *plays: Callable[[Sender], None]) -> None:
        lane_of = {f"f/{number}": number for number in range(1, len(plays) + 1)}

        def play(number: int, sender: Sender) -> None:
            plays[number - 1](sender)

        self.lanes.start(lane_of, play, lambda number, message: self.heard.append((number, message)))

    def until(self, met: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + HANG_SECONDS
        while not met():
            assert time.monotonic() < ends_at
            self.lanes._hear_once(0.01)


@pytest.fixture
def run() -> Iterator[Run]:
    it = Run()
    yield it
    it.lanes.kill()


def step(number: int, status: str = "passed") -> StepPlayed:
    return StepPlayed(scenario_id=f"f/{number}", status=status, seconds=0.5)


def plays(number: int, *messages: AnyMessage) -> Callable[[Sender], None]:
    def play(sender: Sender) -> None:
        for message in (*messages, ScenarioPlayed(scenario_id=f"f/{number}"), ENDED):
            sender.send(message)

    return play


def hangs(sender: Sender) -> None:
    sender.send(Printed(text="hanging"))
    while True:
        signal.pause()


def test_steps_arrive_in_order_whichever_lane_is_asked_first(run: Run) -> None:
    run.start(plays(1, step(1), step(1, "failed")), plays(2, step(2)))
    assert run.lanes.step("f/2").status == "passed"
    assert [run.lanes.step("f/1").status for _ in range(2)] == ["passed", "failed"]
    run.lanes.end()
    assert run.lanes.lost is None
    assert run.lanes.ends == (ENDED, ENDED)


def test_a_scenario_that_ended_before_a_step_has_none(run: Run) -> None:
    run.start(plays(1))
    with pytest.raises(LaneLost, match="its lane ended before"):
        run.lanes.step("f/1")


def test_a_lane_that_is_killed_is_lost_and_its_neighbour_is_not(run: Run) -> None:
    run.start(hangs, plays(2, step(2)))
    run.until(lambda: bool(run.heard))
    os.kill(run.lanes._lanes[0].pid, signal.SIGKILL)
    with pytest.raises(LaneLost, match="killed by SIGKILL"):
        run.lanes.step("f/1")
    assert run.lanes.step("f/2").status == "passed"
    run.lanes.end()
    assert run.lanes.lost is not None
    assert run.lanes.lost.reason == "killed"


def test_a_lane_that_breaks_is_lost_and_says_why(run: Run) -> None:
    def breaks(sender: Sender) -> None:
        raise ZeroDivisionError

    run.start(breaks)
    run.lanes.end()
    assert run.lanes.lost is not None
    assert "exit code 70" in run.lanes.lost.detail
    assert any("ZeroDivisionError" in message.text for _, message in run.heard if isinstance(message, Printed))


def test_a_lane_whose_step_is_stuck_is_killed_for_it(run: Run) -> None:
    def sticks(sender: Sender) -> None:
        began_ms = times.now_ms() - 60_000
        sender.send(Happened(at_ms=began_ms, event=ScenarioStarted(id="f/1")))
        sender.send(Happened(at_ms=began_ms, event=StepStarted(text="When it sticks", budget_seconds=1)))
        hangs(sender)

    run.start(sticks, plays(2, step(2)))
    run.lanes.wait()
    assert run.lanes.lost is not None
    assert run.lanes.lost.reason == "step_timeout"
    assert "f/1" in run.lanes.lost.detail
    assert run.lanes.step("f/2").status == "passed"


def test_an_alarm_at_its_very_end_does_not_let_a_lane_go_on_as_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, leave = os.getpid(), os._exit

    def ends_slowly(code: int) -> None:  # as under coverage, which then writes what it saw
        signal.raise_signal(signal.SIGALRM)
        leave(code)

    def is_over_its_deadline(sender: Sender) -> None:
        run.interruption.limit(0.01)
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, run.interruption._interrupt)
        hangs(sender)

    monkeypatch.setattr(os, "_exit", ends_slowly)
    try:
        run.start(is_over_its_deadline)
    finally:
        if os.getpid() != test:
            leave(1)
    run.lanes.wait()
    assert run.lanes.lost is not None
    assert "exit code 70" in run.lanes.lost.detail


def test_what_ended_the_run_is_passed_on_and_waited_for(run: Run) -> None:
    def ends_by(sender: Sender) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            hangs(sender)
        except KeyboardInterrupt:
            sender.send(ENDED)

    run.start(ends_by)
    run.until(lambda: bool(run.heard))
    run.interruption.lost("SIGTERM", "")
    run.lanes.end()
    assert run.lanes.ends == (ENDED,)


def test_lanes_have_a_moment_for_their_last_words_after_the_deadline(run: Run) -> None:
    def time_is_over(number: int, message: AnyMessage) -> None:
        raise KeyboardInterrupt

    run.start(hangs)
    run.lanes._receive = time_is_over
    run.interruption.lost("deadline", "")
    with pytest.raises(KeyboardInterrupt):
        run.lanes.end()
    assert run.lanes.lost is not None
    assert not run.lanes._running()


def test_no_lane_outlives_the_process_of_the_run() -> None:
    program = """
import os, sys, time
from streampay_smoke.runner.interruption import Interruption
from streampay_smoke.runner.lanes import Lanes
def busy(number, sender):
    os.write(1, b"%d\\n" % os.getpid())
    while True: pass
lanes = Lanes(Interruption())
lanes.start({"f/1": 1, "f/2": 2}, busy, lambda *_: None)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
        assert process.stdout.read() == ""  # ends once nobody holds the other end: both lanes are gone
    assert len(set(pids)) == 2


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_arrive_whole_however_they_are_cut(size: int) -> None:
    ours, theirs = os.pipe()
    sent: list[AnyMessage] = [
        Learned(secrets=("one", "two")),
        Happened(at_ms=1, event=Checked(promise="it is ready", held=True)),
        Happened(at_ms=2, event=RunFinished(failed=True, hook_failures=0, statuses={"a/b": "failed"})),
        step(1),
        ENDED,
    ]
    for message in sent:
        Sender(theirs).send(message)
    os.close(theirs)
    frames, received = Frames(), list[AnyMessage]()
    while data := os.read(ours, size):
        received += frames.take(data)
    os.close(ours)
    assert received == sent


def test_a_frame_that_was_cut_off_is_no_message() -> None:
    ours, theirs = os.pipe()
    Sender(theirs).send(step(1))
    data = os.read(ours, 1 << 16)
    assert list(Frames().take(data[:-1])) == []
    os.close(ours)
    os.close(theirs)


def test_processes_hold_no_more_write_slots_than_there_are_and_give_back_those_of_the_killed(run: Run) -> None:
    slots = WriteSlots(1)

    def holds(sender: Sender) -> None:
        with slots.slot(lambda seconds: None):
            hangs(sender)

    def waits(sender: Sender) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        sender.send(Printed(text="ready"))
        signal.sigwait({signal.SIGTERM})
        with slots.slot(lambda seconds: sender.send(Printed(text="waited"))):
            sender.send(Printed(text="held"))
        sender.send(ENDED)

    run.start(holds, waits)
    run.until(lambda: len(run.heard) == 2)
    holder, waiter = run.lanes._lanes
    os.kill(waiter.pid, signal.SIGTERM)
    run.until(lambda: True)
    time.sleep(0.1)  # the waiter must be seen waiting: there is no event for what does not happen
    run.until(lambda: True)
    assert "held" not in [message.text for _, message in run.heard if isinstance(message, Printed)]
    os.kill(holder.pid, signal.SIGKILL)
    run.until(lambda: not waiter.running)
    assert [message.text for _, message in run.heard if isinstance(message, Printed)][-2:] == ["waited", "held"]
