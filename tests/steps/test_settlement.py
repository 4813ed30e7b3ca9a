"""What a settlement promises, on receipts, records and ledger findings a service could produce."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from step_parts import (
    CONTRACT,
    FIRST_LEDGER,
    HASH,
    ORDER,
    OTHER_CONTRACT,
    OTHER_HASH,
    PAYER,
    RECIPIENT,
    TOKEN,
    Witness,
    answer,
    creation,
    outcome,
    payment,
    receipt,
    record,
)

from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.acceptance.checks.settlement import LedgerFinding, LedgerObservation
from streampay_smoke.chain.adapter import TxOutcome
from streampay_smoke.chain.contract import Payment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.records import StreamRecord

PERIOD_STROOPS = 7_777_777


def finding(
    *payments: Payment,
    elapsed_seconds: int = 10,
    made: TxOutcome | None = None,
    amount: int = 1_000,
    paid_out: Sequence[Payment] | None = None,
    balance_change: int | None = None,
    most_ahead_seconds: int = 60,
) -> LedgerFinding:
    made = made or outcome()
    paid = payments or (payment(amount_stroops=amount),)
    seen = LedgerObservation(
        contract_id=CONTRACT,
        recipient=RECIPIENT,
        first_ledger=FIRST_LEDGER,
        most_ahead_seconds=most_ahead_seconds,
        transaction=made,
        created=(creation(),),
        starts=(),
        payments=paid,
        paid_out=paid if paid_out is None else tuple(paid_out),
        balance_change=sum(each.amount_stroops for each in paid) if balance_change is None else balance_change,
    )
    return LedgerFinding(seen=seen, transaction=made, started_at=made.closed_at - elapsed_seconds, created=creation())


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_one_stream_was_created_passes_for_the_same_stream_each_time(requests: int, witness: Witness) -> None:
    settlement.one_stream_was_created([record()] * requests, ORDER, witness.expect)

    witness.saw_held("a repeated creation makes one stream", *["the stream is the one ordered"] * requests)


@pytest.mark.parametrize(
    ("records", "saw"),
    [
        pytest.param([record(), record(id="stream-2")], ["stream-1", "stream-2"], id="two streams"),
        pytest.param([record(id="a"), record(id="A")], ["A", "a"], id="names that differ in case"),
        pytest.param([], [], id="nothing came of it"),
    ],
)
def test_one_stream_was_created_fails_when_there_is_not_one(
    records: Sequence[StreamRecord], saw: object, witness: Witness
) -> None:
    with witness.breaks("a repeated creation makes one stream", expected="one stream", saw=saw):
        settlement.one_stream_was_created(records, ORDER, witness.expect)


@pytest.mark.parametrize(
    "change",
    [{"recipient": "GSOMEBODY"}, {"rate": "0.77777770"}, {"rate": "0.7777778"}, {"schedule": "Minute"}],
    ids=str,
)
def test_one_stream_was_created_fails_when_any_answer_shows_another_order(
    change: dict[str, str], witness: Witness
) -> None:
    with witness.breaks("the stream is the one ordered", expected=ORDER.rate, saw=next(iter(change.values()))):
        settlement.one_stream_was_created([record(), record(**change)], ORDER, witness.expect)


@pytest.mark.parametrize("tx_hash", ["0123456789abcdef" * 4, "0" * 64, "f" * 64])
def test_names_a_transaction_passes_for_64_hexadecimal_digits(tx_hash: str, witness: Witness) -> None:
    settlement.names_a_transaction(receipt(settlement_tx_hash=tx_hash), witness.expect)

    witness.saw_held("the receipt names a transaction")


@pytest.mark.parametrize(
    ("tx_hash", "saw"),
    [
        pytest.param("", "no hash", id="none"),
        pytest.param("a" * 63, "a" * 63, id="63 digits"),
        pytest.param("a" * 65, "a" * 65, id="65 digits"),
        pytest.param("AB" * 32, "AB" * 32, id="upper case"),
        pytest.param("0x" + "a" * 62, "0x", id="with a prefix"),
        pytest.param("0x" + "a" * 64, "0x", id="with a prefix before 64 digits"),
        pytest.param("a" * 63 + "g", "g", id="a letter that is no digit"),
        pytest.param("a" * 64 + "\n", "\n", id="a line break after it"),
        pytest.param(" " + "a" * 64, " a", id="a space before it"),
        pytest.param("a" * 63 + "\u0661", "\u0661", id="a digit of another script"),
        pytest.param("pending", "pending", id="a word"),
    ],
)
def test_names_a_transaction_fails_when_it_cannot_be_a_ledgers(tx_hash: str, saw: str, witness: Witness) -> None:
    with witness.breaks("the receipt names a transaction", expected="64 hexadecimal digits", saw=saw):
        settlement.names_a_transaction(receipt(settlement_tx_hash=tx_hash), witness.expect)


@pytest.mark.parametrize("ledger", [FIRST_LEDGER, FIRST_LEDGER + 1, FIRST_LEDGER + 10_000])
def test_paid_by_contract_passes_for_a_payment_of_this_run(ledger: int, witness: Witness) -> None:
    settlement.paid_by_contract_in_this_run(finding(made=outcome(ledger=ledger)), witness.expect)

    witness.saw_held(
        "the settlement transaction succeeded",
        "the settlement was made during this run",
        "the expected contract was called",
        "the expected contract paid the recipient",
    )


def test_paid_by_contract_leaves_payments_of_other_transactions_to_other_checks(witness: Witness) -> None:
    stray = payment(tx_hash=OTHER_HASH, sender="GOPERATOR")

    settlement.paid_by_contract_in_this_run(finding(payment(), stray), witness.expect)

    assert all(check.held for check in witness.checks)


@pytest.mark.parametrize(
    ("made", "promise", "expected", "saw"),
    [
        pytest.param({"status": "FAILED"}, "the settlement transaction succeeded", "SUCCESS", "FAILED", id="failed"),
        pytest.param({"status": ""}, "the settlement transaction succeeded", "SUCCESS", "", id="no status"),
        pytest.param(
            {"ledger": FIRST_LEDGER - 1},
            "the settlement was made during this run",
            f"ledger {FIRST_LEDGER}",
            f"ledger {FIRST_LEDGER - 1}",
            id="one ledger before the run",
        ),
        pytest.param({"ledger": 0}, "the settlement was made during this run", "ledger", "ledger 0", id="no ledger"),
        pytest.param(
            {"contract_id": OTHER_CONTRACT},
            "the expected contract was called",
            CONTRACT,
            OTHER_CONTRACT,
            id="another contract",
        ),
        pytest.param(
            {"contract_id": ""}, "the expected contract was called", CONTRACT, "no contract", id="no contract at all"
        ),
    ],
)
def test_paid_by_contract_fails_when_the_transaction_is_another_kind(
    made: dict[str, Any], promise: str, expected: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, expected=expected, saw=saw):
        settlement.paid_by_contract_in_this_run(finding(made=outcome(**made)), witness.expect)


@pytest.mark.parametrize(
    ("payments", "saw"),
    [
        pytest.param([payment(tx_hash=OTHER_HASH)], "no payment to the recipient", id="paid in another transaction"),
        pytest.param([payment(sender="GOPERATOR")], "payments by GOPERATOR", id="paid by the operator"),
        pytest.param([payment(sender=OTHER_CONTRACT)], OTHER_CONTRACT, id="paid by another contract"),
        pytest.param([payment(), payment(sender="GOPERATOR")], "GOPERATOR", id="paid by the contract and the operator"),
    ],
)
def test_paid_by_contract_fails_when_the_money_came_otherwise(
    payments: Sequence[Payment], saw: str, witness: Witness
) -> None:
    with witness.breaks("the expected contract paid the recipient", expected=f"{CONTRACT} pays {RECIPIENT}", saw=saw):
        settlement.paid_by_contract_in_this_run(finding(*payments), witness.expect)


def test_paid_by_contract_fails_when_nobody_paid(witness: Witness) -> None:
    found = finding()
    unpaid = replace(found, seen=replace(found.seen, payments=(), paid_out=()))

    with witness.breaks("the expected contract paid the recipient", saw="no payment to the recipient"):
        settlement.paid_by_contract_in_this_run(unpaid, witness.expect)


def paid_by(*payments: Payment) -> settlement.Payments:
    return settlement.Payments(tx_hashes=tuple(each.tx_hash for each in payments))


def test_paid_exactly_once_passes_for_one_payment(witness: Witness) -> None:
    settlement.paid_exactly_once(paid_by(payment()), witness.expect)

    witness.saw_held("the recipient was paid exactly once")


@pytest.mark.parametrize(
    ("payments", "saw"),
    [
        pytest.param([], "none", id="never"),
        pytest.param([payment(), payment(tx_hash=OTHER_HASH)], f"{HASH}, {OTHER_HASH}", id="twice"),
        pytest.param([payment(), payment()], f"{HASH}, {HASH}", id="split in two in one transaction"),
        pytest.param([payment(), payment(amount_stroops=0)], HASH, id="a second payment of nothing"),
    ],
)
def test_paid_exactly_once_fails_when_it_was_another_number_of_times(
    payments: Sequence[Payment], saw: str, witness: Witness
) -> None:
    with witness.breaks("the recipient was paid exactly once", expected="one payment", saw=saw):
        settlement.paid_exactly_once(paid_by(*payments), witness.expect)


@pytest.mark.parametrize(
    ("elapsed_seconds", "promised"),
    [
        pytest.param(1, 129_629, id="one second, rounded down from 129629.61"),
        pytest.param(7, 907_407, id="rounded down from 907407.31"),
        pytest.param(59, 7_648_147, id="a second before the end"),
        pytest.param(60, PERIOD_STROOPS, id="the whole period"),
        pytest.param(61, PERIOD_STROOPS, id="no more than the period"),
        pytest.param(86_400, PERIOD_STROOPS, id="a day later"),
    ],
)
def test_paid_exact_amount_passes_for_what_time_has_earned(
    elapsed_seconds: int, promised: int, witness: Witness
) -> None:
    found = finding(elapsed_seconds=elapsed_seconds, amount=promised)

    paid = settlement.paid_exact_amount(found, ORDER, witness.expect)

    assert paid == promised
    witness.saw_held("the amount is exact", "the recipient's balance grew by the payment")
    assert witness.checks[0].expected.endswith(f"0.7777777 a minute for {elapsed_seconds} s of ledger time")


@pytest.mark.parametrize(
    ("rate", "schedule", "elapsed_seconds", "promised"),
    [
        ("1", "second", 1, 10_000_000),
        ("0.0000001", "second", 1, 1),
        ("0.0000002", "minute", 59, 1),
        ("922337203685.4775807", "year", 31_535_999, 9_223_371_744_383_567_129),
        ("100", "month", 2_592_000, 1_000_000_000),
    ],
)
def test_paid_exact_amount_is_exact_for_tiny_and_huge_rates(
    rate: str, schedule: str, elapsed_seconds: int, promised: int, witness: Witness
) -> None:
    order = replace(ORDER, rate=rate, schedule=schedule)
    found = finding(elapsed_seconds=elapsed_seconds, amount=promised)

    assert settlement.paid_exact_amount(found, order, witness.expect) == promised
    with witness.breaks("the amount is exact"):
        settlement.paid_exact_amount(
            finding(elapsed_seconds=elapsed_seconds, amount=promised + 1), order, witness.expect
        )


@pytest.mark.parametrize(
    "paid",
    [
        pytest.param(907_406, id="one stroop too little"),
        pytest.param(907_408, id="one stroop too much, as if rounded up"),
        pytest.param(0, id="nothing"),
        pytest.param(PERIOD_STROOPS, id="the whole period at once"),
        pytest.param(90_740, id="a tenth"),
        pytest.param(2 * 907_407, id="twice as much"),
        pytest.param(-907_407, id="the other way round"),
    ],
)
def test_paid_exact_amount_fails_when_the_payment_is_another(paid: int, witness: Witness) -> None:
    with witness.breaks("the amount is exact", expected="907407 stroops: 0.7777777 a minute for 7 s", saw=paid):
        settlement.paid_exact_amount(finding(elapsed_seconds=7, amount=paid), ORDER, witness.expect)


@pytest.mark.parametrize(("elapsed_seconds", "paid"), [(0, 0), (0, 1), (-5, 0), (-5, 907_407)])
def test_paid_exact_amount_fails_when_no_time_has_passed(elapsed_seconds: int, paid: int, witness: Witness) -> None:
    with witness.breaks("the amount is exact", expected=f"for {elapsed_seconds} s of ledger time", saw=paid):
        settlement.paid_exact_amount(finding(elapsed_seconds=elapsed_seconds, amount=paid), ORDER, witness.expect)


def test_nothing_paid_in_no_time_is_told_apart_from_what_was_expected(witness: Witness) -> None:
    with witness.breaks("the amount is exact", expected="more than 0 stroops", saw="0 stroops"):
        settlement.paid_exact_amount(finding(elapsed_seconds=0, amount=0), ORDER, witness.expect)


@pytest.mark.parametrize(
    "payments",
    [
        pytest.param([payment(amount_stroops=907_406), payment(amount_stroops=1)], id="in one transaction"),
        pytest.param([payment(amount_stroops=900_000), payment(amount_stroops=7_407, tx_hash=OTHER_HASH)], id="in two"),
    ],
)
def test_a_payment_that_is_split_is_the_exact_amount_but_not_one_payment(
    payments: Sequence[Payment], witness: Witness
) -> None:
    found = finding(*payments, elapsed_seconds=7)

    assert settlement.paid_exact_amount(found, ORDER, witness.expect) == 907_407
    with witness.breaks("the recipient was paid exactly once"):
        settlement.paid_exactly_once(paid_by(*found.seen.payments), witness.expect)


@pytest.mark.parametrize(
    "balance_change",
    [
        pytest.param(907_406, id="one stroop was lost on the way"),
        pytest.param(907_408, id="one stroop came from nowhere"),
        pytest.param(0, id="the transfer was told, but nothing arrived"),
        pytest.param(907_407 - 100, id="the recipient paid the fee"),
    ],
)
def test_paid_exact_amount_fails_when_the_balance_tells_otherwise(balance_change: int, witness: Witness) -> None:
    with witness.breaks("the recipient's balance grew by the payment", expected=907_407, saw=balance_change):
        settlement.paid_exact_amount(
            finding(elapsed_seconds=7, amount=907_407, balance_change=balance_change), ORDER, witness.expect
        )


@given(
    elapsed_seconds=st.integers(1, 10**6),
    off_by=st.integers(-(10**12), 10**12).filter(bool),
    stroops=st.integers(60, 10**15),
)
def test_no_amount_but_one_is_ever_exact(elapsed_seconds: int, off_by: int, stroops: int) -> None:
    witness = Witness()
    order = replace(ORDER, rate=f"{stroops // 10**7}.{stroops % 10**7:07}")
    promised = min(stroops, stroops * elapsed_seconds // 60)

    paid = finding(elapsed_seconds=elapsed_seconds, amount=promised)
    assert settlement.paid_exact_amount(paid, order, witness.expect) == promised
    with witness.breaks("the amount is exact"):
        wrong = finding(elapsed_seconds=elapsed_seconds, amount=promised + off_by)
        settlement.paid_exact_amount(wrong, order, witness.expect)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="both hashes"),
        pytest.param({"settlement_tx_hash": ""}, id="the settlement's hash only"),
        pytest.param({"receipt_tx_hash": ""}, id="the record's hash only"),
    ],
)
def test_records_agree_passes_where_they_name_one_settlement(change: dict[str, str], witness: Witness) -> None:
    settlement.records_agree(receipt(), record(**change), ORDER, witness.expect)

    assert len(witness.checks) >= 4
    assert all(check.held for check in witness.checks)


@pytest.mark.parametrize(
    ("receipt_change", "record_change", "promise", "expected", "saw"),
    [
        pytest.param(
            {"stream_id": "stream-2"},
            {},
            "the receipt is for the stream that was settled",
            "stream-1",
            "stream-2",
            id="receipt for another stream",
        ),
        pytest.param(
            {"receipt_tx_hash": OTHER_HASH},
            {},
            "the receipt's two hashes agree",
            HASH,
            OTHER_HASH,
            id="the receipt's hashes differ",
        ),
        pytest.param(
            {"receipt_tx_hash": HASH.upper()},
            {},
            "the receipt's two hashes agree",
            HASH,
            HASH.upper(),
            id="the receipt's hashes differ in case",
        ),
        pytest.param(
            {},
            {"settlement_tx_hash": OTHER_HASH, "receipt_tx_hash": OTHER_HASH},
            "the record names the receipt's transaction",
            HASH,
            OTHER_HASH,
            id="the record names another transaction",
        ),
        pytest.param(
            {},
            {"settlement_tx_hash": OTHER_HASH},
            "the record names the receipt's transaction",
            HASH,
            OTHER_HASH,
            id="the record's own hash is another",
        ),
        pytest.param(
            {},
            {"settlement_tx_hash": "", "receipt_tx_hash": OTHER_HASH},
            "the record names the receipt's transaction",
            HASH,
            OTHER_HASH,
            id="the settlement in the record is another",
        ),
        pytest.param(
            {},
            {"settlement_tx_hash": "", "receipt_tx_hash": ""},
            "the record names the receipt's transaction",
            HASH,
            "",
            id="the record names none",
        ),
        *(
            pytest.param(
                {},
                {"status": status},
                "the record says that the stream has ended",
                "ended",
                status,
                id=f"the record is {status}",
            )
            for status in ("active", "draft", "paused", "cancelled", "settled")
        ),
    ],
)
def test_records_agree_fails_when_they_do_not(
    receipt_change: dict[str, str],
    record_change: dict[str, str],
    promise: str,
    expected: str,
    saw: str,
    witness: Witness,
) -> None:
    with witness.breaks(promise, expected=expected, saw=saw):
        settlement.records_agree(receipt(**receipt_change), record(**record_change), ORDER, witness.expect)


@pytest.mark.parametrize(
    ("change", "saw"),
    [
        ({"recipient": "GSOMEBODY"}, "0.7777777 a minute to GSOMEBODY"),
        ({"rate": "0.78"}, "0.78 a minute"),
        ({"schedule": "hour"}, "0.7777777 a hour"),
    ],
)
def test_records_agree_fails_for_a_record_of_another_order(change: dict[str, str], saw: str, witness: Witness) -> None:
    with witness.breaks("the record is still of the order", expected=f"0.7777777 a minute to {RECIPIENT}", saw=saw):
        settlement.records_agree(receipt(), record(**change), ORDER, witness.expect)


def test_escrowed_as_ordered_passes_for_the_order_to_the_last_stroop(witness: Witness) -> None:
    settlement.escrowed_as_ordered(creation(), ORDER, TOKEN, witness.expect)

    witness.saw_held("the ledger holds the stream as ordered")


@pytest.mark.parametrize(
    ("change", "saw"),
    [
        ({"total_stroops": 7_777_776}, "7777776 stroops"),
        ({"total_stroops": 77_777_770}, "77777770 stroops"),
        ({"duration_seconds": 59}, "over 59 s"),
        ({"token": OTHER_CONTRACT}, f"of token {OTHER_CONTRACT}"),
    ],
)
def test_escrowed_as_ordered_fails_for_another_escrow(change: dict[str, Any], saw: str, witness: Witness) -> None:
    with witness.breaks("the ledger holds the stream as ordered", expected="7777777 stroops over 60 s", saw=saw):
        settlement.escrowed_as_ordered(creation(**change), ORDER, TOKEN, witness.expect)


CONSERVED = "what was not earned goes back to the payer, to the last stroop"


def returned(amount_stroops: int, recipient: str = PAYER.address) -> Payment:
    return payment(amount_stroops=amount_stroops, recipient=recipient)


@pytest.mark.parametrize(
    "paid_out",
    [
        pytest.param([payment(amount_stroops=7_777_777)], id="everything was earned"),
        pytest.param([payment(amount_stroops=777), returned(7_777_000)], id="the rest goes back"),
        pytest.param([payment(amount_stroops=777), returned(7_000_000), returned(777_000)], id="back in two parts"),
    ],
)
def test_nothing_lost_or_made_passes_when_the_escrow_is_empty_afterwards(
    paid_out: Sequence[Payment], witness: Witness
) -> None:
    settlement.escrow_is_paid_out(finding(paid_out=paid_out), witness.expect)

    witness.saw_held(CONSERVED)


@pytest.mark.parametrize(
    ("paid_out", "saw"),
    [
        pytest.param([payment(amount_stroops=777)], "0 stroops", id="the contract keeps the rest"),
        pytest.param([payment(amount_stroops=777), returned(7_776_999)], "7776999", id="it keeps a stroop"),
        pytest.param([payment(amount_stroops=777), returned(7_777_001)], "7777001", id="it gives a stroop of others'"),
        pytest.param(
            [payment(amount_stroops=777), returned(7_777_000, "GSOMEBODY")], "GSOMEBODY", id="the rest to a stranger"
        ),
        pytest.param(
            [payment(amount_stroops=777), returned(7_776_900), returned(100, "GCOLLECTOR")],
            "100 stroops to GCOLLECTOR",
            id="a fee nobody announced",
        ),
        pytest.param(
            [payment(amount_stroops=7_777_777), returned(0, "GSOMEBODY")], "GSOMEBODY", id="nothing, to a stranger"
        ),
    ],
)
def test_nothing_lost_or_made_fails_when_the_escrow_is_not_accounted_for(
    paid_out: Sequence[Payment], saw: str, witness: Witness
) -> None:
    with witness.breaks(CONSERVED, expected=f"stroops to {PAYER.address}", saw=saw):
        settlement.escrow_is_paid_out(finding(paid_out=paid_out), witness.expect)


CLAIMED = "the receipt has the time of the settlement"
CLOSED = outcome().closed_at
AHEAD_SECONDS = 86_400


def iso(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat()


@pytest.mark.parametrize(
    "settled_at",
    [
        iso(CLOSED),
        iso(CLOSED - 120),
        iso(CLOSED + 120),
        iso(CLOSED).replace("+00:00", "Z"),
        iso(CLOSED).replace("+00:00", ""),
        datetime.fromtimestamp(CLOSED, timezone(timedelta(hours=2))).isoformat(),
    ],
)
def test_settled_when_it_says_passes_near_the_ledgers_time_however_it_is_written(
    settled_at: str, witness: Witness
) -> None:
    settlement.settlement_time_agrees(receipt(settled_at=settled_at), finding(), witness.expect)

    witness.saw_held(CLAIMED)


@pytest.mark.parametrize("settled_at", [iso(CLOSED - 121), iso(CLOSED + 121), "", "just now", "2026-01-05"])
def test_settled_when_it_says_fails_for_another_time_or_none(settled_at: str, witness: Witness) -> None:
    with witness.breaks(CLAIMED, expected=iso(CLOSED), saw=settled_at):
        settlement.settlement_time_agrees(receipt(settled_at=settled_at), finding(), witness.expect)


def test_a_ledger_that_runs_ahead_of_its_service_is_allowed_for_and_not_the_other_way_round(witness: Witness) -> None:
    early, late = (receipt(settled_at=iso(CLOSED + seconds)) for seconds in (-3600, 3600))
    settlement.settlement_time_agrees(early, finding(most_ahead_seconds=AHEAD_SECONDS), witness.expect)
    with witness.breaks(CLAIMED):
        settlement.settlement_time_agrees(late, finding(most_ahead_seconds=AHEAD_SECONDS), witness.expect)


DRAFT = record(status="draft", settlement_tx_hash="", receipt_tx_hash="")


@pytest.mark.parametrize("status", [409, 422])
def test_refused_too_early_passes_for_a_refusal_that_changes_nothing(status: int, witness: Witness) -> None:
    settlement.refused_before_start(answer(status), DRAFT, witness.expect)

    witness.saw_held("a stream that was never started is not settled", "a refused settlement changes nothing")


@pytest.mark.parametrize("status", [200, 202, 400, 401, 404, 500, 502])
def test_refused_too_early_fails_when_it_is_not_refused_for_what_it_asks(status: int, witness: Witness) -> None:
    with witness.breaks("a stream that was never started is not settled", expected="a refusal", saw=f"status {status}"):
        settlement.refused_before_start(answer(status), DRAFT, witness.expect)


@pytest.mark.parametrize("change", [{"status": "ended"}, {"settlement_tx_hash": HASH}, {"receipt_tx_hash": HASH}])
def test_refused_too_early_fails_when_the_stream_moved_all_the_same(change: dict[str, str], witness: Witness) -> None:
    with witness.breaks("a refused settlement changes nothing", expected="draft", saw=next(iter(change.values()))):
        settlement.refused_before_start(answer(409), replace(DRAFT, **change), witness.expect)


def code_of(told: Answer) -> str:
    return str((told.json or {}).get("error", ""))


EARLY = answer(409, {"error": "INVALID_STREAM_STATE"})
LATER = "the early refusal is not repeated"


@pytest.mark.parametrize(
    "again", [answer(200, {"data": {}}), answer(409, {"error": "IdempotencyKeyReused"}), answer(422, {"error": "USED"})]
)
def test_refusal_is_not_kept_passes_for_a_receipt_or_a_refusal_of_the_key(again: Answer, witness: Witness) -> None:
    settlement.refusal_is_not_repeated(EARLY, again, code_of, witness.expect)

    witness.saw_held(LATER)


@pytest.mark.parametrize(
    ("again", "saw"),
    [
        (EARLY, "status 409 INVALID_STREAM_STATE"),
        (answer(422, {"error": "INVALID_STREAM_STATE"}), "status 422 INVALID_STREAM_STATE"),
        (answer(500), "status 500"),
        (answer(202, {}), "status 202"),
        (answer(404, {"error": "STREAM_NOT_FOUND"}), "status 404"),
    ],
)
def test_refusal_is_not_kept_fails_for_the_refusal_of_a_state_that_is_over(
    again: Answer, saw: str, witness: Witness
) -> None:
    with witness.breaks(LATER, expected="a receipt, or a refusal of the used key", saw=saw):
        settlement.refusal_is_not_repeated(EARLY, again, code_of, witness.expect)


@pytest.mark.parametrize("replayed", [True, False])
def test_same_receipt_passes_for_the_first_one_again(replayed: bool, witness: Witness) -> None:
    settlement.same_receipt(receipt(), receipt(replayed=replayed), witness.expect)

    assert len(witness.checks) >= 2
    assert all(check.held for check in witness.checks)


@pytest.mark.parametrize(
    ("change", "promise", "saw"),
    [
        ({"stream_id": "stream-2"}, "the repeated settlement is for the same stream", "stream-2"),
        (
            {"settlement_tx_hash": OTHER_HASH, "receipt_tx_hash": OTHER_HASH},
            "the repeated settlement names the same transaction",
            OTHER_HASH,
        ),
        ({"settlement_tx_hash": ""}, "the repeated settlement names the same transaction", ""),
        ({"settlement_tx_hash": HASH.upper()}, "the repeated settlement names the same transaction", HASH.upper()),
    ],
    ids=["another stream", "another transaction", "no transaction", "the hash in upper case"],
)
def test_same_receipt_fails_when_it_is_another(
    change: dict[str, str], promise: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, saw=saw):
        settlement.same_receipt(receipt(), receipt(**change), witness.expect)


REFUSALS = (409, 422)
NO_REFUSALS = [200, 201, 202, 204, 301, 302, 307, 500, 501, 502, 503, 504]
"""Success, redirects, and failures that say nothing of whether money moved."""


@pytest.mark.parametrize("status", REFUSALS)
def test_cannot_settle_again_passes_for_a_refusal(status: int, witness: Witness) -> None:
    settlement.cannot_settle_again(answer(status, {"error": {"code": "INVALID_STREAM_STATE"}}), witness.expect)

    witness.saw_held("a settled stream cannot be settled again")


@pytest.mark.parametrize("status", NO_REFUSALS)
def test_cannot_settle_again_fails_when_it_is_not_refused(status: int, witness: Witness) -> None:
    with witness.breaks("a settled stream cannot be settled again", expected="refusal", saw=f"status {status}"):
        settlement.cannot_settle_again(answer(status), witness.expect)


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("body", [None, {"error": "IdempotencyKeyReused", "message": "stream-2 has another"}])
def test_key_does_not_answer_for_passes_for_a_refusal(status: int, body: Any, witness: Witness) -> None:
    settlement.used_key_is_refused(answer(status, body), receipt(), record(id="stream-2"), witness.expect)

    witness.saw_held(
        "a settlement key answers for its own stream only",
        "a stream that was never started is not settled by a used key",
    )


@pytest.mark.parametrize("status", [200, 409, 500])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"data": {"id": "stream-1", "settlementTxHash": HASH}}, id="the whole receipt"),
        pytest.param({"error": {"code": "USED", "details": {"first": "stream-1"}}}, id="the stream's name"),
        pytest.param({"error": {"code": "USED", "details": [HASH]}}, id="the hash"),
    ],
)
def test_key_does_not_answer_for_fails_when_the_first_receipt_comes_back(
    status: int, body: Any, witness: Witness
) -> None:
    with witness.breaks(
        "a settlement key answers for its own stream only",
        expected="an answer about stream-2, or a refusal",
        saw="the receipt of stream-1",
    ):
        settlement.used_key_is_refused(answer(status, body), receipt(), record(id="stream-2"), witness.expect)


def test_key_does_not_answer_for_fails_when_the_receipt_comes_back_as_plain_text(witness: Witness) -> None:
    with witness.breaks("a settlement key answers for its own stream only"):
        settlement.used_key_is_refused(
            answer(409, text=f"already settled in {HASH}"), receipt(), record(id="stream-2"), witness.expect
        )


@pytest.mark.parametrize("status", NO_REFUSALS)
def test_key_does_not_answer_for_fails_when_it_is_not_refused(status: int, witness: Witness) -> None:
    settled = answer(status, {"data": {"id": "stream-2", "settlementTxHash": OTHER_HASH}})
    with witness.breaks(
        "a stream that was never started is not settled by a used key", expected="refusal", saw=f"status {status}"
    ):
        settlement.used_key_is_refused(settled, receipt(), record(id="stream-2"), witness.expect)
