"""Two clocks: the wall's, which bounds of transactions are checked against, and the ledger's, which only moves on."""

import time
from collections.abc import Callable


class LedgerClock:
    """Tells the wall time in seconds and the time a ledger closing now would carry.

    Ledger times strictly increase by at least `shortest_gap_ms`, and are multiples of it: with whole seconds a burst of
    instant ledgers runs ahead of the wall. `advance` moves ledger time on without waiting, for streams longer than a
    test.
    """

    def __init__(self, wall: Callable[[], float] = time.time, *, shortest_gap_ms: int) -> None:
        self._wall = wall
        self._gap_ms = shortest_gap_ms
        self._offset_seconds = 0

    def wall(self) -> float:
        """Unix time in seconds, as clients see it."""
        return self._wall()

    def advance(self, seconds: int) -> None:
        """Let every later ledger close `seconds` later than it would have; raises ValueError for going back."""
        if seconds < 0:
            raise ValueError("ledger time does not run backwards")
        self._offset_seconds += seconds

    def close_time_ms(self, previous_ms: int, wall: float | None = None) -> int:
        """Return the close time (Unix milliseconds) of a ledger after one that closed at `previous_ms`."""
        now_ms = int((self._wall() if wall is None else wall) * 1_000) + self._offset_seconds * 1_000
        return max(now_ms // self._gap_ms * self._gap_ms, previous_ms + self._gap_ms)

    def time_before_ms(self, wall: float) -> int:
        """Return the latest close time (Unix milliseconds) of a ledger before one that closes at `wall`."""
        return self.close_time_ms(0, wall) - self._gap_ms
