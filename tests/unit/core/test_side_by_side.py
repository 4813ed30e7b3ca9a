"""Calls at the same time: what they return, what they raise, and that nobody has to wait for one who hangs."""

import signal
import threading
from functools import partial
from types import FrameType

import pytest

from streampay_smoke.core.side_by_side import as_they_end, hand_over, side_by_side


def nobody(item: object) -> None:
    raise AssertionError(f"nothing is handed over: {item}")


def test_all_calls_are_under_way_at_once_and_return_in_their_order() -> None:
    met = threading.Barrier(3)

    def call(name: str) -> str:
        met.wait(10.0)
        return name

    assert side_by_side([lambda: call("a"), lambda: call("b"), lambda: call("c")], nobody) == ("a", "b", "c")
    assert side_by_side([], nobody) == ()


def test_the_first_failure_is_raised_once_all_have_ended() -> None:
    failed, ended = threading.Event(), threading.Event()

    def fail(name: str) -> None:
        failed.set()
        raise ValueError(name)

    def end() -> None:
        assert failed.wait(10.0)
        ended.set()

    with pytest.raises(ValueError, match="the first"):
        side_by_side([end, lambda: fail("the first"), lambda: fail("the second")], nobody)
    assert ended.is_set()


def test_calls_are_told_as_they_end_and_what_they_hand_over_is_taken_in_this_thread() -> None:
    taken: list[tuple[str, threading.Thread]] = []
    most, here = [0], [0]
    lock = threading.Lock()

    def call(name: str) -> str:
        with lock:
            here[0] += 1
            most[0] = max(most[0], here[0])
        assert hand_over(name)
        with lock:
            here[0] -= 1
        return name

    names = ["a", "b", "c", "d", "e"]
    ended = as_they_end(
        [partial(call, name) for name in names],
        lambda item: taken.append((item, threading.current_thread())),
        at_once=2,
    )

    assert sorted((at, returned()) for at, returned in ended) == list(enumerate(names))
    assert sorted(taken) == [(name, threading.current_thread()) for name in names]
    assert most[0] <= 2
    assert not hand_over("nobody takes it")


def test_an_interruption_leaves_behind_what_keeps_no_process_from_ending() -> None:
    let_go, hanging = threading.Event(), list[threading.Thread]()

    def hang() -> None:
        hanging.append(threading.current_thread())
        assert let_go.wait(10.0)

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise InterruptedError(f"signal {number}")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(InterruptedError):
            side_by_side([hang], nobody)
    finally:
        signal.signal(signal.SIGALRM, before)
        let_go.set()
    assert hanging[0].daemon
    hanging[0].join(10.0)
