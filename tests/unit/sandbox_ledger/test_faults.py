"""Each fault bites where its story says, and nothing else breaks with it."""

import threading

import httpx
import pytest
from ledger_players import UNIT, Person, RpcRefusal, Wire, build, invoke_code, result_code, started
from stellar_sdk import Keypair, scval, xdr
from waits import HANG_SECONDS

from streampay_sandbox.ledger import FAULTS, start_ledger
from streampay_sandbox.ledger.faults import (
    ESCROW_FLOAT_STROOPS,
    LAG_LEDGERS,
    OLD_NETWORK_LEDGER,
    SLOW_CLOSE_SECONDS,
    SURGE_FEE_STROOPS,
    TRY_AGAIN_TIMES,
    UNKNOWN_NETWORK,
    WireAnswer,
    WireCall,
)
from streampay_sandbox.ledger.stream_contract.payouts import SOMEBODY_ELSE
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import PUBLIC_PASSPHRASE


def test_every_fault_has_a_name_and_a_story() -> None:
    assert all(fault.name == name and fault.story.endswith(".") for name, fault in FAULTS.items())


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        start_ledger(faults=["rpc-alive"])
    assert "rpc-dead" in caught.value.next_step


def ask(wire: Wire) -> httpx.Response:
    return wire.http.post(wire.ledger.rpc_url, json={"jsonrpc": "2.0", "id": 1, "method": "getHealth"})


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("rpc-dead", 503, ""),
        ("rpc-429", 429, '{"error":"too many requests"}'),
        ("rpc-503-json", 503, '{"message":"service unavailable"}'),
    ],
)
def test_a_gateway_answers_for_the_rpc(fault: str, status: int, body: str) -> None:
    with started(faults=[fault]) as wire:
        answer = ask(wire)
        assert (answer.status_code, answer.text) == (status, body)
        assert answer.headers.get("retry-after") == ("1" if status == 429 else None)
        assert wire.fund(Keypair.random().public_key).status_code == (503 if fault == "rpc-dead" else 200)


def test_a_welcome_page_answers_for_the_rpc() -> None:
    with started(faults=["rpc-html"]) as wire:
        answer = ask(wire)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
        assert "Welcome" in answer.text


def test_a_json_rpc_error_may_have_no_id() -> None:
    with started(faults=["rpc-null-id"]) as wire:
        assert ask(wire).json()["id"] is None
        assert ask(wire).json()["error"]["code"] == -32700


def test_a_hanging_rpc_answers_nobody_and_still_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = start_ledger(faults=["rpc-hangs"])
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(ledger.rpc_url, json={}, timeout=0.1)
    statuses: list[int] = []
    arrived = threading.Event()
    interference = ledger.node.interference
    wire = interference.wire

    def noticed(call: WireCall) -> WireAnswer | None:
        if call.to == "rpc":
            arrived.set()
        return wire(call)

    def wait() -> None:
        statuses.append(httpx.post(ledger.rpc_url, json={}, timeout=HANG_SECONDS).status_code)

    monkeypatch.setattr(interference, "wire", noticed)
    waiting = threading.Thread(target=wait)
    waiting.start()
    assert arrived.wait(HANG_SECONDS)
    assert httpx.get(ledger.friendbot_url, params={"addr": Keypair.random().public_key}).status_code == 200
    ledger.stop()
    waiting.join()
    assert statuses == [504], "it was answered because the ledger stopped"


def transfer(person: Person) -> dict[str, object]:
    token = person.wire.ledger.native_token_id
    to = scval.to_address(person.wire.ledger.birth.admin.public_key)
    return person.wire.send(person.sign(person.prepare(token, "transfer", person.value, to, scval.to_int128(1))))


def test_a_full_network_sends_the_first_transactions_away() -> None:
    with started(faults=["rpc-try-again-later"]) as wire:
        person = wire.person()
        statuses = [transfer(person)["status"] for _ in range(TRY_AGAIN_TIMES + 1)]
        assert statuses == ["TRY_AGAIN_LATER"] * TRY_AGAIN_TIMES + ["PENDING"]


def test_one_bad_sequence_number_is_reported() -> None:
    with started(faults=["rpc-bad-seq-once"]) as wire:
        person = wire.person()
        first, second = transfer(person), transfer(person)
        assert (first["status"], result_code(str(first["errorResultXdr"]))) == ("ERROR", "txBAD_SEQ")
        assert second["status"] == "PENDING"


