"""How far behind an RPC may be: counted in ledgers that it has itself passed, on every network alike.

The service may use another RPC, which is ahead of this gate's. What this gate's does not show yet is missing only once
it has passed so many ledgers since it was first asked. One that passes none in that time tells nothing.
"""

import itertools
from collections.abc import Callable
from typing import TypeVar

from streampay_smoke.chain.adapter import ChainAdapter, ChainUnavailable
from streampay_smoke.chain.ledger_time import LAG_LEDGERS, SLOWEST_LEDGER_SECONDS, Clock
from streampay_smoke.evidence.events import Recorder
from streampay_smoke.evidence.polling import PollResult, eventually

LOOK_SECONDS = 0.25

Found = TypeVar("Found")


def shown_or_missing(
    chain: ChainAdapter,
    look: Callable[[], Found | None],
    *,
    what: str,
    record: Recorder,
    clock: Clock | None = None,
) -> Found | None:
    """Return what `look` finds on the ledger; None once the RPC has passed LAG_LEDGERS ledgers without it.

    `what` names it in the wait's record. Raises ChainUnavailable when the RPC does not get that far in time, and
    whatever `look` raises.
    """
    clock = clock or Clock()
    first = chain.health().latest_ledger

    def attempt() -> PollResult[Found | None]:
        # Before the look: what was closed in the ledgers that count has to be there for it.
        passed = chain.health().latest_ledger - first
        found = look()
        last = f"not there, {passed} of {LAG_LEDGERS} ledgers later" if found is None else "found"
        return PollResult(met=found is not None, value=found, last=last, final=passed >= LAG_LEDGERS)

    return eventually(
        attempt,
        what=f"the ledger to show {what}",
        within_seconds=LAG_LEDGERS * SLOWEST_LEDGER_SECONDS,
        pauses=itertools.repeat(LOOK_SECONDS),
        record=record,
        error=_stands_still,
        clock=clock.steady,
        sleep=clock.sleep,
    )


def _stands_still(message: str) -> ChainUnavailable:
    return ChainUnavailable(
        message,
        cause="ledger stands still",
        next_step="the RPC lags behind or its network stands still: look at its status, or use another "
        "SMOKE_STELLAR_RPC_URL; this says nothing of the release",
    )
