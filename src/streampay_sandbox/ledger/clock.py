"""Two clocks: the wall's, which bounds of transactions are checked against, and the ledger's, which only moves on."""

import time
from collections.abc import Callable


class LedgerClock:
    """Tells the wall time in seconds and the time a ledger closing now would carry.

    Ledger times are whole seconds and strictly increase, so a burst of instant ledgers runs ahead of the wall;
    `advance` moves ledger time on without waiting, for streams longer than a test.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._offset_seconds = 0

    def wall(self) -> float:
        """Unix time in seconds, as clients see it."""
        return self._wall()

    def advance(self, seconds: int) -> None:
        """Let every later ledger close `seconds` later than it would have; raises ValueError for going back."""
        if seconds < 0:
            raise ValueError("ledger time does not run backwards")
        self._offset_seconds += seconds

    def close_time(self, previous: int, wall: float | None = None) -> int:
        """Return the close time (Unix seconds) of a ledger after one that closed at `previous`."""
        return max(int(self._wall() if wall is None else wall) + self._offset_seconds, previous + 1)
