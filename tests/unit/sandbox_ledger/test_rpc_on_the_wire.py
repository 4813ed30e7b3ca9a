"""Every method's exact JSON types and refusals; which numbers travel as strings is from the facts of Stellar RPC."""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from ledger_players import NETWORK, UNIT, Person, RpcRefusal, Wire, build, started
from stellar_sdk import Account, Keypair, TextMemo, scval, xdr

from streampay_sandbox.ledger.keys import Key, account_key, instance_key
from streampay_sandbox.ledger.rpc import MAX_KEYS

NUMBERS = {
    "latestLedger",
    "oldestLedger",
    "sequence",
    "ledgerCount",
    "lastModifiedLedgerSeq",
    "liveUntilLedgerSeq",
    "applicationOrder",
    "ledger",
    "protocolVersion",
    "ledgerRetentionWindow",
    "operationIndex",
    "transactionIndex",
    "latestLedgerCloseTimestamp",
    "oldestLedgerCloseTimestamp",
}
STRINGS = {"minResourceFee", "closeTime", "ledgerCloseTime", "transactionCount", "p50", "max", "min", "mode"}


def types_are_exact(value: Any) -> None:
    """Insist on the JSON type of every field whose type is known, at any depth."""
    if isinstance(value, list):
        for item in value:
            types_are_exact(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in NUMBERS:
                assert type(item) is int, name
            elif name in STRINGS:
                assert type(item) is str, name
            types_are_exact(item)


@pytest.fixture
def pair(wire: Wire) -> tuple[Person, Person]:
    return wire.person(), wire.person()


def test_health_is_told_with_close_times_as_strings(wire: Wire) -> None:
    health = wire.call("getHealth")
    types_are_exact(health)
    assert health["status"] == "healthy"
    assert health["latestLedgerCloseTime"] == str(wire.ledger.node.book.latest.closed_at)
    assert (health["oldestLedger"], health["ledgerRetentionWindow"]) == (1, 120_960)


def test_the_network_is_the_sandbox_and_names_its_friendbot(wire: Wire) -> None:
    network = wire.call("getNetwork")
    types_are_exact(network)
    assert network == {
        "friendbotUrl": wire.ledger.friendbot_url,
        "passphrase": NETWORK.passphrase,
        "protocolVersion": 30,
    }


@pytest.fixture
def whole_seconds() -> Iterator[Wire]:
    """A ledger whose headers stellar-sdk knows: those of protocol 30 have an arm that it does not."""
    with started(rpc_version="28") as wire:
        yield wire


def test_the_latest_ledger_carries_a_header_that_hashes_to_its_id(whole_seconds: Wire) -> None:
    wire = whole_seconds
    wire.person().draft(wire.person())
    latest = wire.call("getLatestLedger")
    types_are_exact(latest)
    header = xdr.LedgerHeader.from_xdr(latest["headerXdr"])
    assert latest["id"] == hashlib.sha256(header.to_xdr_bytes()).hexdigest()
    assert header.ledger_seq.uint32 == latest["sequence"]
    assert header.scp_value.close_time.time_point.uint64 == int(latest["closeTime"])
    meta = xdr.LedgerCloseMeta.from_xdr(latest["metadataXdr"]).v2
    assert meta is not None
    assert len(meta.tx_processing) == 1
    assert header.fee_pool.int64 == wire.ledger.node.state.fee_pool


def test_versions_and_fees_are_told(wire: Wire, pair: tuple[Person, Person]) -> None:
    pair[0].draft(pair[1])
    types_are_exact(wire.call("getVersionInfo"))
    fees = wire.call("getFeeStats")
    types_are_exact(fees)
    assert fees["inclusionFee"]["transactionCount"] == "2"
    assert fees["sorobanInclusionFee"]["transactionCount"] == "1"


def test_entries_are_found_by_their_keys_and_missing_ones_left_out(wire: Wire, pair: tuple[Person, Person]) -> None:
    keys = [
        account_key(pair[0].address),
        account_key(Keypair.random().public_key),
        instance_key(wire.ledger.contract_id),
    ]
    encoded = [key.ledger_key.to_xdr() for key in keys]
    found = wire.call("getLedgerEntries", keys=encoded)
    types_are_exact(found)
    assert [entry["key"] for entry in found["entries"]] == [encoded[0], encoded[2]]
    account = xdr.LedgerEntryData.from_xdr(found["entries"][0]["xdr"]).account
    assert account is not None
    assert account.balance.int64 == 10_000 * UNIT
    assert "liveUntilLedgerSeq" not in found["entries"][0]
    assert found["entries"][1]["liveUntilLedgerSeq"] > found["latestLedger"]
    assert all(entry["extXdr"] == "AAAAAA==" for entry in found["entries"])


def test_entries_are_refused_for_bad_keys(wire: Wire) -> None:
    ttl = xdr.LedgerKey(
        xdr.LedgerEntryType.TTL, ttl=xdr.LedgerKeyTtl(xdr.Hash(account_key(Keypair.random().public_key).hash))
    )
    for keys in (["junk"], [7], [ttl.to_xdr()], [Key(ttl).ledger_key.to_xdr()] * (MAX_KEYS + 1)):
        with pytest.raises(RpcRefusal) as caught:
            wire.call("getLedgerEntries", keys=keys)
        assert caught.value.code == -32602


def test_a_read_needs_no_account_and_declares_no_write(wire: Wire) -> None:
    stranger = Keypair.random().public_key
    answer = wire.simulate(build(Account(stranger, 0), wire.ledger.contract_id, "max_streams_per_sender"))
    types_are_exact(answer)
    assert "stateChanges" not in answer
    data = xdr.SorobanTransactionData.from_xdr(answer["transactionData"])
    assert data.resources.footprint.read_write == []
    assert data.resource_fee.int64 == int(answer["minResourceFee"]) > 0
    assert [set(item) for item in answer["results"]] == [{"auth", "xdr"}]
    assert answer["results"][0]["auth"] == []


def test_a_simulated_write_says_what_would_change(wire: Wire, pair: tuple[Person, Person]) -> None:
    payer, recipient = pair
    envelope = build(
        payer.account(),
        wire.ledger.contract_id,
        "create_draft_stream",
        payer.value,
        recipient.value,
        scval.to_address(wire.ledger.native_token_id),
        scval.to_int128(UNIT),
        scval.to_uint64(1),
    )
    answer = wire.simulate(envelope, resourceConfig={"instructionLeeway": 1_000_000})
    plain = wire.simulate(envelope)
    kinds = sorted(change["type"] for change in answer["stateChanges"])
    assert kinds == ["created"] * 4 + ["updated"] * 2
    for change in answer["stateChanges"]:
        assert ("before" in change, "after" in change) == (change["type"] == "updated", True)
    more = xdr.SorobanTransactionData.from_xdr(answer["transactionData"]).resources.instructions.uint32
    less = xdr.SorobanTransactionData.from_xdr(plain["transactionData"]).resources.instructions.uint32
    assert more - less == 1_000_000
    events = [xdr.DiagnosticEvent.from_xdr(item) for item in answer["events"]]
    assert [event.in_successful_contract_call for event in events] == [True, True]
    assert wire.native(recipient.address) == 10_000 * UNIT


def test_a_contracts_refusal_is_a_result_with_its_code(wire: Wire, pair: tuple[Person, Person]) -> None:
    answer = wire.simulate(build(pair[0].account(), wire.ledger.contract_id, "get_stream", scval.to_uint64(77)))
    assert answer["error"] == "HostError: Error(Contract, #1)"
    assert len(answer["events"]) == 1
    assert answer["latestLedger"] == wire.ledger.node.book.latest.sequence
    assert set(answer) == {"error", "events", "latestLedger"}


def test_an_unknown_contract_is_a_missing_value(wire: Wire, pair: tuple[Person, Person]) -> None:
    nowhere = "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"
    answer = wire.simulate(build(pair[0].account(), nowhere, "get_stream", scval.to_uint64(1)))
    assert answer["error"].startswith("HostError: Error(Storage, MissingValue)")


def test_what_cannot_be_simulated_says_why_before_any_ledger(wire: Wire, pair: tuple[Person, Person]) -> None:
    call = build(pair[0].account(), wire.ledger.contract_id, "get_stream", scval.to_uint64(1))
    call.transaction.memo = TextMemo("hello")
    assert "Soroban transactions do not support memos" in _early(wire, call.to_xdr())
    call = build(pair[0].account(), wire.ledger.contract_id, "get_stream", scval.to_uint64(1))
    call.transaction.operations *= 2
    assert "more than one operation" in _early(wire, call.to_xdr())
    payment = pair[0].builder().append_bump_sequence_op(5).build()
    assert "unsupported operation type" in _early(wire, payment.to_xdr())
    assert "Could not unmarshal transaction" in _early(wire, "junk")


def _early(wire: Wire, envelope: str) -> str:
    answer = wire.call("simulateTransaction", transaction=envelope)
    assert answer["latestLedger"] == 0
    error: str = answer["error"]
    return error


def test_an_operations_own_source_is_who_invokes(wire: Wire, pair: tuple[Person, Person]) -> None:
    sponsor, payer = pair
    builder = sponsor.builder()
    builder.append_invoke_contract_function_op(
        wire.ledger.native_token_id,
        "transfer",
        [payer.value, sponsor.value, scval.to_int128(UNIT)],
        source=payer.address,
    )
    answer = wire.simulate(builder.build())
    (entry,) = [xdr.SorobanAuthorizationEntry.from_xdr(item) for item in answer["results"][0]["auth"]]
    assert entry.credentials.type == xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT


def test_simulation_runs_in_the_next_ledger(wire: Wire, pair: tuple[Person, Person]) -> None:
    payer, recipient = pair
    stream_id = payer.draft(recipient, seconds=1)
    payer.on_stream("start_stream", stream_id)
    payer.on_stream("settle", stream_id)  # the ledger after the start's is one second on, which is the whole stream
    assert wire.native(recipient.address) == 10_010 * UNIT


def test_a_closed_transaction_is_told_in_full(wire: Wire, pair: tuple[Person, Person]) -> None:
    payer, recipient = pair
    payer.draft(recipient)
    listed = wire.call("getTransactions", startLedger=1)
    types_are_exact(listed)
    last = listed["transactions"][-1]
    single = wire.outcome(last["txHash"].upper())
    types_are_exact(single)
    assert type(last["createdAt"]) is int
    assert single["createdAt"] == str(last["createdAt"])
    for name in ("status", "envelopeXdr", "resultXdr", "resultMetaXdr", "ledger", "applicationOrder", "feeBump"):
        assert single[name] == last[name]
    assert len(single["events"]["contractEventsXdr"]) == 1
    assert len(single["events"]["transactionEventsXdr"]) == 2
    assert single["feeBump"] is False


def test_an_unknown_transaction_is_not_found_and_says_so_with_the_window_only(wire: Wire) -> None:
    answer = wire.outcome("ab" * 32)
    assert answer["status"] == "NOT_FOUND"
    assert set(answer) == {
        "status",
        "txHash",
        "latestLedger",
        "latestLedgerCloseTime",
        "oldestLedger",
        "oldestLedgerCloseTime",
    }
    for junk in ("ab", "zz" * 32):
        with pytest.raises(RpcRefusal) as caught:
            wire.outcome(junk)
        assert caught.value.code == -32602


def test_transactions_come_page_by_page(wire: Wire, pair: tuple[Person, Person]) -> None:
    pair[0].draft(pair[1])
    first = wire.call("getTransactions", startLedger=1, pagination={"limit": 2})
    second = wire.call("getTransactions", pagination={"limit": 2, "cursor": first["cursor"]})
    assert (len(first["transactions"]), len(second["transactions"])) == (2, 1)
    rest = wire.call("getTransactions", pagination={"cursor": second["cursor"]})
    assert rest["transactions"] == []
    end = wire.call("getTransactions", pagination={"cursor": rest["cursor"]})
    assert end["transactions"] == []


def test_ledgers_come_page_by_page(whole_seconds: Wire) -> None:
    wire = whole_seconds
    for _ in range(2):
        wire.person()
    first = wire.call("getLedgers", startLedger=1, pagination={"limit": 2})
    assert [ledger["sequence"] for ledger in first["ledgers"]] == [1, 2]
    assert all(type(ledger["ledgerCloseTime"]) is str for ledger in first["ledgers"])
    second = wire.call("getLedgers", pagination={"limit": 2, "cursor": first["cursor"]})
    assert [ledger["sequence"] for ledger in second["ledgers"]] == [3]
    previous = xdr.LedgerHeaderHistoryEntry.from_xdr(first["ledgers"][1]["headerXdr"])
    header = xdr.LedgerHeaderHistoryEntry.from_xdr(second["ledgers"][0]["headerXdr"])
    assert header.header.previous_ledger_hash == previous.hash
    assert wire.call("getLedgers", pagination={"cursor": second["cursor"]})["ledgers"] == []


@pytest.mark.parametrize("method", ["getTransactions", "getLedgers"])
def test_pages_outside_the_window_are_refused(wire: Wire, method: str) -> None:
    questions: list[dict[str, Any]] = [
        {},
        {"startLedger": 99},
        {"startLedger": 1, "pagination": {"limit": 0}},
        {"startLedger": 1, "pagination": {"limit": 201}},
        {"pagination": {"cursor": "x"}},
        {"startLedger": "1"},
        {"startLedger": True},
        {"pagination": []},
    ]
    for params in questions:
        with pytest.raises(RpcRefusal):
            wire.call(method, **params)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getLedgerEntries", {"keys": "k"}),
        ("sendTransaction", {}),
        ("simulateTransaction", {"transaction": 5}),
        ("simulateTransaction", {"transaction": "", "authMode": "sometimes"}),
        ("simulateTransaction", {"transaction": "", "useUpgradedAuth": "yes"}),
        ("getHealth", {"xdrFormat": "json"}),
    ],
)
def test_wrong_parameters_are_refused(wire: Wire, method: str, params: dict[str, Any]) -> None:
    with pytest.raises(RpcRefusal) as caught:
        wire.call(method, **params)
    assert caught.value.code == -32602


