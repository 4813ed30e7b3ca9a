import threading

import pytest
from ledger_players import UNIT, Person, Wire, started
from msgspec.structs import replace
from stellar_sdk import Asset, Keypair, TransactionEnvelope

from streampay_sandbox.ledger import friendbot as friendbot_module
from streampay_sandbox.ledger.genesis import FRIENDBOT_ACCOUNTS
from streampay_sandbox.ledger.state import Draft, load_account, store_account


def test_an_account_is_created_with_10_000(wire: Wire) -> None:
    person = wire.person(funded=False)
    answer = wire.fund(person.address)
    assert (answer.status_code, set(answer.json())) == (200, {"successful", "hash", "envelope_xdr"})
    assert wire.native(person.address) == 10_000 * UNIT
    envelope = TransactionEnvelope.from_xdr(answer.json()["envelope_xdr"], wire.ledger.passphrase)
    assert envelope.hash_hex() == answer.json()["hash"]
    assert wire.outcome(answer.json()["hash"])["status"] == "SUCCESS"


def test_a_form_works_too(wire: Wire) -> None:
    address = Keypair.random().public_key
    assert wire.http.post(wire.ledger.friendbot_url, data={"addr": address}).status_code == 200
    assert wire.http.post(wire.ledger.friendbot_url, params={"addr": address}).status_code == 400


def test_a_funded_account_is_a_bad_request(wire: Wire) -> None:
    answer = wire.fund(wire.person().address)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "https://stellar.org/horizon-errors/bad_request"
    assert problem["detail"] == "account already funded to starting balance"


def test_a_poorer_account_gets_another_10_000(wire: Wire) -> None:
    person, other = wire.person(), wire.person()
    spent = person.builder().append_payment_op(other.address, Asset.native(), "1").build()
    wire.send(person.sign(spent))
    assert wire.fund(person.address).status_code == 200
    assert wire.native(person.address) == 19_999 * UNIT - 100


@pytest.mark.parametrize("address", ["", "G", "SECRET", "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"])
def test_anything_but_an_account_is_a_bad_request(wire: Wire, address: str) -> None:
    assert wire.fund(address).status_code == 400


def test_many_accounts_are_funded_at_once_where_ledgers_take_time() -> None:
    with started(close_seconds=0.1) as wire:
        people = [Person(wire) for _ in range(FRIENDBOT_ACCOUNTS + 4)]
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda who=person: statuses.append(wire.fund(who.address).status_code))
            for person in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * len(people)
        assert all(wire.native(person.address) == 10_000 * UNIT for person in people)


def test_friendbot_gives_up_when_no_ledger_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(friendbot_module, "WAIT_SECONDS", 0.05)
    with started(faults=["ledger-stalled"]) as wire:
        answers = [wire.fund(Keypair.random().public_key) for _ in range(FRIENDBOT_ACCOUNTS + 1)]
        assert {answer.status_code for answer in answers} == {504}
        assert answers[0].json()["detail"] == "no ledger closed the funding transaction"
        assert answers[-1].json()["detail"] == "no account of friendbot is free"


def test_friendbot_says_when_its_transaction_fails(wire: Wire) -> None:
    node = wire.ledger.node
    bot = load_account(node.state, node.birth.friendbots[0].public_key)
    root_like = load_account(node.state, node.birth.admin.public_key)
    assert bot is not None
    assert root_like is not None
    poor = Draft(node.state, 1)
    store_account(poor, replace(root_like, balance=root_like.balance + bot.balance - 2 * UNIT))
    store_account(poor, replace(bot, balance=2 * UNIT))
    node.state.write(poor.changes)
    assert wire.fund(Keypair.random().public_key).json()["detail"] == "the funding transaction failed"
