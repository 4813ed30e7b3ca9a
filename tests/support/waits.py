"""How long tests wait, stated once, and the machine's own measure for what is asserted about time.

A test waits for an event; `HANG_SECONDS` only ends a test that hangs, and a machine that is full of other work does not
reach it. Where a time itself is asserted, the limit is multiplied by how slow the machine was meanwhile.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

HANG_SECONDS = 300.0
"""What has not happened by then never will. pytest's own limit in pyproject.toml is longer: its message tells less."""

LOOK_SECONDS = 0.01
"""How often is looked for what another process does, which sets no event here."""

_SLICE_CPU_SECONDS = 0.01
_LOOKS = 10
_YARDSTICK = 190_000


def wait_until(met: Callable[[], bool], what: str, *, alive: Callable[[], bool] = lambda: True) -> None:
    """Wait for something that another process does; fail when that process is no longer `alive`, or after ever."""
    ends_at = time.monotonic() + HANG_SECONDS
    while not met():
        assert alive() or met(), f"{what}: it ended before"
        assert time.monotonic() < ends_at, f"{what}: not within {HANG_SECONDS:g} s"
        time.sleep(LOOK_SECONDS)


def slowdown() -> float:
    """Return how many times longer than on an idle machine work takes now: 6 with twelve at work on two cores."""
    return max(1.0, sum(_slowdown_of_a_slice() for _ in range(_LOOKS)) / _LOOKS)


class Stopwatch:
    """Times a block, and how slow the machine was at its slowest while the block lasted."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slowdown = slowdown()
        self._ended = threading.Event()
        self._measuring = threading.Thread(target=self._measure, daemon=True)

    def allows(self, seconds: float) -> float:
        """Return what `seconds` of an idle machine are on this one, as slow as it was so far."""
        return seconds * self.slowdown

    def _measure(self) -> None:
        while not self._ended.wait(_SLICE_CPU_SECONDS * _LOOKS):
            self.slowdown = max(self.slowdown, _slowdown_of_a_slice())

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._measuring.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._began
        self._ended.set()
        self._measuring.join()


def cpu_seconds_of_the_yardstick() -> float:
    """Return what a fixed piece of Python costs this machine now: about 0.03 s of CPU."""
    began = time.thread_time()
    for number in range(_YARDSTICK):
        hash((number, str(number)))
    return time.thread_time() - began


def _slowdown_of_a_slice() -> float:
    began, cpu_began = time.monotonic(), time.thread_time()
    while (cpu_seconds := time.thread_time() - cpu_began) < _SLICE_CPU_SECONDS:
        pass
    return (time.monotonic() - began) / cpu_seconds
