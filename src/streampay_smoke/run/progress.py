"""Sees from outside how far a run is: a step that holds the interpreter cannot be interrupted from within."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.pending import Pending

GRACE_SECONDS = 0.7
"""How much longer than its budget a step may take before it counts as stuck: its own process is asked first."""


class LaneWait(NamedTuple):
    """What one lane waits for, for how long, and how long its step may take; 0 where nobody said."""

    what: str
    seconds: float
    step_seconds: float


class ProgressView(NamedTuple):
    """How far a run is: its phase, scenarios and features that are done, and what is waited for, the longest first.

    `phase_seconds` is how long the phase may take, 0 where nobody said.
    """

    phase: str = "getting ready"
    phase_seconds: float = 0.0
    done: int = 0
    expected: int = 0
    features_done: tuple[str, ...] = ()
    features: int = 0
    waits: tuple[LaneWait, ...] = ()


class LaneWatch:
    """Follows the events of one lane: when its step is stuck, what it waits for, what it waited for rate limits."""

    def __init__(self) -> None:
        self._due_at_ms: float | None = None
        self._pending = Pending()
        self._waits_for, self._since_ms = "", 0
        self.waited_seconds = 0.0

    def is_stuck(self) -> bool:
        """Return whether a step is over its budget and nothing was told of it."""
        return self._due_at_ms is not None and time.time() * 1000 > self._due_at_ms

    def waits(self, now_ms: float) -> LaneWait | None:
        """Return what is waited for, None for nothing."""
        if not self._waits_for:
            return None
        seconds = max(0.0, (now_ms - self._since_ms) / 1000)
        return LaneWait(self._waits_for, seconds, self._pending.budget_seconds)

    def observe(self, at_ms: int, event: events.AnyEvent) -> None:
        """Take note of one event, in the order of time."""
        self._pending.observe(event)
        if self._pending.waiting_for != self._waits_for:
            self._waits_for, self._since_ms = self._pending.waiting_for, at_ms
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
        self._lanes: dict[int, LaneWatch] = {0: LaneWatch()}
        self._phase, self._phase_seconds = ProgressView().phase, 0.0
        self._expected: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
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
    def has_begun(self) -> bool:
        """Whether the run had written evidence when it was looked at last: what it imports first, it has imported."""
        return self._read > 0

    def view(self) -> ProgressView:
        """Return how far the run is."""
        self.catch_up()
        now_ms = time.time() * 1000
        waits = (wait for watch in self._lanes.values() if (wait := watch.waits(now_ms)) is not None)
        return ProgressView(
            phase=self._phase,
            phase_seconds=self._phase_seconds,
            done=self._expected.total() - self._left.total(),
            expected=self._expected.total(),
            features_done=tuple(feature for feature in self._expected if not self._left[feature]),
            features=len(self._expected),
            waits=tuple(sorted(waits, key=lambda wait: -wait.seconds)),
        )

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
        self._lanes.setdefault(entry.lane, LaneWatch()).observe(entry.at_ms, entry.event)
        match entry.event:
            case events.RunStarted():  # from here on the run counts its deadline itself: it may have been slow to start
                self._ends_at_seconds = self._clock() + self._deadline_seconds
            case events.RunPlanned(expected=expected, excluded=excluded):
                left_out = {exclusion.id for exclusion in excluded}
                self._expected = Counter(_features(scenario.id for scenario in expected if scenario.id not in left_out))
                self._left = self._expected.copy()
                self._phase = ""
            case events.ScenarioFinished(id=scenario_id):
                for feature in _features([scenario_id]):
                    self._left[feature] = max(0, self._left[feature] - 1)
            case events.CleanUpStarted(within_seconds=within_seconds):
                more_seconds = within_seconds - self.left_seconds
                self._ends_at_seconds += max(0.0, more_seconds)
                if not entry.lane:
                    self._phase, self._phase_seconds = "ending what the run made", within_seconds
            case events.BakeStarted(seconds=seconds):
                self._ends_at_seconds += seconds
                self._phase, self._phase_seconds = "watching the release", seconds
            case events.CanaryStarted(seconds=seconds):
                self._ends_at_seconds += seconds
                self._phase, self._phase_seconds = "comparing candidate and stable release", seconds
            case events.CanaryEnded():
                self._phase, self._phase_seconds = "", 0.0
            case events.DeadlineExtended(more_seconds=seconds):
                self._ends_at_seconds += seconds
            case _:
                pass


def _features(scenario_ids: Iterable[str]) -> Iterable[str]:
    return (scenario_id.partition("/")[0] for scenario_id in scenario_ids)
