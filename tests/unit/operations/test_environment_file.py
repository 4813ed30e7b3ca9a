"""What stands in a new environment file: what was given, found or answered, and nothing that nobody said."""

import tomllib
from collections.abc import Iterator

import pytest

from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.operations.environment_file import Ask, complete, environment_text
from streampay_smoke.settings.environment import facts_in

CONTRACT = "C" + "A" * 55
FOUND = {
    "description": "StreamPay",
    "service.base_url": "https://streampay.example",
    "service.network": "testnet",
    "service.dialect": "app-v1",
    "service.auth_mode": "wallet",
    "service.release_told_by": "header:x-release",
    "service.metrics": True,
}
CONTRACT_GIVEN = {"chain.contract_id": CONTRACT}


class Person:
    """Answers questions that hold a word, and nothing else; keeps what was asked."""

    def __init__(self, **answers: str | list[str]) -> None:
        self._answers: dict[str, Iterator[str]] = {
            word: iter([given] if isinstance(given, str) else given) for word, given in answers.items()
        }
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        return next((next(answers) for word, answers in self._answers.items() if word in question), "")


def test_what_the_service_told_is_not_asked() -> None:
    person = Person(contract=CONTRACT)
    values = complete({}, FOUND, person)
    assert not any(word in question for question in person.asked for word in ("network", "sign in", "its release"))
    read = facts_in(environment_text(values), "environments/new.toml")
    assert (read.service.network, read.chain.network, read.chain.contract_id) == ("testnet", "testnet", CONTRACT)
    assert read.service.metrics
    assert read.money.settles


@pytest.mark.parametrize("silent", ["service.network", "service.auth_mode"])
def test_what_the_service_does_not_tell_is_asked_or_missing(silent: str) -> None:
    found = {**FOUND, silent: None}
    person = Person(network="futurenet", sign="jwt")
    values = complete(CONTRACT_GIVEN, found, person)
    assert values[silent] in {"futurenet", "jwt"}
    with pytest.raises(SettingsInvalid, match=silent) as refused:
        complete(CONTRACT_GIVEN, found, None)
    assert f"--set {silent}=VALUE" in refused.value.next_step


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        complete({"service.replicas": "none", "service.colour": "red"}, {**FOUND, "service.auth_mode": None}, None)
    for said in ("service.auth_mode", "chain.contract_id", "service.replicas", "service.colour"):
        assert said in str(refused.value)


def test_an_answer_that_cannot_be_used_is_asked_again_with_the_reason() -> None:
    person = Person(contract=["C-nonsense", CONTRACT])
    assert complete({}, FOUND, person)["chain.contract_id"] == CONTRACT
    assert any("is no contract id" in question for question in person.asked)


def test_a_service_on_the_public_network_is_read_only_and_its_ledger_a_test_network() -> None:
    values = complete(CONTRACT_GIVEN, {**FOUND, "service.network": "public"}, None)
    read = facts_in(environment_text(values), "environments/new.toml")
    assert (read.service.network, read.chain.network, read.money.settles) == ("public", "testnet", False)
    assert read.money.settles_not_because


def test_the_public_network_is_refused_as_the_ledger() -> None:
    with pytest.raises(GuardRefused):
        complete({**CONTRACT_GIVEN, "chain.network": "pubnet"}, FOUND, None)


def test_a_ledger_on_loopback_is_the_sandbox_or_a_local_network() -> None:
    private = {**FOUND, "service.network": "private"}
    assert complete(CONTRACT_GIVEN, private, None)["chain.network"] == "local"
    simulated = {**private, "service.simulated": True, "chain.rpc_url": "http://127.0.0.1:9/rpc"}
    assert complete(CONTRACT_GIVEN, simulated, None)["chain.network"] == "sandbox"
    with pytest.raises(SettingsInvalid, match=r"chain\.rpc_url"):
        complete(CONTRACT_GIVEN, {**simulated, "chain.rpc_url": None}, None)


def test_an_engine_is_written_with_what_its_table_must_say() -> None:
    person = Person(engine="command", **{"rollback.command": "deploy/put-back 'release one'"})
    values = complete(CONTRACT_GIVEN, FOUND, person)
    table = tomllib.loads(environment_text(values))["rollback"]
    assert table == {"hook": "command", "command": {"roll_back": ["deploy/put-back", "release one"]}}
    with pytest.raises(SettingsInvalid, match=r"rollback\.webhook\.url"):
        complete({**CONTRACT_GIVEN, "rollback.hook": "webhook"}, FOUND, None)


@pytest.mark.parametrize("ask", [None, Person(contract=CONTRACT)])
def test_every_line_has_a_comment_and_any_text_survives(ask: Ask | None) -> None:
    strange = 'a "quote", a \\ and # no comment'
    values = complete({**CONTRACT_GIVEN, "description": strange}, FOUND, ask)
    text = environment_text(values)
    assert tomllib.loads(text)["description"] == strange
    assert all("#" in line for line in text.splitlines() if line)
