"""Every row of the error table: what each sign leads to, how often, and what is raised when it does not pass."""

from collections.abc import Callable
from typing import Any

import pytest
from ledger_double import CONTRACT, START, FakeTime, LedgerDouble, Raw, meta_v4, result_of, said
from stellar_sdk import Address, Keypair, scval, xdr

from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainError,
    ChainUnavailable,
    ContractFailure,
    ContractMissing,
    FootprintRace,
    HostFailure,
    SignatureRefused,
    TxOutcome,
    TxRejected,
    TxTimeout,
)
from streampay_smoke.chain.recovery import MAX_BASE_FEE, RECOVERIES
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import Probed, Waited

Invoke = Callable[[], TxOutcome]
OUTSIDE = "trying to access contract storage key outside of the footprint"


@pytest.fixture
def invoke(adapter: StellarAdapter, payer: ChainAccount) -> Invoke:
    return lambda: adapter.invoke(CONTRACT, "ping", signer=payer)


def rejects(code: str, **more: Any) -> Callable[[LedgerDouble], None]:
    return lambda ledger: ledger.script("sendTransaction", ledger.refuses(code, **more))


def is_out_of_time(code: str) -> Callable[[LedgerDouble], None]:
    """The ledger turns out to be a minute ahead of what it had said."""

    def happen(ledger: LedgerDouble) -> None:
        def answer(params: dict[str, Any]) -> dict[str, Any]:
            ledger.closed_at += 60
            return ledger.refuses(code)(params)

        ledger.script("sendTransaction", answer)

    return happen


def closes_as(operation: str, *words: str) -> Callable[[LedgerDouble], None]:
    return lambda ledger: ledger.script("getTransaction", ledger.fails(operation, *([said(*words)] if words else [])))


def puts_off(ledger: LedgerDouble) -> None:
    ledger.script("sendTransaction", ledger.says("TRY_AGAIN_LATER"))


def loses_the_answer(ledger: LedgerDouble) -> None:
    ledger.script("sendTransaction", ledger.takes_but(Raw(status=0)))


def loses_the_question(ledger: LedgerDouble) -> None:
    ledger.script("sendTransaction", Raw(status=504))


# sign: how the ledger shows it, attempts it is worth, simulations and envelopes an attempt after it makes
ROWS: dict[str, tuple[Callable[[LedgerDouble], None], int, int, int]] = {
    "TRY_AGAIN_LATER": (puts_off, 3, 0, 0),
    "unanswered": (loses_the_question, 3, 0, 0),
    "txBAD_SEQ": (rejects("txBAD_SEQ"), 3, 0, 1),
    "txINSUFFICIENT_FEE": (rejects("txINSUFFICIENT_FEE"), 3, 0, 1),
    "txTOO_LATE": (is_out_of_time("txTOO_LATE"), 1, 0, 1),
    "txTOO_EARLY": (is_out_of_time("txTOO_EARLY"), 1, 0, 1),
    "txSOROBAN_INVALID": (rejects("txSOROBAN_INVALID"), 1, 1, 1),
    "RESOURCE_LIMIT_EXCEEDED": (closes_as("RESOURCE_LIMIT_EXCEEDED"), 1, 1, 1),
    "INSUFFICIENT_REFUNDABLE_FEE": (closes_as("INSUFFICIENT_REFUNDABLE_FEE"), 1, 1, 1),
    "outside footprint": (closes_as("TRAPPED", OUTSIDE), 6, 1, 1),
    "ENTRY_ARCHIVED": (closes_as("ENTRY_ARCHIVED"), 1, 1, 1),
}


def test_every_recovery_of_the_table_has_a_row_here() -> None:
    # A dropped transaction takes a script of its own, below.
    assert ROWS.keys() | {"dropped"} == RECOVERIES.keys()


@pytest.mark.parametrize("sign", ROWS)
def test_a_setback_met_as_often_as_allowed_still_ends_well(sign: str, ledger: LedgerDouble, invoke: Invoke) -> None:
    happens, at_most, simulations, envelopes = ROWS[sign]
    for _ in range(at_most):
        happens(ledger)
    outcome = invoke()
    assert (outcome.status, outcome.value, outcome.attempts) == ("SUCCESS", 7, at_most + 1)
    assert ledger.unused() == {}
    assert ledger.methods().count("simulateTransaction") == 1 + at_most * simulations
    assert len({sent.hash() for sent in ledger.sent}) == (1 + at_most if envelopes else 1)
    assert outcome.tx_hash == ledger.sent[-1].hash_hex()


