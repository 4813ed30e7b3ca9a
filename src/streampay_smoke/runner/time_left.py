"""How long a run still has, and how much of that it may spend waiting for rate limits."""

import time
from collections.abc import Callable

REQUESTS_SECONDS = 15.0
"""What a run keeps for its requests and its clean-up when it waits for a rate limit."""

_LEAST_SHARE = 0.25
"""The share of the time left that may be waited for a rate limit however slow the ledger seems."""

THROTTLED_SECONDS = 360.0
"""How much longer than a derived deadline a run may take because it waits for rate limits: four whole runs at once
share five sign-ins and ten writes a minute, and the last of them was seen to wait for 290 s."""


class TimeLeft:
    """The deadline of one run. A derived one is extended by waits for rate limits, one that somebody set stands.

    `ledger_steps` is how many steps that wait for ledgers are still to come, `seconds_per_ledger` what each takes.
    """

    def __init__(
        self,
        deadline_seconds: float,
        *,
        derived: bool,
        seconds_per_ledger: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger_steps = 0
        self.seconds_per_ledger = seconds_per_ledger
        self._clock = clock
        self._ends_at_seconds = clock() + deadline_seconds
        self._more_seconds = THROTTLED_SECONDS if derived else 0.0

    @property
    def seconds(self) -> float:
        """The seconds until the deadline."""
        return self._ends_at_seconds - self._clock()

    def extend(self, seconds: float) -> None:
        """Let the deadline be later."""
        self._ends_at_seconds += seconds

    def patience_seconds(self) -> float:
        """Return how long a rate limit may be waited for so that what is still to come has its time.

        How long ledgers will take is an estimate: a share of the time left may be waited whatever it says, for a
        run that does not wait proves nothing for certain.
        """
        free_seconds = max(0.0, self.seconds - REQUESTS_SECONDS)
        ledgers_seconds = self.ledger_steps * self.seconds_per_ledger
        return max(free_seconds - ledgers_seconds, free_seconds * _LEAST_SHARE) + self._more_seconds

    def wait(self, seconds: float) -> float:
        """Take note of a wait for a rate limit; return by how much it extends the deadline."""
        more_seconds = min(seconds, self._more_seconds)
        self._more_seconds -= more_seconds
        self.extend(more_seconds)
        return more_seconds
