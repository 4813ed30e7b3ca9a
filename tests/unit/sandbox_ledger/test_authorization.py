"""Who has to agree, checked with the SDK's own signing of authorisation entries."""

import base64
import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from ledger_players import NETWORK, UNIT, Person, Wire, build, invoke_code, returned
from stellar_sdk import Keypair, SorobanServer, StrKey, TransactionEnvelope, scval, xdr
from stellar_sdk.auth import DelegateSignature, authorize_entry, build_with_delegates_entry
from stellar_sdk.operation import InvokeHostFunction
from stellar_sdk.soroban_rpc import AuthMode

from streampay_sandbox.ledger.authorization import MAX_SIGNATURE_LEDGERS
from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint, entry_points
from streampay_sandbox.ledger.values import ADDRESS, I128, VOID

Entry = xdr.SorobanAuthorizationEntry
Credentials = xdr.SorobanCredentialsType
BOTH = pytest.mark.parametrize(
    ("upgraded", "kind"),
    [(True, Credentials.SOROBAN_CREDENTIALS_ADDRESS_V2), (False, Credentials.SOROBAN_CREDENTIALS_ADDRESS)],
)


def operation(envelope: TransactionEnvelope) -> InvokeHostFunction:
    found = envelope.transaction.operations[0]
    assert isinstance(found, InvokeHostFunction)
    return found


def joint_draft(sponsor: Person, payer: Person, recipient: Person) -> TransactionEnvelope:
    """Return a draft creation the sponsor sends and the payer has to agree to."""
    ledger = sponsor.wire.ledger
    return build(
        sponsor.account(),
        ledger.contract_id,
        "create_draft_stream",
        payer.value,
        recipient.value,
        scval.to_address(ledger.native_token_id),
        scval.to_int128(3 * UNIT),
        scval.to_uint64(1),
    )


def recorded(wire: Wire, envelope: TransactionEnvelope, **params: Any) -> list[Entry]:
    answer = wire.simulate(envelope, **params)
    assert "error" not in answer, answer["error"]
    return [Entry.from_xdr(item) for item in answer["results"][0]["auth"]]


def submit(sponsor: Person, envelope: TransactionEnvelope, entries: list[Entry]) -> dict[str, Any]:
    """Send with these entries; resources come from a simulation, in enforcing mode where it lets them through."""
    operation(envelope).auth = entries
    with SorobanServer(sponsor.wire.ledger.rpc_url) as server:
        ready = server.prepare_transaction(envelope)
    return _closed(sponsor, ready)


def _closed(sponsor: Person, envelope: TransactionEnvelope) -> dict[str, Any]:
    sent = sponsor.wire.send(sponsor.sign(envelope))
    assert sent["status"] == "PENDING", sent
    return sponsor.wire.outcome(sent["hash"])


@pytest.fixture
def cast(wire: Wire) -> tuple[Person, Person, Person]:
    return wire.person(), wire.person(), wire.person()


def until(wire: Wire) -> int:
    return wire.ledger.node.book.latest.sequence + 100


@BOTH
def test_somebody_else_can_pay_the_fee_while_the_payer_agrees(
    wire: Wire, cast: tuple[Person, Person, Person], upgraded: bool, kind: Credentials
) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope, useUpgradedAuth=upgraded)
    assert entry.credentials.type == kind
    assert [len(entry.root_invocation.sub_invocations)] == [1]
    signed = authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)
    before = wire.native(payer.address)
    outcome = submit(sponsor, envelope, [signed])
    assert (outcome["status"], returned(outcome)) == ("SUCCESS", 1)
    assert before - wire.native(payer.address) == 3 * UNIT


def test_the_source_account_agrees_by_signing_the_transaction(wire: Wire, cast: tuple[Person, Person, Person]) -> None:
    payer, _, recipient = cast
    (entry,) = recorded(wire, joint_draft(payer, payer, recipient))
    assert entry.credentials.type == Credentials.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    assert payer.draft(recipient) == 1


def _with_signature(change: Callable[[xdr.SorobanAddressCredentials], None]) -> Callable[[Entry], Entry]:
    def tampered(entry: Entry) -> Entry:
        entry = copy.deepcopy(entry)
        assert entry.credentials.address_v2 is not None
        change(entry.credentials.address_v2)
        return entry

    return tampered


def _signature(public_key: bytes, signature: bytes) -> xdr.SCVal:
    return scval.to_vec(
        [
            scval.to_map(
                {
                    scval.to_symbol("public_key"): scval.to_bytes(public_key),
                    scval.to_symbol("signature"): scval.to_bytes(signature),
                }
            )
        ]
    )


