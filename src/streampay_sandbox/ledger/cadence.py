"""When ledgers close: at once for every transaction, at intervals, or never."""

from collections.abc import Sequence
from typing import Protocol

IDLE_SECONDS = 0.25
"""An idle instant network closes a ledger after so long, when somebody looks."""

MOST_AHEAD_SECONDS = 30.0
"""Beyond this, an idle instant network closes a ledger a second: its time would run away from the wall's."""

MOST_CAUGHT_UP = 64


class Cadence(Protocol):
    """Decides when ledgers close. Times are Unix seconds of the wall clock."""

    @property
    def on_submission(self) -> bool:
        """Whether an accepted transaction closes a ledger of its own."""

    def due(self, last: float, now: float, *, ahead_seconds: float = 0.0) -> Sequence[float]:
        """Return when ledgers should have closed after `last` and until `now`.

        `ahead_seconds` is how far the time of the newest ledger is ahead of the wall's.
        """


class Instant:
    """Every accepted transaction closes a ledger; an idle network still closes one when somebody looks.

    Nobody who waits for the next ledger waits for a second of the clock: ledger time moves on with each ledger.
    """

    on_submission = True

    def due(self, last: float, now: float, *, ahead_seconds: float = 0.0) -> Sequence[float]:
        idle_seconds = IDLE_SECONDS if ahead_seconds < MOST_AHEAD_SECONDS else 1.0
        return [now] if now - last >= idle_seconds else []


class FixedInterval:
    """A ledger each `seconds`, shared by the transactions that arrived since the last one.

    Ledgers nobody looked at are closed when somebody does, the last of them only after a long silence.
    """

    on_submission = False

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError("ledgers close at a positive interval")
        self.seconds = seconds

    def due(self, last: float, now: float, *, ahead_seconds: float = 0.0) -> Sequence[float]:
        missed = int((now - last) / self.seconds)
        first = max(1, missed - MOST_CAUGHT_UP + 1)
        return [last + number * self.seconds for number in range(first, missed + 1)]


class Stalled:
    """No ledger closes any more."""

    on_submission = False

    def due(self, last: float, now: float, *, ahead_seconds: float = 0.0) -> Sequence[float]:
        return []


def cadence(close_seconds: float) -> Cadence:
    """Return the cadence for a close time in seconds, 0 for instant ledgers."""
    return FixedInterval(close_seconds) if close_seconds else Instant()
