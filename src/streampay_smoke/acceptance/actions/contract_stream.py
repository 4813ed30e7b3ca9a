"""A stream that is made on the contract itself, past the service."""

import msgspec

from streampay_smoke.acceptance.checks.ledger import ContractStreamObservation
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.acceptance.resources.contract_streams import CONTRACT_STREAM, cancel, never_opened
from streampay_smoke.acceptance.resources.housekeeping import Housekeeping
from streampay_smoke.chain.adapter import ChainAccount, TxOutcome
from streampay_smoke.chain.ledger_time import MOVES_WITHIN_SECONDS

TOTAL_STROOPS, DURATION_SECONDS = 1_234_567, 1


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays and who is paid, what each had before, and the first ledger that may show anything of it."""

    payer: ChainAccount
    recipient: ChainAccount
    payer_stroops: int
    recipient_stroops: int
    first_ledger: int


def parties(ledger: Ledger, payer: ChainAccount, recipient: ChainAccount) -> Parties:
    """Take note of the balances before a stream; raises SettingsInvalid for a contract that pays nobody."""
    ledger.must_pay()
    return Parties(
        payer=payer,
        recipient=recipient,
        payer_stroops=ledger.chain.balance(payer.address),
        recipient_stroops=ledger.chain.balance(recipient.address),
        first_ledger=ledger.next_ledger(),
    )


class SettledStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of `total_stroops` that was opened, started and settled; the last of its transactions paid.

    `recipient_outcomes` are those the recipient sent: a withdrawal, where the contract asks for one.
    """

    stream_id: int
    total_stroops: int
    payer_outcomes: tuple[TxOutcome, ...]
    recipient_outcomes: tuple[TxOutcome, ...]

    @property
    def outcomes(self) -> tuple[TxOutcome, ...]:
        """All of them, in their order."""
        return (*self.payer_outcomes, *self.recipient_outcomes)


def stream_and_settle(
    ledger: Ledger,
    between: Parties,
    housekeeping: Housekeeping,
    *,
    total_stroops: int = TOTAL_STROOPS,
    duration_seconds: int = DURATION_SECONDS,
) -> SettledStream:
    """Open, start and, once its time is over, settle a stream; raises the chain's errors.

    Where settling makes the money claimable only, the recipient withdraws it.
    """
    contract, payer = ledger.contract, between.payer
    with housekeeping.making(CONTRACT_STREAM, refused=never_opened):
        opened = contract.open_draft(
            payer, between.recipient.address, ledger.token_contract_id, total_stroops, duration_seconds
        )
        stream_id = opened.stream_id
        housekeeping.made(CONTRACT_STREAM, str(stream_id), lambda: cancel(ledger, stream_id, payer))
    started = contract.start(stream_id, payer)
    ledger.chain.wait_for_close(
        started.closed_at + duration_seconds, within_seconds=MOVES_WITHIN_SECONDS + duration_seconds
    )
    settled = contract.settle(stream_id, payer)
    withdrawn = (contract.withdraw(stream_id, between.recipient),) if contract.recipient_withdraws else ()
    housekeeping.finished(CONTRACT_STREAM, str(stream_id))
    return SettledStream(
        stream_id=stream_id,
        total_stroops=total_stroops,
        payer_outcomes=(opened.outcome, started, settled),
        recipient_outcomes=withdrawn,
    )


def look_at(ledger: Ledger, stream: SettledStream, between: Parties) -> ContractStreamObservation:
    """Return what the ledger shows of a settled stream and of the balances of its parties."""
    recipient = between.recipient.address
    payments = ledger.payments_to(recipient, between.first_ledger)
    withdrawal_fees = sum(outcome.fee_charged_stroops for outcome in stream.recipient_outcomes)
    state = ledger.contract.stream(stream.stream_id)
    return ContractStreamObservation(
        total_stroops=stream.total_stroops,
        settled_in=stream.outcomes[-1].tx_hash,
        payments=tuple((payment.amount_stroops, payment.tx_hash) for payment in payments),
        status=state.status,
        released_stroops=state.released_of(stream.total_stroops),
        given_stroops=between.payer_stroops - ledger.chain.balance(between.payer.address),
        gained_stroops=ledger.chain.balance(recipient) - between.recipient_stroops + withdrawal_fees,
        fees_stroops=sum(outcome.fee_charged_stroops for outcome in stream.payer_outcomes),
        retries=sum(outcome.attempts - 1 for outcome in stream.outcomes),
    )