@pytest.mark.parametrize("sign", ROWS)
def test_a_setback_met_once_too_often_is_raised(sign: str, ledger: LedgerDouble, invoke: Invoke) -> None:
    happens, at_most, _, _ = ROWS[sign]
    for _ in range(at_most + 1):
        happens(ledger)
    with pytest.raises(ChainError) as caught:
        invoke()
    assert caught.value.next_step
    assert ledger.unused() == {}


FINALS: list[tuple[Callable[[LedgerDouble], None], type[ChainError], dict[str, Any]]] = [
    (rejects("txBAD_AUTH"), SignatureRefused, {"code": "txBAD_AUTH", "blame": Blame.CONFIG}),
    (rejects("txBAD_AUTH_EXTRA"), SignatureRefused, {"code": "txBAD_AUTH_EXTRA"}),
    (rejects("txNO_ACCOUNT"), TxRejected, {"code": "txNO_ACCOUNT"}),
    (rejects("txINSUFFICIENT_BALANCE"), TxRejected, {"code": "txINSUFFICIENT_BALANCE", "blame": Blame.DEPENDENCY}),
    (rejects("txMALFORMED"), TxRejected, {"code": "txMALFORMED"}),
    (closes_as("TRAPPED"), HostFailure, {"error": "InvokeHostFunction, TRAPPED", "blame": Blame.PRODUCT}),
    (closes_as("MALFORMED"), HostFailure, {"error": "InvokeHostFunction, MALFORMED"}),
    (closes_as("TRAPPED", "failing", "#3"), ContractFailure, {"code": 3, "name": "ContractPaused"}),
    (closes_as("TRAPPED", "Error(Auth, InvalidAction)"), HostFailure, {"error": "Auth, InvalidAction"}),
]


@pytest.mark.parametrize(("happens", "error", "facts"), FINALS)
def test_what_no_attempt_can_cure_is_raised_at_once(
    happens: Callable[[LedgerDouble], None],
    error: type[ChainError],
    facts: dict[str, Any],
    ledger: LedgerDouble,
    invoke: Invoke,
) -> None:
    happens(ledger)
    with pytest.raises(error) as caught:
        invoke()
    assert {name: getattr(caught.value, name) for name in facts} == facts
    assert len(ledger.sent) == 1


def test_a_transaction_closed_as_failed_without_an_operation_is_rejected(ledger: LedgerDouble, invoke: Invoke) -> None:
    def fail(params: dict[str, Any]) -> dict[str, Any]:
        ledger.close_with(params["hash"], status="FAILED", resultXdr=result_of("txFAILED"))
        return ledger.getTransaction(params)

    ledger.script("getTransaction", fail)
    with pytest.raises(TxRejected) as caught:
        invoke()
    assert caught.value.code == "txFAILED"


def test_the_words_of_a_refusal_are_told(ledger: LedgerDouble, invoke: Invoke) -> None:
    diagnostics = [said("the signature does not verify").to_xdr()]
    ledger.script("sendTransaction", ledger.refuses("txBAD_AUTH", diagnosticEventsXdr=diagnostics))
    with pytest.raises(SignatureRefused, match="the signature does not verify"):
        invoke()


@pytest.mark.parametrize("status", ["PENDING", "DUPLICATE"])
def test_duplicate_is_as_good_as_pending(status: str, ledger: LedgerDouble, invoke: Invoke) -> None:
    ledger.script("sendTransaction", ledger.says(status))
    assert invoke().attempts == 1
    assert len(ledger.sent) == 1


