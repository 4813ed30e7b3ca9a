"""Signals, the deadline and step budgets: whatever ends a run or a step from outside, its evidence is still written."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType

from behave.matchers import Match

from streampay_smoke.evidence.events import Interrupted
from streampay_smoke.evidence.journal import Journal

REASONS = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT", signal.SIGALRM: "deadline"}

_REPEAT_SECONDS = 0.5
"""A step that swallows the first alarm gets another one this much later."""

_LINE_SECONDS = 0.01
"""A line of the journal is never torn: an alarm that arrives while one is written comes back this much later."""

_NEVER = float("inf")
_WRITING = Journal.append.__code__
_STEP = Match.run.__code__


class Interruption:
    """Turns signals into KeyboardInterrupt, which behave unwinds in order, and remembers the first reason.

    One timer serves two limits, the run's deadline and the budget of the step that is under way; the nearer one is
    always armed. A step that is over its budget fails with the error of its `overrun`, and the run goes on.
    """

    def __init__(self, doing: Callable[[], str] = lambda: "") -> None:
        self.reason = ""
        self._doing = doing
        self._detail = ""
        self._because = ""
        self._limit_seconds = 0.0
        self._run_ends_at = _NEVER
        self._step_ends_at = _NEVER
        self._overrun: Callable[[], Exception] = lambda: TimeoutError("a step is over its budget")

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
        self._limit_seconds = seconds
        self._run_ends_at = time.monotonic() + seconds
        self._arm()

    def allow(self, seconds: float) -> None:
        """Give the run so much more time: what follows was asked for beside its deadline."""
        self._limit_seconds += seconds
        self._run_ends_at += seconds
        self._arm()

    def begin_step(self, budget_seconds: float, overrun: Callable[[], Exception]) -> None:
        """Give a step its budget, counted from now; `overrun` makes the error it fails with."""
        self._overrun = overrun
        self._step_ends_at = time.monotonic() + budget_seconds
        self._arm()

    def end_step(self) -> None:
        """Take the budget back: what follows a step has the run's deadline only."""
        self._step_ends_at = _NEVER
        self._arm()

    def abandon(self) -> None:
        """End the run as SIGTERM does: whoever was to vouch for it is gone. May be called from any thread."""
        self._because = "because its supervisor is gone"
        ident = threading.main_thread().ident
        assert ident is not None, "the main thread of a process that runs"
        signal.pthread_kill(ident, signal.SIGTERM)  # it may be waiting for a socket, and is to be woken

    def event(self) -> Interrupted:
        """Return the journal's word for what happened."""
        return Interrupted(reason=self.reason, detail=self._detail)

    def _arm(self) -> None:
        nearer = min(self._run_ends_at, self._step_ends_at)
        if nearer < _NEVER:
            self._alarm_in(nearer - time.monotonic())

    @staticmethod
    def _alarm_in(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _LINE_SECONDS), _REPEAT_SECONDS)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        name = REASONS[signal.Signals(number)]
        over = time.monotonic() >= self._run_ends_at
        if not self.reason and (name != "deadline" or over):
            self.reason, self._detail = name, self._told(name)
        if _runs(_WRITING, frame):
            self._alarm_in(_LINE_SECONDS)
        elif self.reason:
            raise KeyboardInterrupt(self.reason)
        elif time.monotonic() < self._step_ends_at:
            self._arm()
        else:
            self._alarm_in(min(_REPEAT_SECONDS, self._run_ends_at - time.monotonic()))
            if _runs(_STEP, frame):
                raise self._overrun()

    def _told(self, name: str) -> str:
        doing = self._doing()
        if name != "deadline":
            return f"{self._because} {doing}".strip()
        return f"the {self._limit_seconds:g} s of this run were over{f' {doing}' if doing else ''}"


def _runs(code: CodeType, frame: FrameType | None) -> bool:
    """Whether a function is among those that were interrupted: behave's own work around a step must be let alone."""
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
