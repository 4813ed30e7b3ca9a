"""What can be seen of a settlement: on the ledger, or, where an environment allows it, in the service's records."""

from collections.abc import Callable
from typing import Protocol

from streampay_smoke.acceptance.checks.settlement import SERVICE, TX_HASH, Creations, LedgerObservation, Payments
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.acceptance.observations.settings_mismatch import refuse_another_contract, refuse_another_token
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.contract import StreamEvent
from streampay_smoke.chain.lag import shown_or_missing
from streampay_smoke.evidence.events import Recorder, TransactionSeen
from streampay_smoke.service.records import Receipt, StreamRecord

OPENED_ELSEWHERE = "the service opens its streams on the contract"
"""How the ledger tells which contract a service works with."""


class SettlementProof(Protocol):
    """Watches one scenario's money from before the first order on."""

    recipient: str

    def starts(self, token: str) -> int | None:
        """Count the starts of streams to the recipient, None without a ledger; to be asked before a settlement.

        `token` is the one that the service's record names. Raises ContractUnexpected where the streams are not on the
        expected contract, or not in the expected token.
        """

    def creations(self) -> Creations | None:
        """Return the streams to the recipient that came into being, None without a ledger."""

    def settlement(self, receipt: Receipt) -> LedgerObservation | None:
        """Return what the ledger shows of the settlement a receipt claims, None without a ledger."""

    def payments(self, stream_id: str) -> Payments:
        """Return what has paid the recipient of a stream so far."""

    def payments_a_ledger_later(self, stream_id: str) -> Payments:
        """Return what has paid them when one more ledger has closed: a payment may follow its answer."""


class LedgerProof:
    """The default: the transaction, its contract, its events, the amount and the balance are looked up."""

    def __init__(self, ledger: Ledger, recipient: str, record: Recorder) -> None:
        ledger.must_prove_settlements()
        self.recipient = recipient
        self._ledger = ledger
        self._record = record
        self._first_ledger = ledger.next_ledger()
        self._balance_before = ledger.chain.balance(recipient)

    def starts(self, token: str) -> int:
        """Count the starts, waiting for an RPC that is some ledgers behind the service's.

        Returns once time has passed for a stream that was started: in the same second nothing has accrued.
        """
        starts = self._shown(lambda: self._started(token), "that the stream was started")
        if starts:
            self._ledger.chain.wait_for_later_time(starts[-1].closed_at)
        return len(starts)

    def _started(self, token: str) -> tuple[StreamEvent, ...]:
        ledger, since = self._ledger, (self.recipient, self._first_ledger)
        created = ledger.created_to(*since)
        if not created:
            elsewhere = {event.contract_id for event in ledger.created_elsewhere(*since)}
            refuse_another_contract(elsewhere, expected=ledger.contract_id, told_by=OPENED_ELSEWHERE)
            return ()
        tokens = {str(event.fields["token"]) for event in created}
        refuse_another_token(tokens, expected=ledger.token_contract_id, named=token)
        return ledger.starts_to(*since)

    def creations(self) -> Creations:
        """Return the creations that the ledger shows, waiting for the first in the same way."""
        created = self._ledger.created_to
        return Creations(
            recipient=self.recipient,
            token_contract_id=self._ledger.token_contract_id,
            created=self._shown(lambda: created(self.recipient, self._first_ledger), "that a stream was created"),
        )

    def settlement(self, receipt: Receipt) -> LedgerObservation:
        """Look the receipt's transaction up, and what it did; a receipt that names none is not looked for."""
        named = TX_HASH.fullmatch(receipt.settlement_tx_hash)
        transaction = self._closed(receipt.settlement_tx_hash) if named else None
        ledger, since = self._ledger, (self.recipient, self._first_ledger)
        return LedgerObservation(
            contract_id=ledger.contract_id,
            recipient=self.recipient,
            first_ledger=self._first_ledger,
            most_ahead_seconds=ledger.most_ahead_seconds,
            transaction=transaction,
            created=ledger.created_to(*since),
            starts=ledger.starts_to(*since),
            payments=ledger.payments_to(*since),
            paid_out=ledger.contract.paid_out(transaction) if transaction else (),
            balance_change=ledger.chain.balance(self.recipient) - self._balance_before,
        )

    def payments(self, stream_id: str) -> Payments:
        """Return every payment to the recipient, by whomever and whatever for."""
        found = self._ledger.payments_to(self.recipient, self._first_ledger)
        return Payments(tx_hashes=tuple(payment.tx_hash for payment in found))

    def payments_a_ledger_later(self, stream_id: str) -> Payments:
        """Return them after the next ledger."""
        self._ledger.one_ledger_later()
        return self.payments(stream_id)

    def _closed(self, tx_hash: str) -> TxOutcome | None:
        """Return the transaction, waiting for an RPC that is some ledgers behind the service's."""
        outcome = shown_or_missing(
            self._ledger.chain,
            lambda: self._ledger.chain.transaction(tx_hash),
            what=f"transaction {tx_hash}",
            record=self._record,
        )
        if outcome is not None:
            self._record(TransactionSeen(tx_hash=outcome.tx_hash, ledger=outcome.ledger, closed_at=outcome.closed_at))
        return outcome

    def _shown(self, read: Callable[[], tuple[StreamEvent, ...]], what: str) -> tuple[StreamEvent, ...]:
        """Return events, waiting for the first in the same way."""
        return shown_or_missing(self._ledger.chain, lambda: read() or None, what=what, record=self._record) or ()


class ServiceProof:
    """The service's own records, taken at their word; the verdict always says so."""

    def __init__(self, recipient: str, record_of: Callable[[str], StreamRecord]) -> None:
        self.recipient = recipient
        self._record_of = record_of

    def starts(self, token: str) -> None:
        """Nothing to see but the service's answer."""

    def creations(self) -> None:
        """Nothing to see but the service's answers."""

    def settlement(self, receipt: Receipt) -> None:
        """Nothing to see but the receipt."""

    def payments(self, stream_id: str) -> Payments:
        """Return the transactions that the service's record of the stream names now."""
        record = self._record_of(stream_id)
        named = {record.settlement_tx_hash, record.receipt_tx_hash} - {""}
        return Payments(tx_hashes=tuple(sorted(named)), shown_by=SERVICE)

    def payments_a_ledger_later(self, stream_id: str) -> Payments:
        """Return them at once: without a ledger nobody knows when the next one closes."""
        return self.payments(stream_id)
