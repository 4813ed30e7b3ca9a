"""Calls at the same time: what they return, what they raise, and that nobody has to wait for one who hangs."""

import signal
import threading
from types import FrameType

import pytest

from streampay_smoke.core.side_by_side import side_by_side


def test_all_calls_are_under_way_at_once_and_return_in_their_order() -> None:
    met = threading.Barrier(3)

    def call(name: str) -> str:
        met.wait(10.0)
        return name

    assert side_by_side([lambda: call("a"), lambda: call("b"), lambda: call("c")]) == ("a", "b", "c")
    assert side_by_side([]) == ()


def test_the_first_failure_is_raised_once_all_have_ended() -> None:
    failed, ended = threading.Event(), threading.Event()

    def fail(name: str) -> None:
        failed.set()
        raise ValueError(name)

    def end() -> None:
        assert failed.wait(10.0)
        ended.set()

    with pytest.raises(ValueError, match="the first"):
        side_by_side([end, lambda: fail("the first"), lambda: fail("the second")])
    assert ended.is_set()


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
            side_by_side([hang])
    finally:
        signal.signal(signal.SIGALRM, before)
        let_go.set()
    assert hanging[0].daemon
    hanging[0].join(10.0)