def _set(name: str, value: Any) -> Callable[[xdr.SorobanAddressCredentials], None]:
    return lambda credentials: setattr(credentials, name, value)


def _flip(credentials: xdr.SorobanAddressCredentials) -> None:
    credentials.nonce = xdr.Int64(credentials.nonce.int64 ^ 1)


STRANGER = Keypair.random()


@pytest.mark.parametrize(
    "tamper",
    [
        _flip,
        _set("signature_expiration_ledger", xdr.Uint32(200)),
        _set("signature_expiration_ledger", xdr.Uint32(1)),
        _set("signature_expiration_ledger", xdr.Uint32(MAX_SIGNATURE_LEDGERS + 1_000)),
        _set("signature", scval.to_void()),
        _set("signature", scval.to_vec([])),
        _set("signature", scval.to_vec([scval.to_map({scval.to_symbol("public_key"): scval.to_void()})])),
        _set(
            "signature",
            scval.to_vec(
                [
                    scval.to_map(
                        {
                            scval.to_symbol("public_key"): scval.to_void(),
                            scval.to_symbol("signature"): scval.to_void(),
                        }
                    )
                ]
            ),
        ),
        _set("signature", _signature(STRANGER.raw_public_key(), bytes(64))),
    ],
    ids=[
        "another nonce",
        "another expiry",
        "expired",
        "expiring too late",
        "unsigned",
        "no signatures",
        "half a signature",
        "empty signature",
        "a stranger's signature",
    ],
)
def test_a_tampered_agreement_is_refused_in_simulation_and_in_the_ledger(
    wire: Wire,
    cast: tuple[Person, Person, Person],
    tamper: Callable[[xdr.SorobanAddressCredentials], None],
) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope, useUpgradedAuth=True)
    good = authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)
    bad = _with_signature(tamper)(good)
    operation(envelope).auth = [bad]
    answer = wire.simulate(envelope)
    assert "Error(Auth, InvalidAction)" in answer["error"]
    assert answer["events"]

    operation(envelope).auth = [good]
    with SorobanServer(wire.ledger.rpc_url) as server:
        ready = server.prepare_transaction(envelope)
    operation(ready).auth = [bad]
    outcome = _closed(sponsor, ready)
    assert (outcome["status"], invoke_code(outcome)) == ("FAILED", "INVOKE_HOST_FUNCTION_TRAPPED")
    assert wire.native(payer.address) == 10_000 * UNIT


@pytest.mark.parametrize("valid_until", [1, MAX_SIGNATURE_LEDGERS + 1_000], ids=["expired", "expiring too late"])
def test_an_agreement_signed_for_other_ledgers_is_refused(
    wire: Wire, cast: tuple[Person, Person, Person], valid_until: int
) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope, useUpgradedAuth=True)
    operation(envelope).auth = [authorize_entry(entry, payer.keypair, valid_until, NETWORK.passphrase)]
    assert "Error(Auth, InvalidInput)" in wire.simulate(envelope)["error"]


def test_an_agreement_is_used_once(wire: Wire, cast: tuple[Person, Person, Person]) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope)
    signed = authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)
    assert submit(sponsor, envelope, [signed])["status"] == "SUCCESS"
    again = joint_draft(sponsor, payer, recipient)
    operation(again).auth = [signed]
    assert "Error(Auth, ExistingValue)" in wire.simulate(again)["error"]


def test_an_agreement_covers_exactly_the_call_it_names(wire: Wire, cast: tuple[Person, Person, Person]) -> None:
    sponsor, payer, recipient = cast
    (entry,) = recorded(wire, joint_draft(sponsor, payer, recipient))
    signed = authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)
    other = joint_draft(sponsor, payer, sponsor)
    operation(other).auth = [signed]
    assert "Error(Auth, InvalidAction)" in wire.simulate(other)["error"]


def test_an_agreement_without_the_inner_transfer_does_not_reach_the_money(
    wire: Wire, cast: tuple[Person, Person, Person]
) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope)
    entry.root_invocation.sub_invocations = []
    operation(envelope).auth = [authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)]
    assert "Error(Auth, InvalidAction)" in wire.simulate(envelope)["error"]


def test_an_agreement_to_the_transfer_alone_does_not_open_a_stream(
    wire: Wire, cast: tuple[Person, Person, Person]
) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope)
    entry.root_invocation = entry.root_invocation.sub_invocations[0]
    operation(envelope).auth = [authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)]
    assert "Error(Auth, InvalidAction)" in wire.simulate(envelope)["error"]


