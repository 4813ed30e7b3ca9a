"""The guard in its three places: no network but the allowed ones is ever configured, connected to or signed for."""

import ast
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from ledger_double import CONTRACT, LedgerDouble
from stellar_sdk import Account, Address, Asset, Keypair, TransactionBuilder, TransactionEnvelope, scval, xdr
from stellar_sdk.operation import InvokeHostFunction

import streampay_smoke
from streampay_smoke.chain.adapter import ChainAccount
from streampay_smoke.chain.guard import SpendCap, check_configured, check_live, outlay_stroops, sign
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE, Network

SIGNER = Keypair.from_raw_ed25519_seed(b"\x01" * 32)
OTHER = Keypair.from_raw_ed25519_seed(b"\x02" * 32).public_key
TESTNET = ALLOWED["testnet"]
PASSPHRASES = sorted(network.passphrase for network in ALLOWED.values())

anything = some.one_of(some.text(max_size=60), some.sampled_from([*PASSPHRASES, PUBLIC_PASSPHRASE]))
amounts = some.integers(min_value=0, max_value=10**15)


def transfer_args(stroops: int) -> xdr.InvokeContractArgs:
    arguments = [scval.to_address(SIGNER.public_key), scval.to_address(OTHER), scval.to_int128(stroops)]
    token = Address(Asset.native().contract_id(TESTNET.passphrase)).to_xdr_sc_address()
    return xdr.InvokeContractArgs(token, xdr.SCSymbol(b"transfer"), arguments)


def node(call: xdr.InvokeContractArgs, *inner: xdr.SorobanAuthorizedInvocation) -> xdr.SorobanAuthorizedInvocation:
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
    return xdr.SorobanAuthorizedInvocation(xdr.SorobanAuthorizedFunction(kind, contract_fn=call), list(inner))


def authorised(tree: xdr.SorobanAuthorizedInvocation) -> xdr.SorobanAuthorizationEntry:
    kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    return xdr.SorobanAuthorizationEntry(xdr.SorobanCredentials(kind), tree)


def envelope_of(
    passphrase: str = TESTNET.passphrase, *, named: int = 0, transfers: tuple[int, ...] = (), fee: int = 100
) -> TransactionEnvelope:
    """A call of `open(named)` that authorises these transfers inside it."""
    builder = TransactionBuilder(Account(SIGNER.public_key, 1), passphrase, fee).add_time_bounds(0, 0)
    envelope = builder.append_invoke_contract_function_op(CONTRACT, "open", [scval.to_int128(named)]).build()
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    call = operation.host_function.invoke_contract
    assert call is not None
    operation.auth = [authorised(node(call, *(node(transfer_args(stroops)) for stroops in transfers)))]
    return envelope


@given(name=some.text(max_size=12), passphrase=anything)
def test_no_made_up_network_can_be_configured(name: str, passphrase: str) -> None:
    network = Network(name=name, passphrase=passphrase)
    if (name, passphrase, False) not in {(known.name, known.passphrase, known.simulated) for known in ALLOWED.values()}:
        with pytest.raises(GuardRefused):
            check_configured(network, rpc_url="", friendbot_url="")


@pytest.mark.parametrize("network", ALLOWED.values(), ids=list(ALLOWED))
def test_every_allowed_network_can_be_configured(network: Network) -> None:
    check_configured(network, rpc_url=network.rpc_url, friendbot_url=network.friendbot_url)
    own_rpc = msgspec.structs.replace(network, rpc_url="http://localhost:1234/rpc")
    check_configured(own_rpc, rpc_url=own_rpc.rpc_url, friendbot_url="")


@pytest.mark.parametrize("name", ["testnet", "sandbox"])
def test_an_allowed_name_with_the_public_passphrase_is_refused(name: str) -> None:
    disguised = msgspec.structs.replace(ALLOWED[name], passphrase=PUBLIC_PASSPHRASE)
    with pytest.raises(GuardRefused, match="not what the list"):
        check_configured(disguised, rpc_url="", friendbot_url="")


