"""The streams that a run makes on the contract itself, and how they are brought to an end."""

from functools import partial

from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.chain.adapter import ChainAccount, ChainError
from streampay_smoke.chain.ledger_time import MOVES_WITHIN_SECONDS, UNCONFIRMED_LEDGERS

CONTRACT_STREAM = "contract stream"
"""A stream on the contract that no service knows of."""

FINAL_STATUSES = frozenset({"settled", "cancelled"})
"""In these the contract takes no cancellation."""


def cancel(ledger: Ledger, stream_id: int, payer: ChainAccount) -> bool:
    """End a stream that was not settled: what nobody has earned goes back to the payer."""
    if ledger.contract.stream(stream_id).status not in FINAL_STATUSES:
        ledger.contract.cancel(stream_id, payer)
    return True


def never_opened(error: Exception) -> bool:
    """Return whether an opening that ended with this error sent no transaction, or one that failed."""
    return isinstance(error, ChainError) and not getattr(error, "tx_hash", "")


def find_unconfirmed(
    ledger: Ledger, payer: ChainAccount, housekeeping: Housekeeping, *, first_ledger: int | None
) -> None:
    """Take note of an open stream of a run's own payer that the run does not know of.

    `first_ledger` is the newest when the run began. Where the ledger does not answer, or nobody may look (None), one
    counts as left behind.
    """
    lost = f"opened by {payer.address}, never confirmed"
    if first_ledger is None:
        housekeeping.made(CONTRACT_STREAM, lost, lambda: False)
        return
    try:
        for _ in range(1 + UNCONFIRMED_LEDGERS):
            for stream_id in sorted(_open_streams(ledger, payer, first_ledger)):
                if not housekeeping.has(CONTRACT_STREAM, str(stream_id)):
                    housekeeping.made(CONTRACT_STREAM, str(stream_id), partial(cancel, ledger, stream_id, payer))
                    return
            next_close = ledger.chain.health().closed_at + 1
            ledger.chain.wait_for_close(next_close, within_seconds=MOVES_WITHIN_SECONDS)
    except ChainError:
        housekeeping.made(CONTRACT_STREAM, lost, lambda: False)


def _open_streams(ledger: Ledger, payer: ChainAccount, first_ledger: int) -> frozenset[int]:
    opened = {
        event.stream_id
        for event in ledger.contract.stream_events(first_ledger)
        if event.name == "created" and event.fields.get("payer") == payer.address
    }
    return frozenset(each for each in opened if ledger.contract.stream(each).status not in FINAL_STATUSES)
