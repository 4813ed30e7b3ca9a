"""Whether a ledger moves, by this run's own steady clock: a network that stands still may well say "healthy"."""

import time
from collections.abc import Callable


class LedgerProgress:
    """Remembers the newest ledger a run was told of, and since when."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._newest = -1
        self._since = 0.0

    def stood_for(self, latest_ledger: int) -> float:
        """Return for how many seconds no ledger newer than `latest_ledger` was seen."""
        now = self._steady()
        if latest_ledger > self._newest:
            self._newest, self._since = latest_ledger, now
        return now - self._since
