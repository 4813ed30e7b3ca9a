"""Every fault is visibly different from a StreamPay that keeps its promises."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from streampay_smoke.sandbox.service.faults import FAULTS, everywhere, faulty


def body(reply: Any) -> Any:
    return json.loads(reply.content)


def settled(deployment: Any, key: str = "k") -> Any:
    """Settle a stream of 10 units after half its time."""
    stream_id = deployment.started()
    deployment.ledger.now += 30
    return deployment.act(stream_id, "settle", key=key)


def settled_hash(deployment: Any) -> str:
    return str(body(settled(deployment))["data"]["settlementTxHash"])


def settle_is_on_ledger(deployment: Any) -> Any:
    return settled_hash(deployment) in deployment.ledger.transactions, deployment.paid()


def settle_pays(deployment: Any) -> Any:
    settled(deployment)
    return deployment.paid()


def settles_in_a_new_transaction(deployment: Any) -> Any:
    before = set(deployment.ledger.transactions)
    tx_hash = settled_hash(deployment)
    return tx_hash in deployment.ledger.transactions, tx_hash in before


def failed_settle_moves_nothing(deployment: Any) -> Any:
    reply = settled(deployment)
    (row,) = body(deployment.user("GET", "/api/streams"))["data"]
    again = deployment.act(row["id"], "settle", key="k")
    return reply.status, again.status, row["status"]


def receipt_agrees(deployment: Any) -> Any:
    data = body(settled(deployment))["data"]
    return data["settlementTxHash"] == data["settlement"]["txHash"]


def record_is_settled(deployment: Any) -> Any:
    data = body(settled(deployment))["data"]
    record = deployment.record(data["id"])
    return record["status"], record["settlement"] == data["settlement"]


def replay_pays(deployment: Any) -> Any:
    stream_id = body(settled(deployment))["data"]["id"]
    reply = deployment.act(stream_id, "settle", key="k")
    return reply.header("idempotency-replay"), deployment.paid()


def key_on_another_stream(deployment: Any) -> Any:
    settled(deployment)
    other = deployment.started()
    return deployment.act(other, "settle", key="k").status, deployment.record(other)["status"]


def repeated_create(deployment: Any) -> Any:
    return deployment.create(key="k") == deployment.create(key="k")


def list_statuses(deployment: Any, headers: Mapping[str, str]) -> Any:
    """Statuses of both lists, and whether somebody's stream shows."""
    deployment.create()
    replies = [deployment.send("GET", path, headers=headers) for path in ("/api/streams", "/api/v2/streams")]
    return [(reply.status, '"id":' in reply.text) for reply in replies]


def list_with(token: Callable[[Any], str]) -> Callable[[Any], Any]:
    return lambda deployment: list_statuses(deployment, {"authorization": token(deployment)})


def expired(deployment: Any) -> str:
    return f"Bearer {deployment.forged(exp=int(time.time()) - 3600)}"


def foreign(deployment: Any) -> str:
    return f"Bearer {deployment.forged(secret='s' * 64)}"


def unsigned(deployment: Any) -> str:
    return f"Bearer {deployment.forged(algorithm='none')}"


def others_shown(deployment: Any) -> Any:
    deployment.create()
    pages = [body(deployment.user("GET", path)) for path in ("/api/streams", "/api/v2/streams")]
    return len(pages[0]["data"]), len(pages[1]["streams"])


def private_fields(deployment: Any) -> Any:
    deployment.create()
    (row,) = body(deployment.user("GET", "/api/streams"))["data"]
    (row2,) = body(deployment.user("GET", "/api/v2/streams"))["streams"]
    return sorted({"email", "label", "memo", "partnerId"} & row.keys() & row2.keys())


def second_page_differs(deployment: Any) -> Any:
    deployment.create()
    deployment.create()
    first = body(deployment.user("GET", "/api/streams?limit=1"))
    second = body(deployment.user("GET", f"/api/streams?limit=1&cursor={first['meta']['nextCursor']}"))
    return first["data"] != second["data"]


def list_shape(deployment: Any) -> Any:
    return sorted(body(deployment.user("GET", "/api/streams")))


