"""What StreamPay promises when it says that a stream is settled, checked on the papers and on the ledger."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.contract import Payment, StreamEvent
from streampay_smoke.core.amounts import PERIOD_SECONDS, accrued, stroops
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord

SETTLED = 200
"""How a settlement that was made is answered."""

TX_HASH = re.compile(r"[0-9a-f]{64}")

REFUSALS = frozenset({409, 422})
"""How a settlement is refused for what it asks. Other 4xx refuse the caller or their haste, and prove nothing."""

CLAIMED_WITHIN_SECONDS = 120
"""How far a receipt's time may be from the ledger's: the service's clock, and its wait for the ledger."""


class LedgerFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger itself says of one settlement.

    `payments` went to the recipient since the scenario began, `paid_out` left the contract in the settlement's own
    transaction; `started_at` is the close time of the stream's start, `created` its creation.
    """

    outcome: TxOutcome
    payments: tuple[Payment, ...]
    paid_out: tuple[Payment, ...]
    started_at: int
    created: StreamEvent


def one_stream_was_created(records: Sequence[StreamRecord], order: StreamOrder, expect: Expect) -> None:
    """A creation that is repeated with its key names the same stream each time, and it is the one ordered."""
    names = sorted({record.id for record in records})
    expect("a repeated creation makes one stream", len(names) == 1, expected="one stream", observed=names)
    for record in records:
        expect.equal("the stream is the one ordered", _order_in_words(record), _order_in_words(order))


def escrowed_as_ordered(created: StreamEvent, order: StreamOrder, token: str, expect: Expect) -> None:
    """The stream on the ledger holds what was ordered: token, amount to the last stroop, and time."""
    held = created.fields
    expect.equal(
        "the ledger holds the stream as ordered",
        _escrow_in_words(held["total_stroops"], held["duration_seconds"], held["token"]),
        _escrow_in_words(stroops(order.rate), PERIOD_SECONDS[order.schedule], token),
    )


def _escrow_in_words(total_stroops: int, duration_seconds: int, token: str) -> str:
    return f"{total_stroops} stroops over {duration_seconds} s, of token {token}"


def names_a_transaction(receipt: Receipt, expect: Expect) -> None:
    """The receipt's hash can be one of a ledger's."""
    expect(
        "the receipt names a transaction",
        bool(TX_HASH.fullmatch(receipt.settlement_tx_hash)),
        expected="a transaction hash of 64 hexadecimal digits",
        observed=receipt.settlement_tx_hash or "no hash",
    )


def paid_by_contract_in_this_run(
    finding: LedgerFinding, *, contract_id: str, recipient: str, first_ledger: int, expect: Expect
) -> None:
    """The transaction succeeded during this run, was made by the expected contract, and paid the recipient."""
    outcome = finding.outcome
    expect.equal("the settlement transaction succeeded", outcome.status, "SUCCESS")
    expect(
        "the settlement was made during this run",
        outcome.ledger >= first_ledger,
        expected=f"ledger {first_ledger} or a later one",
        observed=f"ledger {outcome.ledger}",
    )
    expect.equal("the expected contract was called", outcome.contract_id or "no contract", contract_id)
    payers = sorted({payment.sender for payment in finding.payments if payment.tx_hash == outcome.tx_hash})
    expect(
        "the expected contract paid the recipient",
        payers == [contract_id],
        expected=f"{contract_id} pays {recipient}",
        observed=f"payments by {payers}" if payers else "no payment to the recipient",
    )


def paid_exactly_once(payments: Sequence[Payment], expect: Expect) -> None:
    """The contract paid the recipient one time since the scenario began."""
    hashes = [payment.tx_hash for payment in payments]
    expect("the recipient was paid exactly once", len(hashes) == 1, expected="one payment", observed=hashes or "none")


def paid_exact_amount(finding: LedgerFinding, order: StreamOrder, balance_change: int, expect: Expect) -> int:
    """The payment is what rate, schedule and ledger times promise, and it arrived; returns it in stroops."""
    elapsed_seconds = finding.outcome.closed_at - finding.started_at
    promised = accrued(stroops(order.rate), PERIOD_SECONDS[order.schedule], elapsed_seconds)
    paid = sum(payment.amount_stroops for payment in finding.payments)
    expect(
        "the amount is exact",
        paid == promised > 0,
        expected=f"{promised or 'more than 0'} stroops: {order.rate} a {order.schedule} "
        f"for {elapsed_seconds} s of ledger time",
        observed=f"{paid} stroops",
    )
    expect.equal("the recipient's balance grew by the payment", balance_change, paid)
    return paid


def nothing_lost_or_made(finding: LedgerFinding, recipient: str, expect: Expect) -> None:
    """The settlement emptied the stream's escrow and no more: what was not earned went back to the payer."""
    payer, total = finding.created.fields["payer"], finding.created.fields["total_stroops"]
    rest = total - sum(payment.amount_stroops for payment in finding.paid_out if payment.recipient == recipient)
    returned = [payment for payment in finding.paid_out if payment.recipient != recipient]
    expect(
        "what was not earned goes back to the payer, to the last stroop",
        sum(payment.amount_stroops for payment in returned) == rest
        and {payment.recipient for payment in returned} <= {payer},
        expected=f"{rest} stroops to {payer}",
        observed=", ".join(f"{payment.amount_stroops} stroops to {payment.recipient}" for payment in returned)
        or "0 stroops",
    )


