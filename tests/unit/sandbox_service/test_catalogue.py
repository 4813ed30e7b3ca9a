"""Creating, listing and reading streams."""

import json
from typing import Any

import pytest
from stellar_sdk import Keypair

from streampay_sandbox.service import settlement
from streampay_sandbox.service.seeds import SEEDS
from streampay_sandbox.service.stellar import LedgerSilent


def body(reply: Any) -> Any:
    return json.loads(reply.content)


def other_user(deployment: Any) -> str:
    return str(deployment.parts.tokens.issue(Keypair.random().public_key)[0])


def test_a_created_stream_is_a_draft_and_escrows_one_period(deployment: Any) -> None:
    reply = deployment.user("POST", "/api/streams", json=deployment.order(schedule="Week", rate="12.0000001", memo="x"))
    assert reply.status == 201
    created = body(reply)
    stream = created["data"]
    assert stream.keys() == {
        "id", "recipient", "rate", "schedule", "status", "nextAction", "token", "createdAt", "updatedAt",
    }  # fmt: skip
    assert (stream["status"], stream["nextAction"], stream["token"]) == ("draft", "start", "XLM")
    assert stream["schedule"] == "Week"
    assert stream["id"].startswith("stream-")
    assert created["links"] == {"self": f"/api/streams/{stream['id']}"}
    (escrow,) = deployment.ledger.streams.values()
    assert (escrow.recipient, escrow.total_stroops, escrow.duration_seconds) == (
        deployment.recipient, 120_000_001, 604_800,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/api/streams", "/api/v2/streams"])
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("recipient", None, "MISSING_FIELD"),
        ("recipient", "", "MISSING_FIELD"),
        ("recipient", "GABC", "INVALID_STELLAR_KEY"),
        ("rate", 10, "MISSING_FIELD"),
        ("rate", "ten", "INVALID_RATE_FORMAT"),
        ("rate", "1e3", "INVALID_RATE_FORMAT"),
        ("rate", "-5", "NEGATIVE_RATE"),
        ("rate", "0", "NEGATIVE_RATE"),
        ("rate", "0.00000001", "DECIMAL_PRECISION_EXCEEDED"),
        ("rate", "9" * 40, "INVALID_RATE_FORMAT"),
        ("schedule", " ", "MISSING_FIELD"),
        ("schedule", "fortnight", "INVALID_SCHEDULE"),
        ("token", 1, "INVALID_TOKEN_FORMAT"),
    ],
)
def test_a_bad_order_is_refused_and_escrows_nothing(
    deployment: Any, path: str, field: str, value: Any, code: str
) -> None:
    reply = deployment.user("POST", path, json=deployment.order(**{field: value}))
    assert reply.status == 422
    error = body(reply)["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert [(detail["field"], detail["code"]) for detail in error["details"]] == [(field, code)]
    assert not deployment.ledger.streams


def test_all_faults_of_an_order_are_told_at_once(deployment: Any) -> None:
    error = body(deployment.user("POST", "/api/streams", json={}))["error"]
    assert [detail["field"] for detail in error["details"]] == ["recipient", "rate", "schedule"]


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("XLM", 201, ""),
        (None, 201, ""),
        ("USDC", 422, "INVALID_TOKEN"),
        (f"USDC:{'G' + 'A' * 55}", 422, "TOKEN_NOT_ALLOWED"),
    ],
)
def test_only_the_native_token_is_streamed(deployment: Any, token: Any, status: int, code: str) -> None:
    reply = deployment.user("POST", "/api/streams", json=deployment.order(token=token))
    assert reply.status == status
    assert body(reply).get("error", {}).get("code", "") == code


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"'])
def test_what_is_no_json_object_is_refused(deployment: Any, content: bytes) -> None:
    headers = {
        "authorization": f"Bearer {deployment.token}",
        "cookie": "csrf-token=x",
        "x-csrf-token": "x",
        "content-type": "text/plain",
    }
    reply = deployment.raw("POST", "/api/streams", content=content, headers=headers)
    assert (reply.status, body(reply)["error"]["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["/api/streams", "/api/v2/streams"])
def test_a_dead_ledger_creates_nothing_and_the_same_key_works_afterwards(deployment: Any, path: str) -> None:
    deployment.ledger.failing = LedgerSilent("the RPC refused the connection")
    reply = deployment.user("POST", path, json=deployment.order(), key="k")
    assert (reply.status, body(reply)["error"]["code"]) == (503, "LEDGER_UNAVAILABLE")
    assert "RPC" not in reply.text
    assert body(deployment.user("GET", "/api/streams"))["data"] == []
    deployment.ledger.failing = None
    assert deployment.user("POST", path, json=deployment.order(), key="k").status == 201
    assert len(deployment.ledger.streams) == 1


def test_an_escrow_lost_from_sight_is_found_again_instead_of_made_twice(deployment: Any) -> None:
    deployment.ledger.failing_after = LedgerSilent("nobody saw it", tx_hash="")
    assert deployment.user("POST", "/api/streams", json=deployment.order(), key="k").status == 503
    reply = deployment.user("POST", "/api/streams", json=deployment.order(), key="k")
    assert reply.status == 201
    assert len(deployment.ledger.streams) == 1
    assert deployment.act(body(reply)["data"]["id"], "start").status == 200


def test_nobody_sees_the_streams_of_others(deployment: Any) -> None:
    stream_id = deployment.create()
    stranger = other_user(deployment)
    assert body(deployment.user("GET", "/api/streams", token=stranger))["data"] == []
    assert body(deployment.user("GET", "/api/v2/streams", token=stranger))["streams"] == []
    tenant = {"x-tenant-id": deployment.wallet.public_key}
    for method, path in (
        ("GET", f"/api/v2/streams/{stream_id}"),
        ("PATCH", f"/api/v2/streams/{stream_id}"),
        ("DELETE", f"/api/v2/streams/{stream_id}"),
        ("GET", f"/api/streams/{stream_id}"),
        ("POST", f"/api/streams/{stream_id}/start"),
        ("POST", f"/api/streams/{stream_id}/settle"),
        ("GET", f"/api/v2/streams/{SEEDS[0].id}"),
    ):
        reply = deployment.user(method, path, token=stranger, json={}, key="k", headers=tenant)
        assert (reply.status, body(reply)["error"]["code"]) == (404, "STREAM_NOT_FOUND"), path


def test_seeds_of_others_show_nowhere(deployment: Any) -> None:
    deployment.create()
    for path in ("/api/streams", "/api/v2/streams"):
        text = deployment.user("GET", path).text
        for seed in SEEDS:
            assert seed.id not in text
            assert not any(value in text for value in seed.private.values())


@pytest.mark.parametrize(("path", "rows"), [("/api/streams", "data"), ("/api/v2/streams", "streams")])
def test_a_list_comes_page_by_page(deployment: Any, path: str, rows: str) -> None:
    created = [deployment.create() for _ in range(5)]
    seen: list[str] = []
    totals, cursor = [], ""
    while True:
        page = body(deployment.user("GET", f"{path}?limit=2{cursor and f'&cursor={cursor}'}"))
        seen += [row["id"] for row in page[rows]]
        totals.append(page["meta"]["total"])
        if not page["meta"]["hasNext"]:
            break
        cursor = page["meta"]["nextCursor"].replace("=", "%3D").replace("+", "%2B")
    assert page["meta"]["nextCursor"] is None
    assert seen == created
    assert totals == [5, 3, 1]
    assert page["links"]["self"] == f"{path}?limit=2"


def test_a_list_by_status(deployment: Any) -> None:
    started = deployment.started()
    deployment.create()
    page = body(deployment.user("GET", "/api/streams?status=active"))
    assert [row["id"] for row in page["data"]] == [started]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "INVALID_LIMIT"),
        ("limit=101", "INVALID_LIMIT"),
        ("limit=abc", "INVALID_LIMIT"),
        ("status=done", "INVALID_STATUS"),
        ("cursor=", "INVALID_CURSOR"),
        ("cursor=%21", "INVALID_CURSOR"),
        ("cursor=%2F%2F8%3D", "INVALID_CURSOR"),
        ("cursor=c3RyZWFtLWFkYQ==", "INVALID_CURSOR"),
    ],
)
def test_a_bad_list_query_is_refused(deployment: Any, query: str, code: str) -> None:
    for path in ("/api/streams", "/api/v2/streams"):
        reply = deployment.user("GET", f"{path}?{query}")
        assert (reply.status, body(reply)["error"]["code"]) == (422, code)


