"""The contract put together."""

from streampay_sandbox.ledger.contracts import ContractModel, entry_points
from streampay_sandbox.ledger.stream_contract.administration import ADMINISTRATION
from streampay_sandbox.ledger.stream_contract.lifecycle import lifecycle
from streampay_sandbox.ledger.stream_contract.payouts import Payout, pay_recipient
from streampay_sandbox.ledger.stream_contract.records import (
    PUBLISHED_EVENTS,
    STATUS,
    STREAM,
    STREAM_PAGE,
    Code,
)
from streampay_sandbox.ledger.stream_contract.views import VIEWS


def stream_contract(payout: Payout, refund: Payout = pay_recipient) -> ContractModel:
    """Return the contract, paying recipients by `payout` and giving back to payers by `refund`."""
    return ContractModel(
        name="streampay-stream",
        version="0.1.0",
        entry_points=entry_points(*ADMINISTRATION, *lifecycle(payout, refund), *VIEWS),
        records=(STREAM, STREAM_PAGE),
        variants=(STATUS,),
        errors={code.value: code.name for code in Code},
        events=PUBLISHED_EVENTS,
    )
