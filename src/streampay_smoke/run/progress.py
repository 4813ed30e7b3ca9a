"""Sees from outside how far a run is: a step that holds the interpreter cannot be interrupted from within."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.pending import Pending

GRACE_SECONDS = 0.7
"""How much longer than its budget a step may take before it counts as stuck: its own process is asked first."""


class StepWatch:
    """Follows the events of one lane, and knows when its step is stuck and how long it has waited for rate limits."""

    def __init__(self) -> None:
        self._due_at_ms: float | None = None
        self.waited_seconds = 0.0

    def is_stuck(self) -> bool:
        """Return whether a step is over its budget and nothing was told of it."""
        return self._due_at_ms is not None and time.time() * 1000 > self._due_at_ms

    def observe(self, at_ms: int, event: events.AnyEvent) -> None:
        """Take note of one event, in the order of time."""
        match event:
            case events.StepStarted(budget_seconds=budget_seconds):
                due = at_ms + (budget_seconds + GRACE_SECONDS) * 1000
                self._due_at_ms = due if budget_seconds else None
            case events.StepOverran() | events.StepFinished() | events.ScenarioFinished():
                self._due_at_ms = None
            case events.RateLimitWait() | events.WriteSlotWait() as wait:
                self._due_at_ms = self._due_at_ms and self._due_at_ms + wait.step_seconds * 1000
                self.waited_seconds += wait.run_seconds if isinstance(wait, events.RateLimitWait) else 0.0


class RunProgress:
    """Reads a growing journal and knows the step that is under way, and when the run is over.

    A journal that is gone or spoilt tells nothing more; that it is, is for the judge to say. Of the steps only those
    of the run's own process are watched: that one watches its lanes.
    """

    def __init__(
        self,
        journal: Path,
        *,
        deadline_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        observer: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        """Follow a journal; `observer` gets each line of it, once."""
        self._path = journal
        self._observer = observer
        self._read = 0
        self._lanes: dict[int, StepWatch] = {0: StepWatch()}
        self._pending: dict[int, Pending] = {}
        self._expected = self._done = 0
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._ends_at_seconds = clock() + deadline_seconds

    @property
    def left_seconds(self) -> float:
        """The seconds that the run still has: until its deadline, or until it must have ended what it made.

        Lanes wait for rate limits at the same time, so that the longest wait counts.
        """
        waited = (watch.waited_seconds for lane, watch in self._lanes.items() if lane)
        more_seconds = self._lanes[0].waited_seconds + max(waited, default=0.0)
        return self._ends_at_seconds + more_seconds - self._clock()

    @property
    def description(self) -> str:
        """How many scenarios are done, and what is waited for in those that are under way."""
        if not self._expected:
            return "getting ready"
        waits = dict.fromkeys(pending.waiting_for for pending in self._pending.values() if pending.waiting_for)
        waiting = f"; waiting for {', '.join(waits)}" if waits else ""
        return f"{self._done} of {self._expected} scenarios done{waiting}"

    def step_is_stuck(self) -> bool:
        """Return whether a step is over its budget and nothing was written about it."""
        self.catch_up()
        return self._lanes[0].is_stuck()

    def catch_up(self) -> None:
        """Read what was written since."""
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
        self._observer(entry)
        self._pending.setdefault(entry.lane, Pending()).observe(entry.event)
        match entry.event:
            case events.RunStarted():  # from here on the run counts its deadline itself: it may have been slow to start
                self._ends_at_seconds = self._clock() + self._deadline_seconds
            case events.RunPlanned(expected=expected, excluded=excluded):
                self._expected = len(expected) - len(excluded)
            case events.CleanUpStarted(within_seconds=within_seconds):
                more_seconds = within_seconds - self.left_seconds
                self._ends_at_seconds += max(0.0, more_seconds)
            case events.BakeStarted(seconds=seconds) | events.DeadlineExtended(more_seconds=seconds):
                self._ends_at_seconds += seconds
            case event:
                self._done += isinstance(event, events.ScenarioFinished)
                self._lanes.setdefault(entry.lane, StepWatch()).observe(entry.at_ms, event)