def test_unknown_methods_and_positional_parameters_are_refused(wire: Wire) -> None:
    with pytest.raises(RpcRefusal) as caught:
        wire.call("getWeather")
    assert caught.value.code == -32601
    answer = wire.http.post(
        wire.ledger.rpc_url, json={"jsonrpc": "2.0", "id": "a", "method": "getHealth", "params": [1]}
    ).json()
    assert (answer["id"], answer["error"]["code"]) == ("a", -32602)


def test_json_rpc_is_served_at_both_addresses_in_batches_too(wire: Wire) -> None:
    root = wire.ledger.rpc_url.removesuffix("/rpc") + "/"
    one = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    assert wire.http.post(root, json=one).json()["result"]["status"] == "healthy"
    answers = wire.http.post(root, json=[one, {"id": 2}]).json()
    assert (answers[0]["id"], answers[1]["error"]["code"]) == (1, -32600)
    assert wire.http.get(wire.ledger.rpc_url).status_code == 405


def test_malformed_and_oversized_bodies_are_answered_as_the_real_server_does(wire: Wire) -> None:
    malformed = wire.http.post(wire.ledger.rpc_url, content=b"{nonsense")
    assert (malformed.status_code, malformed.text) == (500, "[-32700] invalid request value")
    assert wire.http.post(wire.ledger.rpc_url, content=b" " * (512 * 1024 + 1)).status_code == 413