@pytest.mark.parametrize(
    "urls",
    [
        {"rpc_url": "https://mainnet.sorobanrpc.com", "friendbot_url": ""},
        {"rpc_url": "", "friendbot_url": "https://horizon.stellar.org/friendbot"},
    ],
)
def test_an_address_of_the_public_network_is_refused_before_anything_is_sent(
    urls: dict[str, str], make_adapter: Callable[..., StellarAdapter]
) -> None:
    with pytest.raises(GuardRefused):
        make_adapter(network=TESTNET, **urls)


def test_a_friendbot_of_the_public_network_that_the_rpc_names_is_refused(
    make_adapter: Callable[..., StellarAdapter], ledger: LedgerDouble, payer: ChainAccount
) -> None:
    ledger.script("getNetwork", ledger.getNetwork({}) | {"friendbotUrl": "https://horizon.stellar.org/friendbot"})
    with pytest.raises(GuardRefused, match="the friendbot that the RPC names"):
        make_adapter(friendbot_url="").invoke(CONTRACT, "ping", signer=payer)
    assert ledger.sent == []


@given(passphrase=anything, configured=some.sampled_from(sorted(ALLOWED)))
def test_only_the_configured_network_is_let_through_live(passphrase: str, configured: str) -> None:
    network = ALLOWED[configured]
    if passphrase == network.passphrase:
        check_live(network, passphrase)
    elif passphrase in PASSPHRASES:
        with pytest.raises(SettingsInvalid, match=configured):
            check_live(network, passphrase)
    else:
        with pytest.raises(GuardRefused):
            check_live(network, passphrase)


@given(passphrase=anything, connected=some.sampled_from(sorted(ALLOWED)))
def test_nothing_is_signed_for_another_network_than_the_connected_one(passphrase: str, connected: str) -> None:
    network = ALLOWED[connected]
    envelope = envelope_of(passphrase)
    if passphrase == network.passphrase:
        assert sign(envelope, SIGNER, network, SpendCap(10**9)) == envelope.hash_hex()
        SIGNER.verify(envelope.hash(), envelope.signatures[0].signature)
    else:
        with pytest.raises(GuardRefused):
            sign(envelope, SIGNER, network, SpendCap(10**9))
        assert envelope.signatures == []


@given(passphrase=anything.filter(lambda passphrase: passphrase not in PASSPHRASES))
def test_no_network_outside_the_list_is_ever_signed_for(passphrase: str) -> None:
    envelope = envelope_of(passphrase)
    with pytest.raises(GuardRefused):
        sign(envelope, SIGNER, Network(name="testnet", passphrase=passphrase), SpendCap(10**9))
    assert envelope.signatures == []


def test_an_envelope_that_names_testnet_but_commits_to_the_public_network_is_refused() -> None:
    envelope = envelope_of(PUBLIC_PASSPHRASE)
    envelope.network_passphrase = TESTNET.passphrase
    assert envelope.signature_base()[:32] == hashlib.sha256(PUBLIC_PASSPHRASE.encode()).digest()
    with pytest.raises(GuardRefused, match="another network"):
        sign(envelope, SIGNER, TESTNET, SpendCap(10**9))
    assert envelope.signatures == []


@pytest.mark.parametrize(
    "build",
    [
        lambda builder: builder.append_payment_op(OTHER, Asset.native(), "1"),
        lambda builder: builder.append_create_account_op(OTHER, "1").append_bump_sequence_op(5),
        lambda builder: builder.append_upload_contract_wasm_op(b"\0asm"),
    ],
    ids=["payment", "two operations", "upload"],
)
def test_anything_but_one_contract_call_is_refused(build: Callable[[TransactionBuilder], TransactionBuilder]) -> None:
    builder = TransactionBuilder(Account(SIGNER.public_key, 1), TESTNET.passphrase, 100).add_time_bounds(0, 0)
    with pytest.raises(GuardRefused, match="exactly one contract call"):
        sign(build(builder).build(), SIGNER, TESTNET, SpendCap(10**9))


