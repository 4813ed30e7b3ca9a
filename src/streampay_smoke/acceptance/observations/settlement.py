"""What can be seen of a settlement: on the ledger, or, where an environment allows it, in the service's records."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from streampay_smoke.acceptance.checks.settlement import SERVICE, TX_HASH, Creations, LedgerObservation, Payments
from streampay_smoke.acceptance.observations.ledger import Ledger
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.evidence.events import Recorder, TransactionSeen
from streampay_smoke.evidence.polling import Attempt, NeverHappened, eventually
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.records import Receipt, StreamRecord

LAG_SECONDS = 20.0
"""Four ledgers of testnet's 5 s: how far an RPC may be behind the one the service uses."""

LOOK_SECONDS = 0.5

T = TypeVar("T")


class SettlementProof(Protocol):
    """Watches one scenario's money from before the first order on."""

    recipient: str

    def starts(self) -> int | None:
        """Count the starts of streams to the recipient, None without a ledger; to be asked before a settlement."""

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

    def __init__(self, ledger: Ledger, recipient: str, record: Recorder, *, lag_seconds: float = LAG_SECONDS) -> None:
        ledger.must_pay()
        self.recipient = recipient
        self._ledger = ledger
        self._record = record
        self._lag_seconds = lag_seconds
        self._first_ledger = ledger.next_ledger()
        self._balance_before = ledger.chain.balance(recipient)

    def starts(self) -> int:
        """Count the starts, waiting for an RPC that is some ledgers behind the service's."""

        def look() -> Attempt[int]:
            starts = len(self._ledger.starts_to(self.recipient, self._first_ledger))
            return Attempt(met=starts > 0, value=starts, last=f"{starts} starts")

        try:
            return self._eventually(look, what="the ledger to show that the stream was started")
        except NeverHappened:
            return 0

    def creations(self) -> Creations:
        """Return the creations that the ledger shows."""
        return Creations(
            recipient=self.recipient,
            token_contract_id=self._ledger.token_contract_id,
            created=self._ledger.created_to(self.recipient, self._first_ledger),
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

        def look() -> Attempt[TxOutcome | None]:
            outcome = self._ledger.chain.transaction(tx_hash)
            return Attempt(met=outcome is not None, value=outcome, last="found" if outcome else "not found")

        try:
            outcome = self._eventually(look, what=f"the ledger to know transaction {tx_hash}")
        except NeverHappened:
            return None
        if outcome is not None:
            self._record(TransactionSeen(tx_hash=outcome.tx_hash, ledger=outcome.ledger, closed_at=outcome.closed_at))
        return outcome

    def _eventually(self, look: Callable[[], Attempt[T]], *, what: str) -> T:
        return eventually(
            look, what=what, within_seconds=self._lag_seconds, every_seconds=LOOK_SECONDS, record=self._record
        )


class ServiceProof:
    """The service's own records, taken at their word; the verdict always says so."""

    def __init__(self, record_of: Callable[[str], StreamRecord]) -> None:
        self.recipient = unowned_address()
        self._record_of = record_of

    def starts(self) -> None:
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
