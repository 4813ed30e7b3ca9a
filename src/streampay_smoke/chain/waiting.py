"""Waits that explain themselves: what for, how long, how often, and the last answer."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from streampay_smoke.chain.pace import Clock, Pace
from streampay_smoke.evidence.events import Awaiting, Recorder, Waited

Answer = TypeVar("Answer")


class LookResult(msgspec.Struct, Generic[Answer], frozen=True, kw_only=True):
    """What one look showed: the answer, or None as long as it is not there, and in words.

    `ask_again_after` is how many seconds must pass before another look can show more; 0 where nobody can tell.
    """

    answer: Answer | None
    last: str
    ask_again_after: float = 0.0


class Waits:
    """Looks again and again at a network's pace, and records every wait that took more than one look."""

    def __init__(self, pace: Pace, clock: Clock, record: Recorder) -> None:
        self._pace = pace
        self._clock = clock
        self._record = record

    def wait(self, what: str, look: Callable[[], LookResult[Answer]], *, within_seconds: float) -> Answer | None:
        """Return the answer as soon as a look shows it, None when none did within the limit."""
        started, interval, looks = self._clock.steady(), self._pace.shortest, 0
        while True:
            seen = look()
            looks += 1
            waited = self._clock.steady() - started
            left = within_seconds - waited
            if seen.answer is not None or left <= 0:
                break
            if looks == 1:
                self._record(Awaiting(what=what))
            self._clock.sleep(min(max(interval, seen.ask_again_after), left))
            interval = self._pace.next_after(interval)
        if looks > 1 or seen.answer is None:
            self._record(
                Waited(
                    what=what,
                    met=seen.answer is not None,
                    within_seconds=round(within_seconds, 3),
                    waited_seconds=round(waited, 3),
                    attempts=looks,
                    last=seen.last,
                )
            )
        return seen.answer