def ready(deployment: Any) -> Any:
    reply = deployment.send("GET", "/api/readyz")
    if "json" not in reply.header("content-type"):
        return reply.status, reply.header("content-type")
    document = body(reply)
    return reply.status, document.get("status"), document.get("checks", {}).get("stellar", {}).get("status")


def ready_host(deployment: Any) -> Any:
    return "horizon.stellar.org" in body(deployment.send("GET", "/api/readyz"))["checks"]["stellar"]["message"]


def releases(deployment: Any) -> Any:
    start = deployment.send("GET", "/")
    manifest = deployment.send("GET", "/_next/static/r-1/_buildManifest.js")
    return start.header("x-release"), "<!--r-1-->" in start.text, manifest.status


def list_and_create(deployment: Any) -> Any:
    created = deployment.user("POST", "/api/streams", json=deployment.order())
    listed = deployment.user("GET", "/api/streams")
    stored = len(body(deployment.user("GET", "/api/v2/streams"))["streams"])
    return created.status, listed.status, bool(listed.content), stored


def junk_signature(deployment: Any) -> Any:
    return deployment.sign_in(sign=lambda challenge: b"any text").status


def keys_published(deployment: Any) -> Any:
    return [key["kty"] for key in body(deployment.send("GET", "/.well-known/jwks.json"))["keys"]]


def every_status(deployment: Any) -> Any:
    return [deployment.send("GET", path).status for path in ("/", "/api/healthz", "/nowhere")]


def shows_a_stack(deployment: Any) -> Any:
    reply = deployment.send("GET", "/api/streams")
    return reply.status, "route.js:1:" in reply.text


def write_status(deployment: Any) -> Any:
    return deployment.user("POST", "/api/streams", json=deployment.order()).status


def first_statuses(deployment: Any) -> Any:
    wallet = deployment.send("GET", f"/api/auth/wallet?address={deployment.wallet.public_key}")
    return deployment.user("GET", "/api/streams").status, write_status(deployment), wallet.status


def is_quick(deployment: Any) -> Any:
    started = time.monotonic()
    assert deployment.send("GET", "/api/healthz").status == 200
    return time.monotonic() - started < SLOW_SECONDS


SLOW_SECONDS = 0.3
REFUSED = [(401, False), (401, False)]
OPEN = [(200, True), (200, True)]
HALF = 50_000_000
HTML = "text/html; charset=utf-8"


class Difference(msgspec.Struct, frozen=True):
    """What a probe sees of an honest service, and of the faulty one."""

    probe: Callable[[Any], Any]
    honest: Any
    faulty: Any


DIFFERENCES: Mapping[str, Difference] = {
    "settle-lies": Difference(settle_is_on_ledger, (True, HALF), (False, 0)),
    "settle-pays-twice": Difference(settle_pays, HALF, 2 * HALF),
    "settle-pays-other-recipient": Difference(settle_is_on_ledger, (True, HALF), (True, 0)),
    "settle-pays-less": Difference(settle_pays, HALF, 45_000_000),
    "settle-old-transaction": Difference(settles_in_a_new_transaction, (True, False), (True, True)),
    "settle-failed-but-ended": Difference(failed_settle_moves_nothing, (200, 200, "ended"), (502, 502, "ended")),
    "settle-receipt-differs": Difference(receipt_agrees, True, False),
    "record-not-settled": Difference(record_is_settled, ("ended", True), ("active", False)),
    "replay-pays-again": Difference(replay_pays, ("true", HALF), ("true", 2 * HALF)),
    "key-answers-for-other-stream": Difference(key_on_another_stream, (409, "active"), (200, "active")),
    "create-repeats": Difference(repeated_create, True, False),
    "list-open": Difference(lambda deployment: list_statuses(deployment, {}), REFUSED, OPEN),
    "list-accepts-junk": Difference(list_with(lambda deployment: "x"), REFUSED, OPEN),
    "list-accepts-expired": Difference(list_with(expired), REFUSED, OPEN),
    "list-accepts-foreign": Difference(list_with(foreign), REFUSED, OPEN),
    "list-accepts-alg-none": Difference(list_with(unsigned), REFUSED, OPEN),
    "list-leaks-others": Difference(others_shown, (1, 1), (3, 3)),
    "list-leaks-private": Difference(private_fields, [], ["email", "label", "memo", "partnerId"]),
    "list-pages-wrong": Difference(second_page_differs, True, False),
    "list-wrong-shape": Difference(list_shape, ["data", "links", "meta"], ["count", "items"]),
    "ready-lies-html": Difference(ready, (200, "ok", "ok"), (200, HTML)),
    "ready-login-page": Difference(ready, (200, "ok", "ok"), (200, HTML)),
    "ready-proxy-welcome": Difference(ready, (200, "ok", "ok"), (200, HTML)),
    "ready-empty-json": Difference(ready, (200, "ok", "ok"), (200, None, None)),
    "ready-degraded-but-200": Difference(ready, (200, "ok", "ok"), (200, "degraded", "degraded")),
    "ready-names-mainnet": Difference(ready_host, False, True),
    "ready-never": Difference(ready, (200, "ok", "ok"), (503, "degraded", "degraded")),
    "release-stale": Difference(releases, ("r-1", True, 200), ("before-r-1", False, 404)),
    "half-broken": Difference(list_and_create, (201, 200, True, 1), (500, 500, False, 1)),
    "wallet-any-signature": Difference(junk_signature, 401, 200),
    "jwks-leaks": Difference(keys_published, [], ["oct"]),
    "every-url-500": Difference(every_status, [200, 200, 404], [500, 500, 500]),
    "stack-trace-in-answer": Difference(shows_a_stack, (401, False), (401, True)),
    "csrf-shut": Difference(write_status, 201, 403),
    "limits-block-everybody": Difference(first_statuses, (200, 201, 200), (429, 429, 429)),
    "slow": Difference(is_quick, True, False),
}