def test_try_again_later_waits_for_a_ledger_each_time(
    ledger: LedgerDouble, invoke: Invoke, recorded: list[Any]
) -> None:
    def later(params: dict[str, Any]) -> dict[str, Any]:
        ledger.close_ledger()
        return ledger.getHealth(params)

    puts_off(ledger)
    health = ledger.getHealth({})
    ledger.script("getHealth", health, health, health)
    ledger.script("getHealth", later)
    invoke()
    waits = [event for event in recorded if isinstance(event, Waited) and event.what.startswith("a ledger after")]
    assert [(wait.met, wait.last) for wait in waits] == [(True, "ledger 1001")]


def test_try_again_later_ends_with_the_time_bounds(ledger: LedgerDouble, invoke: Invoke, fake_time: FakeTime) -> None:
    def long_wait(params: dict[str, Any]) -> dict[str, Any]:
        fake_time.now += 31
        return ledger.getHealth(params)

    puts_off(ledger)
    puts_off(ledger)
    ledger.script("getHealth", ledger.getHealth({}), long_wait)
    with pytest.raises(TxRejected) as caught:
        invoke()
    assert caught.value.code == "TRY_AGAIN_LATER"
    assert len(ledger.sent) == 1


def test_an_answer_that_got_lost_is_looked_up_and_not_sent_again(ledger: LedgerDouble, invoke: Invoke) -> None:
    loses_the_answer(ledger)
    assert invoke().value == 7
    assert len(ledger.sent) == 1


def test_an_answer_nobody_can_read_is_looked_up_too(ledger: LedgerDouble, invoke: Invoke) -> None:
    ledger.script("sendTransaction", ledger.takes_but({"status": "MAYBE"}))
    assert invoke().value == 7
    assert len(ledger.sent) == 1


def test_a_question_that_got_lost_is_sent_again_unchanged(ledger: LedgerDouble, invoke: Invoke) -> None:
    loses_the_question(ledger)
    invoke()
    after = ledger.methods()[ledger.methods().index("sendTransaction") :]
    assert after == ["sendTransaction", "getTransaction", "sendTransaction", "getTransaction"]


def test_retry_after_is_waited_for_before_a_transaction_is_looked_up(
    ledger: LedgerDouble, invoke: Invoke, fake_time: FakeTime
) -> None:
    ledger.script("sendTransaction", Raw(status=429, headers={"retry-after": "3"}))
    invoke()
    assert 3.0 in fake_time.slept