def test_a_list_that_did_not_change_is_304(deployment: Any) -> None:
    stream_id = deployment.create()
    first = deployment.user("GET", "/api/streams")
    etag = first.header("etag")
    assert "private" in first.header("cache-control")
    for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = deployment.user("GET", "/api/streams", headers={"if-none-match": tags})
        assert (again.status, again.content, again.header("etag")) == (304, b"", etag)
    deployment.act(stream_id, "start")
    changed = deployment.user("GET", "/api/streams", headers={"if-none-match": etag})
    assert changed.status == 200
    assert changed.header("etag") != etag


def test_the_v1_item_is_for_its_tenant(deployment: Any) -> None:
    stream_id = deployment.create()
    path = f"/api/streams/{stream_id}"
    without = deployment.user("GET", path)
    assert (without.status, body(without)["error"]["code"]) == (400, "MISSING_TENANT")
    foreign = deployment.user("GET", path, headers={"x-tenant-id": "org-acme"})
    assert (foreign.status, body(foreign)["error"]["code"]) == (404, "STREAM_NOT_FOUND")
    own = {"x-tenant-id": deployment.wallet.public_key}
    first, second = deployment.user("GET", path, headers=own), deployment.user("GET", path, headers=own)
    assert body(first)["data"]["id"] == stream_id
    assert (first.header("x-cache"), second.header("x-cache")) == ("MISS", "HIT")
    tagged = deployment.user("GET", path, headers={**own, "if-none-match": first.header("etag")})
    assert tagged.status == 304


