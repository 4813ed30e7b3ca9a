"""The app-v1 dialect: what it asks, what it accepts, and each deviation it names."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from streampay_smoke.core.errors import PromiseBroken, SettingsInvalid
from streampay_smoke.http.bodies import one_event
from streampay_smoke.service.dialects import DIALECTS, dialect_named
from streampay_smoke.service.dialects.app_v1 import AppV1
from streampay_smoke.service.exchange import Answer, parsed
from streampay_smoke.service.records import DependencyReport, StreamOrder

APP = AppV1()
RECIPIENT = "G" + "B" * 55
TX = "ab" * 32


def answered(
    document: Any = None, *, status: int = 200, text: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    body = json.dumps(document) if text is None else text
    return Answer(
        method="GET",
        path="/api/x",
        status=status,
        headers=dict(headers or {}),
        body_text=body,
        json=parsed(body),
        request_id="r-1",
        release="",
        simulated=False,
        duration_ms=1,
    )


def stream(**changes: Any) -> dict[str, Any]:
    item = {
        "id": "stream-1",
        "status": "active",
        "recipient": RECIPIENT,
        "rate": "0.5",
        "schedule": "hour",
        "token": "XLM",
        "nextAction": "pause",
        "createdAt": "2026-11-01T00:00:00Z",
        "updatedAt": "2026-11-01T00:00:01Z",
        **changes,
    }
    return {name: value for name, value in item.items() if value is not ...}


def settled(**changes: Any) -> dict[str, Any]:
    receipt = {"settledAt": "2026-11-01T00:00:02Z", "txHash": TX}
    return stream(status="ended", settlementTxHash=TX, settlement=receipt) | changes


def ready(**changes: Any) -> dict[str, Any]:
    message = "reachable: https://horizon-testnet.stellar.org"
    return {
        "status": "ok",
        "checks": {
            "config": {"status": "ok", "checked_at": "t"},
            "stellar": {"status": "ok", "checked_at": "t", "message": message},
            "kms": {"status": "ok", "checked_at": "t"},
        },
        **changes,
    }


def test_dialects_are_found_by_name() -> None:
    assert dialect_named("app-v1") is DIALECTS["app-v1"]
    with pytest.raises(SettingsInvalid, match="no dialect 'app-v9'") as caught:
        dialect_named("app-v9")
    assert "app-v1" in caught.value.next_step


def test_what_the_app_is_asked() -> None:
    order = StreamOrder(recipient=RECIPIENT, rate="1", schedule="day")
    body = {"recipient": RECIPIENT, "rate": "1", "schedule": "day"}
    asked = [
        APP.readiness(),
        APP.challenge("G A&b"),
        APP.login("GA", "c", "s"),
        APP.streams(limit=2, cursor=""),
        APP.streams(limit=2, cursor="a+/="),
        APP.stream("stream/../1"),
        APP.create(order, "key-1"),
        APP.create(order, ""),
        APP.act("a/b", "settle", "key-2"),
        APP.act("stream-1", "start", ""),
    ]
    assert [(call.method, call.path, call.statuses, call.headers, call.json) for call in asked] == [
        ("GET", "/api/readyz", (200, 503), {}, None),
        ("GET", "/api/auth/wallet?address=G+A%26b", (200,), {}, None),
        ("POST", "/api/auth/wallet", (200,), {}, {"address": "GA", "challenge": "c", "signature": "s"}),
        ("GET", "/api/streams?limit=2", (200,), {}, None),
        ("GET", "/api/streams?limit=2&cursor=a%2B%2F%3D", (200,), {}, None),
        ("GET", "/api/v2/streams/stream%2F..%2F1", (200,), {}, None),
        ("POST", "/api/streams", (201,), {"idempotency-key": "key-1"}, body),
        ("POST", "/api/streams", (201,), {}, body),
        ("POST", "/api/streams/a%2Fb/settle", (200,), {"idempotency-key": "key-2"}, None),
        ("POST", "/api/streams/stream-1/start", (200,), {}, None),
    ]
    assert [call.writes for call in asked] == [False, False, True, False, False, False, True, True, True, True]


def test_a_ready_service_is_ready() -> None:
    readiness = APP.read_readiness(answered(ready()), own_hosts=())
    assert readiness.genuine
    assert readiness.ready
    assert readiness.not_genuine_because == ""
    assert readiness.network == "testnet"
    assert not readiness.simulated
    assert readiness.request_id == "r-1"
    assert readiness.dependencies["kms"] == DependencyReport(status="ok", message="")
    assert readiness.description == (
        "status 200: config ok, stellar ok (reachable: https://horizon-testnet.stellar.org), kms ok"
    )


def test_a_service_may_say_that_it_is_simulated() -> None:
    assert APP.read_readiness(answered(ready(simulated=True)), own_hosts=()).simulated
    assert not APP.read_readiness(answered(ready(simulated="yes")), own_hosts=()).simulated


def test_more_checks_are_welcome_and_count() -> None:
    checks = ready()["checks"]
    more = APP.read_readiness(answered(ready(checks=checks | {"database": {"status": "ok"}})), own_hosts=())
    assert more.ready
    worse = APP.read_readiness(answered(ready(checks=checks | {"database": {"status": "down"}})), own_hosts=())
    assert worse.genuine
    assert not worse.ready


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (503, {}),
        (200, {"status": "degraded"}),
        (503, {"status": "degraded"}),
        (200, {"checks": ready()["checks"] | {"kms": {"status": "degraded", "message": "no key"}}}),
    ],
    ids=["503 that says ok", "200 that says degraded", "both", "a check that is degraded"],
)
def test_a_genuine_answer_that_is_not_ready(status: int, changes: dict[str, Any]) -> None:
    readiness = APP.read_readiness(answered(ready(**changes), status=status), own_hosts=())
    assert readiness.genuine
    assert not readiness.ready
    assert readiness.network == "testnet"


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (answered(text=""), "this is an empty body"),
        (answered(text="ok"), "this is plain text"),
        (
            answered(text="<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head></html>"),
            "this is an HTML page titled 'Welcome to nginx!'",
        ),
        (answered(text="<html><body>Sign in</body></html>"), "this is an HTML page"),
        (answered([]), "this is JSON that is a list of 0"),
        (answered("ok"), "this is JSON that is 'ok'"),
        (answered(True), "this is JSON that is true"),
        (answered(0), "this is JSON that is 0"),
        (answered({}), "body.status is missing; body.checks is missing"),
        (answered({"status": "ok"}), "body.checks is missing"),
        (answered(ready(status="up")), "body.status is 'up', not one of ok, degraded"),
        (answered(ready(status=None)), "body.status is null"),
        (answered(ready(checks=[])), "body.checks is a list of 0, not an object"),
        (answered(ready(checks={})), "checks.config is missing; checks.stellar is missing; checks.kms is missing"),
        (
            answered(ready(checks=ready()["checks"] | {"kms": {"status": 1}})),
            "checks.kms.status is 1, not a text",
        ),
        (answered(ready(checks=ready()["checks"] | {"kms": "ok"})), "checks.kms is 'ok', not an object"),
        (answered(ready(), status=302), "the service promises 200 or 503 here; this is JSON that is an object"),
        (
            answered(text="Internal Server Error", status=500),
            "the service promises 200 or 503 here; this is plain text",
        ),
    ],
)
def test_what_only_looks_like_readiness_is_not_genuine(answer: Answer, because: str) -> None:
    readiness = APP.read_readiness(answer, own_hosts=())
    assert not readiness.genuine
    assert not readiness.ready
    assert readiness.not_genuine_because == because
    assert readiness.dependencies == {}
    assert readiness.network == ""
    assert readiness.description == f"status {answer.status}, but {because}"


def test_a_challenge_is_read() -> None:
    assert APP.read_challenge(answered({"challenge": "streampay_auth_1_ab", "expires_at": "t"})) == (
        "streampay_auth_1_ab"
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"challenge": ""},
        {"challenge": 7},
        {"challenge": "AAAAAgAAAADx"},
        {"challenge": "streampay_auth_1 send money"},
        {"challenge": "streampay_auth_1\n"},
        {"challenge": "streampay_auth_ä"},
    ],
)
def test_anything_else_is_never_signed(document: Any) -> None:
    with pytest.raises(PromiseBroken, match="not a challenge to sign"):
        APP.read_challenge(answered(document))


def test_a_token_is_read() -> None:
    assert APP.read_token(answered({"token": "tok_1"})) == "tok_1"


@pytest.mark.parametrize(
    "document", [{}, "tok", {"token": None}, {"token": ""}, {"token": {"a": 1}}, {"token": "hunter2 \n"}]
)
def test_what_is_no_token_is_named_and_not_quoted(document: Any) -> None:
    with pytest.raises(PromiseBroken, match="not a token: body") as caught:
        APP.read_token(answered(document))
    assert "hunter2" not in str(caught.value)


def a_page(*items: Any, **meta: Any) -> dict[str, Any]:
    return {"data": list(items), "meta": {"hasNext": False, "nextCursor": None, "total": len(items), **meta}}


def test_a_page_is_read() -> None:
    page = APP.read_page(
        answered(a_page(stream(), stream(id="stream-2", nextAction=...), hasNext=True, nextCursor="abc", total=9)),
        limit=2,
    )
    assert [record.id for record in page.streams] == ["stream-1", "stream-2"]
    assert (page.next_cursor, page.has_next, page.total) == ("abc", True, 9)
    assert page.items[0]["nextAction"] == "pause"
    assert page.streams[0].next_action == "pause"
    assert page.streams[1].next_action == ""


def test_an_empty_page_is_a_page() -> None:
    assert APP.read_page(answered(a_page()), limit=1).streams == ()


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "body is a list of 0, not an object"),
        ({}, "body.data is missing; body.meta is missing"),
        ({"data": {}, "meta": []}, "body.data is an object, not a list; body.meta is a list of 0, not an object"),
        (a_page("x"), "data[0] is 'x', not an object"),
        (a_page(stream(id=...)), "data[0].id is missing"),
        (a_page(stream(id="")), "data[0].id is empty"),
        (a_page(stream(rate=5, schedule=None)), "data[0].rate is 5, not a text; data[0].schedule is null"),
        (a_page(stream(), stream(id="2", status="done")), "data[1].status is 'done', not one of draft, active"),
        (a_page(stream(token=7)), "data[0].token is 7, not a text"),
        (a_page(stream(), hasNext="no"), "meta.hasNext is 'no', not true or false"),
        (a_page(stream(), total=True), "meta.total is true, not a whole number"),
        (a_page(stream(), total=1.5), "meta.total is 1.5, not a whole number"),
        (a_page(stream(), total=0), "meta.total is 0, less than the 1 streams on the page"),
        (a_page(stream(), hasNext=True), "meta.hasNext is true, but there is no meta.nextCursor"),
        (a_page(stream(), stream()), "stream stream-1 is on the page twice"),
        (
            a_page(stream(), stream(id="2"), stream(id="3")),
            "3 streams came where at most 2 were asked for",
        ),
    ],
)
def test_every_deviation_of_a_page_is_named(document: Any, named: str) -> None:
    with pytest.raises(PromiseBroken) as caught:
        APP.read_page(answered(document), limit=2)
    assert f"GET /api/x answered 200, but not a page of streams: {named}" in str(caught.value)
    assert str(caught.value).endswith("(request id r-1)")
    assert caught.value.next_step


@pytest.mark.parametrize("named", ["", "application/json", "Application/JSON; charset=utf-8", "application/hal+json"])
def test_json_that_is_called_json_is_read(named: str) -> None:
    assert APP.read_page(answered(a_page(stream()), headers={"content-type": named}), limit=20).total == 1


@pytest.mark.parametrize("named", ["text/html", "text/plain; charset=utf-8", "application/octet-stream"])
def test_json_that_is_called_something_else_is_a_broken_promise(named: str) -> None:
    with pytest.raises(PromiseBroken, match=f"its content type is {named.partition(';')[0]}, not application/json"):
        APP.read_page(answered(a_page(stream()), headers={"content-type": named}), limit=20)


def test_very_many_deviations_are_counted() -> None:
    with pytest.raises(PromiseBroken, match="; and 8 more"):
        APP.read_page(answered(a_page(*[{} for _ in range(4)])), limit=9)


def test_long_values_are_shortened_in_messages() -> None:
    with pytest.raises(PromiseBroken) as caught:
        APP.read_page(answered(a_page(stream(status="x" * 500))), limit=2)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "document",
    [
        {"data": settled(), "links": {}},
        settled(),
        {**settled(), "data": settled()},
    ],
    ids=["v1", "v2 bare", "v2 both"],
)
def test_a_stream_is_read_in_each_form(document: Any) -> None:
    record = APP.read_stream(answered(document))
    assert (record.id, record.status, record.recipient, record.rate, record.schedule) == (
        "stream-1",
        "ended",
        RECIPIENT,
        "0.5",
        "hour",
    )
    assert record.settlement_tx_hash == TX
    assert record.receipt_tx_hash == TX


def test_a_stream_that_is_not_settled_has_no_hashes() -> None:
    record = APP.read_stream(answered({"data": stream(settlement=None)}))
    assert (record.settlement_tx_hash, record.receipt_tx_hash) == ("", "")


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (None, "body is null, not an object"),
        ("x", "body is 'x', not an object"),
        ({}, "stream.id is missing"),
        ({"data": stream(status="gone")}, "stream.status is 'gone'"),
        ({**stream(status="draft"), "data": stream()}, "status differs between the top of the body and its data"),
        ({"data": stream(settlement="yes")}, "stream.settlement is 'yes', not an object"),
        ({"data": stream(settlement={"txHash": 1})}, "stream.settlement.txHash is 1, not a text"),
    ],
)
def test_every_deviation_of_a_stream_is_named(document: Any, named: str) -> None:
    with pytest.raises(PromiseBroken) as caught:
        APP.read_stream(answered(document))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "replayed"),
    [({}, False), ({"idempotency-replay": "false"}, False), ({"idempotency-replay": "true"}, True)],
)
def test_a_receipt_is_read(headers: dict[str, str], replayed: bool) -> None:
    answer = answered({"data": settled(settlementTxHash="other")}, headers=headers)
    receipt = APP.read_receipt(answer)
    assert receipt.stream_id == "stream-1"
    assert receipt.status == "ended"
    assert receipt.settlement_tx_hash == "other"
    assert receipt.receipt_tx_hash == TX
    assert receipt.settled_at == "2026-11-01T00:00:02Z"
    assert receipt.replayed is replayed
    assert receipt.answer is answer


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "body.data is missing"),
        ({"data": stream()}, "data.settlementTxHash is missing; data.settlement is missing"),
        ({"data": settled(settlementTxHash="")}, "data.settlementTxHash is empty"),
        ({"data": settled(settlement=None)}, "data.settlement is null"),
        ({"data": settled(settlement={})}, "data.settlement.txHash is missing; data.settlement.settledAt is missing"),
    ],
)
def test_every_deviation_of_a_receipt_is_named(document: Any, named: str) -> None:
    with pytest.raises(PromiseBroken) as caught:
        APP.read_receipt(answered(document))
    assert f"not a receipt: {named}" in str(caught.value)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": {"code": "STREAM_NOT_FOUND", "message": "m"}}, "STREAM_NOT_FOUND"),
        ({"error": "IdempotencyKeyRequired", "message": "m"}, "IdempotencyKeyRequired"),
        ({"error": "Bad Gateway"}, ""),
        ({"error": {"code": 502}}, ""),
        ({"error": None}, ""),
        ({}, ""),
        ([], ""),
        ("x", ""),
    ],
)
def test_only_the_services_own_envelope_has_a_code(document: Any, code: str) -> None:
    assert APP.error_code(answered(document)) == code


ACCESS = APP.access
STREAM_ID = "stream-0 1/2"
QUOTED = "stream-0%201%2F2"


def test_a_stream_that_an_attempt_is_about_is_named_safely() -> None:
    calls = [
        ACCESS.stream_of_tenant(STREAM_ID, "G1"),
        ACCESS.change(STREAM_ID, {"tags": []}),
        ACCESS.delete(STREAM_ID),
    ]
    assert [(call.method, call.path) for call in calls] == [
        ("GET", f"/api/streams/{QUOTED}"),
        ("PATCH", f"/api/v2/streams/{QUOTED}"),
        ("DELETE", f"/api/v2/streams/{QUOTED}"),
    ]
    assert calls[0].headers == {"x-tenant-id": "G1"}
    assert ACCESS.change_many(STREAM_ID, {"tags": []}).json == {"updates": [{"id": STREAM_ID, "data": {"tags": []}}]}


def test_administration_is_only_ever_looked_at() -> None:
    assert ACCESS.administration()
    assert {call.method for call in ACCESS.administration()} == {"GET"}
    assert ACCESS.claim_to_administer("G1")["actor-wallet-address"] == "G1"
    assert "PLACEHOLDER" in ACCESS.claim_to_administer()["actor-wallet-address"]


def test_a_write_that_shows_something_of_a_page_changes_nothing() -> None:
    writes = [ACCESS.harmless_write(), *(call for call in ACCESS.mistakes() if call.writes)]
    assert len(writes) == 2
    assert all("/stream-absent-" in call.path for call in writes)


def test_a_browser_asks_for_all_that_a_write_sends() -> None:
    sent = ACCESS.preflight("https://app.example").headers
    assert sent["origin"] == "https://app.example"
    assert set(sent["access-control-request-headers"].split(",")) == {
        "authorization",
        "content-type",
        "idempotency-key",
        "x-csrf-token",
    }
    assert ACCESS.read_by_page("https://app.example").headers == {"origin": "https://app.example"}


def test_tags_of_a_stream_are_read_where_they_are_tags() -> None:
    assert APP.read_stream(answered({"data": stream(tags=["a", "b"])})).tags == ("a", "b")
    assert APP.read_stream(answered({"data": stream(tags="a")})).tags == ()
    assert APP.read_stream(answered({"data": stream()})).tags == ()


def test_the_newer_form_asks_for_the_same_in_another_place() -> None:
    order = StreamOrder(recipient=RECIPIENT, rate="0.5", schedule="hour")
    asked = APP.create_v2(order, "k")
    assert (asked.method, asked.path, asked.statuses) == ("POST", "/api/v2/streams", (201,))
    assert (asked.json, asked.headers) == (APP.create(order, "k").json, {"idempotency-key": "k"})
    assert APP.streams_v2(limit=5, cursor="").path == "/api/v2/streams?limit=5"
    assert APP.streams_v2(limit=5, cursor="c=").path == "/api/v2/streams?limit=5&cursor=c%3D"


def test_a_newer_page_is_read() -> None:
    meta = {"hasNext": True, "nextCursor": "c", "total": 9}
    page = APP.read_page_v2(answered({"streams": [stream()], "meta": meta, "links": {}}), limit=1)
    assert [found.id for found in page.streams] == ["stream-1"]
    assert (page.has_next, page.next_cursor, page.total) == (True, "c", 9)


def test_a_page_of_the_older_form_is_no_newer_one() -> None:
    with pytest.raises(PromiseBroken, match=r"body\.streams is missing"):
        APP.read_page_v2(answered(a_page(stream())), limit=1)
    broken = {"streams": [stream(status="x")], "meta": {"hasNext": False, "total": 1}}
    with pytest.raises(PromiseBroken, match=r"streams\[0\]\.status"):
        APP.read_page_v2(answered(broken), limit=1)


def test_health_and_metrics_are_asked_for_without_a_purpose() -> None:
    assert (APP.alive().path, APP.alive().purpose) == ("/api/healthz", "")
    assert (APP.metrics().path, APP.metrics().purpose) == ("/api/metrics", "")


def withdrawn(**changes: Any) -> dict[str, Any]:
    withdrawal = {"state": "pending", "attempts": 1, "settlementTxHash": TX}
    return {"alert": False, "data": settled(), "withdrawal": withdrawal, **changes}


def test_a_withdrawal_is_read() -> None:
    found = APP.read_withdrawal(answered(withdrawn()))
    assert (found.stream_id, found.stream_status, found.state, found.alert) == ("stream-1", "ended", "pending", False)
    assert found.settlement_tx_hash == TX
    failed = APP.read_withdrawal(answered(withdrawn(alert=True, withdrawal={"state": "failed"})))
    assert (failed.state, failed.alert, failed.settlement_tx_hash) == ("failed", True, "")


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "body is a list of 0"),
        ({}, "body.alert is missing"),
        (withdrawn(alert="no"), "body.alert is 'no'"),
        (withdrawn(data=None), "body.data is null"),
        (withdrawn(data=stream(id=...)), "data.id is missing"),
        (withdrawn(withdrawal={}), "withdrawal.state is missing"),
        (withdrawn(withdrawal={"state": "done"}), "withdrawal.state is 'done'"),
    ],
)
def test_every_deviation_of_a_withdrawal_is_named(document: Any, named: str) -> None:
    with pytest.raises(PromiseBroken, match="not a withdrawal") as caught:
        APP.read_withdrawal(answered(document))
    assert named in str(caught.value)


def test_the_index_is_asked_for_one_event() -> None:
    asked = APP.index_status()
    assert (asked.path, asked.headers) == ("/api/indexer/status", {"accept": "text/event-stream"})
    assert asked.enough is one_event


@pytest.mark.parametrize(
    "text",
    [
        'event: indexer_status\ndata: {"ledgerCursor": 7, "lagMs": 1}\n\n',
        ': padding\n\nevent: x\ndata:{"ledgerCursor":7}\n\ndata: {"ledgerCursor":8}\n\n',
        'data: {"ledgerCursor": 7}\r\n\r\n',
    ],
)
def test_the_cursor_of_the_first_event_is_read(text: str) -> None:
    assert APP.read_index_cursor(answered(text=text)) == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html></html>",
        "event: indexer_status\n\n",
        "data: no json\n\n",
        'data: {"ledgerCursor": "7"}\n\n',
        'data: {"ledgerCursor": true}\n\n',
        "data: []\n\n",
    ],
)
def test_what_tells_no_cursor_is_named(text: str) -> None:
    with pytest.raises(PromiseBroken, match="not a status of the index"):
        APP.read_index_cursor(answered(text=text))


def test_live_events_are_asked_for_as_the_owners_tenant() -> None:
    asked = APP.live_events("stream 1", "GOWNER", one_event)
    assert (asked.path, asked.headers["x-tenant-id"]) == ("/api/streams/stream%201/events", "GOWNER")
    assert (asked.method, asked.headers["accept"], asked.enough) == ("GET", "text/event-stream", one_event)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", []),
        (": listening\n\n: keep-alive\n\n", []),
        (': listening\n\nevent: x\ndata: {"id": "a", "status": "active", "more": 1}\n\n', [("a", "active")]),
        ('data: {"id": "a", "status": "active"}\r\n\r\ndata: {"id": "b", "sta', [("a", "active")]),
    ],
)
def test_live_events_that_have_come_whole_are_read(text: str, told: list[tuple[str, str]]) -> None:
    assert [(event.stream_id, event.status) for event in APP.read_live_events(answered(text=text))] == told


@pytest.mark.parametrize("data", ["no json", "[]", "{}", '{"id": "a"}', '{"id": 1, "status": "active"}'])
def test_live_events_that_say_something_else_are_named(data: str) -> None:
    with pytest.raises(PromiseBroken, match="live events"):
        APP.read_live_events(answered(text=f"data: {data}\n\n"))


def test_claims_and_webhook_events_carry_what_they_are_given() -> None:
    access = APP.access
    assert access.forwarded_for("2001:db8::1") == {"x-forwarded-for": "2001:db8::1"}
    assert access.challenge_nobody_gave().startswith("streampay_auth_")
    event = access.webhook_event(signature=access.foreign_signature(), timestamp="1790000000")
    assert event.headers["x-streampay-signature"].startswith("v1=")
    assert event.headers["x-streampay-timestamp"] == "1790000000"
    assert access.webhook_event(signature="", timestamp="").headers == {}