def test_one_surge_names_the_fee_it_takes() -> None:
    with started(faults=["rpc-insufficient-fee-once"]) as wire:
        person = wire.person()
        first, second = transfer(person), transfer(person)
        result = xdr.TransactionResult.from_xdr(str(first["errorResultXdr"]))
        assert result.result.code.name == "txINSUFFICIENT_FEE"
        assert result.fee_charged.int64 > SURGE_FEE_STROOPS
        assert second["status"] == "PENDING"


def test_a_dropped_transaction_is_never_found() -> None:
    with started(faults=["rpc-drops-transaction"]) as wire:
        person = wire.person()
        sent = transfer(person)
        assert sent["status"] == "PENDING"
        assert wire.outcome(str(sent["hash"]))["status"] == "NOT_FOUND"
        assert wire.native(person.address) == 10_000 * UNIT


def test_a_duplicate_is_closed_all_the_same() -> None:
    with started(faults=["rpc-duplicate"]) as wire:
        sent = transfer(wire.person())
        assert sent["status"] == "DUPLICATE"
        assert wire.outcome(str(sent["hash"]))["status"] == "SUCCESS"


def test_a_lagging_backend_answers_from_the_past() -> None:
    with started(faults=["rpc-lagging"]) as wire:
        admin = Person(wire, wire.ledger.birth.admin)
        person = Person(wire)
        wire.fund(person.address)
        node = wire.ledger.node
        assert wire.call("getHealth")["latestLedger"] == max(1, node.book.latest.sequence - LAG_LEDGERS)
        transactions = wire.call("getTransactions", startLedger=1)["transactions"]
        assert transactions == []
        funding = node.book.ledger(2).transactions[0]
        assert wire.outcome(funding.hash)["status"] == "NOT_FOUND"
        for _ in range(LAG_LEDGERS):
            node.close_now()
        assert wire.outcome(funding.hash)["status"] == "SUCCESS"
        assert wire.native(person.address) == 10_000 * UNIT
        assert admin.account().sequence == 0


def test_a_stalled_network_takes_transactions_and_never_moves() -> None:
    with started(faults=["ledger-stalled"]) as wire:
        admin = Person(wire, wire.ledger.birth.admin)
        sent = wire.send(admin.sign(admin.builder().append_bump_sequence_op(0).build()))
        assert sent["status"] == "PENDING"
        wire.ledger.node._closed_wall -= 3_600
        assert wire.call("getHealth")["latestLedger"] == 1
        assert wire.outcome(sent["hash"])["status"] == "NOT_FOUND"


def test_a_slow_network_takes_its_time() -> None:
    with started(faults=["ledger-slow"]) as wire:
        node = wire.ledger.node
        node._closed_wall -= SLOW_CLOSE_SECONDS - 2
        assert wire.call("getHealth")["latestLedger"] == 1
        node._closed_wall -= 2
        assert wire.call("getHealth")["latestLedger"] == 2


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        ("friendbot-500", 500, "friendbot is out of order"),
        ("friendbot-already-funded", 400, "account already funded to starting balance"),
    ],
)
def test_friendbot_fails_or_lies(fault: str, status: int, detail: str) -> None:
    with started(faults=[fault]) as wire:
        answer = wire.fund(Keypair.random().public_key)
        assert (answer.status_code, answer.json()["detail"]) == (status, detail)
        assert answer.headers["content-type"] == "application/problem+json"
        assert wire.call("getHealth")["status"] == "healthy"


@pytest.mark.parametrize(
    ("fault", "passphrase"), [("network-public", PUBLIC_PASSPHRASE), ("network-unknown", UNKNOWN_NETWORK)]
)
def test_the_network_claims_to_be_another(fault: str, passphrase: str) -> None:
    with started(faults=[fault]) as wire:
        assert wire.call("getNetwork")["passphrase"] == passphrase


def test_nothing_is_deployed_after_a_reset() -> None:
    with started(faults=["contract-missing"]) as wire:
        person = wire.person()
        call = build(person.account(), wire.ledger.contract_id, "get_stream", scval.to_uint64(1))
        assert "Error(Storage, MissingValue)" in wire.simulate(call)["error"]
        assert wire.read(wire.ledger.early_contract_id, "version") == 1000


def test_an_old_network_never_had_the_contract() -> None:
    with started(faults=["contract-undeployed"]) as wire:
        health = wire.call("getHealth")
        assert health["oldestLedger"] == OLD_NETWORK_LEDGER <= health["latestLedger"]
        assert transfer(wire.person())["status"] == "PENDING"
        call = build(wire.person().account(), wire.ledger.contract_id, "get_stream", scval.to_uint64(1))
        assert "Error(Storage, MissingValue)" in wire.simulate(call)["error"]


