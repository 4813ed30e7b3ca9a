"""A cutover, waited out: no answer of the service itself, on a request that may safely be sent again."""

import time
from collections.abc import Callable
from typing import TypeVar

from streampay_smoke.evidence.events import Recorder, Retried, Waited
from streampay_smoke.service.transport import NoServiceAnswer

WAITED_OUT = frozenset({"refused", "reset", "http 502", "http 503", "http 504"})
"""The silences of a load balancer that changes its backends. A time-out is none: the service may be at work."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
SHORTEST_PAUSE_SECONDS = 0.001

T = TypeVar("T")


class Cutover:
    """The patience one run has with silence, all requests together: a release that keeps falling silent uses it up.

    Only silence is waited out. An answer of the service is final, whatever it says.
    """

    def __init__(
        self,
        within_seconds: float,
        record: Recorder,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._within_seconds = within_seconds
        self._left_seconds = within_seconds
        self._record = record
        self._clock = clock
        self._sleep = sleep

    def through(self, target: str, send: Callable[[], T]) -> T:
        """Send until the service itself answers; raises the last NoServiceAnswer when the patience is used up."""
        attempts, waited_seconds, pause_seconds = 0, 0.0, FIRST_PAUSE_SECONDS
        while True:
            attempts += 1
            began = self._clock()
            try:
                result = send()
            except NoServiceAnswer as problem:
                if problem.cause not in WAITED_OUT or self._left_seconds < SHORTEST_PAUSE_SECONDS:
                    if attempts > 1:
                        self._record_wait(target, waited_seconds, attempts, met=False, last=str(problem))
                    raise
                self._sleep(min(pause_seconds, self._left_seconds))
                spent_seconds = self._clock() - began
                self._left_seconds -= spent_seconds
                waited_seconds += spent_seconds
                pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
                self._record(Retried(target=target, attempt=attempts + 1, because=problem.cause))
            else:
                if attempts > 1:
                    self._record_wait(target, waited_seconds, attempts, met=True, last="the service itself answered")
                return result

    def give_up(self) -> None:
        """Wait out no more silence: the service was waited for in vain."""
        self._left_seconds = 0.0

    def _record_wait(self, target: str, waited_seconds: float, attempts: int, *, met: bool, last: str) -> None:
        self._record(
            Waited(
                what=f"the cutover to let {target} through",
                met=met,
                within_seconds=self._within_seconds,
                waited_seconds=round(waited_seconds, 3),
                attempts=attempts,
                last=last,
            )
        )
