"""What a closed transaction cost whoever signed it: its fee, and what it locked in the contract it called."""

from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.refusals import ContractCall
from streampay_smoke.evidence.events import TransactionClosed


def transaction_closed(outcome: TxOutcome, call: ContractCall) -> TransactionClosed:
    """Return the evidence of a transaction that made `call`."""
    return TransactionClosed(
        tx_hash=outcome.tx_hash,
        function=call.function,
        ledger=outcome.ledger,
        fee_stroops=outcome.fee_charged_stroops,
        locked_stroops=_locked_stroops(outcome, call.contract_id),
        failed=outcome.status != "SUCCESS",
    )


def _locked_stroops(outcome: TxOutcome, contract_id: str) -> int:
    """Return what token transfers (SEP-41) brought into a contract, less what they took out of it."""
    locked = 0
    for event in outcome.events:
        if len(event.topics) < 3 or event.topics[0] != "transfer":
            continue
        amount = event.data.get("amount") if isinstance(event.data, dict) else event.data  # a map with CAP-67
        if type(amount) is int:
            locked += amount * ((event.topics[2] == contract_id) - (event.topics[1] == contract_id))
    return locked
