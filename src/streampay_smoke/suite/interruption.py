"""Signals and the deadline: whatever ends a run from outside, its evidence is still written."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from streampay_smoke.evidence.events import Interrupted

REASONS = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT", signal.SIGALRM: "deadline"}

_REPEAT_SECONDS = 0.5
"""A step that swallows the first alarm gets another one this much later."""


class Interruption:
    """Turns signals into KeyboardInterrupt, which behave unwinds in order, and remembers the first reason."""

    def __init__(self) -> None:
        self.reason = ""

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take over the signals for the time of a run; from its end on they wait for the verdict to be written."""
        for number in REASONS:
            signal.signal(number, self._interrupt)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number in REASONS:
                signal.signal(number, signal.SIG_IGN)

    def limit(self, seconds: float) -> None:
        """Set the deadline of the run, counted from now."""
        signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)

    def event(self, doing: str) -> Interrupted:
        """Return the journal's word for what happened."""
        return Interrupted(reason=self.reason, detail=f"while in step: {doing}" if doing else "")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or REASONS[signal.Signals(number)]
        raise KeyboardInterrupt(self.reason)
