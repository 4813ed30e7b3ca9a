"""What surrounds every call: CSRF, CORS, ids, limits, sizes, readiness and the small pages."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest

from streampay_sandbox.server import LoopbackServer
from streampay_sandbox.service import catalogue, readiness
from streampay_sandbox.service.limits import PER_MINUTE, DailyQuota, TokenBuckets
from streampay_sandbox.service.readiness import Degraded, configured, signing_works
from streampay_sandbox.stack import start_sandbox


def body(reply: Any) -> Any:
    return json.loads(reply.content)


def test_every_answer_says_what_it_is(deployment: Any) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/api/nowhere"),
        ("GET", "/api/streams"),
        ("PUT", "/api/streams"),
        ("GET", "/.well-known/jwks.json"),
    ):
        reply = deployment.raw(method, path)
        assert reply.header("x-release") == "r-1"
        assert reply.header("x-streampay-simulated") == "sandbox"
        assert reply.header("x-request-id").startswith("req_")


def test_a_request_id_is_echoed_in_header_and_envelope(deployment: Any) -> None:
    reply = deployment.send("GET", "/api/streams", headers={"x-request-id": "mine-1"})
    assert reply.header("x-request-id") == body(reply)["error"]["request_id"] == "mine-1"
    given = deployment.send("GET", "/api/streams", headers={"x-request-id": "x" * 129})
    assert given.header("x-request-id") == body(given)["error"]["request_id"] != "x" * 129


@pytest.mark.parametrize(
    ("cookie", "header", "passes"),
    [
        ("", "", False),
        ("csrf-token=abc", "", False),
        ("", "abc", False),
        ("csrf-token=abc", "abd", False),
        ("csrf-token=", "", False),
        ("csrf-token=abc", "abc", True),
    ],
)
def test_a_write_needs_the_pair(deployment: Any, cookie: str, header: str, passes: bool) -> None:
    sent = {"authorization": f"Bearer {deployment.token}"}
    sent |= {"cookie": cookie} if cookie else {}
    sent |= {"x-csrf-token": header} if header else {}
    reply = deployment.raw("POST", "/api/streams", json=deployment.order(), headers=sent)
    assert reply.status == (201 if passes else 403)
    if not passes:
        assert body(reply)["error"]["code"] == "CSRF_TOKEN_INVALID"


def test_reads_hand_out_the_csrf_cookie_once(deployment: Any) -> None:
    reply = deployment.raw("GET", "/api/healthz")
    cookie = reply.header("set-cookie")
    assert "Path=/; Max-Age=604800; SameSite=lax; Secure" in cookie
    assert "HttpOnly" not in cookie
    pair = cookie.partition(";")[0]
    assert not deployment.raw("GET", "/api/healthz", headers={"cookie": pair}).header("set-cookie")
    assert deployment.raw("GET", "/api/healthz", headers={"cookie": "csrf-token=x"}).header("set-cookie")
    assert not deployment.raw("GET", "/").header("set-cookie")


def test_a_browser_client_gets_its_preflight(deployment: Any) -> None:
    asked = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    reply = deployment.raw("OPTIONS", "/api/streams", headers=asked)
    assert reply.status == 204
    assert reply.header("access-control-allow-origin") == "http://localhost:3000"
    assert reply.header("access-control-allow-credentials") == "true"
    allowed = reply.header("access-control-allow-headers")
    assert all(name in allowed for name in ("authorization", "x-csrf-token", "idempotency-key"))
    assert reply.header("access-control-max-age") == "600"
    assert reply.header("vary") == "Origin"
    actual = deployment.raw("GET", "/api/healthz", headers={"origin": "http://localhost:3000"})
    assert actual.header("access-control-allow-origin") == "http://localhost:3000"
    own = deployment.raw("GET", "/api/healthz", headers={"origin": deployment.url})
    assert own.status == 200


def test_another_origin_is_refused(deployment: Any) -> None:
    reply = deployment.raw("GET", "/api/healthz", headers={"origin": "https://evil.example"})
    assert (reply.status, body(reply)["error"]["code"]) == (403, "CORS_ORIGIN_DISALLOWED")
    assert not reply.header("access-control-allow-origin")
    assert deployment.raw("GET", "/", headers={"origin": "https://evil.example"}).status == 200


def test_unknown_paths_and_methods(deployment: Any) -> None:
    unknown = deployment.send("GET", "/api/nowhere")
    assert (unknown.status, body(unknown)["error"]["code"]) == (404, "NOT_FOUND")
    assert deployment.send("POST", "/api/v2/streams/x/start").status == 404
    for path in ("/readyz", "/healthz"):
        page = deployment.raw("GET", path)
        assert (page.status, page.header("content-type")) == (404, "text/html; charset=utf-8")
    wrong = deployment.send("PUT", "/api/streams")
    assert (wrong.status, body(wrong)["error"]["code"], wrong.header("allow")) == (405, "METHOD_NOT_ALLOWED", "")
    head = deployment.raw("HEAD", "/api/streams", headers={"authorization": f"Bearer {deployment.token}"})
    assert (head.status, head.content) == (200, b"")


def test_a_long_body_is_refused_even_in_chunks(deployment: Any) -> None:
    headers = {"cookie": "csrf-token=x", "x-csrf-token": "x", "authorization": f"Bearer {deployment.token}"}
    big = b'{"memo": "' + b"x" * 262_144 + b'"}'
    assert deployment.raw("POST", "/api/streams", content=big, headers=headers).status == 413
    chunked = deployment.raw("POST", "/api/streams", content=iter([big]), headers=headers)
    assert (chunked.status, body(chunked)["error"]["code"]) == (413, "REQUEST_TOO_LARGE")


def test_writes_are_limited_to_ten_a_minute_and_reads_to_sixty(deploy: Any) -> None:
    deployment = deploy(per_minute=PER_MINUTE)
    for _ in range(10):
        assert deployment.user("POST", "/api/streams", json=deployment.order()).status == 201
    refused = deployment.user("POST", "/api/streams", json=deployment.order())
    assert (refused.status, body(refused)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.header("retry-after") in {"5", "6"}
    replies = [deployment.user("GET", "/api/streams") for _ in range(75)]
    assert replies[59].status == 200
    late = [reply for reply in replies if reply.status == 429]
    assert late
    assert late[0].header("retry-after") == "1"
    stream_id = body(replies[0])["data"][0]["id"]
    assert deployment.act(stream_id, "start").status == 200
    assert deployment.act(stream_id, "pause").status == 429


def test_callers_do_not_share_their_limits(deploy: Any) -> None:
    deployment = deploy(per_minute={**PER_MINUTE, "read": 1})
    other = deployment.parts.tokens.issue("somebody else")[0]
    assert deployment.user("GET", "/api/streams").status == 200
    assert deployment.user("GET", "/api/streams").status == 429
    assert deployment.user("GET", "/api/streams", token=other).status == 200
    # A token that only claims to be the first user uses up nobody's share but its sender's.
    forged = deployment.forged(secret="s" * 64, sub="victim")
    assert deployment.user("GET", "/api/streams", token=forged).status == 401
    assert deployment.user("GET", "/api/streams", token=deployment.forged(sub="victim")).status == 200


@pytest.mark.parametrize("header", ["x-api-key", "x-forwarded-for"])
def test_no_header_evades_a_limit(deploy: Any, header: str) -> None:
    deployment = deploy(per_minute={**PER_MINUTE, "read": 1, "login": 1})
    sent = [{header: f"192.0.2.{number}, 10.0.0.1"} for number in range(3)]
    assert [deployment.user("GET", "/api/streams", headers=each).status for each in sent] == [200, 429, 429]
    logins = [deployment.send("POST", "/api/auth/wallet", json={}, headers=each) for each in sent]
    assert [login.status for login in logins] == [422, 429, 429]
    assert logins[-1].header("retry-after") == "60"


def test_callers_nobody_knows_count_by_the_key_they_claim_and_else_by_their_address(deploy: Any) -> None:
    deployment = deploy(per_minute={**PER_MINUTE, "read": 1})
    for headers in ({"x-api-key": "one"}, {"x-api-key": "two"}, {}):
        statuses = [deployment.send("GET", "/api/streams", headers=headers).status for _ in range(2)]
        assert statuses == [401, 429]


def test_a_bucket_refills_evenly() -> None:
    now = [0.0]
    buckets = TokenBuckets({"write": 10}, clock=lambda: now[0])
    assert [buckets.take("write", "a") for _ in range(11)] == [0] * 10 + [6]
    now[0] = 3.0
    assert buckets.take("write", "a") == 3
    now[0] = 6.0
    assert buckets.take("write", "a") == 0
    assert buckets.take("write", "a") == 6
    now[0] = 1000.0
    assert [buckets.take("write", "a") for _ in range(11)][-2:] == [0, 6]


def test_a_tier_may_refill_in_less_than_a_minute() -> None:
    now = [0.0]
    buckets = TokenBuckets({"write": 10, "login": 5}, refill_seconds={"login": 10}, clock=lambda: now[0])
    assert [buckets.take("login", "a") for _ in range(6)] == [0] * 5 + [2]
    now[0] = 2.0
    assert [buckets.take("login", "a") for _ in range(2)] == [0, 2]
    assert [buckets.take("write", "a") for _ in range(11)][-1] == 6


def test_v2_creates_have_a_daily_quota(deployment: Any) -> None:
    for _ in range(100):
        assert deployment.user("POST", "/api/v2/streams", json={}).status == 422
    reply = deployment.user("POST", "/api/v2/streams", json=deployment.order())
    assert (reply.status, body(reply)["error"]["code"]) == (429, "ORG_DAILY_QUOTA_EXCEEDED")
    assert 0 < int(reply.header("retry-after")) <= 86_400


def test_the_quota_starts_anew_at_midnight() -> None:
    now = [86_400.0 * 3 - 10]
    quota = DailyQuota(1, clock=lambda: now[0])
    assert [quota.take("a"), quota.take("a"), quota.take("b")] == [0, 10, 0]
    now[0] += 10
    assert quota.take("a") == 0


def test_the_service_is_ready_when_its_ledger_answers(deployment: Any) -> None:
    reply = deployment.raw("GET", "/api/readyz")
    assert reply.status == 200
    document = body(reply)
    assert document["status"] == "ok"
    assert {name: check["status"] for name, check in document["checks"].items()} == {
        "config": "ok", "stellar": "ok", "kms": "ok",
    }  # fmt: skip
    assert all(check["checked_at"].endswith("Z") for check in document["checks"].values())
    assert document["checks"]["stellar"]["message"] == f"reachable: {deployment.parts.settings.rpc_url}"


def rpc_answering(status: int, text: bytes) -> LoopbackServer:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": text})

    return LoopbackServer(app)


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (200, b"<html>", "HTTP 200 without a health status"),
        (500, b"{}", "HTTP 500 without a health status"),
        (200, b'{"result": []}', "HTTP 200 without a health status"),
        (200, b'{"result": {"status": "unhealthy"}}', "the RPC is unhealthy"),
    ],
)
def test_the_service_is_not_ready_when_its_ledger_is_not(deploy: Any, status: int, text: bytes, message: str) -> None:
    with rpc_answering(status, text) as rpc:
        reply = deploy(rpc=rpc.url).raw("GET", "/api/readyz")
    assert reply.status == 503
    assert body(reply)["status"] == "degraded"
    assert body(reply)["checks"]["stellar"]["message"] == message
    assert body(reply)["checks"]["config"]["status"] == "ok"


def test_the_service_is_not_ready_when_nothing_answers(deploy: Any) -> None:
    with rpc_answering(200, b"") as rpc:
        gone = rpc.url
    assert body(deploy(rpc=gone).raw("GET", "/api/readyz"))["checks"]["stellar"]["message"] == "fetch failed"


def test_a_ledger_that_hangs_is_given_two_seconds(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert readiness.STELLAR_LIMIT_SECONDS == 2.0
    monkeypatch.setattr(readiness, "STELLAR_LIMIT_SECONDS", 0.05)

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    with LoopbackServer(hang, grace_seconds=0) as server:
        checks = body(deploy(rpc=server.url).raw("GET", "/api/readyz"))["checks"]
    assert checks["stellar"]["message"] == "Request timed out."


def test_missing_configuration_and_a_dead_key_degrade() -> None:
    with pytest.raises(Degraded, match="missing: contract id"):
        configured({"contract id": "", "release": "r"})()

    class DeadKey:
        def issue(self, subject: str) -> Any:
            raise ValueError("no key")

    with pytest.raises(Degraded, match="does not sign"):
        signing_works(DeadKey())()  # type: ignore[arg-type]


def test_the_small_pages(deployment: Any) -> None:
    assert body(deployment.raw("GET", "/api/healthz"))["status"] == "ok"
    health = body(deployment.raw("GET", "/api/streams/health"))
    assert health["dependencies"]["database"] == {"status": "ok", "kind": "memory"}
    assert body(deployment.raw("GET", "/api/auth/wallet/health"))["checks"].keys() == {
        "jwt_secret", "config", "challenge_store",
    }  # fmt: skip
    assert body(deployment.raw("GET", "/.well-known/jwks.json")) == {"keys": []}
    metrics = deployment.raw("GET", "/api/metrics").text
    assert 'streampay_requests_total{route="/api/healthz"} 1' in metrics
    assert "streampay_metrics_up 1" in metrics


def test_the_live_release_shows_in_page_and_manifest(deployment: Any) -> None:
    start = deployment.raw("GET", "/")
    assert "<!--r-1-->" in start.text
    assert start.header("content-type").startswith("text/html")
    manifest = deployment.raw("GET", "/_next/static/r-1/_buildManifest.js")
    assert manifest.status == 200
    assert "javascript" in manifest.header("content-type")
    assert deployment.raw("GET", "/_next/static/r-0/_buildManifest.js").status == 404


def test_no_answer_holds_a_secret(deployment: Any) -> None:
    paths = ("/", "/api/readyz", "/api/metrics", "/.well-known/jwks.json", "/api/streams", "/api/auth/wallet/health")
    everything = "".join(deployment.user("GET", path).text for path in paths)
    settings = deployment.parts.settings
    for secret in (
        settings.jwt_secret.reveal(),
        settings.api_key.reveal(),
        deployment.treasury.contract.operator.secret,
    ):
        assert secret not in everything
        assert secret not in repr(deployment.parts.settings)


def broken(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("an inner secret")


def test_a_defect_of_the_sandbox_is_a_500_that_shows_nothing(
    deployment: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(catalogue, "page", broken)
    with caplog.at_level(logging.ERROR):
        reply = deployment.user("GET", "/api/streams")
    assert (reply.status, body(reply)["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in reply.text
    assert "an inner secret" in caplog.text


def test_a_defect_of_a_fault_is_a_500_that_shows_nothing(
    deploy: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deployment = deploy("replay-pays-again")
    stream_id = deployment.started()
    assert deployment.act(stream_id, "settle", key="k").status == 200
    monkeypatch.setattr(deployment.ledger, "transfer", broken)
    with caplog.at_level(logging.ERROR):
        reply = deployment.act(stream_id, "settle", key="k")
    assert (reply.status, body(reply)["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in reply.text
    assert "an inner secret" in caplog.text


def test_the_index_stays_where_it_is_while_the_ledger_is_away() -> None:
    with start_sandbox() as sandbox:
        before = httpx.get(f"{sandbox.base_url}/api/indexer/status")
        sandbox._ledger.stop()
        after = httpx.get(f"{sandbox.base_url}/api/indexer/status")
    assert (before.status_code, after.status_code) == (200, 200)
    assert before.text == after.text
    assert '"ledgerCursor":0' not in before.text
