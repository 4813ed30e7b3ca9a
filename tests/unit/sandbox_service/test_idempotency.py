"""A key answers once, for one request of one user."""

import json
from typing import Any

import pytest
from stellar_sdk import Keypair

from streampay_sandbox.service.idempotency import KeyBook, KeyReused
from streampay_sandbox.service.wire import HttpAnswer


def body(reply: Any) -> Any:
    return json.loads(reply.content)


def test_a_repeated_settle_gives_the_first_answer_again(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.ledger.now += 30
    first = deployment.act(stream_id, "settle", key="k")
    second = deployment.act(stream_id, "settle", key="k")
    assert (first.header("idempotency-replay"), second.header("idempotency-replay")) == ("false", "true")
    assert first.header("idempotency-key") == second.header("idempotency-key") == "k"
    assert body(first) == body(second)
    assert deployment.paid() == 50_000_000


def test_another_key_on_a_settled_stream_is_refused(deployment: Any) -> None:
    stream_id = deployment.started()
    deployment.act(stream_id, "settle", key="k")
    other = deployment.act(stream_id, "settle", key="k2")
    assert (other.status, body(other)["error"]["code"]) == (409, "INVALID_STREAM_STATE")


def test_a_settle_key_never_answers_for_another_stream_or_body(deployment: Any) -> None:
    first, second = deployment.started(), deployment.started()
    assert deployment.act(first, "settle", key="k").status == 200
    for reply in (deployment.act(second, "settle", key="k"), deployment.act(first, "settle", key="k", json={"a": 1})):
        assert reply.status == 409
        assert body(reply).keys() == {"error", "message"}
        assert body(reply)["error"] == "IdempotencyKeyReused"
    assert deployment.record(second)["status"] == "active"


def test_a_key_of_one_user_says_nothing_to_another(deployment: Any) -> None:
    stream_id = deployment.create(key="k")
    stranger = deployment.parts.tokens.issue(Keypair.random().public_key)[0]
    reply = deployment.user("POST", "/api/streams", json=deployment.order(), key="k", token=stranger)
    assert reply.status == 201
    assert body(reply)["data"]["id"] != stream_id


@pytest.mark.parametrize("action", ["settle", "withdraw"])
def test_settle_and_withdraw_need_a_key(deployment: Any, action: str) -> None:
    stream_id = deployment.started()
    reply = deployment.act(stream_id, action)
    assert reply.status == 400
    assert body(reply)["error"] == "IdempotencyKeyRequired"
    assert deployment.record(stream_id)["status"] == "active"


@pytest.mark.parametrize("key", ["with space", "x" * 256, "tab\tbed"], ids=["space", "long", "tab"])
def test_a_malformed_key_is_refused(deployment: Any, key: str) -> None:
    stream_id = deployment.started()
    for reply in (
        deployment.act(stream_id, "settle", key=key),
        deployment.act(stream_id, "pause", key=key),
        deployment.user("POST", "/api/streams", json=deployment.order(), key=key),
    ):
        assert (reply.status, body(reply)["error"]) == (400, "IdempotencyKeyInvalid")


def test_what_was_refused_may_be_tried_again_with_the_same_key(deployment: Any) -> None:
    stream_id = deployment.create()
    assert deployment.act(stream_id, "settle", key="k").status == 409
    deployment.act(stream_id, "start")
    assert deployment.act(stream_id, "settle", key="k").status == 200


@pytest.mark.parametrize("path", ["/api/streams", "/api/v2/streams"])
def test_a_create_key_makes_one_stream(deployment: Any, path: str) -> None:
    bad = deployment.user("POST", path, json=deployment.order(rate="-1"), key="k")
    assert bad.status == 422
    first = deployment.user("POST", path, json=deployment.order(), key="k")
    second = deployment.user("POST", path, json=deployment.order(), key="k")
    assert (first.status, second.status) == (201, 201)
    assert body(first) == body(second)
    assert not second.header("idempotency-replay")
    conflict = deployment.user("POST", path, json=deployment.order(rate="11"), key="k")
    assert (conflict.status, body(conflict)["error"]["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert len(deployment.ledger.streams) == 1


def test_a_start_key_is_the_streams_own(deployment: Any) -> None:
    first, second = deployment.create(), deployment.create()
    assert deployment.act(first, "start", key="k").status == 200
    assert deployment.act(second, "start", key="k").status == 200
    deployment.act(first, "pause")
    replayed = deployment.act(first, "start", key="k")
    assert body(replayed)["data"]["status"] == "active"
    assert deployment.record(first)["status"] == "paused"


def test_a_key_is_forgotten_after_its_lifetime() -> None:
    now = [0.0]
    book = KeyBook(lifetime_seconds=10, clock=lambda: now[0])
    answers = iter(range(10))

    def make() -> HttpAnswer:
        return HttpAnswer(document=next(answers))

    assert book.answer_once(("u", "a", "k"), "f", make).answer.document == 0
    assert book.answer_once(("u", "a", "k"), "f", make).replayed
    with pytest.raises(KeyReused):
        book.answer_once(("u", "a", "k"), "g", make)
    now[0] = 10.0
    assert book.answer_once(("u", "a", "k"), "g", make).answer.document == 1


def test_an_answer_that_is_no_success_is_not_kept() -> None:
    book = KeyBook()
    answers = iter([HttpAnswer(status=502), HttpAnswer(status=200)])
    statuses = [book.answer_once(("u", "a", "k"), "f", lambda: next(answers)).answer.status for _ in range(3)]
    assert statuses == [502, 200, 200]
