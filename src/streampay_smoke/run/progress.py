"""Sees from outside how far a run is: a step that holds the interpreter cannot be interrupted from within."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry

GRACE_SECONDS = 0.7
"""How much longer than its budget a step may take before it counts as stuck: its own process is asked first."""


class RunProgress:
    """Reads a growing journal and knows the step that is under way, and when the run is over.

    A journal that is gone or spoilt tells nothing more; that it is, is for the judge to say.
    """

    def __init__(self, journal: Path, *, deadline_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = journal
        self._read = 0
        self._due_at_ms: float | None = None
        self._clock = clock
        self._ends_at_seconds = clock() + deadline_seconds

    @property
    def left_seconds(self) -> float:
        """The seconds that the run still has: until its deadline, or until it must have ended what it made."""
        return self._ends_at_seconds - self._clock()

    def step_is_stuck(self) -> bool:
        """Return whether a step is over its budget and nothing was written about it."""
        self._catch_up()
        return self._due_at_ms is not None and time.time() * 1000 > self._due_at_ms

    def _catch_up(self) -> None:
        whole = b""
        with contextlib.suppress(OSError), self._path.open("rb") as journal:
            journal.seek(self._read)
            whole, _, _ = journal.read().rpartition(b"\n")
        if not whole:
            return
        self._read += len(whole) + 1
        for line in whole.split(b"\n"):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                self._observe(msgspec.json.decode(line, type=Entry))

    def _observe(self, entry: Entry) -> None:
        match entry.event:
            case events.StepStarted(budget_seconds=budget_seconds):
                due = entry.at_ms + (budget_seconds + GRACE_SECONDS) * 1000
                self._due_at_ms = due if budget_seconds else None
            case events.StepOverran() | events.StepFinished() | events.ScenarioFinished():
                self._due_at_ms = None
            case events.RateLimitWait(step_seconds=step_seconds, run_seconds=run_seconds):
                self._due_at_ms = self._due_at_ms and self._due_at_ms + step_seconds * 1000
                self._ends_at_seconds += run_seconds
            case events.CleanUpStarted(within_seconds=within_seconds):
                self._ends_at_seconds = max(self._ends_at_seconds, self._clock() + within_seconds)
            case events.BakeStarted(seconds=seconds) | events.DeadlineExtended(more_seconds=seconds):
                self._ends_at_seconds += seconds