def test_enforcing_without_entries_refuses_what_needs_agreement(
    wire: Wire, cast: tuple[Person, Person, Person]
) -> None:
    sponsor, payer, recipient = cast
    answer = wire.simulate(joint_draft(sponsor, payer, recipient), authMode="enforce")
    assert "Error(Auth, InvalidAction)" in answer["error"]


def test_recording_over_given_entries_is_refused(wire: Wire, cast: tuple[Person, Person, Person]) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    operation(envelope).auth = recorded(wire, envelope)
    answer = wire.simulate(envelope, authMode=AuthMode.RECORD.value)
    assert (answer["latestLedger"], "can not be recorded" in answer["error"]) == (0, True)


def test_an_account_that_does_not_exist_cannot_agree(wire: Wire, cast: tuple[Person, Person, Person]) -> None:
    sponsor, payer, recipient = cast
    ghost = wire.person(funded=False)
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope)
    assert entry.credentials.address is not None
    entry.credentials.address.address = scval.to_address(ghost.address).address  # type: ignore[assignment]
    call = joint_draft(sponsor, ghost, recipient)
    operation(call).auth = [authorize_entry(_for(entry, call), ghost.keypair, until(wire), NETWORK.passphrase)]
    assert "Error(Auth, InvalidAction)" in wire.simulate(call)["error"]


def _for(entry: Entry, envelope: TransactionEnvelope) -> Entry:
    call = operation(envelope).host_function.invoke_contract
    assert call is not None
    assert entry.root_invocation.function.contract_fn is not None
    entry.root_invocation.function.contract_fn = call
    return entry


def test_contract_accounts_and_delegates_are_not_played(wire: Wire, cast: tuple[Person, Person, Person]) -> None:
    sponsor, payer, recipient = cast
    envelope = joint_draft(sponsor, payer, recipient)
    (entry,) = recorded(wire, envelope)
    delegated = build_with_delegates_entry(entry, until(wire), [DelegateSignature(sponsor.address)])
    operation(envelope).auth = [delegated]
    assert "Error(Auth, InvalidAction)" in wire.simulate(envelope)["error"]

    contract = StrKey.encode_contract(bytes(31) + b"\x05")
    call = build(
        sponsor.account(),
        wire.ledger.native_token_id,
        "transfer",
        scval.to_address(contract),
        recipient.value,
        scval.to_int128(1),
    )
    assert entry.credentials.address is not None
    entry.credentials.address.address = scval.to_address(contract).address  # type: ignore[assignment]
    entry.credentials.address.signature_expiration_ledger = xdr.Uint32(until(wire))
    entry.root_invocation.sub_invocations = []
    operation(call).auth = [_for(entry, call)]
    assert "Error(Auth, InvalidAction)" in wire.simulate(call)["error"]


def test_agreement_to_an_inner_call_alone_is_recorded_only_where_it_is_allowed(
    wire: Wire, cast: tuple[Person, Person, Person]
) -> None:
    # The early contract's place is taken by one that lets anybody move a payer's coins in an inner call.
    def pull(env: Any, payer: str, recipient: str) -> None:
        arguments = (ADDRESS.encode(payer), ADDRESS.encode(recipient), I128.encode(1))
        env.call(wire.ledger.native_token_id, "transfer", *arguments)

    model = ContractModel(
        name="puller",
        version="1",
        entry_points=entry_points(
            EntryPoint(name="pull", inputs=(("payer", ADDRESS), ("recipient", ADDRESS)), output=VOID, body=pull),
        ),
    )
    contracts = wire.ledger.birth.contracts
    by_hash = {
        digest: model if known.name == "streampay-contracts" else known
        for digest, known in contracts.by_wasm_hash.items()
    }
    birth = msgspec.structs.replace(
        wire.ledger.birth, contracts=msgspec.structs.replace(contracts, by_wasm_hash=by_hash)
    )
    wire.ledger.node.birth = birth
    sponsor, payer, recipient = cast
    call = build(sponsor.account(), birth.early_contract_id, "pull", payer.value, recipient.value)
    (diagnostic,) = wire.simulate(call)["events"]
    assert b"not tied to the root contract invocation" in base64.b64decode(diagnostic)
    (entry,) = recorded(wire, call, authMode=AuthMode.RECORD_ALL_NOROOT.value)
    signed = authorize_entry(entry, payer.keypair, until(wire), NETWORK.passphrase)
    before = wire.native(recipient.address)
    assert submit(sponsor, call, [signed])["status"] == "SUCCESS"
    assert wire.native(recipient.address) - before == 1
