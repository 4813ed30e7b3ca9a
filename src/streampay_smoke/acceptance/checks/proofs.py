"""How a settlement is proved: on the ledger, or, where an environment allows it, by the service's word."""

from collections.abc import Callable
from typing import Protocol

from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.ledger import Ledger
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.contract import StreamEvent
from streampay_smoke.chain.lag import shown_or_missing
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.evidence.events import Recorder, Settled, TransactionSeen
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord


class SettlementProof(Protocol):
    """Watches one scenario's money from before the first order on."""

    recipient: str

    def running(self, expect: Expect) -> None:
        """A stream that was started runs: asked before it is settled, for later everything looks the same."""

    def created_once(self, order: StreamOrder, expect: Expect) -> None:
        """One stream to the recipient came into being, and it is the one ordered."""

    def paid(self, receipt: Receipt, order: StreamOrder, expect: Expect) -> None:
        """The recipient got the exact amount, from the expected contract, during this run."""

    def paid_exactly_once(self, receipt: Receipt, expect: Expect) -> None:
        """Nobody was paid twice."""

    def still_paid_once(self, receipt: Receipt, expect: Expect) -> None:
        """Nobody was paid twice, and nobody is a ledger later: a payment may follow its answer."""

    def agrees(self, receipt: Receipt, record: StreamRecord, order: StreamOrder, expect: Expect) -> None:
        """All papers name the same settlement of the same order."""


class LedgerProof:
    """The default: the transaction, its contract, its events, the amount and the balance are looked up."""

    def __init__(self, ledger: Ledger, recipient: str, record: Recorder) -> None:
        ledger.must_pay()
        self.recipient = recipient
        self._ledger = ledger
        self._record = record
        self._first_ledger = ledger.next_ledger()
        self._balance_before = ledger.chain.balance(recipient)

    def running(self, expect: Expect) -> None:
        """The ledger shows the start, waiting for an RPC that is some ledgers behind the service's."""
        starts = self._shown(
            lambda: self._ledger.starts_to(self.recipient, self._first_ledger), "that the stream was started"
        )
        expect(
            "the stream runs on the ledger before it is settled",
            bool(starts),
            expected=f"the start of a stream to {self.recipient}",
            observed=f"{len(starts)} starts",
        )

    def created_once(self, order: StreamOrder, expect: Expect) -> None:
        """One stream to the recipient came into being on the ledger, and it holds what was ordered."""
        created = self._shown(
            lambda: self._ledger.created_to(self.recipient, self._first_ledger), "that a stream was created"
        )
        expect(
            "one stream was created on the ledger",
            len(created) == 1,
            expected=f"one stream to {self.recipient}",
            observed=f"{len(created)} streams: {tuple(event.stream_id for event in created)}",
        )
        settlement.escrowed_as_ordered(created[0], order, self._ledger.token_contract_id, expect)

    def paid(self, receipt: Receipt, order: StreamOrder, expect: Expect) -> None:
        """The ledger shows the payment the receipt claims."""
        settlement.names_a_transaction(receipt, expect)
        finding = self._find(receipt, expect)
        settlement.paid_by_contract_in_this_run(
            finding,
            contract_id=self._ledger.contract_id,
            recipient=self.recipient,
            first_ledger=self._first_ledger,
            expect=expect,
        )
        change = self._ledger.chain.balance(self.recipient) - self._balance_before
        amount = settlement.paid_exact_amount(finding, order, change, expect)
        settlement.nothing_lost_or_made(finding, self.recipient, expect)
        settlement.settled_when_it_says(receipt, finding, self._ledger.most_ahead_seconds, expect)
        self._record(
            Settled(
                stream_id=receipt.stream_id,
                tx_hash=finding.outcome.tx_hash,
                ledger=finding.outcome.ledger,
                proof="ledger",
                amount_stroops=amount,
            )
        )

    def paid_exactly_once(self, receipt: Receipt, expect: Expect) -> None:
        """The ledger shows one payment to the recipient."""
        settlement.paid_exactly_once(self._ledger.payments_to(self.recipient, self._first_ledger), expect)

    def still_paid_once(self, receipt: Receipt, expect: Expect) -> None:
        """The next ledger shows no second payment either."""
        self._ledger.one_ledger_later()
        self.paid_exactly_once(receipt, expect)

    def agrees(self, receipt: Receipt, record: StreamRecord, order: StreamOrder, expect: Expect) -> None:
        """Receipt, record and ledger name the same transaction."""
        settlement.papers_agree(receipt, record, order, expect)
        hashes = [payment.tx_hash for payment in self._ledger.payments_to(self.recipient, self._first_ledger)]
        expect.equal("the ledger's payment is the receipt's transaction", hashes, [receipt.settlement_tx_hash])

    def _find(self, receipt: Receipt, expect: Expect) -> settlement.LedgerFinding:
        outcome = self._closed(receipt.settlement_tx_hash)
        expect(
            "the ledger knows the receipt's transaction",
            outcome is not None,
            expected=f"transaction {receipt.settlement_tx_hash} in a closed ledger",
            observed="found" if outcome else "the network never saw it",
        )
        if outcome is not None:
            self._record(TransactionSeen(tx_hash=outcome.tx_hash, ledger=outcome.ledger, closed_at=outcome.closed_at))
        starts = self._ledger.starts_to(self.recipient, self._first_ledger)
        expect("the stream was started once on the ledger", len(starts) == 1, expected=1, observed=len(starts))
        if outcome is None:
            raise PromiseBroken("the ledger does not know the receipt's transaction")
        (start,) = starts
        created = self._ledger.created_to(self.recipient, self._first_ledger)
        return settlement.LedgerFinding(
            outcome=outcome,
            payments=self._ledger.payments_to(self.recipient, self._first_ledger),
            paid_out=self._ledger.contract.paid_out(outcome),
            started_at=start.closed_at,
            created=next(event for event in created if event.stream_id == start.stream_id),
        )

    def _closed(self, tx_hash: str) -> TxOutcome | None:
        """Return the transaction, waiting for an RPC that is some ledgers behind the service's."""
        return shown_or_missing(
            self._ledger.chain,
            lambda: self._ledger.chain.transaction(tx_hash),
            what=f"transaction {tx_hash}",
            record=self._record,
        )

    def _shown(self, read: Callable[[], tuple[StreamEvent, ...]], what: str) -> tuple[StreamEvent, ...]:
        """Return events, waiting for the first in the same way."""
        return shown_or_missing(self._ledger.chain, lambda: read() or None, what=what, record=self._record) or ()