def settled_when_it_says(receipt: Receipt, finding: LedgerFinding, ledger_ahead_seconds: int, expect: Expect) -> None:
    """The receipt's time is the ledger's, or the service's clock when it saw the ledger's."""
    closed_at = finding.outcome.closed_at
    late_seconds = _unix_seconds(receipt.settled_at, closed_at) - closed_at
    expect(
        "the receipt tells when the ledger settled",
        -max(ledger_ahead_seconds, CLAIMED_WITHIN_SECONDS) <= late_seconds <= CLAIMED_WITHIN_SECONDS,
        expected=f"{datetime.fromtimestamp(closed_at, UTC).isoformat()}, give or take {CLAIMED_WITHIN_SECONDS} s",
        observed=receipt.settled_at,
    )


def _unix_seconds(text: str, near: int) -> float:
    """Return what an ISO 8601 text says, as UTC where it names no zone; no time at all is never near."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return near - float("inf")
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def refused_too_early(answer: Answer, record: StreamRecord, expect: Expect) -> None:
    """A stream that never started is not settled, and asking for it changes nothing."""
    expect(
        "a stream that was never started is not settled",
        answer.status in REFUSALS,
        expected="a refusal",
        observed=f"status {answer.status} (request {answer.request_id})",
    )
    seen = (record.status, record.settlement_tx_hash, record.receipt_tx_hash)
    expect.equal("a refused settlement changes nothing", seen, ("draft", "", ""))


def refusal_is_not_kept(early: Answer, again: Answer, code_of: Callable[[Answer], str], expect: Expect) -> None:
    """The key of a settlement that was refused too early settles later on, or is refused for being used up.

    What it must not do is to answer with the refusal of a state that is over.
    """
    told_anew = again.status in REFUSALS and code_of(again) != code_of(early)
    expect(
        "a settlement refused too early can be made later",
        again.status == SETTLED or told_anew,
        expected="a receipt, or a refusal of the used key",
        observed=f"status {again.status} {code_of(again)} (request {again.request_id})",
    )


def papers_agree(receipt: Receipt, record: StreamRecord, order: StreamOrder, expect: Expect) -> None:
    """Receipt and record name the same settlement of the same stream, and that stream is the one ordered."""
    expect.equal("the receipt is for the stream that was settled", receipt.stream_id, record.id)
    expect.equal("the receipt's two hashes agree", receipt.receipt_tx_hash, receipt.settlement_tx_hash)
    expect.equal("the receipt says that the stream has ended", receipt.status, "ended")
    recorded = {tx_hash for tx_hash in (record.settlement_tx_hash, record.receipt_tx_hash) if tx_hash}
    expect(
        "the record names the receipt's transaction",
        recorded == {receipt.settlement_tx_hash},
        expected=receipt.settlement_tx_hash,
        observed=", ".join(sorted(recorded)) or "no transaction",
    )
    expect.equal("the record says that the stream has ended", record.status, "ended")
    expect.equal("the record is still of the order", _order_in_words(record), _order_in_words(order))


def _order_in_words(shown: StreamOrder | StreamRecord) -> str:
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
    expect(
        "a settled stream cannot be settled again",
        answer.status in REFUSALS,
        expected="a refusal",
        observed=f"status {answer.status} (request {answer.request_id})",
    )


def key_does_not_answer_for(answer: Answer, first: Receipt, other: StreamRecord, expect: Expect) -> None:
    """A key used on one stream never answers for another: its receipt must not come back."""
    names = (first.stream_id, first.settlement_tx_hash)
    echoed = any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", answer.body_text, re.IGNORECASE) for name in names)
    expect(
        "a settlement key answers for its own stream only",
        not echoed,
        expected=f"an answer about {other.id}, or a refusal",
        observed=f"the receipt of {first.stream_id}" if echoed else f"status {answer.status}",
    )
    expect(
        "a stream that was never started is not settled by a used key",
        answer.status in REFUSALS,
        expected="a refusal",
        observed=f"status {answer.status} (request {answer.request_id})",
    )