@pytest.mark.parametrize(
    ("fault", "claimed", "commanded"),
    [
        ("", "Error(Contract, #13)", ""),
        ("contract-uninitialised", "", "Error(Contract, #1)"),
        ("contract-of-a-stranger", "Error(Contract, #13)", "Error(Contract, #2)"),
    ],
)
def test_a_contract_belongs_to_whoever_came_first(fault: str, claimed: str, commanded: str) -> None:
    with started(faults=[fault] if fault else []) as wire:
        person, admin = wire.person(), scval.to_address(wire.ledger.birth.admin.public_key)
        claim = build(person.account(), wire.ledger.contract_id, "initialize", scval.to_address(person.address))
        command = build(person.account(), wire.ledger.contract_id, "set_paused", admin, scval.to_bool(False))
        for call, refusal in ((claim, claimed), (command, commanded)):
            assert refusal in wire.simulate(call).get("error", "")
            assert bool(refusal) == ("error" in wire.simulate(call))


def test_a_paused_contract_takes_no_streams() -> None:
    with started(faults=["contract-paused"]) as wire:
        person = wire.person()
        call = build(person.account(), wire.ledger.contract_id, "start_stream", scval.to_uint64(1))
        assert "Error(Contract, #3)" in wire.simulate(call)["error"]


def test_another_contract_stands_in_the_expected_place() -> None:
    with started(faults=["contract-other-interface"]) as wire:
        assert wire.read(wire.ledger.contract_id, "version") == 1000
        person = wire.person()
        call = build(person.account(), wire.ledger.contract_id, "settle", scval.to_uint64(1))
        assert "Error(WasmVm, MissingValue)" in wire.simulate(call)["error"]


@pytest.mark.parametrize(
    ("fault", "to_recipient", "to_other"),
    [
        ("contract-pays-twice", 20 * UNIT, 0),
        ("contract-pays-less", 10 * UNIT - 1, 0),
        ("contract-pays-other", 0, 10 * UNIT),
    ],
)
def test_the_contract_pays_wrongly_with_real_coins(fault: str, to_recipient: int, to_other: int) -> None:
    with started(faults=[fault]) as wire:
        payer, recipient = wire.person(), wire.person()
        assert wire.native(wire.ledger.contract_id) == ESCROW_FLOAT_STROOPS
        other = wire.native(SOMEBODY_ELSE)
        stream_id = payer.draft(recipient)
        payer.on_stream("start_stream", stream_id)
        payer.on_stream("settle", stream_id)
        assert wire.native(recipient.address) - 10_000 * UNIT == to_recipient
        assert wire.native(SOMEBODY_ELSE) - other == to_other
        assert wire.read(wire.ledger.contract_id, "get_stream", scval.to_uint64(stream_id))["status"] == ["Settled"]


@pytest.mark.parametrize(("fault", "off_by"), [("contract-keeps-change", -1), ("contract-overdraws", 1)])
def test_the_contract_gives_back_wrongly_with_real_coins(fault: str, off_by: int) -> None:
    with started(faults=[fault]) as wire:
        payer, recipient = wire.person(), wire.person()
        stream_id = payer.draft(recipient)
        payer.on_stream("cancel_stream", stream_id)
        assert wire.native(wire.ledger.contract_id) == ESCROW_FLOAT_STROOPS - off_by
        assert wire.read(wire.ledger.contract_id, "get_stream", scval.to_uint64(stream_id))["status"] == ["Cancelled"]


def test_the_first_invocation_finds_an_archived_entry_and_pays_its_fee() -> None:
    with started(faults=["archived-entry-once"]) as wire:
        person = wire.person()
        outcomes = [wire.outcome(str(transfer(person)["hash"])) for _ in range(2)]
        assert [outcome["status"] for outcome in outcomes] == ["FAILED", "SUCCESS"]
        assert invoke_code(outcomes[0]) == "INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED"


def test_faults_count_for_each_ledger_anew() -> None:
    for _ in range(2):
        with started(faults=["rpc-bad-seq-once"]) as wire:
            assert transfer(wire.person())["status"] == "ERROR"


def test_faults_add_up() -> None:
    with started(faults=["network-public", "contract-paused", "friendbot-500"]) as wire:
        assert wire.call("getNetwork")["passphrase"] == PUBLIC_PASSPHRASE
        assert wire.fund(Keypair.random().public_key).status_code == 500
        with pytest.raises(RpcRefusal):
            wire.call("nothing")
