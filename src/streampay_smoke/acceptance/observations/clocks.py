"""What time it is for the service, for the ledger and for this runner."""

import time
from collections.abc import Callable

from streampay_smoke.acceptance.checks.operations import Clocks
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS
from streampay_smoke.service.records import Readiness


def clocks(
    readiness: Readiness, ledger: Callable[[], Ledger], *, now_seconds: Callable[[], float] = time.time
) -> Clocks:
    """Compare the service's clock with ours and, only where these two disagree, the ledger's; raises its errors."""
    ahead = readiness.clock_ahead_seconds
    if ahead is None or abs(ahead) <= CLOCK_SKEW_SECONDS:
        return Clocks(service_ahead_seconds=ahead, ledger_ahead_seconds=None)
    asked = ledger()
    return Clocks(
        service_ahead_seconds=ahead,
        ledger_ahead_seconds=asked.chain.health().closed_at - now_seconds(),
        ledger_most_ahead_seconds=asked.most_ahead_seconds,
    )