def test_a_fee_bump_is_refused() -> None:
    bump = TransactionBuilder.build_fee_bump_transaction(SIGNER, 200, envelope_of(), TESTNET.passphrase)
    with pytest.raises(GuardRefused, match="exactly one contract call"):
        sign(bump, SIGNER, TESTNET, SpendCap(10**9))  # type: ignore[arg-type]


def test_an_authorisation_of_another_call_than_ours_is_refused() -> None:
    envelope = envelope_of()
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    operation.auth = [authorised(node(transfer_args(1)))]
    with pytest.raises(GuardRefused, match="another call"):
        sign(envelope, SIGNER, TESTNET, SpendCap(10**9))


def test_an_authorisation_to_create_a_contract_is_refused() -> None:
    envelope = envelope_of()
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CREATE_CONTRACT_HOST_FN
    asset = xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ASSET
    preimage = xdr.ContractIDPreimage(asset, from_asset=Asset.native().to_xdr_object())
    executable = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
    arguments = xdr.CreateContractArgs(preimage, executable)
    function = xdr.SorobanAuthorizedFunction(kind, create_contract_host_fn=arguments)
    creation = xdr.SorobanAuthorizedInvocation(function, [])
    operation.auth[0].root_invocation.sub_invocations = [creation]
    with pytest.raises(GuardRefused, match="creation of a contract"):
        sign(envelope, SIGNER, TESTNET, SpendCap(10**9))


@given(named=amounts, transfers=some.lists(amounts, max_size=4))
def test_the_outlay_covers_every_authorised_transfer_and_the_fee(named: int, transfers: list[int]) -> None:
    envelope = envelope_of(named=named, transfers=tuple(transfers))
    assert outlay_stroops(envelope) == 100 + max(named, sum(transfers))


def test_amounts_inside_lists_and_maps_count() -> None:
    envelope = envelope_of()
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    assert operation.host_function.invoke_contract is not None
    nested = scval.to_vec([scval.to_map({scval.to_symbol("amount"): scval.to_uint128(70)})])
    operation.host_function.invoke_contract.args = [nested]
    operation.auth = []
    assert outlay_stroops(envelope) == 170


@pytest.mark.parametrize("amounts_below", [(-100,), (-(10**12),), (600, 600, -1200), (600, 600, -(2**127))])
def test_negative_amounts_pay_for_nothing(amounts_below: tuple[int, ...]) -> None:
    envelope = envelope_of(named=-(10**9), transfers=amounts_below)
    assert outlay_stroops(envelope) == 100 + sum(amount for amount in amounts_below if amount > 0)


def test_calls_of_any_other_name_count_wherever_they_stand_in_the_tree() -> None:
    envelope = envelope_of()
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    send = transfer_args(400)
    send.function_name = xdr.SCSymbol(b"send")
    operation.auth[0].root_invocation.sub_invocations = [node(send), node(send, node(transfer_args(500)))]
    assert outlay_stroops(envelope) == 100 + 400 + 500


@given(limit=amounts, spending=some.lists(amounts, max_size=5))
def test_no_sequence_of_signatures_exceeds_the_cap(limit: int, spending: list[int]) -> None:
    spend_cap = SpendCap(limit)
    for number, stroops in enumerate(spending):
        before = spend_cap.spent_stroops
        if before + stroops > limit:
            with pytest.raises(GuardRefused, match="cap"):
                spend_cap.commit(OTHER, number, stroops)
            assert spend_cap.spent_stroops == before
        else:
            spend_cap.commit(OTHER, number, stroops)
        assert spend_cap.spent_stroops <= limit


def test_a_transaction_beyond_the_cap_stays_unsigned() -> None:
    envelope = envelope_of(transfers=(60, 60))
    with pytest.raises(GuardRefused, match="220 stroops, more than its cap of 219"):
        sign(envelope, SIGNER, TESTNET, SpendCap(219))
    assert envelope.signatures == []
    sign(envelope, SIGNER, TESTNET, SpendCap(220))
    assert len(envelope.signatures) == 1