class ServiceProof:
    """The service's own papers, taken at their word; the verdict always says so."""

    def __init__(self, record: Recorder) -> None:
        self.recipient = unowned_address()
        self._record = record

    def running(self, expect: Expect) -> None:
        """Nothing to see but the service's answer, which the caller has checked."""

    def created_once(self, order: StreamOrder, expect: Expect) -> None:
        """Nothing to see but the service's answers, which the caller has checked."""

    def paid(self, receipt: Receipt, order: StreamOrder, expect: Expect) -> None:
        """The receipt claims a settlement."""
        expect.equal("the receipt says that the stream has ended", receipt.status, "ended")
        expect(
            "the receipt names a transaction",
            bool(receipt.settlement_tx_hash),
            expected="a transaction",
            observed=receipt.settlement_tx_hash or "none",
        )
        self._record(
            Settled(
                stream_id=receipt.stream_id,
                tx_hash=receipt.settlement_tx_hash,
                ledger=None,
                proof="service",
                amount_stroops=None,
            )
        )

    def paid_exactly_once(self, receipt: Receipt, expect: Expect) -> None:
        """Cannot be seen without a ledger: the check says what it rests on."""
        expect("the service names one transaction", True, expected="its word", observed=receipt.settlement_tx_hash)

    def still_paid_once(self, receipt: Receipt, expect: Expect) -> None:
        """Cannot be seen without a ledger, later no more than now."""
        self.paid_exactly_once(receipt, expect)

    def agrees(self, receipt: Receipt, record: StreamRecord, order: StreamOrder, expect: Expect) -> None:
        """Receipt and record name the same transaction."""
        settlement.papers_agree(receipt, record, order, expect)
