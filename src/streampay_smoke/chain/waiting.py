"""Waits for what the next ledgers bring, at the network's own pace."""

from collections.abc import Callable
from typing import TypeVar

from streampay_smoke.chain.ledger_time import Clock
from streampay_smoke.core.networks import Pace
from streampay_smoke.evidence.events import Recorder
from streampay_smoke.evidence.polling import PollResult, eventually

T = TypeVar("T")


class Waits:
    """Looks again and again at a network's pace, and records every wait that took more than one look."""

    def __init__(self, pace: Pace, clock: Clock, record: Recorder) -> None:
        self.pace = pace
        self.clock = clock
        self.record = record

    def wait(
        self,
        what: str,
        look: Callable[[], PollResult[T]],
        *,
        within_seconds: float | None = None,
        error: Callable[[str], Exception] | None = None,
        only_if_it_takes_long: bool = True,
    ) -> T:
        """Return what `eventually` does; it waits for as long as a ledger may take where no limit is given."""
        return eventually(
            look,
            what=what,
            within_seconds=self.pace.ledger_wait if within_seconds is None else within_seconds,
            pauses=self.pace.pauses(),
            record=self.record,
            error=error,
            only_if_it_takes_long=only_if_it_takes_long,
            clock=self.clock.steady,
            sleep=self.clock.sleep,
        )
