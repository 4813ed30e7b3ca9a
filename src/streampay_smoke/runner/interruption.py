"""Signals, the deadline and step budgets: whatever ends a run or a step from outside, its evidence is still written."""

import contextlib
import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from streampay_smoke.core.ending_signals import ending_signals
from streampay_smoke.evidence.events import Interrupted

DEADLINE = "deadline"

_REPEAT_SECONDS = 0.5
"""A step that swallows the first alarm gets another one this much later."""

_SAME_SIGNAL_SECONDS = 2.0
"""A signal to the process group reaches a run twice, once through its supervisor: within this time it counts once."""

_SOONEST_SECONDS = 0.01
"""A timer set to 0 would be off."""

_NEVER = float("inf")


class Interruption:
    """Turns signals into KeyboardInterrupt, which behave unwinds in order, and remembers the first reason.

    One timer serves two limits, the run's deadline and the budget of the step that is under way; the nearer one is
    always armed. A step that is over its budget fails with the error of its `overrun`, and the run goes on.

    Masking signals (pthread_sigmask) would not do for `uninterrupted`: the system then hands them to another thread of
    this process, and Python still calls the handler between two instructions of the main one. So the handler waits.
    """

    def __init__(self, doing: Callable[[], str] = lambda: "") -> None:
        self.reason = ""
        self.over = False
        """Set where this process only ends any more: nothing is interrupted from then on."""
        self._doing = doing
        self._detail = ""
        self._signal_at = -_NEVER
        self._held_back = 0
        self._due = False
        self._signals_wait = self._signal_waits = False
        self._whole_run = True
        self._in_step = False
        self._because = ""
        self._limit_seconds = 0.0
        self._run_ends_at = _NEVER
        self._step_ends_at = _NEVER
        self._overrun: Callable[[], Exception] = lambda: TimeoutError("a step is over its budget")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take over the signals for the time of a run; from its end on they wait for the verdict to be written."""
        watched = (*ending_signals(), signal.SIGALRM)
        for number in watched:
            signal.signal(number, self._interrupt)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number in watched:
                signal.signal(number, signal.SIG_IGN)

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Let a block, a line of the journal, come to its end; what arrives meanwhile interrupts right after it.

        Of blocks within each other the outermost counts.
        """
        self._held_back += 1
        try:
            yield
        finally:
            self._held_back -= 1
            if self._due and not self._held_back:
                self._due = False
                self._act()

    def interruptible(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step function that its budget may interrupt: behave's own work around a step is let alone."""

        @functools.wraps(step)
        def run(*arguments: Any, **named: Any) -> Any:
            self._in_step = True
            try:
                return step(*arguments, **named)
            finally:
                self._in_step = False

        return run

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

    @contextlib.contextmanager
    def cleaning_up(self, *, whole_run: bool) -> Iterator[None]:
        """Let the clean-up come to its end: the first signal that ends a run interrupts right after it.

        Another signal cuts the clean-up of the whole run off, for somebody insists. It does not cut off a lane's: the
        process of the run passes signals on, and kills its lanes. The time that was reserved ends either.
        """
        self._whole_run, self._signals_wait = whole_run, True
        try:
            yield
        finally:
            self._signals_wait = False
            if self._signal_waits:
                self._signal_waits = False
                raise KeyboardInterrupt(self.reason)

    def reserve(self, seconds: float) -> None:
        """Give what begins now, the clean-up, this much time, however little is left of the run's."""
        ends_at = time.monotonic() + seconds
        if not self.reason:
            ends_at = max(ends_at, self._run_ends_at)
            self._limit_seconds += ends_at - self._run_ends_at
        self._run_ends_at = ends_at
        self._arm()

    def allow_step(self, seconds: float) -> None:
        """Give the step that is under way so much more time: it waits for what is neither its fault nor its peer's."""
        self._step_ends_at += seconds
        self._arm()

    def resume(self) -> None:
        """Set the alarm again, in a process that was forked off within a block that is `uninterrupted`.

        Raises KeyboardInterrupt where the run was ended meanwhile.
        """
        self._held_back, self._due = 0, False
        self._arm()
        if self.reason:
            raise KeyboardInterrupt(self.reason)

    def lost(self, reason: str, detail: str) -> None:
        """Take note that a part of the run is lost, unless the run was ended anyway; what is left of it goes on."""
        if not self.reason:
            self.reason, self._detail = reason, detail

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

    @property
    def is_abandoned(self) -> bool:
        """Whether whoever was to vouch for the run is gone."""
        return bool(self._because)

    def event(self) -> Interrupted:
        """Return the journal's word for what happened."""
        return Interrupted(reason=self.reason, detail=self._detail)

    def _arm(self) -> None:
        nearer = min(self._run_ends_at, self._step_ends_at)
        if nearer < _NEVER:
            self._alarm_in(nearer - time.monotonic())

    @staticmethod
    def _alarm_in(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _SOONEST_SECONDS), _REPEAT_SECONDS)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.over:
            return
        now = time.monotonic()
        name = DEADLINE if number == signal.SIGALRM else signal.Signals(number).name
        if name == self.reason and name != DEADLINE and now < self._signal_at + _SAME_SIGNAL_SECONDS:
            return
        first = not self.reason and (name != DEADLINE or now >= self._run_ends_at)
        if first:
            self.reason, self._detail, self._signal_at = name, self._described(name), now
        if self._signals_wait and name != DEADLINE and (first or not self._whole_run):
            self._signal_waits |= first
            return
        if self._held_back:
            self._due = True
        else:
            self._act()

    def _act(self) -> None:
        if self.reason:
            raise KeyboardInterrupt(self.reason)
        if time.monotonic() < self._step_ends_at:
            self._arm()
            return
        self._alarm_in(min(_REPEAT_SECONDS, self._run_ends_at - time.monotonic()))
        if self._in_step:
            raise self._overrun()

    def _described(self, name: str) -> str:
        doing = self._doing()
        if name != DEADLINE:
            return f"{self._because} {doing}".strip()
        return f"the {self._limit_seconds:g} s of this run were over{f' {doing}' if doing else ''}"
