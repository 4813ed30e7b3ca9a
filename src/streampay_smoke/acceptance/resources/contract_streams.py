"""The streams that a run makes on the contract itself, and how they are brought to an end."""

from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.chain.adapter import ChainAccount

CONTRACT_STREAM = "contract stream"
"""A stream on the contract that no service knows of."""

FINAL_STATUSES = frozenset({"settled", "cancelled"})
"""In these the contract takes no cancellation."""


def cancel(ledger: Ledger, stream_id: int, payer: ChainAccount) -> bool:
    """End a stream that was not settled: what nobody has earned goes back to the payer."""
    if ledger.contract.stream(stream_id).status not in FINAL_STATUSES:
        ledger.contract.cancel(stream_id, payer)
    return True