def test_an_instant_network_moves_while_nobody_does_anything() -> None:
    with started() as wire:
        node = wire.ledger.node
        first = wire.call("getHealth")
        node._closed_wall -= 1
        second = wire.call("getHealth")
        assert second["latestLedger"] == first["latestLedger"] + 1
        assert int(second["latestLedgerCloseTime"]) > int(first["latestLedgerCloseTime"])


def test_instant_ledgers_strictly_increase_in_time() -> None:
    began = int(time.time())
    with started() as wire:
        for _ in range(4):
            wire.person()
        times = [int(item["ledgerCloseTime"]) for item in wire.call("getLedgers", startLedger=1)["ledgers"]]
    assert times == sorted(set(times))
    assert times[0] >= began - 10


def test_several_transactions_share_a_ledger_where_ledgers_take_time() -> None:
    with started(close_seconds=1) as wire:
        people = [Person(wire) for _ in range(3)]
        with httpx.Client() as client:
            answers = [client.get(wire.ledger.friendbot_url, params={"addr": people[0].address})]
        assert answers[0].status_code == 200
        payer = people[0]
        builder = payer.builder()
        for person in people[1:]:
            builder.append_create_account_op(person.address, "100")
        sent = wire.send(payer.sign(builder.build()))
        assert wire.outcome(sent["hash"])["status"] == "NOT_FOUND"
        assert wire.ledger.node.wait_for(sent["hash"], within_seconds=5) is not None
        envelopes = [person.sign(person.builder().append_bump_sequence_op(0).build()) for person in people]
        hashes = [wire.send(envelope)["hash"] for envelope in envelopes]
        assert wire.send(envelopes[0])["status"] == "DUPLICATE"
        other = people[0].sign(people[0].builder().append_bump_sequence_op(1).build())
        assert wire.send(other)["status"] == "TRY_AGAIN_LATER"
        closed = [wire.ledger.node.wait_for(item, within_seconds=5) for item in hashes]
        assert len({item.ledger for item in closed if item}) == 1
        assert sorted(item.order for item in closed if item) == [1, 2, 3]


def test_a_transaction_that_grows_too_old_in_the_queue_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with started(close_seconds=3_600) as wire:
        admin = Person(wire, wire.ledger.birth.admin)
        builder = admin.builder()
        builder.time_bounds = None
        builder.add_time_bounds(0, int(time.time()) + 60)
        sent = wire.send(admin.sign(builder.append_bump_sequence_op(0).build()))
        assert sent["status"] == "PENDING"
        monkeypatch.setattr(wire.ledger.node.clock, "_wall", lambda: time.time() + 3_601)
        wire.call("getHealth")
        assert wire.outcome(sent["hash"])["status"] == "NOT_FOUND"
        assert wire.ledger.node.book.latest.sequence > 1


def test_waiting_gives_up_in_time(wire: Wire) -> None:
    assert wire.ledger.node.wait_for("ab" * 32, within_seconds=0.05) is None