def test_the_v2_item_shows_its_fields_twice_and_its_settlement(deployment: Any) -> None:
    reply = deployment.user("POST", "/api/v2/streams", json=deployment.order())
    assert reply.status == 201
    created = body(reply)
    assert (created["settlement"], created["actions"]) == (None, ["start", "stop"])
    assert created["actions"] == created["allowed_actions"]
    assert created["created_at"] == created["createdAt"]
    item = deployment.user("GET", f"/api/v2/streams/{created['id']}")
    shown = body(item)
    assert item.header("etag") == f'W/"{created["updatedAt"]}"'
    assert shown["data"] == created
    assert {name: shown[name] for name in created} == created
    assert shown["links"]["self"] == f"/api/v2/streams/{created['id']}"
    deployment.act(created["id"], "start")
    settled = body(deployment.act(created["id"], "settle", key="k"))["data"]
    assert deployment.record(created["id"])["settlement"] == settled["settlement"]


@pytest.mark.parametrize(("action", "status"), [("withdraw", "withdrawn"), ("cancel", "cancelled")])
def test_v2_tells_final_states_as_they_are(deployment: Any, action: str, status: str) -> None:
    stream_id = deployment.started()
    if action == "withdraw":
        deployment.act(stream_id, "settle", key="k")
    owner = {"actor-wallet-address": deployment.wallet.public_key}
    assert deployment.act(stream_id, action, key="k", headers=owner).status == 200
    record = deployment.record(stream_id)
    assert record["status"] == status
    assert "nextAction" not in record