def test_transactions_of_one_sequence_number_are_paid_for_once_at_the_price_of_the_dearest() -> None:
    spend_cap = SpendCap(100)
    for stroops in (60, 90, 30):
        spend_cap.commit(OTHER, 7, stroops)
    assert spend_cap.spent_stroops == 90
    with pytest.raises(GuardRefused, match="101 stroops"):
        spend_cap.commit(OTHER, 7, 101)
    with pytest.raises(GuardRefused, match="cap"):
        spend_cap.commit(OTHER, 8, 11)
    with pytest.raises(GuardRefused, match="cap"):
        spend_cap.commit(SIGNER.public_key, 7, 11)
    assert spend_cap.spent_stroops == 90


@pytest.mark.parametrize(
    ("passphrase", "error"),
    [
        (PUBLIC_PASSPHRASE, GuardRefused),
        ("Some Private Network ; 2020", GuardRefused),
        (TESTNET.passphrase, SettingsInvalid),
    ],
)
def test_an_rpc_of_another_network_ends_the_run_before_the_first_signature(
    passphrase: str,
    error: type[Exception],
    ledger: LedgerDouble,
    adapter: StellarAdapter,
    payer: ChainAccount,
) -> None:
    ledger.passphrase = passphrase
    with pytest.raises(error):
        adapter.connect()
    with pytest.raises(error):
        adapter.invoke(CONTRACT, "ping", signer=payer)
    with pytest.raises(error):
        adapter.fund(payer.address)
    assert ledger.sent == []
    assert ledger.friendbot == []


def test_a_run_stops_at_its_cap(
    make_adapter: Callable[..., StellarAdapter], ledger: LedgerDouble, payer: ChainAccount
) -> None:
    adapter = make_adapter(max_stroops=25_000)
    adapter.invoke(CONTRACT, "open", OTHER, 10_000, signer=payer)
    with pytest.raises(GuardRefused, match="cap of 25000"):
        adapter.invoke(CONTRACT, "open", OTHER, 10_000, signer=payer)
    assert len(ledger.sent) == 1


@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("sendTransaction", lambda ledger: ledger.refuses("txBAD_SEQ")),
        ("getTransaction", lambda ledger: ledger.fails("ENTRY_ARCHIVED", fee=-(10**15))),
    ],
    ids=["refused", "failed at a negative fee"],
)
def test_an_rpc_that_lies_about_failure_does_not_refill_the_spend_cap(
    method: str,
    lie: Callable[[LedgerDouble], Any],
    make_adapter: Callable[..., StellarAdapter],
    ledger: LedgerDouble,
    payer: ChainAccount,
) -> None:
    adapter = make_adapter(max_stroops=25_000)

    def and_moves_on(params: dict[str, Any]) -> Any:
        ledger.sequences[payer.address] += 1
        return lie(ledger)(params)

    ledger.script(method, and_moves_on)
    with pytest.raises(GuardRefused, match="30200 stroops, more than its cap of 25000"):
        adapter.invoke(CONTRACT, "open", OTHER, 10_000, signer=payer)
    assert len(ledger.sent) == 1


def calls_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            yield call.func.attr, call.lineno


def test_transactions_are_signed_in_one_place_only() -> None:
    signing = {"sign_decorated", "sign_payload_decorated", "sign_extra_signers_payload", "sign_hashx"}
    package = Path(streampay_smoke.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        uses_sdk = any(
            isinstance(part, ast.ImportFrom) and (part.module or "").split(".")[0] == "stellar_sdk"
            for part in ast.walk(tree)
        )
        names = {name for name, _ in calls_of(tree)}
        if names & signing or (uses_sdk and "sign" in names):
            found.add(path.relative_to(package).as_posix())
    assert found == {"chain/guard.py"}
