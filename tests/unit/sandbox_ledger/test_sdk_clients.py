"""The sandbox as stellar-sdk's own clients see it."""

import threading

import pytest
from ledger_players import UNIT, Person, Wire, invoke_code, returned
from stellar_sdk import Asset, Keypair, Network, SorobanServer, TransactionEnvelope, scval, xdr
from stellar_sdk.contract import ContractClient
from stellar_sdk.contract.exceptions import SimulationFailedError
from stellar_sdk.exceptions import AccountNotFoundException
from stellar_sdk.soroban_rpc import EventFilter, EventFilterType, GetTransactionStatus, SendTransactionStatus
from waits import Stopwatch

from streampay_sandbox.ledger import start_ledger
from streampay_smoke.core.networks import ALLOWED


def arguments(payer: Person, recipient: Person, total: int, seconds: int) -> list[xdr.SCVal]:
    return [
        payer.value,
        recipient.value,
        scval.to_address(payer.wire.ledger.native_token_id),
        scval.to_int128(total),
        scval.to_uint64(seconds),
    ]


def test_a_stream_lives_through_the_contract_client(wire: Wire) -> None:
    payer, recipient = wire.person(), wire.person()
    ledger = wire.ledger
    client = ContractClient(ledger.contract_id, ledger.rpc_url, ledger.passphrase)

    def write(function: str, *args: xdr.SCVal) -> object:
        call = client.invoke(
            function, list(args), source=payer.address, signer=payer.keypair, parse_result_xdr_fn=scval.to_native
        )
        return call.sign_and_submit()

    with Stopwatch() as watch:
        stream_id = write("create_draft_stream", *arguments(payer, recipient, 7 * UNIT, 1))
        assert isinstance(stream_id, int)
        write("start_stream", scval.to_uint64(stream_id))
        assert write("settle", scval.to_uint64(stream_id)) is None
    assert wire.native(recipient.address) == 10_007 * UNIT
    assert watch.seconds < watch.allows(1.5), "create, start and settle take about 0.05 s on an idle machine"
    read = client.invoke(
        "get_stream", [scval.to_uint64(stream_id)], source=payer.address, parse_result_xdr_fn=scval.to_native
    )
    found = read.result()
    assert isinstance(found, dict)
    assert found["status"] == ["Settled"]
    with pytest.raises(SimulationFailedError, match=r"Error\(Contract, #1\)"):
        client.invoke("get_stream", [scval.to_uint64(404)], source=payer.address)
    client.server.close()


def test_another_party_signs_through_the_contract_client(wire: Wire) -> None:
    sponsor, payer, recipient = wire.person(), wire.person(), wire.person()
    ledger = wire.ledger
    client = ContractClient(ledger.contract_id, ledger.rpc_url, ledger.passphrase)
    call = client.invoke(
        "create_draft_stream",
        arguments(payer, recipient, UNIT, 5),
        source=sponsor.address,
        signer=sponsor.keypair,
        parse_result_xdr_fn=scval.to_native,
    )
    assert call.needs_non_invoker_signing_by() == {payer.address}
    call.authorize(payer.keypair)
    assert call.needs_non_invoker_signing_by() == set()
    assert call.sign_and_submit() == 1
    client.server.close()


def test_the_server_client_parses_every_answer(wire: Wire) -> None:
    payer, recipient = wire.person(), wire.person()
    stream_id = payer.draft(recipient)
    ledger = wire.ledger
    with SorobanServer(ledger.rpc_url) as server:
        assert server.get_health().status == "healthy"
        assert server.get_network().passphrase == ledger.passphrase
        assert server.get_latest_ledger().sequence == ledger.node.book.latest.sequence
        assert server.get_fee_stats().soroban_inclusion_fee.p90 == 100
        assert server.get_version_info().protocol_version == 30
        assert server.get_sac_balance(ledger.contract_id, Asset.native()).balance_entry is not None
        with pytest.raises(AccountNotFoundException):
            server.load_account(Keypair.random().public_key)
        filters = [EventFilter(type=EventFilterType.CONTRACT, contract_ids=[ledger.contract_id])]
        assert len(server.get_events(1, filters=filters).events) == 1
        assert len(server.get_transactions(1).transactions) == 3
        assert len(server.get_ledgers(1).ledgers) == 4
        call = payer.prepare(ledger.contract_id, "start_stream", scval.to_uint64(stream_id))
        sent = server.send_transaction(payer.sign(call))
        assert sent.status == SendTransactionStatus.PENDING
        closed = server.get_transaction(sent.hash)
        assert closed.status == GetTransactionStatus.SUCCESS
        assert closed.envelope_xdr is not None
        assert TransactionEnvelope.from_xdr(closed.envelope_xdr, ledger.passphrase).hash_hex() == sent.hash
        assert server.get_transaction("00" * 32).status == GetTransactionStatus.NOT_FOUND
        instance = server.get_contract_data(
            ledger.contract_id, xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
        )
        assert instance is not None


def test_many_clients_at_once_race_for_ids_and_nobody_loses_money(wire: Wire) -> None:
    people = [wire.person() for _ in range(6)]
    recipient = wire.person()
    ids: list[int] = []
    lost = 0
    held = threading.Lock()

    def draft_until_it_works(person: Person) -> None:
        nonlocal lost
        while True:
            call = person.prepare(
                wire.ledger.contract_id, "create_draft_stream", *arguments(person, recipient, UNIT, 9)
            )
            outcome = wire.outcome(wire.send(person.sign(call))["hash"])
            with held:
                if outcome["status"] == "SUCCESS":
                    ids.append(returned(outcome))
                    return
                assert invoke_code(outcome) == "INVOKE_HOST_FUNCTION_TRAPPED"
                lost += 1

    threads = [threading.Thread(target=draft_until_it_works, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == [1, 2, 3, 4, 5, 6]
    assert wire.native(wire.ledger.contract_id) == 6 * UNIT
    times = [ledger.closed_at for ledger in map(wire.ledger.node.book.ledger, range(1, len(people) + lost + 8))]
    assert times == sorted(set(times))


def test_the_ledger_is_on_the_sandbox_network_with_ids_that_never_change() -> None:
    with start_ledger() as first, start_ledger() as second:
        assert first.passphrase == ALLOWED["sandbox"].passphrase
        assert Network(first.passphrase).network_id() == ALLOWED["sandbox"].network_id
        assert (first.contract_id, first.early_contract_id, first.native_token_id) == (
            second.contract_id,
            second.early_contract_id,
            second.native_token_id,
        )
        assert first.native_token_id == Asset.native().contract_id(first.passphrase)
        assert first.rpc_url != second.rpc_url
    first.stop()
