"""The adapter's reading side: network, accounts, balances, interfaces, transactions, events and waits."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from ledger_double import (
    CONTRACT,
    START,
    FakeTime,
    LedgerDouble,
    Raw,
    RpcError,
    contract_event,
    enum_entry,
    function_entry,
    meta_v3,
    spec_wasm,
    struct_entry,
    union_entry,
)
from msgspec.structs import replace
from stellar_sdk import Asset, Keypair, StrKey, TransactionBuilder, scval, xdr
from stellar_sdk.operation import InvokeHostFunction

from streampay_smoke.chain.adapter import (
    ChainAccount,
    ChainUnavailable,
    ContractEvent,
    ContractMissing,
    FunctionInterface,
    InterfaceDrift,
)
from streampay_smoke.chain.codec import encoded, plain
from streampay_smoke.chain.stellar import StellarAdapter
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.evidence.events import Waited

TOKEN = Asset.native().contract_id(ALLOWED["sandbox"].passphrase)
SOMEBODY = Keypair.from_raw_ed25519_seed(b"\x05" * 32).public_key
SYMBOL = scval.to_symbol("transfer")


def test_connecting_tells_the_live_network(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    info = adapter.connect()
    assert (info.network, info.simulated, info.protocol_version, info.latest_ledger) == ("sandbox", True, 27, 1_000)
    assert info.friendbot_url == f"{ledger.url}/friendbot"
    assert adapter.connect() is info
    assert ledger.methods() == ["getNetwork", "getHealth"]


def test_the_networks_own_friendbot_is_used_where_none_is_configured(
    ledger: LedgerDouble, make_adapter: Callable[..., StellarAdapter]
) -> None:
    assert make_adapter(friendbot_url="").connect().friendbot_url == f"{ledger.url}/wrong-friendbot"


def test_health_takes_the_time_from_get_health(adapter: StellarAdapter) -> None:
    health = adapter.health()
    assert (health.status, health.latest_ledger, health.oldest_ledger, health.closed_at) == (
        "healthy",
        1_000,
        900,
        START,
    )


def test_a_networks_pauses_grow_to_its_longest() -> None:
    for network in ALLOWED.values():
        pauses = list(itertools.islice(network.pace.pauses(), 20))
        assert (pauses[0], pauses[-1]) == (network.pace.shortest, network.pace.longest)
        assert pauses == sorted(pauses)


def test_a_transaction_is_asked_for_at_the_networks_pace(
    ledger: LedgerDouble, make_adapter: Callable[..., StellarAdapter], fake_time: FakeTime, payer: ChainAccount
) -> None:
    adapter = make_adapter(pace=ALLOWED["local"].pace)
    ledger.script("getTransaction", ledger.not_found)
    adapter.invoke(CONTRACT, "ping", signer=payer)
    assert fake_time.slept == [0.25, 0.25]


def test_fresh_accounts_differ_and_a_seed_names_its_own(adapter: StellarAdapter) -> None:
    first, second = adapter.account("a"), adapter.account("a")
    assert first.address != second.address
    assert adapter.account("b", first.seed).address == first.address


@pytest.mark.parametrize("seed", ["", "S123", SOMEBODY, "S" + "é" * 55])
def test_a_malformed_seed_is_a_setting_to_correct_and_is_not_quoted(seed: str, adapter: StellarAdapter) -> None:
    with pytest.raises(SettingsInvalid, match="the seed given for user") as caught:
        adapter.account("user", seed)
    assert not seed or seed not in str(caught.value)
    assert caught.value.__cause__ is None


def test_new_accounts_are_funded_once_and_known_from_then_on(
    ledger: LedgerDouble, adapter: StellarAdapter, recorded: list[Any]
) -> None:
    accounts = [adapter.account("a"), adapter.account("b")]
    adapter.fund(*(account.address for account in accounts))
    adapter.fund(*(account.address for account in accounts))
    assert ledger.friendbot == [account.address for account in accounts]
    ledger.calls.clear()
    adapter.invoke(CONTRACT, "ping", signer=accounts[0])
    assert "getLedgerEntries" in ledger.methods()  # the contract's interface
    assert all("account" not in json.dumps(params) for _, params in ledger.calls)
    ledger.calls.clear()
    adapter.invoke(CONTRACT, "ping", signer=accounts[1])
    assert ledger.methods() == ["simulateTransaction", "sendTransaction", "getTransaction"]


def test_a_poor_account_is_funded_again(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    ledger.balances[payer.address] = 5
    adapter.fund(payer.address)
    assert ledger.friendbot == [payer.address]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"detail": "account already funded to starting balance", "status": 400}),
        json.dumps({"detail": "createAccountAlreadyExist (AAAA)"}),
        "op_already_exists",
    ],
)
def test_an_account_friendbot_has_funded_before_is_fine(
    body: str, ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    ledger.balances[payer.address] = 5
    ledger.script("friendbot", Raw(status=400, body=body))
    adapter.fund(payer.address)


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (Raw(status=400, body=json.dumps({"detail": "bad address"})), "friendbot refused", "bad address"),
        (Raw(status=400, body=json.dumps({"title": "Bad Request"})), "friendbot refused", "Bad Request"),
        (Raw(status=400, body="[]"), "friendbot refused", "refused to fund"),
        (Raw(status=400), "friendbot refused", "status 400"),
        (Raw(status=404), "http 404", "could not be funded"),
        (Raw(status=302, headers={"location": "http://127.0.0.1:1"}), "redirect", "could not be funded"),
    ],
)
def test_friendbots_other_refusals_are_setup_trouble(
    answer: Raw, cause: str, words: str, ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    ledger.script("friendbot", answer)
    with pytest.raises(ChainUnavailable, match="setup: ") as caught:
        adapter.fund(SOMEBODY)
    assert caught.value.cause == cause
    assert words in str(caught.value)
    assert caught.value.next_step


def test_a_friendbot_that_is_still_starting_is_asked_again(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("friendbot", Raw(status=502, body="<html>"))
    adapter.fund(SOMEBODY)
    assert ledger.friendbot == [SOMEBODY, SOMEBODY]


def test_a_network_without_friendbot_cannot_fund(
    ledger: LedgerDouble, make_adapter: Callable[..., StellarAdapter]
) -> None:
    network = ledger.getNetwork({})
    del network["friendbotUrl"]
    ledger.script("getNetwork", network)
    with pytest.raises(ChainUnavailable, match="names no friendbot"):
        make_adapter(friendbot_url="").fund(SOMEBODY)


def test_funding_waits_until_the_rpc_sees_the_account(
    ledger: LedgerDouble, adapter: StellarAdapter, recorded: list[Any]
) -> None:
    nothing = {"entries": [], "latestLedger": 1_000}
    ledger.script("getLedgerEntries", nothing, nothing, nothing)
    adapter.fund(SOMEBODY)
    (wait,) = [event for event in recorded if isinstance(event, Waited)]
    assert (wait.met, wait.attempts, wait.last) == (True, 3, "1 of 1")


def test_an_account_the_rpc_never_sees_is_told(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("friendbot", Raw(body="{}"))
    with pytest.raises(ChainUnavailable, match="the RPC does not see it") as caught:
        adapter.fund(SOMEBODY)
    assert caught.value.cause == "not seen"


def test_balances_are_stroops(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    ledger.balances[payer.address] = 12_345
    assert adapter.balance(payer.address) == 12_345
    assert adapter.balance(SOMEBODY) == 0


def test_a_contracts_balance_is_asked_of_the_native_token(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.value = scval.to_int128(77)
    assert adapter.balance(CONTRACT) == 77


@pytest.mark.parametrize("address", ["", "GABC", "alice"])
def test_what_is_no_address_has_no_balance_to_ask_for(address: str, adapter: StellarAdapter) -> None:
    with pytest.raises(ValueError, match=r"(?i)invalid"):
        adapter.balance(address)


def test_an_account_entry_that_is_none_is_no_answer(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    def answer(params: dict[str, Any]) -> dict[str, Any]:
        instance = xdr.LedgerKey(
            xdr.LedgerEntryType.CONTRACT_CODE,
            contract_code=xdr.LedgerKeyContractCode(xdr.Hash(b"\x09" * 32)),
        )
        data = ledger._entry(instance)
        assert data is not None
        entry = {"key": params["keys"][0], "xdr": data.to_xdr(), "lastModifiedLedgerSeq": 1}
        return {"entries": [entry], "latestLedger": 1}

    ledger.script("getLedgerEntries", answer)
    with pytest.raises(ChainUnavailable, match="cannot be read"):
        adapter.balance(SOMEBODY)


def test_a_read_takes_one_round_trip_and_no_account(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    adapter.interface(CONTRACT)
    ledger.calls.clear()
    assert adapter.read(CONTRACT, "ping") == 7
    assert ledger.methods() == ["simulateTransaction"]


def test_arguments_are_encoded_as_the_interface_on_chain_says(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    adapter.invoke(CONTRACT, "open", SOMEBODY, 10**9, signer=payer)
    operation = ledger.sent[0].transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    call = operation.host_function.invoke_contract
    assert call is not None
    assert call.args == [scval.to_address(SOMEBODY), scval.to_int128(10**9)]


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [("absent", (), "no function absent; it has open, ping"), ("open", (SOMEBODY,), "takes 2 arguments on chain")],
)
def test_a_call_the_interface_does_not_offer_is_drift(
    function: str, args: tuple[Any, ...], words: str, adapter: StellarAdapter
) -> None:
    with pytest.raises(InterfaceDrift, match=words):
        adapter.read(CONTRACT, function, *args)


def test_the_interface_on_chain_is_told_in_plain_words(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.wasm = spec_wasm(
        [
            function_entry("f", [("a", "option<u64>"), ("b", "vec<address>")], "result<Stream>"),
            struct_entry("Stream", {"id": "u64", "status": "Status"}),
            union_entry("Status", ["Draft", "Active"]),
            enum_entry("Level", ["Low", "High"]),
        ]
    )
    found = adapter.interface(CONTRACT)
    assert found.functions == {
        "f": FunctionInterface(arguments=(("a", "option<u64>"), ("b", "vec<address>")), returns="result<Stream>")
    }
    assert found.structs == {"Stream": {"id": "u64", "status": "Status"}}
    assert found.enums == {"Status": ("Draft", "Active"), "Level": ("Low", "High")}
    assert adapter.spec(CONTRACT) == found.functions


def test_the_native_tokens_interface_is_known_without_code(adapter: StellarAdapter) -> None:
    assert "transfer" in adapter.spec(TOKEN)
    assert adapter.interface(TOKEN).errors[10] == "BalanceError"
    assert adapter.native_token_contract() == TOKEN


def test_a_contract_that_is_not_there_is_missing(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.wasm = None
    with pytest.raises(ContractMissing, match=CONTRACT) as caught:
        adapter.spec(CONTRACT)
    assert "reset" in caught.value.next_step


def test_a_contract_whose_code_is_gone_is_missing(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getLedgerEntries", ledger.getLedgerEntries, {"entries": [], "latestLedger": 1})
    with pytest.raises(ContractMissing):
        adapter.spec(CONTRACT)


def test_what_is_no_contract_id_is_missing_without_asking(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    with pytest.raises(ContractMissing, match="no contract id at all"):
        adapter.spec("CABC")
    assert ledger.calls == []


@pytest.mark.parametrize("wasm", [b"", b"ELF", spec_wasm([])[:-3] + b"abc", b"\0asm\x01\0\0\0\0\xff"])
def test_code_without_a_readable_interface_is_drift(wasm: bytes, ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.wasm = wasm
    with pytest.raises(InterfaceDrift):
        adapter.read(CONTRACT, "ping")


def test_a_closed_transaction_is_told_whole(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    to, amount = scval.to_address(SOMEBODY), scval.to_int128(5)
    system = contract_event(TOKEN, [SYMBOL], amount)
    system.type = xdr.ContractEventType.SYSTEM
    ledger.events = [contract_event(TOKEN, [SYMBOL, to], amount), system, contract_event("", [SYMBOL], amount)]
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    found = adapter.transaction(sent.tx_hash.upper())
    assert found is not None
    assert (found.status, found.contract_id, found.function, found.value) == ("SUCCESS", CONTRACT, "ping", 7)
    assert (found.ledger, found.closed_at, found.fee_charged_stroops) == (1_001, START + 5, 5_100)
    about: dict[str, Any] = {"tx_hash": sent.tx_hash, "ledger": 1_001, "closed_at": START + 5}
    assert found.events == (
        ContractEvent(contract_id=TOKEN, topics=("transfer", SOMEBODY), data=5, **about),
        ContractEvent(contract_id="", topics=("transfer",), data=5, **about),
    )


def test_the_meta_of_older_protocols_is_read_too(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    event = contract_event(TOKEN, [SYMBOL], scval.to_int128(5))
    ledger.closed[sent.tx_hash]["resultMetaXdr"] = meta_v3(scval.to_uint32(9), [event]).to_xdr()
    found = adapter.transaction(sent.tx_hash)
    assert found is not None
    assert (found.value, [event.data for event in found.events]) == (9, [5])


def test_a_meta_without_contract_calls_has_neither_value_nor_events(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    none = xdr.LedgerEntryChanges([])
    classic = xdr.TransactionMeta(
        2, v2=xdr.TransactionMetaV2(tx_changes_before=none, operations=[], tx_changes_after=none)
    )
    ledger.closed[sent.tx_hash]["resultMetaXdr"] = classic.to_xdr()
    found = adapter.transaction(sent.tx_hash)
    assert found is not None
    assert (found.value, found.events) == (None, ())


def test_a_failed_transaction_is_told_as_failed(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    ledger.fails("TRAPPED")({"hash": sent.tx_hash})
    found = adapter.transaction(sent.tx_hash)
    assert found is not None
    assert (found.status, found.value, found.events) == ("FAILED", None, ())


def test_a_payment_invokes_no_contract(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    envelope = ledger.sent[0]
    envelope.transaction.operations = [
        TransactionBuilder(envelope.transaction.source, envelope.network_passphrase)  # type: ignore[arg-type]
        .append_payment_op(SOMEBODY, Asset.native(), "1")
        .operations[0]
    ]
    ledger.closed[sent.tx_hash]["envelopeXdr"] = envelope.to_xdr()
    failed = xdr.TransactionResult(
        xdr.Int64(100),
        xdr.TransactionResultResult(
            xdr.TransactionResultCode.txFAILED, results=[xdr.OperationResult(xdr.OperationResultCode.opNO_ACCOUNT)]
        ),
        xdr.TransactionResultExt(0),
    )
    ledger.closed[sent.tx_hash] |= {"status": "FAILED", "resultXdr": failed.to_xdr()}
    found = adapter.transaction(sent.tx_hash)
    assert found is not None
    assert (found.status, found.contract_id, found.function) == ("FAILED", "", "")


def test_a_call_inside_a_fee_bump_is_found(ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount) -> None:
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    bump = TransactionBuilder.build_fee_bump_transaction(SOMEBODY, 10_000, ledger.sent[0], ledger.passphrase)
    inner = xdr.TransactionResult.from_xdr(ledger.closed[sent.tx_hash]["resultXdr"])
    codes = xdr.TransactionResultCode
    of_inner = xdr.InnerTransactionResult(
        xdr.Int64(0),
        xdr.InnerTransactionResultResult(codes.txSUCCESS, results=inner.result.results),
        xdr.InnerTransactionResultExt(0),
    )
    pair = xdr.InnerTransactionResultPair(xdr.Hash(b"\0" * 32), of_inner)
    outer = xdr.TransactionResult(
        xdr.Int64(8_000),
        xdr.TransactionResultResult(codes.txFEE_BUMP_INNER_SUCCESS, inner_result_pair=pair),
        xdr.TransactionResultExt(0),
    )
    ledger.closed[sent.tx_hash] |= {"envelopeXdr": bump.to_xdr(), "resultXdr": outer.to_xdr()}
    found = adapter.transaction(sent.tx_hash)
    assert found is not None
    assert (found.status, found.contract_id, found.function, found.fee_charged_stroops) == (
        "SUCCESS",
        CONTRACT,
        "ping",
        8_000,
    )


@pytest.mark.parametrize("tx_hash", ["", "ab", "0x" + "ab" * 31, "z" * 64, "ab" * 33])
def test_what_is_no_hash_is_known_to_no_network(tx_hash: str, ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    assert adapter.transaction(tx_hash) is None
    assert ledger.calls == []


def test_an_invented_hash_is_not_found(adapter: StellarAdapter) -> None:
    assert adapter.transaction("ab" * 32) is None


def page(ledger: LedgerDouble, cursor: str, *numbers: int) -> dict[str, Any]:
    """A `getEvents` answer with one event for each number."""
    events = [
        {
            "type": "contract",
            "ledger": 1_000,
            "ledgerClosedAt": "2027-01-15T08:00:00Z",
            "contractId": CONTRACT,
            "id": f"{number}",
            "topic": [scval.to_symbol("stream").to_xdr()],
            "value": scval.to_uint32(number).to_xdr(),
            "operationIndex": 0,
            "transactionIndex": 1,
            "txHash": "ab" * 32,
        }
        for number in numbers
    ]
    health = ledger.getHealth({})
    times = {name: health[name] for name in ("latestLedger", "oldestLedger", "latestLedgerCloseTime")}
    return {"events": events, "cursor": cursor, "oldestLedgerCloseTime": "1", **times}


def cursor_at(ledger: int, number: int = 0) -> str:
    return f"{ledger << 32:019d}-{number:010d}"


def numbers_of(events: tuple[ContractEvent, ...]) -> list[Any]:
    return [event.data for event in events]


def test_events_are_read_page_by_page_until_the_newest_ledger(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script(
        "getEvents",
        page(ledger, cursor_at(950, 99), *range(100)),
        page(ledger, cursor_at(980)),  # short, because the server looks at so many ledgers only
        page(ledger, cursor_at(1_000), 100, 101),
    )
    events = adapter.events(since_ledger=901, contract_ids=[CONTRACT])
    assert numbers_of(events) == list(range(102))
    assert (events[0].contract_id, events[0].topics, events[0].ledger) == (CONTRACT, ("stream",), 1_000)
    assert events[0].closed_at == START
    asked = [params for method, params in ledger.calls if method == "getEvents"]
    assert [params["startLedger"] for params in asked] == [901, None, None]
    assert [params["pagination"]["cursor"] for params in asked] == [None, cursor_at(950, 99), cursor_at(980)]


def test_a_cursor_of_another_form_ends_with_a_short_page(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getEvents", page(ledger, "opaque", 1))
    assert numbers_of(adapter.events(since_ledger=990, contract_ids=[CONTRACT])) == [1]


def test_events_are_asked_for_by_contract_and_leading_topics(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    contracts = [StrKey.encode_contract(bytes([number]) * 32) for number in range(7)]
    ledger.script("getEvents", page(ledger, cursor_at(1_000)))
    adapter.events(since_ledger=990, contract_ids=contracts, topics=["transfer", "*", SOMEBODY])
    _, params = ledger.calls[-1]
    topics = [[SYMBOL.to_xdr(), "*", scval.to_address(SOMEBODY).to_xdr(), "**"]]
    assert [(given["contractIds"], given["topics"]) for given in params["filters"]] == [
        (contracts[:5], topics),
        (contracts[5:], topics),
    ]


def test_events_of_any_topic_ask_without_topics(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getEvents", page(ledger, cursor_at(1_000)))
    adapter.events(since_ledger=990, contract_ids=[CONTRACT])
    assert ledger.calls[-1][1]["filters"][0]["topics"] is None


def test_an_rpc_that_tells_no_close_time_in_its_health_tells_it_elsewhere(
    ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    whole = adapter.health()
    told = {name: value for name, value in ledger.getHealth({}).items() if not name.endswith("CloseTime")}
    ledger.script("getHealth", told)
    assert adapter.health() == replace(whole, oldest_ledger_close_time=0)
    assert ledger.methods()[-2:] == ["getHealth", "getTransaction"]


def test_there_are_no_events_in_a_ledger_that_has_not_closed(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    assert adapter.events(since_ledger=1_001, contract_ids=[CONTRACT]) == ()
    assert ledger.methods() == ["getHealth"]


def test_events_the_network_no_longer_keeps_are_not_passed_over(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getEvents", RpcError(code=-32600, message="startLedger must be within the ledger range"))
    with pytest.raises(ChainUnavailable, match="keeps none before 900") as caught:
        adapter.events(since_ledger=899, contract_ids=[CONTRACT])
    assert caught.value.cause == "retention"


def test_another_refusal_of_events_is_told_as_it_is(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    ledger.script("getEvents", RpcError(code=-32602, message="filter 1 invalid"), Raw(status=404))
    for cause in ("rpc error -32602", "http 404"):
        with pytest.raises(ChainUnavailable) as caught:
            adapter.events(since_ledger=950, contract_ids=[CONTRACT])
        assert caught.value.cause == cause


def test_a_backend_that_lags_is_asked_until_it_knows_the_newest_ledger(
    ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    adapter.health()
    ledger.script("getEvents", page(ledger, cursor_at(999)) | {"latestLedger": 999})
    ledger.script("getEvents", page(ledger, cursor_at(1_000), 1))
    assert numbers_of(adapter.events(since_ledger=990, contract_ids=[CONTRACT])) == [1]


def test_a_backend_that_keeps_lagging_is_no_answer(ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    adapter.health()
    ledger.script("getEvents", *[page(ledger, cursor_at(999)) | {"latestLedger": 999}] * 200)
    with pytest.raises(ChainUnavailable) as caught:
        adapter.events(since_ledger=990, contract_ids=[CONTRACT])
    assert caught.value.cause == "lagging"


@pytest.mark.parametrize("broken", [{"topic": ["AAAA//"]}, {"value": "?"}])
def test_an_event_that_cannot_be_read_is_no_answer(
    broken: dict[str, Any], ledger: LedgerDouble, adapter: StellarAdapter
) -> None:
    answer = page(ledger, cursor_at(1_000), 1)
    answer["events"][0] |= broken
    ledger.script("getEvents", answer)
    with pytest.raises(ChainUnavailable, match="getEvents cannot be read"):
        adapter.events(since_ledger=990, contract_ids=[CONTRACT])


def test_waiting_for_a_close_ends_with_the_ledger_that_has_it(
    ledger: LedgerDouble, adapter: StellarAdapter, fake_time: FakeTime, recorded: list[Any]
) -> None:
    def moved(params: dict[str, Any]) -> dict[str, Any]:
        ledger.closed_at = START + int(fake_time.now)
        return ledger.getHealth(params)

    ledger.script("getHealth", *[moved] * 100)
    health = adapter.wait_for_close(START + 20, within_seconds=30)
    assert health.closed_at == START + 20
    (wait,) = [event for event in recorded if isinstance(event, Waited)]
    assert (wait.met, wait.what) == (True, f"a ledger closed at or after {START + 20}")
    assert wait.attempts < 15
    assert 20 <= fake_time.now < 21


def test_a_ledger_that_closed_already_is_not_waited_for(
    adapter: StellarAdapter, fake_time: FakeTime, recorded: list[Any]
) -> None:
    assert adapter.wait_for_close(START, within_seconds=0).closed_at == START
    assert fake_time.slept == []
    assert not any(isinstance(event, Waited) for event in recorded)


def test_a_ledger_that_does_not_close_is_told_at_the_limit(
    adapter: StellarAdapter, fake_time: FakeTime, recorded: list[Any]
) -> None:
    with pytest.raises(ChainUnavailable, match="within 3 s") as caught:
        adapter.wait_for_close(START + 1, within_seconds=3)
    assert caught.value.cause == "ledger stands still"
    assert fake_time.now == pytest.approx(3)
    assert recorded[-1].met is False


def one_entry(key: xdr.SCVal, value: xdr.SCVal) -> xdr.SCVal:
    return xdr.SCVal(xdr.SCValType.SCV_MAP, map=xdr.SCMap([xdr.SCMapEntry(key, value)]))


VALUES: list[tuple[xdr.SCVal, Any]] = [
    (scval.to_void(), None),
    (scval.to_bool(True), True),
    (scval.to_int128(-(2**100)), -(2**100)),
    (scval.to_string("ü"), "ü"),
    (scval.to_bytes(b"\x00\xff"), b"\x00\xff"),
    (scval.to_address(CONTRACT), CONTRACT),
    (scval.to_vec([scval.to_symbol("Draft")]), ["Draft"]),
    (one_entry(scval.to_symbol("a"), scval.to_vec([scval.to_address(SOMEBODY)])), {"a": [SOMEBODY]}),
    (one_entry(scval.to_vec([scval.to_uint32(1)]), scval.to_uint32(2)), {(1,): 2}),
    (one_entry(scval.to_map({}), scval.to_uint32(2)), {"{}": 2}),
    (
        xdr.SCVal(
            xdr.SCValType.SCV_ERROR,
            error=xdr.SCError(xdr.SCErrorType.SCE_WASM_VM, code=xdr.SCErrorCode.SCEC_INVALID_ACTION),
        ),
        "Error(WasmVm, InvalidAction)",
    ),
    (xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE), "AAAAFA=="),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_values_become_plain_python(value: xdr.SCVal, expected: Any) -> None:
    assert plain(value) == expected


ARGUMENTS: list[tuple[str, Any]] = [
    ("address", SOMEBODY),
    ("bool", False),
    ("bytes", b"ab"),
    ("i128", -5),
    ("u128", 2**100),
    ("i64", -1),
    ("u64", 2**63),
    ("i32", -1),
    ("u32", 1),
    ("string", "s"),
    ("symbol", "s"),
    ("timepoint", 5),
    ("duration", 5),
    ("option<u64>", None),
    ("option<u64>", 5),
    ("vec<address>", [SOMEBODY, CONTRACT]),
]


@pytest.mark.parametrize(("kind", "value"), ARGUMENTS)
def test_arguments_survive_the_way_there_and_back(kind: str, value: Any) -> None:
    assert plain(encoded(kind, value)) == value


def test_an_encoded_argument_passes_as_it_is() -> None:
    assert encoded("anything", scval.to_uint32(3)) == scval.to_uint32(3)


def test_a_type_nobody_sends_is_drift() -> None:
    with pytest.raises(InterfaceDrift, match="of type Stream"):
        encoded("Stream", {})


def lagging(answer: Any) -> Any:
    """The same answer from a backend that is a ledger behind."""
    return lambda params: answer(params) | {"latestLedger": 999}


LAGGING: dict[str, tuple[str, Callable[[StellarAdapter], object]]] = {
    "a stream that was just opened": ("simulateTransaction", lambda adapter: adapter.read(CONTRACT, "ping")),
    "a balance": ("getLedgerEntries", lambda adapter: adapter.balance(SOMEBODY)),
    "a transaction": ("getTransaction", lambda adapter: adapter.transaction("ab" * 32)),
}


@pytest.mark.parametrize("what", LAGGING)
def test_an_old_answer_is_not_taken_for_the_state(what: str, ledger: LedgerDouble, adapter: StellarAdapter) -> None:
    method, ask = LAGGING[what]
    adapter.interface(CONTRACT)
    adapter.health()
    ledger.calls.clear()
    ledger.script(method, lagging(getattr(ledger, method)), lagging(getattr(ledger, method)))
    ask(adapter)
    assert ledger.methods() == [method] * 3


def test_a_transaction_found_on_a_lagging_backend_is_found(
    ledger: LedgerDouble, adapter: StellarAdapter, payer: ChainAccount
) -> None:
    sent = adapter.invoke(CONTRACT, "ping", signer=payer)
    ledger.script("getTransaction", lagging(ledger.getTransaction))
    assert adapter.transaction(sent.tx_hash) is not None
    assert ledger.unused() == {}