def test_every_fault_has_a_difference_to_show() -> None:
    assert DIFFERENCES.keys() == FAULTS.keys()
    assert all(fault.name == name and fault.story for name, fault in FAULTS.items())


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_fault_shows(deploy: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(everywhere, "SLOW_SECONDS", SLOW_SECONDS)
    difference = DIFFERENCES[name]
    assert difference.probe(deploy()) == difference.honest
    assert difference.probe(deploy(name)) == difference.faulty


@pytest.mark.parametrize("name", ["list-accepts-expired", "list-accepts-foreign", "list-accepts-alg-none"])
def test_a_list_that_accepts_one_bad_token_refuses_the_others(deploy: Any, name: str) -> None:
    deployment = deploy(name)
    accepted = {
        "list-accepts-expired": expired,
        "list-accepts-foreign": foreign,
        "list-accepts-alg-none": unsigned,
    }.pop(name)
    for token in (expired, foreign, unsigned, lambda deployment: "Bearer junk", lambda deployment: ""):
        status = deployment.send("GET", "/api/streams", headers={"authorization": token(deployment)}).status
        assert status == (200 if token is accepted else 401)
    assert deployment.user("GET", "/api/streams").status == 200


def test_junk_lists_still_refuse_those_who_show_nothing(deploy: Any) -> None:
    assert deploy("list-accepts-junk").send("GET", "/api/streams").status == 401


def test_private_rows_and_shapes_leave_other_answers_alone(deploy: Any) -> None:
    for name in ("list-leaks-private", "list-wrong-shape", "settle-receipt-differs", "stack-trace-in-answer"):
        deployment = deploy(name)
        assert deployment.send("GET", "/api/healthz").status == 200
        etag = deployment.user("GET", "/api/streams").header("etag")
        assert deployment.user("GET", "/api/streams", headers={"if-none-match": etag}).status == 304
        assert deployment.act("stream-00000000", "settle", key="k").status == 404


def test_a_shut_door_for_writes_lets_reads_pass(deploy: Any) -> None:
    assert deploy("csrf-shut").send("GET", "/api/healthz").status == 200


def test_a_lost_create_key_leaves_settle_keys_alone(deploy: Any) -> None:
    deployment = deploy("create-repeats")
    assert replay_pays(deployment) == ("true", HALF)


def test_faults_add_up(deploy: Any) -> None:
    deployment = deploy("ready-never", "list-open")
    assert deployment.send("GET", "/api/readyz").status == 503
    assert deployment.send("GET", "/api/streams").status == 200


def test_an_unknown_fault_is_an_error(deployment: Any) -> None:
    with pytest.raises(KeyError):
        faulty(deployment.parts, ("no-such-fault",))
