"""What StreamPay promises when it says that a stream is settled, checked in receipt, record and ledger."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.refusals import NOT_SETTLED
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.contract import Payment, StreamEvent
from streampay_smoke.core.amounts import PERIOD_SECONDS, accrued, stroops
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.evidence.events import Settled
from streampay_smoke.evidence.values import in_words
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord

SETTLED = 200
"""How a settlement that was made is answered."""

TX_HASH = re.compile(r"[0-9a-f]{64}")

LEDGER, SERVICE = "ledger", "service"
"""What a settlement is proved by."""

CLAIMED_WITHIN_SECONDS = 120
"""How far a receipt's time may be from the ledger's: the service's clock, and its wait for the ledger."""


class LedgerObservation(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger shows of one scenario's money after a settlement.

    `transaction` is the one the receipt names, None where no closed ledger has it; `paid_out` left the contract in it.
    `created`, `starts` and `payments` are of the recipient's streams since `first_ledger`; `balance_change` is the
    recipient's, in stroops. `most_ahead_seconds` is how far the ledger's clock may be ahead of ours.
    """

    contract_id: str
    recipient: str
    first_ledger: int
    most_ahead_seconds: int
    transaction: TxOutcome | None
    created: tuple[StreamEvent, ...]
    starts: tuple[StreamEvent, ...]
    payments: tuple[Payment, ...]
    paid_out: tuple[Payment, ...]
    balance_change: int


class LedgerFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement that the ledger shows: its transaction, the close time of the stream's start, and its creation."""

    seen: LedgerObservation
    transaction: TxOutcome
    started_at: int
    created: StreamEvent


class Creations(msgspec.Struct, frozen=True, kw_only=True):
    """The streams to a recipient that came into being on the ledger, and the token they should hold."""

    recipient: str
    token_contract_id: str
    created: tuple[StreamEvent, ...]


class StartedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream after its start: the service's record, and how many starts the ledger shows, None without a ledger."""

    record: StreamRecord
    starts_on_ledger: int | None


class Payments(msgspec.Struct, frozen=True, kw_only=True):
    """The transactions that paid a recipient, as `shown_by` the ledger, or named by the service's record."""

    tx_hashes: tuple[str, ...]
    shown_by: str = LEDGER


def is_active(started: StartedStream, expect: Expect) -> None:
    """A stream that was started is active, and is started on the ledger before its settlement."""
    expect.equal("a started stream is active", started.record.status, "active")
    if started.starts_on_ledger is not None:
        expect(
            "the stream is started on the ledger before its settlement",
            started.starts_on_ledger > 0,
            expected=f"the start of a stream to {started.record.recipient}",
            observed=f"{started.starts_on_ledger} starts",
        )


def created_once(
    records: Sequence[StreamRecord], creations: Creations | None, order: StreamOrder, expect: Expect
) -> None:
    """One stream came of an order, by the service's answers and, where somebody looked (`creations`), by the ledger."""
    one_stream_was_created(records, order, expect)
    if creations is not None:
        created_once_on_ledger(creations, order, expect)


def one_stream_was_created(records: Sequence[StreamRecord], order: StreamOrder, expect: Expect) -> None:
    """A creation that is repeated with its key names the same stream each time, and it is the one ordered."""
    names = sorted({record.id for record in records})
    expect("a repeated creation makes one stream", len(names) == 1, expected="one stream", observed=names)
    for record in records:
        expect.equal("the stream is the one ordered", _order_description(record), _order_description(order))


def created_once_on_ledger(creations: Creations, order: StreamOrder, expect: Expect) -> None:
    """One stream to the recipient came into being on the ledger, and it holds what was ordered."""
    created = creations.created
    expect(
        "one stream was created on the ledger",
        len(created) == 1,
        expected=f"one stream to {creations.recipient}",
        observed=f"{len(created)} streams: {in_words([event.stream_id for event in created])}" if created else "none",
    )
    escrowed_as_ordered(created[0], order, creations.token_contract_id, expect)


def escrowed_as_ordered(created: StreamEvent, order: StreamOrder, token: str, expect: Expect) -> None:
    """The stream on the ledger holds what was ordered: token, amount to the last stroop, and time."""
    held = created.fields
    expect.equal(
        "the ledger holds the stream as ordered",
        _escrow_description(held["total_stroops"], held["duration_seconds"], held["token"]),
        _escrow_description(stroops(order.rate), PERIOD_SECONDS[order.schedule], token),
    )


def _escrow_description(total_stroops: int, duration_seconds: int, token: str) -> str:
    return f"{total_stroops} stroops over {duration_seconds} s, of token {token}"


def names_a_transaction(receipt: Receipt, expect: Expect) -> None:
    """The receipt's hash can be one of a ledger's."""
    expect(
        "the receipt names a transaction",
        bool(TX_HASH.fullmatch(receipt.settlement_tx_hash)),
        expected="a transaction hash of 64 hexadecimal digits",
        observed=receipt.settlement_tx_hash or "no hash",
    )


def names_one_transaction(receipt: Receipt, expect: Expect) -> None:
    """The receipt names one transaction, in both places that name it."""
    expect.equal("the receipt's two hashes agree", receipt.receipt_tx_hash, receipt.settlement_tx_hash)
    names_a_transaction(receipt, expect)


def paid_by_contract_in_this_run(finding: LedgerFinding, expect: Expect) -> None:
    """The transaction succeeded during this run, was made by the expected contract, and paid the recipient."""
    seen, outcome = finding.seen, finding.transaction
    expect.equal("the settlement transaction succeeded", outcome.status, "SUCCESS")
    expect(
        "the settlement was made during this run",
        outcome.ledger >= seen.first_ledger,
        expected=f"ledger {seen.first_ledger} or a later one",
        observed=f"ledger {outcome.ledger}",
    )
    expect.equal("the expected contract was called", outcome.contract_id or "no contract", seen.contract_id)
    payers = sorted({payment.sender for payment in seen.payments if payment.tx_hash == outcome.tx_hash})
    expect(
        "the expected contract paid the recipient",
        payers == [seen.contract_id],
        expected=f"{seen.contract_id} pays {seen.recipient}",
        observed=f"payments by {in_words(payers)}" if payers else "no payment to the recipient",
    )


def receipt_is_of(receipt: Receipt, stream_id: str, expect: Expect) -> None:
    """The receipt is for the stream whose settlement was asked for."""
    expect.equal("the receipt is for the stream that was settled", receipt.stream_id, stream_id)


def paid(seen: LedgerObservation | None, receipt: Receipt, order: StreamOrder, expect: Expect) -> None:
    """The recipient got the exact amount, from the expected contract, during this run.

    Without a look at the ledger (`seen` is None) the receipt is taken at its word, and the verdict says so.
    """
    if seen is None:
        _receipt_reports_settlement(receipt, expect)
        return
    names_a_transaction(receipt, expect)
    finding = found_on_ledger(seen, receipt, expect)
    paid_by_contract_in_this_run(finding, expect)
    amount_stroops = paid_exact_amount(finding, order, expect)
    escrow_is_paid_out(finding, expect)
    settlement_time_agrees(receipt, finding, expect)
    expect.settled(
        Settled(
            stream_id=receipt.stream_id,
            tx_hash=finding.transaction.tx_hash,
            ledger=finding.transaction.ledger,
            proof=LEDGER,
            amount_stroops=amount_stroops,
        )
    )


def _receipt_reports_settlement(receipt: Receipt, expect: Expect) -> None:
    expect.equal("the receipt says that the stream has ended", receipt.status, "ended")
    names_a_transaction(receipt, expect)
    tx_hash = receipt.settlement_tx_hash
    expect.settled(
        Settled(stream_id=receipt.stream_id, tx_hash=tx_hash, ledger=None, proof=SERVICE, amount_stroops=None)
    )


def found_on_ledger(seen: LedgerObservation, receipt: Receipt, expect: Expect) -> LedgerFinding:
    """The ledger knows the receipt's transaction, and one start of the stream; returns them with the creation."""
    expect(
        "the ledger knows the receipt's transaction",
        seen.transaction is not None,
        expected=f"transaction {receipt.settlement_tx_hash} in a closed ledger",
        observed="found" if seen.transaction else "the network never saw it",
    )
    starts = seen.starts
    expect("the stream was started once on the ledger", len(starts) == 1, expected=1, observed=len(starts))
    if seen.transaction is None:  # whatever the checks make of it, nothing is proved
        raise PromiseBroken("the ledger does not know the receipt's transaction")
    return LedgerFinding(
        seen=seen,
        transaction=seen.transaction,
        started_at=starts[0].closed_at,
        created=next(event for event in seen.created if event.stream_id == starts[0].stream_id),
    )


def paid_exactly_once(payments: Payments, expect: Expect) -> None:
    """One transaction paid the recipient since the scenario began; without a ledger, the service's record names one."""
    by_ledger = payments.shown_by == LEDGER
    hashes = payments.tx_hashes
    expect(
        "the recipient was paid exactly once" if by_ledger else "the service names one transaction",
        len(hashes) == 1,
        expected="one payment" if by_ledger else "one transaction",
        observed=hashes or "none",
    )


def payments_are_the_receipts(payments: Payments, receipt: Receipt, expect: Expect) -> None:
    """What paid the recipient is the receipt's transaction."""
    whose = "the ledger's payment" if payments.shown_by == LEDGER else "the record's transaction"
    expect.equal(f"{whose} is the receipt's transaction", list(payments.tx_hashes), [receipt.settlement_tx_hash])


def paid_exact_amount(finding: LedgerFinding, order: StreamOrder, expect: Expect) -> int:
    """The payment is what rate, schedule and ledger times promise, and it arrived; returns it in stroops."""
    elapsed_seconds = finding.transaction.closed_at - finding.started_at
    promised = accrued(stroops(order.rate), PERIOD_SECONDS[order.schedule], elapsed_seconds)
    paid = sum(payment.amount_stroops for payment in finding.seen.payments)
    expect(
        "the amount is exact",
        paid == promised > 0,
        expected=f"{promised or 'more than 0'} stroops: {order.rate} a {order.schedule} "
        f"for {elapsed_seconds} s of ledger time",
        observed=f"{paid} stroops",
    )
    expect.equal("the recipient's balance grew by the payment", finding.seen.balance_change, paid)
    return paid


def escrow_is_paid_out(finding: LedgerFinding, expect: Expect) -> None:
    """The settlement emptied the stream's escrow and no more: what was not earned went back to the payer."""
    recipient, paid_out = finding.seen.recipient, finding.seen.paid_out
    payer, total = finding.created.fields["payer"], finding.created.fields["total_stroops"]
    rest = total - sum(payment.amount_stroops for payment in paid_out if payment.recipient == recipient)
    returned = [payment for payment in paid_out if payment.recipient != recipient]
    expect(
        "what was not earned goes back to the payer, to the last stroop",
        sum(payment.amount_stroops for payment in returned) == rest
        and {payment.recipient for payment in returned} <= {payer},
        expected=f"{rest} stroops to {payer}",
        observed=", ".join(f"{payment.amount_stroops} stroops to {payment.recipient}" for payment in returned)
        or "0 stroops",
    )


def settlement_time_agrees(receipt: Receipt, finding: LedgerFinding, expect: Expect) -> None:
    """The receipt's time is the ledger's, or the service's clock when it saw the ledger's."""
    closed_at = finding.transaction.closed_at
    late_seconds = _unix_seconds(receipt.settled_at, closed_at) - closed_at
    expect(
        "the receipt has the time of the settlement",
        -max(finding.seen.most_ahead_seconds, CLAIMED_WITHIN_SECONDS) <= late_seconds <= CLAIMED_WITHIN_SECONDS,
        expected=f"{datetime.fromtimestamp(closed_at, UTC).isoformat()}, give or take {CLAIMED_WITHIN_SECONDS} s",
        observed=receipt.settled_at,
    )


def _unix_seconds(text: str, near: int) -> float:
    """Return what an ISO 8601 text says, as UTC where it names no zone; no time at all is never near."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return near - float("inf")
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def refused_before_start(answer: Answer, record: StreamRecord, expect: Expect) -> None:
    """A stream that never started is not settled, and asking for it changes nothing."""
    expect.refused("a stream that was never started is not settled", answer, answer.status in NOT_SETTLED)
    hashes = [tx_hash for tx_hash in (record.settlement_tx_hash, record.receipt_tx_hash) if tx_hash]
    expect(
        "a refused settlement changes nothing",
        record.status == "draft" and not hashes,
        expected="draft, without a transaction",
        observed=f"{record.status}, {f'settled by {in_words(hashes)}' if hashes else 'without a transaction'}",
    )


def refusal_is_not_repeated(early: Answer, again: Answer, code_of: Callable[[Answer], str], expect: Expect) -> None:
    """The key of a settlement that was refused too early settles later on, or is refused for being used up.

    What it must not do is to answer with the refusal of a state that is over.
    """
    new_refusal = again.status in NOT_SETTLED and code_of(again) != code_of(early)
    expect(
        "the early refusal is not repeated",
        again.status == SETTLED or new_refusal,
        expected="a receipt, or a refusal of the used key",
        observed=f"status {again.status} {code_of(again)} (request {again.request_id})",
    )


def records_agree(receipt: Receipt, record: StreamRecord, order: StreamOrder, expect: Expect) -> None:
    """Receipt and record name the same settlement of the same stream, and that stream is the one ordered."""
    expect.equal("the receipt is for the stream that was settled", receipt.stream_id, record.id)
    expect.equal("the receipt's two hashes agree", receipt.receipt_tx_hash, receipt.settlement_tx_hash)
    expect.equal("the receipt says that the stream has ended", receipt.status, "ended")
    record_names(receipt, record, expect)
    expect.equal("the record says that the stream has ended", record.status, "ended")
    expect.equal("the record is still of the order", _order_description(record), _order_description(order))


def record_names(receipt: Receipt, record: StreamRecord, expect: Expect) -> None:
    """The stream's record names the transaction of the receipt, and no other."""
    recorded = {tx_hash for tx_hash in (record.settlement_tx_hash, record.receipt_tx_hash) if tx_hash}
    expect(
        "the record names the receipt's transaction",
        recorded == {receipt.settlement_tx_hash},
        expected=receipt.settlement_tx_hash,
        observed=", ".join(sorted(recorded)) or "no transaction",
    )


def _order_description(shown: StreamOrder | StreamRecord) -> str:
    return f"{shown.rate} a {shown.schedule} to {shown.recipient}"


def same_receipt(first: Receipt, again: Receipt, expect: Expect) -> None:
    """A repeated settlement answers with the first one's receipt."""
    expect.equal("the repeated settlement is for the same stream", again.stream_id, first.stream_id)
    expect.equal(
        "the repeated settlement names the same transaction", again.settlement_tx_hash, first.settlement_tx_hash
    )
    expect.equal("the repeated receipt's own hash is the same", again.receipt_tx_hash, first.receipt_tx_hash)
    expect.equal("the repeated settlement was made at the same time", again.settled_at, first.settled_at)


def cannot_settle_again(answer: Answer, expect: Expect) -> None:
    """A settled stream is not settled again under another key."""
    expect.refused("a settled stream cannot be settled again", answer, answer.status in NOT_SETTLED)


def used_key_is_refused(answer: Answer, first: Receipt, other: StreamRecord, expect: Expect) -> None:
    """A key used on one stream never answers for another: its receipt must not come back."""
    names = (first.stream_id, first.settlement_tx_hash)
    echoed = any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", answer.body_text, re.IGNORECASE) for name in names)
    expect(
        "a settlement key answers for its own stream only",
        not echoed,
        expected=f"an answer about {other.id}, or a refusal",
        observed=f"the receipt of {first.stream_id}" if echoed else f"status {answer.status}",
    )
    expect.refused("a stream that was never started is not settled by a used key", answer, answer.status in NOT_SETTLED)