def test_a_retry_after_beyond_the_time_bounds_is_not_waited_for(ledger: LedgerDouble, invoke: Invoke) -> None:
    ledger.script("sendTransaction", Raw(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(ChainUnavailable) as caught:
        invoke()
    assert caught.value.retry_after_seconds == 3600
    assert len(caught.value.tx_hash) == 64


def test_a_refusal_of_what_may_have_arrived_is_followed_instead_of_signed_anew(
    ledger: LedgerDouble, invoke: Invoke
) -> None:
    # The first copy is applied between our look and our second copy, which then has a used sequence number.
    ledger.script("sendTransaction", ledger.takes_but(Raw(status=0)), ledger.refuses("txBAD_SEQ"))
    ledger.script("getTransaction", ledger.not_found, ledger.not_found)
    assert invoke().status == "SUCCESS"
    assert len({sent.hash() for sent in ledger.sent}) == 1


def test_an_rpc_that_dies_while_a_transaction_is_followed_leaves_its_hash(ledger: LedgerDouble, invoke: Invoke) -> None:
    ledger.script("getTransaction", *[Raw(status=503)] * 20)
    with pytest.raises(ChainUnavailable, match="may be applied all the same") as caught:
        invoke()
    assert caught.value.tx_hash == ledger.sent[0].hash_hex()


def test_after_a_lost_answer_the_sequence_number_is_asked_for_again(
    ledger: LedgerDouble, invoke: Invoke, payer: ChainAccount
) -> None:
    ledger.script("getTransaction", *[Raw(status=503)] * 20)
    with pytest.raises(ChainUnavailable):
        invoke()
    ledger._scripts.clear()
    ledger.getTransaction({"hash": ledger.sent[0].hash_hex()})
    assert invoke().status == "SUCCESS"
    assert [sent.transaction.sequence for sent in ledger.sent] == [4_001, 4_002]


def test_a_stale_sequence_number_is_replaced_by_the_ledgers_later_one(
    ledger: LedgerDouble, invoke: Invoke, payer: ChainAccount
) -> None:
    invoke()
    ledger.sequences[payer.address] = 5_000
    rejects("txBAD_SEQ")(ledger)
    invoke()
    assert ledger.sent[-1].transaction.sequence == 5_001


def test_a_lagging_backends_sequence_number_is_believed_only_at_last(
    ledger: LedgerDouble, invoke: Invoke, payer: ChainAccount
) -> None:
    invoke()
    ledger.sequences[payer.address] = 3_000
    for _ in range(3):
        rejects("txBAD_SEQ")(ledger)
    invoke()
    assert [sent.transaction.sequence for sent in ledger.sent[1:]] == [4_002, 4_002, 4_002, 3_001]


def test_the_base_fee_follows_the_others_and_is_capped(ledger: LedgerDouble, invoke: Invoke) -> None:
    for _ in range(3):
        rejects("txINSUFFICIENT_FEE", fee=9_999)(ledger)
    ledger.script("getFeeStats", ledger.getFeeStats({}), fee_stats(ledger, 40_000), fee_stats(ledger, 90_000))
    invoke()
    assert [sent.transaction.fee - 5_000 for sent in ledger.sent] == [100, 600, 80_000, MAX_BASE_FEE]


def test_a_fee_above_the_cap_is_not_paid(ledger: LedgerDouble, invoke: Invoke) -> None:
    ledger.script("getFeeStats", fee_stats(ledger, 70_000))
    rejects("txINSUFFICIENT_FEE", fee=123_456)(ledger)
    rejects("txINSUFFICIENT_FEE", fee=123_456)(ledger)
    with pytest.raises(TxRejected, match="it wanted 123456 stroops") as caught:
        invoke()
    assert caught.value.code == "txINSUFFICIENT_FEE"
    assert len(ledger.sent) == 2


def fee_stats(ledger: LedgerDouble, p90: int) -> dict[str, Any]:
    stats = ledger.getFeeStats({})
    return stats | {"sorobanInclusionFee": stats["sorobanInclusionFee"] | {"p90": str(p90)}}


@pytest.mark.parametrize(("ahead", "ok"), [(5.0, True), (-5.0, True), (100.0, False), (-100.0, False)])
def test_too_late_compares_the_clocks(
    ahead: float, ok: bool, ledger: LedgerDouble, invoke: Invoke, fake_time: FakeTime, recorded: list[Any]
) -> None:
    fake_time.wall_ahead = ahead
    rejects("txTOO_LATE")(ledger)
    invoke()
    (probe,) = [event for event in recorded if isinstance(event, Probed)]
    assert (probe.name, probe.ok) == ("clock skew", ok)
    assert f"{ahead:+.0f} s" in probe.detail


def test_time_bounds_follow_the_later_clock(ledger: LedgerDouble, invoke: Invoke, fake_time: FakeTime) -> None:
    fake_time.wall_ahead = -3_600.0
    invoke()
    preconditions = ledger.sent[0].transaction.preconditions
    assert preconditions is not None
    assert preconditions.time_bounds is not None
    assert preconditions.time_bounds.max_time == START + 30


def test_a_second_simulation_gets_fifteen_percent_more(ledger: LedgerDouble, invoke: Invoke) -> None:
    rejects("txSOROBAN_INVALID")(ledger)
    invoke()
    first, second = (sent.transaction for sent in ledger.sent)
    assert (first.fee, second.fee) == (5_100, 5_850)
    assert second.soroban_data is not None
    assert second.soroban_data.resource_fee.int64 == 5_750
    assert second.soroban_data.resources.instructions.uint32 == 1_150


def test_a_lost_footprint_race_is_no_fault_of_the_product(ledger: LedgerDouble, invoke: Invoke) -> None:
    for _ in range(7):
        closes_as("TRAPPED", OUTSIDE)(ledger)
    with pytest.raises(FootprintRace) as caught:
        invoke()
    assert caught.value.blame == Blame.DEPENDENCY


def drops(ledger: LedgerDouble) -> None:
    """The transaction is taken and never closed; ledgers go on."""
    ledger.script("sendTransaction", ledger.says("PENDING"))


def test_a_dropped_transaction_is_rebuilt_once_its_bounds_have_passed_for_good(
    ledger: LedgerDouble, invoke: Invoke, recorded: list[Any]
) -> None:
    drops(ledger)
    ledger.script("getTransaction", *[ledger.not_found] * 9)
    outcome = invoke()
    assert outcome.attempts == 2
    first, second = ledger.sent
    assert first.hash() != second.hash()
    assert second.transaction.sequence == first.transaction.sequence
    # Bounds of 30 s, ledgers of 5 s: the 7th ledger is the first too late, the 9th two after it.
    assert ledger.methods().count("getTransaction") == 10
    lost, closed = [event for event in recorded if isinstance(event, Waited)]
    assert (lost.met, closed.met) == (False, True)


def test_a_ledger_whose_time_leaps_has_the_ledgers_it_takes_to_drop_all_the_same(
    ledger: LedgerDouble, invoke: Invoke
) -> None:
    taken = ledger.says("PENDING")
    ledger.script("sendTransaction", lambda asked: taken(asked) | {"latestLedgerCloseTime": str(START + 100)})
    ledger.script("getTransaction", *[ledger.not_found] * 9)
    assert invoke().attempts == 2


def test_nothing_is_rebuilt_before_the_bounds_have_passed(ledger: LedgerDouble, invoke: Invoke) -> None:
    drops(ledger)
    ledger.script("getTransaction", *[ledger.not_found] * 8)
    assert invoke().attempts == 1
    assert len(ledger.sent) == 1


def test_a_transaction_dropped_twice_is_given_up_with_its_hash(ledger: LedgerDouble, invoke: Invoke) -> None:
    drops(ledger)
    drops(ledger)
    ledger.script("getTransaction", *[ledger.not_found] * 30)
    with pytest.raises(TxTimeout, match="dropped") as caught:
        invoke()
    assert caught.value.tx_hash == ledger.sent[1].hash_hex()


def test_a_ledger_that_stands_still_is_a_timeout_and_nothing_is_sent_again(
    ledger: LedgerDouble, invoke: Invoke, fake_time: FakeTime
) -> None:
    drops(ledger)
    ledger.seconds = 0
    ledger.script("getTransaction", *[ledger.not_found] * 1_000)
    with pytest.raises(TxTimeout, match="none closed after its time bounds"):
        invoke()
    assert len(ledger.sent) == 1
    assert fake_time.now < 60


def test_no_sleep_follows_the_ledger_that_closed_it(ledger: LedgerDouble, invoke: Invoke, fake_time: FakeTime) -> None:
    ledger.script("getTransaction", *[ledger.not_found] * 6)
    invoke()
    assert ledger.methods().count("getTransaction") == 7
    assert fake_time.slept == pytest.approx([0.0, 0.02, 0.03, 0.045, 0.0675, 0.10125, 0.151875])


SIMULATIONS: list[tuple[str, type[ChainError], dict[str, Any]]] = [
    ("HostError: Error(Contract, #3)\n\nEvent log", ContractFailure, {"code": 3, "name": "ContractPaused"}),
    ("HostError: Error(Contract, #301)", ContractFailure, {"code": 301, "name": "", "blame": Blame.PRODUCT}),
    ("HostError: Error(WasmVm, InvalidAction)", HostFailure, {"error": "WasmVm, InvalidAction"}),
    ("HostError: Error(Auth, InvalidAction)", HostFailure, {"error": "Auth, InvalidAction"}),
    ("HostError: Error(Budget, ExceededLimit)", HostFailure, {"error": "Budget, ExceededLimit"}),
    ("HostError: Error(Storage, MissingValue)", ContractMissing, {"blame": Blame.CONFIG}),
    (
        "protocol 31 is not supported by this RPC",
        ChainUnavailable,
        {"cause": "not simulated", "blame": Blame.DEPENDENCY},
    ),
]


@pytest.mark.parametrize(("words", "error", "facts"), SIMULATIONS)
def test_a_failed_simulation_is_told_by_what_the_host_says(
    words: str,
    error: type[ChainError],
    facts: dict[str, Any],
    ledger: LedgerDouble,
    adapter: StellarAdapter,
    invoke: Invoke,
) -> None:
    failed = {"error": words, "events": [], "latestLedger": 0}
    ledger.script("simulateTransaction", failed, failed)
    with pytest.raises(error) as caught:
        invoke()
    assert {name: getattr(caught.value, name) for name in facts} == facts
    with pytest.raises(error):
        adapter.read(CONTRACT, "ping")
    assert ledger.sent == []


@pytest.mark.parametrize("missing", ["results", "transactionData", "minResourceFee"])
def test_a_simulation_that_lacks_a_field_is_no_answer(missing: str, ledger: LedgerDouble, invoke: Invoke) -> None:
    answer = ledger.simulateTransaction({})
    del answer[missing]
    ledger.script("simulateTransaction", answer)
    with pytest.raises(ChainUnavailable) as caught:
        invoke()
    assert caught.value.cause == "undecodable"
    assert ledger.sent == []


def test_a_call_that_somebody_else_has_to_authorise_is_not_signed(ledger: LedgerDouble, invoke: Invoke) -> None:
    other = Keypair.random().public_key
    kinds = xdr.SorobanCredentialsType
    address = xdr.SorobanAddressCredentials(
        Address(other).to_xdr_sc_address(), xdr.Int64(1), xdr.Uint32(0), scval.to_void()
    )
    function = xdr.SorobanAuthorizedFunction(
        xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN,
        contract_fn=xdr.InvokeContractArgs(Address(CONTRACT).to_xdr_sc_address(), xdr.SCSymbol(b"ping"), []),
    )
    tree = xdr.SorobanAuthorizedInvocation(function, [])
    credentials = xdr.SorobanCredentials(kinds.SOROBAN_CREDENTIALS_ADDRESS, address=address)
    ledger.auth = [xdr.SorobanAuthorizationEntry(credentials, tree)]
    with pytest.raises(HostFailure, match=other):
        invoke()
    assert ledger.sent == []


def test_an_account_that_does_not_exist_cannot_sign(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    with pytest.raises(TxRejected) as caught:
        adapter.invoke(CONTRACT, "ping", signer=adapter.account("nobody"))
    assert caught.value.code == "txNO_ACCOUNT"


@pytest.mark.parametrize(
    "changes",
    [
        {"resultXdr": result_of("txFAILED", "TRAPPED")},
        {"status": "FAILED"},
        {"txHash": "00" * 32},
        {"resultMetaXdr": None},
        {"resultMetaXdr": "AAAA//8="},
        {"createdAt": None},
        {"envelopeXdr": "not base64"},
    ],
)
def test_an_answer_that_contradicts_itself_is_no_answer(
    changes: dict[str, Any], ledger: LedgerDouble, invoke: Invoke
) -> None:
    def answer(params: dict[str, Any]) -> dict[str, Any]:
        ledger.close_with(params["hash"], **changes)
        return ledger.getTransaction(params)

    ledger.script("getTransaction", answer)
    with pytest.raises(ChainUnavailable) as caught:
        invoke()
    assert caught.value.cause == "undecodable"


def test_a_write_takes_three_round_trips(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    adapter.invoke(CONTRACT, "ping", signer=payer)
    ledger.calls.clear()
    adapter.invoke(CONTRACT, "ping", signer=payer)
    assert ledger.methods() == ["simulateTransaction", "sendTransaction", "getTransaction"]


def test_a_write_that_changes_nothing_is_sent_all_the_same(ledger: LedgerDouble, invoke: Invoke) -> None:
    ledger.value = scval.to_void()
    outcome = invoke()
    assert outcome.value is None
    assert len(ledger.sent) == 1


def test_diagnostics_beside_the_meta_count_too(ledger: LedgerDouble, invoke: Invoke) -> None:
    def fail(params: dict[str, Any]) -> dict[str, Any]:
        ledger.close_with(
            params["hash"],
            status="FAILED",
            resultXdr=result_of("txFAILED", "TRAPPED"),
            resultMetaXdr=meta_v4(None, [], []).to_xdr(),
            diagnosticEventsXdr=[said("#3").to_xdr()],
        )
        return ledger.getTransaction(params)

    ledger.script("getTransaction", fail)
    with pytest.raises(ContractFailure) as caught:
        invoke()
    assert caught.value.name == "ContractPaused"