def test_only_some_fields_of_a_stream_can_be_changed(deployment: Any) -> None:
    stream_id = deployment.create()
    path = f"/api/v2/streams/{stream_id}"
    changes = {"description": "rent", "webhook_url": "https://hooks.example", "tags": ["a", "b"]}
    reply = deployment.user("PATCH", path, json=changes)
    assert reply.status == 200
    assert {name: body(reply)[name] for name in changes} == changes
    assert deployment.record(stream_id)["tags"] == ["a", "b"]
    assert deployment.user("PATCH", path, json={"description": "home"}).status == 200
    assert deployment.record(stream_id)["tags"] == ["a", "b"]
    for bad in ({"status": "withdrawn"}, {"tenant": "x"}, {"tags": [1]}, {"tags": "a"}, {"description": 1}):
        refused = deployment.user("PATCH", path, json=bad)
        assert (refused.status, body(refused)["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert deployment.record(stream_id)["status"] == "draft"


def test_a_deleted_draft_is_gone_and_its_escrow_comes_back(deployment: Any) -> None:
    stream_id = deployment.create()
    path = f"/api/v2/streams/{stream_id}"
    deployment.ledger.failing = LedgerSilent("no answer")
    assert deployment.user("DELETE", path).status == 503
    deployment.ledger.failing = None
    assert deployment.user("DELETE", path).status == 204
    assert deployment.user("GET", path).status == 404
    assert deployment.user("DELETE", path).status == 404
    assert [stream.status for stream in deployment.ledger.streams.values()] == ["Cancelled"]
    assert deployment.paid() == 0


def test_a_running_stream_cannot_be_deleted_but_a_finished_one_can(deployment: Any) -> None:
    stream_id = deployment.started()
    path = f"/api/v2/streams/{stream_id}"
    refused = deployment.user("DELETE", path)
    assert (refused.status, body(refused)["error"]["code"]) == (409, "STREAM_INACTIVE_STATE")
    deployment.act(stream_id, "settle", key="k")
    assert deployment.user("DELETE", path).status == 204


def test_the_network_is_checked_once_before_anything_is_signed(deployment: Any) -> None:
    assert deployment.ledger.network_checks == 0
    deployment.create()
    deployment.create()
    assert deployment.ledger.network_checks == 1
    assert settlement.FATE_SECONDS > 30


def changed_at_once(deployment: Any, *updates: Any) -> Any:
    return deployment.user("POST", "/api/v2/streams/batch", json={"updates": list(updates)})


def test_many_streams_are_changed_at_once(deployment: Any) -> None:
    ids = [deployment.create() for _ in range(3)]
    reply = changed_at_once(deployment, *({"id": name, "data": {"tags": [name]}} for name in ids))
    assert reply.status == 200
    assert [row["id"] for row in body(reply)["streams"]] == ids
    assert [deployment.record(name)["tags"] for name in ids] == [[name] for name in ids]


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        ({"data": {}}, 400),
        ({"id": 7, "data": {}}, 400),
        ({"id": "stream-ada"}, 400),
        ("stream-ada", 400),
        ({"id": "stream-ada", "data": {"status": "ended"}}, 400),
        ({"id": "stream-ada", "data": {"tags": ["mine"]}}, 404),
        ({"id": "stream-none", "data": {"tags": ["mine"]}}, 404),
    ],
)
def test_all_of_them_are_changed_or_none(deployment: Any, bad: Any, status: int) -> None:
    own = deployment.create()
    assert changed_at_once(deployment, {"id": own, "data": {"tags": ["new"]}}, bad).status == status
    assert "tags" not in deployment.record(own)


def test_no_more_than_a_hundred_are_changed_at_once(deployment: Any) -> None:
    update = {"id": deployment.create(), "data": {"description": "again"}}
    assert changed_at_once(deployment, *[update] * 101).status == 400
    assert changed_at_once(deployment).status == 200
    assert deployment.user("POST", "/api/v2/streams/batch", json={"updates": "all"}).status == 400
