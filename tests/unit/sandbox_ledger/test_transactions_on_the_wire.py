"""Each way the network can refuse a transaction, sent over the real wire, and what closed ones leave behind."""

import hashlib
import time

import pytest
from ledger_players import NETWORK, UNIT, Person, RpcRefusal, Wire, build, invoke_code, result_code
from stellar_sdk import Account as SdkAccount
from stellar_sdk import (
    Asset,
    Keypair,
    MuxedAccount,
    TextMemo,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

from streampay_sandbox.ledger.state import Draft, SupplyBroken, load_account
from streampay_smoke.core.networks import PUBLIC_PASSPHRASE


def payment(person: Person, to: str, amount: str = "1", **options: object) -> TransactionEnvelope:
    return person.builder(**options).append_payment_op(to, Asset.native(), amount).build()  # type: ignore[arg-type]


def refused(person: Person, envelope: TransactionEnvelope) -> str:
    """Send and return the code it is refused with; nothing may be taken for it."""
    before = person.wire.ledger.node.state.native_supply(), person.wire.native(person.address)
    sent = person.wire.send(envelope)
    assert sent["status"] == "ERROR", sent
    assert (person.wire.ledger.node.state.native_supply(), person.wire.native(person.address)) == before
    assert person.wire.outcome(sent["hash"])["status"] == "NOT_FOUND"
    return result_code(sent["errorResultXdr"])


def closed(wire: Wire, envelope: TransactionEnvelope) -> dict[str, object]:
    sent = wire.send(envelope)
    assert sent["status"] == "PENDING", sent
    return wire.outcome(sent["hash"])


def operation_results(outcome: dict[str, object]) -> list[str]:
    results = xdr.TransactionResult.from_xdr(str(outcome["resultXdr"])).result.results
    assert results is not None
    names = []
    for result in results:
        tr = result.tr
        if tr is None:
            names.append(result.code.name)
        else:
            inner = tr.payment_result or tr.create_account_result
            assert inner is not None
            names.append(inner.code.name)
    return names


def test_what_is_no_envelope_is_a_wrong_parameter(wire: Wire) -> None:
    for junk in ("", "AAAA", "not base64!"):
        with pytest.raises(RpcRefusal) as caught:
            wire.call("sendTransaction", transaction=junk)
        assert caught.value.code == -32602


def test_a_fee_bump_is_not_played(wire: Wire) -> None:
    person = wire.person()
    inner = person.sign(payment(person, person.address))
    bump = TransactionBuilder.build_fee_bump_transaction(person.keypair, 200, inner, wire.ledger.passphrase)
    bump.sign(person.keypair)
    with pytest.raises(RpcRefusal, match="ENVELOPE_TYPE_TX_FEE_BUMP is not played"):
        wire.call("sendTransaction", transaction=bump.to_xdr())


def test_a_transaction_without_operations_is_refused(wire: Wire) -> None:
    person = wire.person()
    envelope = payment(person, person.address)
    envelope.transaction.operations = []
    assert refused(person, person.sign(envelope)) == "txMISSING_OPERATION"


def test_time_bounds_are_held_against_the_wall_clock_however_far_the_ledger_is(wire: Wire) -> None:
    person = wire.person()
    wire.ledger.advance(86_400)
    late = person.builder()
    late.time_bounds = None
    late.add_time_bounds(0, int(time.time()) - 5)
    late_envelope = late.append_payment_op(person.address, Asset.native(), "1").build()
    assert refused(person, person.sign(late_envelope)) == "txTOO_LATE"
    early = person.builder()
    early.time_bounds = None
    early.add_time_bounds(int(time.time()) + 60, 0)
    early_envelope = early.append_payment_op(person.address, Asset.native(), "1").build()
    assert refused(person, person.sign(early_envelope)) == "txTOO_EARLY"
    assert closed(wire, person.sign(payment(person, person.address)))["status"] == "SUCCESS"


def test_time_bounds_inside_full_preconditions_count_too(wire: Wire) -> None:
    person = wire.person()
    builder = person.builder()
    builder.time_bounds = None
    builder.add_time_bounds(0, 5).set_min_sequence_number(0)
    envelope = builder.append_payment_op(person.address, Asset.native(), "1").build()
    assert refused(person, person.sign(envelope)) == "txTOO_LATE"


def test_no_preconditions_are_fine(wire: Wire) -> None:
    person = wire.person()
    builder = person.builder()
    builder.time_bounds = None
    with pytest.warns(UserWarning, match="TimeBounds"):
        envelope = builder.append_payment_op(person.address, Asset.native(), "1").build()
    assert closed(wire, person.sign(envelope))["status"] == "SUCCESS"


def test_a_low_fee_is_refused_and_the_right_one_named(wire: Wire) -> None:
    person = wire.person()
    envelope = person.sign(payment(person, person.address, base_fee=99))
    sent = wire.send(envelope)
    result = xdr.TransactionResult.from_xdr(sent["errorResultXdr"])
    assert (result.result.code.name, result.fee_charged.int64) == ("txINSUFFICIENT_FEE", 100)


def test_an_unknown_source_has_no_account(wire: Wire) -> None:
    stranger = Keypair.random()
    envelope = build(SdkAccount(stranger.public_key, 0), wire.ledger.native_token_id, "decimals")
    envelope.transaction.operations = payment(wire.person(), stranger.public_key).transaction.operations
    envelope.transaction.soroban_data = None
    envelope.sign(stranger)
    sent = wire.send(envelope)
    assert result_code(sent["errorResultXdr"]) == "txNO_ACCOUNT"


def test_a_used_or_skipped_sequence_number_is_bad(wire: Wire) -> None:
    person = wire.person()
    first = person.sign(payment(person, person.address))
    assert closed(wire, first)["status"] == "SUCCESS"
    assert result_code(wire.send(first)["errorResultXdr"]) == "txBAD_SEQ"
    skipped = payment(person, person.address)
    skipped.transaction.sequence += 1
    assert refused(person, person.sign(skipped)) == "txBAD_SEQ"


def test_a_signature_for_another_network_is_worth_nothing(wire: Wire) -> None:
    person = wire.person()
    envelope = payment(person, person.address, passphrase=PUBLIC_PASSPHRASE)
    assert refused(person, person.sign(envelope)) == "txBAD_AUTH"


def test_a_missing_or_strange_signature_is_refused(wire: Wire) -> None:
    person, stranger = wire.person(), wire.person()
    assert refused(person, payment(person, person.address)) == "txBAD_AUTH"
    assert refused(person, stranger.sign(payment(person, person.address))) == "txBAD_AUTH"
    both = stranger.sign(person.sign(payment(person, person.address)))
    assert refused(person, both) == "txBAD_AUTH_EXTRA"


def test_an_operation_of_somebody_else_needs_their_signature(wire: Wire) -> None:
    person, other = wire.person(), wire.person()

    def on_behalf() -> TransactionEnvelope:
        builder = person.builder()
        builder.append_payment_op(person.address, Asset.native(), "5", source=other.address)
        return person.sign(builder.build())

    sent = wire.send(on_behalf())
    result = xdr.TransactionResult.from_xdr(sent["errorResultXdr"]).result
    assert result.code.name == "txFAILED"
    assert result.results is not None
    assert result.results[0].code.name == "opBAD_AUTH"
    before = wire.native(other.address)
    assert closed(wire, other.sign(on_behalf()))["status"] == "SUCCESS"
    assert before - wire.native(other.address) == 5 * UNIT


def test_who_cannot_pay_the_fee_is_refused(wire: Wire) -> None:
    person, poor = wire.person(), wire.person(funded=False)
    creation = person.builder().append_create_account_op(poor.address, "1").build()
    assert closed(wire, person.sign(creation))["status"] == "SUCCESS"
    assert refused(poor, poor.sign(payment(poor, person.address, "0.1"))) == "txINSUFFICIENT_BALANCE"


def test_contract_transactions_have_rules_of_their_own(wire: Wire) -> None:
    person = wire.person()

    def prepared() -> TransactionEnvelope:
        return person.prepare(wire.ledger.native_token_id, "decimals")

    bare = build(person.account(), wire.ledger.native_token_id, "decimals")
    assert refused(person, person.sign(bare)) == "txMALFORMED"
    memo = prepared()
    memo.transaction.memo = TextMemo("hello")
    assert refused(person, person.sign(memo)) == "txSOROBAN_INVALID"
    doubled = prepared()
    doubled.transaction.operations *= 2
    assert refused(person, person.sign(doubled)) == "txMALFORMED"
    cheap = prepared()
    assert cheap.transaction.soroban_data is not None
    cheap.transaction.soroban_data.resource_fee = xdr.Int64(10)
    assert refused(person, person.sign(cheap)) == "txSOROBAN_INVALID"
    classic = payment(person, person.address)
    classic.transaction.soroban_data = cheap.transaction.soroban_data
    # the SDK leaves resources out of classic transactions, so the XDR is put together by hand
    raw = classic.to_xdr_object()
    assert raw.v1 is not None
    raw.v1.tx.ext = xdr.TransactionExt(1, cheap.transaction.soroban_data)
    sent = wire.call("sendTransaction", transaction=raw.to_xdr())
    assert result_code(sent["errorResultXdr"]) == "txMALFORMED"


def test_a_payment_moves_coins_and_the_fee_burns(wire: Wire) -> None:
    payer, payee = wire.person(), wire.person()
    burnt = wire.ledger.node.state.fee_pool
    outcome = closed(wire, payer.sign(payment(payer, payee.address, "250")))
    assert operation_results(outcome) == ["PAYMENT_SUCCESS"]
    assert wire.native(payee.address) == 10_250 * UNIT
    assert wire.native(payer.address) == 9_750 * UNIT - 100
    assert wire.ledger.node.state.fee_pool - burnt == 100


@pytest.mark.parametrize(
    ("amount", "code"),
    [("20000", "PAYMENT_UNDERFUNDED"), ("9999.5", "PAYMENT_UNDERFUNDED"), ("0", "PAYMENT_MALFORMED")],
)
def test_a_failed_payment_costs_its_fee_and_nothing_else(wire: Wire, amount: str, code: str) -> None:
    payer, payee = wire.person(), wire.person()
    outcome = closed(wire, payer.sign(payment(payer, payee.address, amount)))
    assert (outcome["status"], operation_results(outcome)) == ("FAILED", [code])
    assert wire.native(payer.address) == 10_000 * UNIT - 100
    assert wire.native(payee.address) == 10_000 * UNIT


def test_payments_to_nobody_and_in_other_assets_fail(wire: Wire) -> None:
    payer = wire.person()
    outcome = closed(wire, payer.sign(payment(payer, Keypair.random().public_key)))
    assert operation_results(outcome) == ["PAYMENT_NO_DESTINATION"]
    other = Asset("USD", payer.address)
    outcome = closed(wire, payer.sign(payer.builder().append_payment_op(payer.address, other, "1").build()))
    assert operation_results(outcome) == ["PAYMENT_SRC_NO_TRUST"]


@pytest.mark.parametrize(
    ("amount", "code"), [("0.5", "CREATE_ACCOUNT_LOW_RESERVE"), ("20000", "CREATE_ACCOUNT_UNDERFUNDED")]
)
def test_accounts_need_a_reserve_and_somebody_who_can_pay(wire: Wire, amount: str, code: str) -> None:
    payer = wire.person()
    creation = payer.builder().append_create_account_op(Keypair.random().public_key, amount).build()
    assert operation_results(closed(wire, payer.sign(creation))) == [code]


def test_accounts_are_created_once_and_not_with_debts(wire: Wire) -> None:
    payer, existing = wire.person(), wire.person()
    creation = payer.builder().append_create_account_op(existing.address, "5").build()
    assert operation_results(closed(wire, payer.sign(creation))) == ["CREATE_ACCOUNT_ALREADY_EXIST"]
    raw = payer.builder().append_create_account_op(Keypair.random().public_key, "5").build()
    body = raw.to_xdr_object()
    assert body.v1 is not None
    operation = body.v1.tx.operations[0].body.create_account_op
    assert operation is not None
    operation.starting_balance = xdr.Int64(-5)
    payload = hashlib.sha256(NETWORK.network_id + (2).to_bytes(4) + body.v1.tx.to_xdr_bytes()).digest()
    body.v1.signatures = [payer.keypair.sign_decorated(payload).to_xdr_object()]
    sent = wire.call("sendTransaction", transaction=body.to_xdr())
    assert operation_results(wire.outcome(sent["hash"])) == ["CREATE_ACCOUNT_MALFORMED"]


def test_all_operations_have_a_result_and_none_takes_effect_when_one_fails(wire: Wire) -> None:
    payer, payee = wire.person(), wire.person()
    builder = payer.builder()
    builder.append_payment_op(payee.address, Asset.native(), "1")
    builder.append_payment_op(Keypair.random().public_key, Asset.native(), "1")
    builder.append_bump_sequence_op(5)
    builder.append_payment_op(payee.address, Asset.native(), "1")
    outcome = closed(wire, payer.sign(builder.build()))
    assert outcome["status"] == "FAILED"
    assert operation_results(outcome) == [
        "PAYMENT_SUCCESS",
        "PAYMENT_NO_DESTINATION",
        "opNOT_SUPPORTED",
        "PAYMENT_SUCCESS",
    ]
    assert wire.native(payee.address) == 10_000 * UNIT


def test_an_operation_whose_source_is_gone_fails(wire: Wire) -> None:
    payer, ghost = wire.person(), wire.person(funded=False)
    builder = payer.builder().append_payment_op(payer.address, Asset.native(), "1", source=ghost.address)
    envelope = ghost.sign(payer.sign(builder.build()))
    assert operation_results(closed(wire, envelope)) == ["opNO_ACCOUNT"]


def test_muxed_sources_and_destinations_are_their_accounts(wire: Wire) -> None:
    payer, payee = wire.person(), wire.person()
    envelope = payment(payer, str(MuxedAccount(payee.address, 7).account_muxed))
    envelope.transaction.source = MuxedAccount(payer.address, 9)
    assert closed(wire, payer.sign(envelope))["status"] == "SUCCESS"
    assert wire.native(payee.address) == 10_001 * UNIT


def test_the_result_commits_to_the_return_value_and_the_events(wire: Wire) -> None:
    payer, payee = wire.person(), wire.person()
    stream_id = payer.draft(payee)
    envelope = payer.sign(payer.prepare(wire.ledger.contract_id, "start_stream", scval.to_uint64(stream_id)))
    outcome = closed(wire, envelope)
    meta = xdr.TransactionMeta.from_xdr(str(outcome["resultMetaXdr"])).v4
    assert meta is not None
    assert meta.soroban_meta is not None
    assert meta.soroban_meta.return_value is not None
    preimage = xdr.InvokeHostFunctionSuccessPreImage(meta.soroban_meta.return_value, meta.operations[0].events)
    results = xdr.TransactionResult.from_xdr(str(outcome["resultXdr"])).result.results
    assert results is not None
    assert results[0].tr is not None
    assert results[0].tr.invoke_host_function_result is not None
    success = results[0].tr.invoke_host_function_result.success
    assert success is not None
    assert success.hash == hashlib.sha256(preimage.to_xdr_bytes()).digest()


def test_the_meta_accounts_for_every_stroop_of_the_fee(wire: Wire) -> None:
    payer, payee = wire.person(), wire.person()
    before = wire.native(payer.address)
    payer.draft(payee, total=5 * UNIT)
    transaction = wire.call("getTransactions", startLedger=1)["transactions"][-1]
    result = xdr.TransactionResult.from_xdr(transaction["resultXdr"])
    meta = xdr.TransactionMeta.from_xdr(transaction["resultMetaXdr"]).v4
    assert meta is not None
    assert meta.soroban_meta is not None
    charges = meta.soroban_meta.ext.v1
    assert charges is not None
    resources = (
        charges.total_non_refundable_resource_fee_charged.int64 + charges.total_refundable_resource_fee_charged.int64
    )
    assert result.fee_charged.int64 == resources + 100
    assert before - wire.native(payer.address) == 5 * UNIT + result.fee_charged.int64
    assert 0 < charges.rent_fee_charged.int64 < charges.total_refundable_resource_fee_charged.int64
    amounts = [event.event.body.v0.data for event in meta.events if event.event.body.v0 is not None]
    assert sum(scval.from_int128(amount) for amount in amounts) == result.fee_charged.int64
    for changes in (meta.tx_changes_before, meta.tx_changes_after):
        assert [change.type.name for change in changes.ledger_entry_changes] == [
            "LEDGER_ENTRY_STATE",
            "LEDGER_ENTRY_UPDATED",
        ]


def limited(person: Person, **limits: int) -> TransactionEnvelope:
    """Return a draft creation with some of its declared resources changed."""
    ledger = person.wire.ledger
    envelope = person.prepare(
        ledger.contract_id,
        "create_draft_stream",
        person.value,
        scval.to_address(ledger.birth.admin.public_key),
        scval.to_address(ledger.native_token_id),
        scval.to_int128(UNIT),
        scval.to_uint64(5),
    )
    data = envelope.transaction.soroban_data
    assert data is not None
    if "instructions" in limits:
        data.resources.instructions = xdr.Uint32(limits["instructions"])
    if "resource_fee" in limits:
        envelope.transaction.fee -= data.resource_fee.int64 - limits["resource_fee"]
        data.resource_fee = xdr.Int64(limits["resource_fee"])
    return person.sign(envelope)


def test_too_few_declared_instructions_fail(wire: Wire) -> None:
    outcome = closed(wire, limited(wire.person(), instructions=100_000))
    assert invoke_code(outcome) == "INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED"


def test_a_refundable_fee_that_runs_out_fails(wire: Wire) -> None:
    outcome = closed(wire, limited(wire.person(), resource_fee=70_000))
    assert invoke_code(outcome) == "INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE"


def test_two_creations_of_one_ledger_race_for_a_footprint(wire: Wire) -> None:
    first, second = wire.person(), wire.person()
    envelopes = [limited(first), limited(second)]
    outcomes = [closed(wire, envelope) for envelope in envelopes]
    assert [outcome["status"] for outcome in outcomes] == ["SUCCESS", "FAILED"]
    assert invoke_code(outcomes[1]) == "INVOKE_HOST_FUNCTION_TRAPPED"
    diagnostics = outcomes[1]["diagnosticEventsXdr"]
    assert isinstance(diagnostics, list)
    event = xdr.DiagnosticEvent.from_xdr(diagnostics[0]).event.body.v0
    assert event is not None
    assert "outside of the footprint" in str(scval.to_native(event.data))
    assert scval.to_native(event.topics[0]) == "error"
    assert event.topics[1].error is not None
    assert event.topics[1].error.type.name == "SCE_STORAGE"
    assert outcomes[1]["events"] == {
        "transactionEventsXdr": outcomes[1]["events"]["transactionEventsXdr"],  # type: ignore[index]
        "contractEventsXdr": [],
    }
    assert closed(wire, limited(second))["status"] == "SUCCESS"


def test_writing_what_was_declared_as_read_only_fails(wire: Wire) -> None:
    person = wire.person()
    envelope = limited(person)
    data = envelope.transaction.soroban_data
    assert data is not None
    footprint = data.resources.footprint
    footprint.read_only, footprint.read_write = footprint.read_only + footprint.read_write, []
    envelope.signatures.clear()
    outcome = closed(wire, person.sign(envelope))
    assert invoke_code(outcome) == "INVOKE_HOST_FUNCTION_TRAPPED"


def test_touching_what_was_not_declared_names_it(wire: Wire) -> None:
    person = wire.person()
    envelope = limited(person)
    data = envelope.transaction.soroban_data
    assert data is not None
    data.resources.footprint.read_only = []
    data.resources.footprint.read_write = []
    envelope.signatures.clear()
    outcome = closed(wire, person.sign(envelope))
    diagnostics = outcome["diagnosticEventsXdr"]
    assert isinstance(diagnostics, list)
    event = xdr.DiagnosticEvent.from_xdr(diagnostics[0]).event.body.v0
    assert event is not None
    assert "contract instance key" in str(scval.to_native(event.data))


def test_host_functions_other_than_invocations_are_not_played(wire: Wire) -> None:
    person = wire.person()
    upload = person.builder().append_upload_contract_wasm_op(b"\0asm").build()
    assert "error" in wire.simulate(upload)
    data = limited(person).transaction.soroban_data
    assert data is not None
    upload.transaction.soroban_data = data
    upload.transaction.fee += data.resource_fee.int64
    outcome = closed(wire, person.sign(upload))
    results = xdr.TransactionResult.from_xdr(str(outcome["resultXdr"])).result.results
    assert results is not None
    assert results[0].code.name == "opNOT_SUPPORTED"


def test_a_change_that_would_make_coins_is_stopped(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    person = wire.person()
    envelope = person.sign(payment(person, person.address))
    monkeypatch.setattr(Draft, "native_delta", lambda _: 1)
    with pytest.raises(ValueError, match="Expecting value"):
        wire.send(envelope)
    monkeypatch.undo()
    wire.ledger.stop()  # the client was answered before the error was noted
    assert isinstance(wire.ledger.errors[0], SupplyBroken)
    wire.ledger._server.errors.clear()


def test_sequence_numbers_start_at_the_ledger_an_account_was_born_in(wire: Wire) -> None:
    person = wire.person()
    account = load_account(wire.ledger.node.state, person.address)
    assert account is not None
    assert account.sequence == wire.ledger.node.book.latest.sequence << 32
