"""When ledgers close: at once for every transaction, at intervals, or never."""

from collections.abc import Sequence
from typing import Protocol

IDLE_SECONDS = 1.0
MOST_CAUGHT_UP = 64


class Cadence(Protocol):
    """Decides when ledgers close. Times are Unix seconds of the wall clock."""

    @property
    def on_submission(self) -> bool:
        """Whether an accepted transaction closes a ledger of its own."""

    def due(self, last: float, now: float) -> Sequence[float]:
        """Return when ledgers should have closed after `last` and until `now`."""


class Instant:
    """Every accepted transaction closes a ledger; an idle network still closes one when somebody looks."""

    on_submission = True

    def due(self, last: float, now: float) -> Sequence[float]:
        return [now] if now - last >= IDLE_SECONDS else []


class FixedInterval:
    """A ledger each `seconds`, shared by the transactions that arrived since the last one.

    Ledgers nobody looked at are closed when somebody does, the last of them only after a long silence.
    """

    on_submission = False

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError("ledgers close at a positive interval")
        self.seconds = seconds

    def due(self, last: float, now: float) -> Sequence[float]:
        missed = int((now - last) / self.seconds)
        first = max(1, missed - MOST_CAUGHT_UP + 1)
        return [last + number * self.seconds for number in range(first, missed + 1)]


class Stalled:
    """No ledger closes any more."""

    on_submission = False

    def due(self, last: float, now: float) -> Sequence[float]:
        return []


def cadence(close_seconds: float) -> Cadence:
    """Return the cadence for a close time in seconds, 0 for instant ledgers."""
    return FixedInterval(close_seconds) if close_seconds else Instant()
