"""How a settlement is proved: every way in which a service could have settled otherwise than it says."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
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
    START,
    TOKEN,
    PaperLedger,
    Witness,
    paper_ledger,
    receipt,
    record,
)

from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.observations.settings_mismatch import ContractUnexpected
from streampay_smoke.acceptance.observations.settlement import LedgerProof, ServiceProof, SettlementProof
from streampay_smoke.chain import lag
from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.core.contract_profiles import PROFILES
from streampay_smoke.core.errors import Blame, PromiseBroken
from streampay_smoke.evidence.events import Settled, Waited
from streampay_smoke.service.records import Receipt, StreamOrder, StreamRecord

EARNED_STROOPS = 648_148
"""0.7777777 a minute for the 5 s between two ledgers on paper, rounded down."""

REST_STROOPS = 7_777_777 - EARNED_STROOPS


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(lag, "SLOWEST_LEDGER_SECONDS", 0.2)


def settle(
    paper: PaperLedger,
    *,
    amount_stroops: int = EARNED_STROOPS,
    sender: str = CONTRACT,
    returned_stroops: int = REST_STROOPS,
    payer: str = PAYER.address,
) -> None:
    """Let the service create, start and settle a stream; what was not earned goes back to the payer."""
    paper.create_stream(1)
    paper.start_stream(1)
    paper.transact(HASH)
    paper.pay(amount_stroops, tx_hash=HASH, sender=sender)
    if returned_stroops:
        paper.pay(returned_stroops, tx_hash=HASH, recipient=payer)


def watched(witness: Witness) -> tuple[PaperLedger, LedgerProof]:
    """Return a proof that began to watch, on a ledger where the recipient had been paid before."""
    paper, ledger = paper_ledger()
    paper.create_stream(90)
    paper.start_stream(90)
    paper.transact(OTHER_HASH)
    paper.pay(4_711, tx_hash=OTHER_HASH)
    paper.closes_when_asked = True
    return paper, LedgerProof(ledger, RECIPIENT, witness.events.append)


def created_once(proof: SettlementProof, order: StreamOrder, expect: Expect) -> None:
    settlement.created_once([record()], proof.creations(), order, expect)


def paid(proof: SettlementProof, claimed: Receipt, order: StreamOrder, expect: Expect) -> None:
    settlement.paid(proof.settlement(claimed), claimed, order, expect)


def paid_exactly_once(proof: SettlementProof, expect: Expect) -> None:
    settlement.paid_exactly_once(proof.payments("stream-1"), expect)


def still_paid_once(proof: SettlementProof, expect: Expect) -> None:
    settlement.paid_exactly_once(proof.payments_a_ledger_later("stream-1"), expect)


def agrees(proof: SettlementProof, claimed: Receipt, shown: StreamRecord, order: StreamOrder, expect: Expect) -> None:
    settlement.records_agree(claimed, shown, order, expect)
    settlement.payments_are_the_receipts(proof.payments("stream-1"), claimed, expect)


def test_a_settlement_made_as_promised_is_proved_by_the_ledger(witness: Witness) -> None:
    paper, proof = watched(witness)
    settle(paper)

    created_once(proof, ORDER, witness.expect)
    paid(proof, receipt(), ORDER, witness.expect)
    paid_exactly_once(proof, witness.expect)
    agrees(proof, receipt(), record(), ORDER, witness.expect)

    assert len(witness.checks) >= 14
    assert all(check.held for check in witness.checks)
    assert witness.of(Settled) == [
        Settled(
            stream_id="stream-1",
            tx_hash=HASH,
            ledger=paper.transactions[HASH].ledger,
            proof="ledger",
            amount_stroops=EARNED_STROOPS,
        )
    ]


def _nothing(paper: PaperLedger) -> None:
    """Do nothing on the ledger."""


def _two_streams(paper: PaperLedger) -> None:
    paper.create_stream(1)
    paper.create_stream(2)


def _stream_to_somebody_else(paper: PaperLedger) -> None:
    paper.create_stream(1, recipient="GSOMEBODY")


@pytest.mark.parametrize(
    ("made", "saw"),
    [
        pytest.param(_nothing, "none", id="no stream"),
        pytest.param(_two_streams, "2 streams: 1, 2", id="two streams"),
        pytest.param(_stream_to_somebody_else, "none", id="to somebody else"),
    ],
)
def test_created_once_fails_when_the_ledger_shows_another_number(
    made: Callable[[PaperLedger], None], saw: str, witness: Witness
) -> None:
    paper, proof = watched(witness)
    made(paper)

    with witness.breaks("one stream was created on the ledger", expected=f"one stream to {RECIPIENT}", saw=saw):
        created_once(proof, ORDER, witness.expect)


def test_created_once_fails_when_the_ledger_holds_another_order(witness: Witness) -> None:
    paper, proof = watched(witness)
    paper.create_stream(1)

    with witness.breaks("the ledger holds the stream as ordered", expected="over 3600 s", saw="over 60 s"):
        settlement.created_once_on_ledger(proof.creations(), replace(ORDER, schedule="hour"), witness.expect)


def _created(paper: PaperLedger, stream_id: int, *, contract_id: str, token: str = TOKEN) -> None:
    data = [stream_id, PAYER.address, RECIPIENT, token, 1, 0, 60, START]
    paper.transact(HASH, contract_id=contract_id)
    paper.tell(("stream", "created"), data, tx_hash=HASH, contract_id=contract_id)


def test_streams_on_another_contract_say_that_one_of_the_two_is_wrong(witness: Witness) -> None:
    paper, proof = watched(witness)
    _created(paper, 1, contract_id=OTHER_CONTRACT)

    with pytest.raises(ContractUnexpected, match=f"{OTHER_CONTRACT}, and SMOKE_CONTRACT_ID is {CONTRACT}") as caught:
        proof.starts("XLM")
    assert caught.value.blame is Blame.CONFIG


def test_streams_on_both_contracts_say_nothing_of_the_setting(witness: Witness) -> None:
    paper, proof = watched(witness)
    _created(paper, 1, contract_id=OTHER_CONTRACT)
    paper.create_stream(2)

    assert proof.starts("XLM") == 0


def test_what_another_kind_of_contract_tells_is_no_stream(witness: Witness) -> None:
    paper, proof = watched(witness)
    paper.transact(HASH, contract_id=OTHER_CONTRACT)
    paper.tell(("stream", "created"), ["live", RECIPIENT], tx_hash=HASH, contract_id=OTHER_CONTRACT)

    assert proof.starts("XLM") == 0


@pytest.mark.parametrize(
    ("held", "named", "refused"),
    [
        ("COTHERTOKEN", "USDC:GISSUER", True),
        ("COTHERTOKEN", "XLM", False),
        ("COTHERTOKEN", "", False),
        (TOKEN, "XLM", False),
    ],
    ids=["as its record says", "against its record", "its record says nothing", "the native one"],
)
def test_another_token_is_a_setting_only_where_the_record_names_it_too(
    held: str, named: str, refused: bool, witness: Witness
) -> None:
    paper, proof = watched(witness)
    _created(paper, 1, contract_id=CONTRACT, token=held)

    with pytest.raises(ContractUnexpected) if refused else contextlib.nullcontext():
        assert proof.starts(named) == 0


def _settles(paper: PaperLedger) -> None:
    settle(paper)


def _fails_on_the_ledger(paper: PaperLedger) -> None:
    settle(paper)
    paper.transact(HASH, status="FAILED")


def _through_another_contract(paper: PaperLedger) -> None:
    settle(paper)
    paper.transact(HASH, contract_id=OTHER_CONTRACT)


def _pays_in_another_transaction(paper: PaperLedger) -> None:
    paper.create_stream(1)
    paper.start_stream(1)
    paper.transact(HASH)
    paper.transact("ef" * 32)
    paper.pay(EARNED_STROOPS, tx_hash="ef" * 32)


def _pays_from_its_own_account(paper: PaperLedger) -> None:
    settle(paper, sender="GOPERATOR")


def _pays_somebody_else(paper: PaperLedger) -> None:
    paper.create_stream(1)
    paper.start_stream(1)
    paper.transact(HASH)
    paper.pay(EARNED_STROOPS, tx_hash=HASH, recipient="GSOMEBODY")


def _pays_one_stroop_less(paper: PaperLedger) -> None:
    settle(paper, amount_stroops=EARNED_STROOPS - 1)


def _pays_one_stroop_more(paper: PaperLedger) -> None:
    settle(paper, amount_stroops=EARNED_STROOPS + 1)


def _keeps_the_rest(paper: PaperLedger) -> None:
    settle(paper, returned_stroops=0)


def _overdraws(paper: PaperLedger) -> None:
    settle(paper, returned_stroops=REST_STROOPS + 1)


def _returns_the_rest_to_somebody_else(paper: PaperLedger) -> None:
    settle(paper, payer="GSOMEBODY")


def _pays_twice(paper: PaperLedger) -> None:
    settle(paper)
    paper.transact("ef" * 32)
    paper.pay(EARNED_STROOPS, tx_hash="ef" * 32)


def _pays_again_from_its_own_account(paper: PaperLedger) -> None:
    settle(paper)
    paper.transact("ef" * 32)
    paper.pay(EARNED_STROOPS, tx_hash="ef" * 32, sender="GOPERATOR")


def _never_starts(paper: PaperLedger) -> None:
    paper.create_stream(1)
    paper.transact(HASH)
    paper.pay(EARNED_STROOPS, tx_hash=HASH)


def _starts_twice(paper: PaperLedger) -> None:
    paper.create_stream(1)
    paper.start_stream(1)
    settle(paper)


def _takes_it_back(paper: PaperLedger) -> None:
    settle(paper)
    paper.balances[RECIPIENT] -= 1


def _pays_nothing_at_once(paper: PaperLedger) -> None:
    paper.create_stream(1)
    paper.start_stream(1)
    paper.closed_at -= 5
    paper.transact(HASH)
    paper.pay(0, tx_hash=HASH)


CONSERVED = "what was not earned goes back to the payer, to the last stroop"


@pytest.mark.parametrize(
    ("service", "promise", "saw"),
    [
        (_nothing, "the ledger knows the receipt's transaction", "never saw it"),
        (_fails_on_the_ledger, "the settlement transaction succeeded", "FAILED"),
        (_through_another_contract, "the expected contract was called", OTHER_CONTRACT),
        (_pays_in_another_transaction, "the expected contract paid the recipient", "no payment to the recipient"),
        (_pays_from_its_own_account, "the expected contract paid the recipient", "GOPERATOR"),
        (_pays_somebody_else, "the expected contract paid the recipient", "no payment to the recipient"),
        (_pays_one_stroop_less, "the amount is exact", f"{EARNED_STROOPS - 1} stroops"),
        (_pays_one_stroop_more, "the amount is exact", f"{EARNED_STROOPS + 1} stroops"),
        (_pays_twice, "the amount is exact", f"{2 * EARNED_STROOPS} stroops"),
        (_pays_again_from_its_own_account, "the amount is exact", f"{2 * EARNED_STROOPS} stroops"),
        (_never_starts, "the stream was started once on the ledger", "0"),
        (_starts_twice, "the stream was started once on the ledger", "2"),
        (_takes_it_back, "the recipient's balance grew by the payment", str(EARNED_STROOPS - 1)),
        (_pays_nothing_at_once, "the amount is exact", "0 stroops"),
        (_keeps_the_rest, CONSERVED, "0 stroops"),
        (_overdraws, CONSERVED, f"{REST_STROOPS + 1} stroops"),
        (_returns_the_rest_to_somebody_else, CONSERVED, "GSOMEBODY"),
    ],
)
def test_paid_fails_and_proves_nothing_when_the_service_did_otherwise(
    service: Callable[[PaperLedger], None], promise: str, saw: str, witness: Witness
) -> None:
    paper, proof = watched(witness)
    service(paper)

    with witness.breaks(promise, saw=saw):
        paid(proof, receipt(), ORDER, witness.expect)

    assert not witness.of(Settled)


@pytest.mark.parametrize(
    ("tx_hash", "promise", "saw"),
    [
        pytest.param("", "the receipt names a transaction", "no hash", id="no hash"),
        pytest.param("a" * 63, "the receipt names a transaction", "a" * 63, id="63 digits"),
        pytest.param(HASH.upper(), "the receipt names a transaction", HASH.upper(), id="upper case"),
        pytest.param("0" * 64, "the ledger knows the receipt's transaction", "never saw it", id="invented"),
        pytest.param(
            OTHER_HASH, "the settlement was made during this run", f"ledger {FIRST_LEDGER + 2}", id="an earlier one"
        ),
    ],
)
def test_paid_fails_when_the_receipt_names_another_transaction(
    tx_hash: str, promise: str, saw: str, witness: Witness
) -> None:
    paper, proof = watched(witness)
    settle(paper)

    with witness.breaks(promise, saw=saw):
        paid(proof, receipt(settlement_tx_hash=tx_hash, receipt_tx_hash=tx_hash), ORDER, witness.expect)

    assert not witness.of(Settled)


@pytest.mark.parametrize(
    ("service", "held"),
    [
        (_settles, True),
        (_pays_from_its_own_account, True),
        (_nothing, False),
        (_pays_twice, False),
        (_pays_again_from_its_own_account, False),
        (_pays_somebody_else, False),
    ],
)
def test_paid_exactly_once_counts_every_payment_since_the_proof_began(
    service: Callable[[PaperLedger], None], held: bool, witness: Witness
) -> None:
    paper, proof = watched(witness)
    service(paper)

    if held:
        paid_exactly_once(proof, witness.expect)
        witness.saw_held("the recipient was paid exactly once")
    else:
        with witness.breaks("the recipient was paid exactly once", expected="one payment"):
            paid_exactly_once(proof, witness.expect)


def test_a_payment_in_the_ledger_after_the_answer_is_seen(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    paper, proof = watched(witness)
    settle(paper)
    close_a_ledger = paper.next_ledger

    def pay_again(seconds: int = 5) -> None:
        close_a_ledger(seconds)
        paper.pay(EARNED_STROOPS, tx_hash="ef" * 32)

    paid_exactly_once(proof, witness.expect)
    monkeypatch.setattr(paper, "next_ledger", pay_again)
    with witness.breaks("the recipient was paid exactly once", saw="efef"):
        still_paid_once(proof, witness.expect)


def test_still_paid_once_waits_for_one_ledger_and_no_more(witness: Witness) -> None:
    paper, proof = watched(witness)
    paper.closes_when_asked = False
    settle(paper)
    before = paper.ledger

    still_paid_once(proof, witness.expect)

    assert paper.ledger == before + 1
    witness.saw_held("the recipient was paid exactly once")


def test_a_ledger_that_never_comes_says_nothing_of_the_release(witness: Witness) -> None:
    paper, proof = watched(witness)
    settle(paper)
    paper.never_closes = True

    with pytest.raises(ChainUnavailable):
        still_paid_once(proof, witness.expect)


AGREES = "the ledger's payment is the receipt's transaction"


@pytest.mark.parametrize(
    ("service", "saw"),
    [
        (_nothing, "nothing"),
        (_pays_in_another_transaction, "efef"),
        (_pays_twice, "efef"),
        (_pays_somebody_else, "nothing"),
    ],
)
def test_agrees_fails_when_the_ledger_shows_another_payment(
    service: Callable[[PaperLedger], None], saw: str, witness: Witness
) -> None:
    paper, proof = watched(witness)
    service(paper)

    with witness.breaks(AGREES, expected=HASH, saw=saw):
        agrees(proof, receipt(), record(), ORDER, witness.expect)


def test_agrees_fails_when_the_records_disagree_whatever_the_ledger_shows(witness: Witness) -> None:
    paper, proof = watched(witness)
    settle(paper)

    with witness.breaks("the record says that the stream has ended", saw="active"):
        agrees(proof, receipt(), record(status="active"), ORDER, witness.expect)


def test_a_contract_that_tells_of_no_streams_proves_none(witness: Witness) -> None:
    paper, ledger = paper_ledger()
    proof = LedgerProof(ledger, RECIPIENT, witness.events.append)
    settle(paper)
    paper.closes_when_asked = True
    ledger.contract.profile = PROFILES["streampay-contracts"]

    with witness.breaks("one stream was created on the ledger", saw="none"):
        created_once(proof, ORDER, witness.expect)


def test_a_transaction_that_our_ledger_learns_of_late_is_waited_for(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, ledger = paper_ledger()
    proof = LedgerProof(ledger, RECIPIENT, witness.events.append)
    settle(paper)
    looks, known = iter([None, None]), paper.transaction
    monkeypatch.setattr(paper, "transaction", lambda tx_hash: next(looks, known(tx_hash)))

    paid(proof, receipt(), ORDER, witness.expect)

    (waited,) = witness.of(Waited)
    assert (waited.met, waited.attempts) == (True, 3)
    assert len(witness.of(Settled)) == 1


def test_an_rpc_that_stands_still_accuses_nobody(witness: Witness) -> None:
    paper, proof = watched(witness)
    paper.closes_when_asked = False

    with pytest.raises(ChainUnavailable, match=r"0 of 4 ledgers later") as caught:
        paid(proof, receipt(), ORDER, witness.expect)

    assert caught.value.blame == "dependency"
    assert all(check.held for check in witness.checks)


def test_a_start_and_a_stream_that_our_ledger_learns_of_late_are_waited_for(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, proof = watched(witness)
    settle(paper)
    told = paper.events
    looks: tuple[Callable[[], int], ...] = (lambda: proof.starts("XLM"), lambda: len(proof.creations().created))
    for look in looks:
        late = iter([(), (), ()])
        monkeypatch.setattr(paper, "events", lambda late=late, **asked: next(late, None) or told(**asked))
        assert look() == 1


def test_a_transaction_nobody_knows_is_waited_for_only_as_long_as_a_ledger_may_lag(witness: Witness) -> None:
    _, proof = watched(witness)

    with witness.breaks("the ledger knows the receipt's transaction", saw="never saw it"):
        paid(proof, receipt(), ORDER, witness.expect)

    (waited,) = witness.of(Waited)
    assert not waited.met
    assert HASH in waited.what
    assert "4 of 4 ledgers later" in waited.last


class Blind(Expect):
    """Lets everything pass."""

    def __call__(self, promise: str, held: bool, *, expected: Any, observed: Any, **about: Any) -> None:
        """Look away."""


def test_a_transaction_nobody_knows_proves_nothing_even_when_the_check_is_blind(witness: Witness) -> None:
    paper, proof = watched(witness)
    settle(paper)
    del paper.transactions[HASH]

    with pytest.raises(PromiseBroken, match="the ledger does not know the receipt's transaction"):
        paid(proof, receipt(), ORDER, Blind(witness.events.append))


def test_the_services_word_is_taken_for_a_receipt_and_marked_as_its_word(witness: Witness) -> None:
    proof: SettlementProof = ServiceProof(RECIPIENT, lambda stream_id: record())

    created_once(proof, ORDER, witness.expect)
    paid(proof, receipt(), ORDER, witness.expect)
    paid_exactly_once(proof, witness.expect)
    still_paid_once(proof, witness.expect)
    agrees(proof, receipt(), record(), ORDER, witness.expect)

    assert witness.checks
    assert all(check.held for check in witness.checks)
    assert witness.of(Settled) == [
        Settled(stream_id="stream-1", tx_hash=HASH, ledger=None, proof="service", amount_stroops=None)
    ]


@pytest.mark.parametrize("hashes", [("", ""), (HASH, OTHER_HASH)], ids=["none", "two"])
def test_a_record_that_names_no_transaction_or_two_proves_no_payment(hashes: tuple[str, str], witness: Witness) -> None:
    shown = record(settlement_tx_hash=hashes[0], receipt_tx_hash=hashes[1])
    with witness.breaks("the service names one transaction", expected="one transaction"):
        paid_exactly_once(ServiceProof(RECIPIENT, lambda stream_id: shown), witness.expect)


def test_a_record_that_names_another_transaction_does_not_agree(witness: Witness) -> None:
    shown = record(settlement_tx_hash=OTHER_HASH, receipt_tx_hash=OTHER_HASH)
    with witness.breaks("the record's transaction is the receipt's transaction", saw=OTHER_HASH):
        settlement.payments_are_the_receipts(
            ServiceProof(RECIPIENT, lambda stream_id: shown).payments("stream-1"), receipt(), witness.expect
        )


@pytest.mark.parametrize(
    ("change", "promise", "saw"),
    [
        ({"status": "active"}, "the receipt says that the stream has ended", "active"),
        ({"status": "draft"}, "the receipt says that the stream has ended", "draft"),
        ({"settlement_tx_hash": ""}, "the receipt names a transaction", "no"),
        ({"settlement_tx_hash": "fake-tx-0a1b2c3d"}, "the receipt names a transaction", "fake-tx-0a1b2c3d"),
        ({"settlement_tx_hash": HASH[:-1]}, "the receipt names a transaction", HASH[:-1]),
    ],
    ids=str,
)
def test_the_services_word_is_not_taken_when_the_receipt_does_not_claim_it(
    change: dict[str, str], promise: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, saw=saw):
        paid(ServiceProof(RECIPIENT, lambda stream_id: record()), receipt(**change), ORDER, witness.expect)

    assert not witness.of(Settled)


@pytest.mark.parametrize(
    "wrong",
    [receipt(receipt_tx_hash=OTHER_HASH), receipt(stream_id="stream-2"), receipt(settlement_tx_hash=OTHER_HASH)],
    ids=["two hashes", "another stream", "another transaction"],
)
def test_the_services_records_must_still_agree(wrong: Receipt, witness: Witness) -> None:
    with pytest.raises(PromiseBroken):
        agrees(ServiceProof(RECIPIENT, lambda stream_id: record()), wrong, record(), ORDER, witness.expect)

    assert not witness.checks[-1].held
