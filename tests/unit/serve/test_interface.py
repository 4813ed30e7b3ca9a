"""Who may ask, what a request may hold, and what each engine is told of each standing."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from serve_parts import BEARER, OTHER_TOKEN, PLACE, TOKEN, Service, ToldPlayer, canary

from streampay_smoke.core.secret import Secret
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.serve import wire
from streampay_smoke.serve.keys import Keyring, flagger_key

Serving = Callable[..., Service]
KEY = flagger_key(Secret(TOKEN), "shop", "pay")
HOOKS = ("pre-rollout", "confirm-promotion", "rollback")
PATHS = ("/v1/runs", "/v1/reruns", "/v1/ecs", "/v1/codedeploy")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {OTHER_TOKEN}"},
    ],
)
def test_nobody_gets_in_without_the_token(serving: Serving, path: str, headers: dict[str, str]) -> None:
    player = ToldPlayer()
    service = serving(player)
    refused = service.post(path, {"deploy": "d"}, headers)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert player.played == []


def test_nobody_reads_without_the_token(serving: Serving) -> None:
    assert serving().get("/v1/runs/d", {}).status == 401


@pytest.mark.parametrize("token", [TOKEN, OTHER_TOKEN])
def test_both_slots_open_while_a_token_is_replaced(serving: Serving, token: str) -> None:
    service = serving(tokens=(TOKEN, OTHER_TOKEN))
    assert service.post("/v1/runs", {"deploy": "d"}, {"authorization": f"bearer {token}"}).status == 202
    key = flagger_key(Secret(token), "shop", "pay")
    assert service.post("/v1/flagger/confirm-promotion", canary(key=key), {}).status == 409


def test_a_keyring_without_a_token_cannot_be() -> None:
    with pytest.raises(ValueError, match="open to everybody"):
        Keyring([])


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    "key", ["", "x" * 64, flagger_key(Secret(TOKEN), "shop", "other"), flagger_key(Secret(OTHER_TOKEN), "shop", "pay")]
)
def test_a_key_opens_its_own_canary_only(serving: Serving, hook: str, key: str) -> None:
    assert serving().post(f"/v1/flagger/{hook}", canary(key=key), {}).status == 401


def test_the_key_of_a_canary_does_not_open_the_rest(serving: Serving) -> None:
    assert serving().post("/v1/runs", {"deploy": "d"}, {"authorization": f"Bearer {KEY}"}).status == 401


def test_a_bearer_may_play_flagger(serving: Serving) -> None:
    assert serving().post("/v1/flagger/rollback", canary(key="")).status == 403


def test_health_is_open_and_tells_only_numbers(serving: Serving) -> None:
    service = serving(ToldPlayer(waits=True), concurrency=1)
    for number in range(3):
        service.post("/v1/runs", {"deploy": f"d{number}"})
    service.let_work()
    health = service.get("/healthz", {})
    assert health.status == 200
    assert {name: health.json[name] for name in ("well", "queued", "running")} == {
        "well": True,
        "queued": 2,
        "running": 1,
    }


EXPECTED = {
    # status: pre-rollout, confirm-promotion, rollback, ECS, CodeDeploy
    VerdictStatus.PASS: (200, 200, 403, "SUCCEEDED", "Succeeded"),
    VerdictStatus.FAIL: (412, 412, 200, "FAILED", "Failed"),
    VerdictStatus.INCONCLUSIVE: (409, 409, 403, "IN_PROGRESS", "Failed"),
    VerdictStatus.CONFIG: (409, 409, 403, "IN_PROGRESS", "Failed"),
    VerdictStatus.SAFETY: (409, 409, 403, "IN_PROGRESS", "Failed"),
}


@pytest.mark.parametrize("status", list(VerdictStatus))
def test_every_engine_is_told_in_its_own_words(serving: Serving, status: VerdictStatus) -> None:
    service = serving(ToldPlayer(status))
    assert service.post("/v1/flagger/pre-rollout", canary(key=KEY), {}).status == EXPECTED[status][0]
    confirmed, rolled = (service.post(f"/v1/flagger/{hook}", canary(key=KEY), {}) for hook in HOOKS[1:])
    assert (confirmed.status, rolled.status) == EXPECTED[status][1:3]
    assert confirmed.text == f"{status}: as told"
    service.post("/v1/ecs", {"deploy": "arn:aws:ecs:eu-west-1:1:service-revision/c/s/1"})
    service.post("/v1/codedeploy", {"deploy": "d-ABC"})
    service.let_work()
    ecs = service.post("/v1/ecs", {"deploy": "arn:aws:ecs:eu-west-1:1:service-revision/c/s/1"})
    codedeploy = service.post("/v1/codedeploy", {"deploy": "d-ABC"})
    assert (ecs.status, ecs.json["hookStatus"]) == (200, EXPECTED[status][3])
    assert ("callBackDelay" in ecs.json) is (ecs.json["hookStatus"] == "IN_PROGRESS")
    assert (ecs.json["hookDetails"]["verdict"], ecs.json["hookDetails"]["run_id"]) == (status, "run-1")
    assert (codedeploy.status, codedeploy.json["status"]) == (200, EXPECTED[status][4])


def test_an_engine_that_is_early_is_told_to_wait(serving: Serving) -> None:
    service = serving(
        ToldPlayer(VerdictStatus.FAIL, waits=True), served=msgspec.structs.replace(PLACE, wait_seconds=0.01)
    )
    assert [service.post(f"/v1/flagger/{hook}", canary(key=KEY), {}).status for hook in HOOKS] == [409, 409, 403]
    assert service.post("/v1/ecs", {"deploy": "e"}).json["hookStatus"] == "IN_PROGRESS"
    assert service.post("/v1/codedeploy", {"deploy": "c"}).json["status"] == ""


def test_a_rollback_hook_starts_nothing(serving: Serving) -> None:
    player = ToldPlayer(VerdictStatus.FAIL)
    service = serving(player)
    assert service.post("/v1/flagger/rollback", canary(key=KEY), {}).text == "UNKNOWN"
    service.let_work()
    assert player.played == []


def test_a_fail_of_another_release_rolls_nothing_back(serving: Serving) -> None:
    service = serving(ToldPlayer(VerdictStatus.FAIL))
    service.post("/v1/flagger/pre-rollout", canary(key=KEY, release="r1"), {})
    assert service.post("/v1/flagger/rollback", canary(key=KEY, release="r2"), {}).status == 403
    assert service.post("/v1/flagger/rollback", canary("other", key=KEY, release="r1"), {}).status == 403
    assert service.post("/v1/flagger/rollback", canary(key=KEY, release="r1"), {}).status == 200


def test_a_superseded_or_expired_fail_rolls_nothing_back(serving: Serving) -> None:
    player = ToldPlayer(VerdictStatus.FAIL)
    service = serving(player)
    service.post("/v1/flagger/pre-rollout", canary(key=KEY), {})
    player.waits = True
    service.post("/v1/reruns", {"deploy": "shop/pay/abc"})
    assert service.post("/v1/flagger/rollback", canary(key=KEY), {}).status == 403
    player.let_go()
    service.let_work()
    assert service.post("/v1/flagger/rollback", canary(key=KEY), {}).status == 200
    service.clock.pass_seconds(3600)
    assert service.post("/v1/flagger/rollback", canary(key=KEY), {}).status == 403


def test_all_that_is_known_of_a_run_is_told(serving: Serving) -> None:
    service = serving()
    service.post("/v1/runs", {"deploy": "d", "environment": "staging", "region": "eu", "release": "r1"})
    service.let_work()
    told = service.get("/v1/runs/d?environment=staging&region=eu").json
    assert told.pop("id")
    assert told == {
        "data": {"verdict": "PASS", "pass": True, "fail": False, "score": 1},
        "deploy": "d",
        "environment": "staging",
        "region": "eu",
        "state": "finished",
        "release": "r1",
        "base_url": "https://staging.example",
        "attempt": 1,
        "supersedes": "",
        "superseded_by": "",
        "verdict": "PASS",
        "reason_code": "told_pass",
        "message": "PASS: as told",
        "run_id": "run-1",
        "asked_at": "2027-01-15T08:00:00Z",
        "started_at": "2027-01-15T08:00:00Z",
        "finished_at": "2027-01-15T08:00:00Z",
        "valid_until": "2027-01-15T09:00:00Z",
        "report_url": "https://reports.example/run-1/",
    }


def test_answers_may_not_be_kept(serving: Serving) -> None:
    assert serving().get("/v1/runs/d").headers["cache-control"] == "no-store"


def test_another_environment_has_another_service(serving: Serving) -> None:
    service = serving()
    for refused in (
        service.post("/v1/runs", {"deploy": "d", "environment": "production"}),
        service.get("/v1/runs/d?environment=production"),
        service.post("/v1/reruns", {"deploy": "d", "environment": "production"}),
        service.post("/v1/flagger/pre-rollout", canary(key=KEY, environment="production"), {}),
    ):
        assert (refused.status, refused.json["error"]) == (409, "this service judges staging")


def test_credentials_are_shown_to_known_addresses_only(serving: Serving) -> None:
    player = ToldPlayer()
    service = serving(player)
    for path in ("/v1/runs", "/v1/reruns"):
        refused = service.post(path, {"deploy": "d", "base_url": "https://attacker.example"})
        assert (refused.status, "SMOKE_SERVE_TARGETS" in refused.json["next"]) == (422, True)
    for base_url in ("https://preview.example/", "https://staging.example"):
        assert service.post("/v1/runs", {"deploy": base_url, "base_url": base_url}).status == 202
    service.let_work()
    assert {order.base_url for order in player.played} == {"https://preview.example", "https://staging.example"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"deploy": 1}', 422),
        (b'{"deploy": ""}', 422),
        (b'{"deploy": "../x y"}', 422),
        (b'{"deploy": "d\\nSMOKE_ENV=x"}', 422),
        (b'{"deploy": "d", "relase": "r"}', 422),
        (b'{"deploy": "d", "release": "a b"}', 422),
        (b'{"deploy": "d", "base_url": "file:///etc/passwd"}', 422),
        (b'{"deploy": "' + b"d" * 300 + b'"}', 422),
        (b'{"deploy": "d"}' + b" " * wire.MAX_BODY_BYTES, 413),
        (b"\xff", 400),
    ],
)
def test_a_request_that_is_not_understood_starts_nothing(serving: Serving, body: bytes, status: int) -> None:
    player = ToldPlayer()
    service = serving(player)
    assert service.post("/v1/runs", body).status == status
    service.let_work()
    assert player.played == []


def test_a_query_that_is_not_understood_is_refused(serving: Serving) -> None:
    service = serving()
    assert service.get("/v1/runs/d?region=a/b").status == 422
    assert service.get("/v1/runs/d?attempt=none").status == 404


def test_a_request_that_never_ends_is_let_go(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", 0.01)
    service = serving()
    assert service.do(service._call("POST", "/v1/runs", [b"{", None], BEARER)).status == 408


def test_a_caller_that_hangs_up_half_way_is_no_trouble(serving: Serving) -> None:
    service = serving()
    disconnects: list[dict[str, str]] = [{"type": "http.disconnect"}]

    async def story() -> int:
        sent: list[int] = []

        async def receive() -> dict[str, str]:
            return disconnects.pop() if disconnects else await asyncio.Event().wait()  # type: ignore[return-value]

        async def send(message: dict[str, int]) -> None:
            sent.append(message.get("status", 0))

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/runs",
            "query_string": b"",
            "headers": [(b"authorization", BEARER["authorization"].encode())],
        }
        await service.app(scope, receive, send)  # type: ignore[arg-type]
        return sent[0]

    assert service.do(story()) == 400


def test_the_log_has_the_requests_and_none_of_the_secrets(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service = serving()
    service.post("/v1/runs", {"deploy": "d"})
    service.post("/v1/flagger/rollback", canary(key=KEY), {})
    service.get("/v1/runs/d\x1bforged?token=in-the-query")
    service.let_work()
    assert "POST '/v1/runs' 202" in caplog.text
    assert "attempt" in caplog.text
    assert "'/v1/runs/d\\x1bforged' 422" in caplog.text
    for secret in (TOKEN, KEY, "in-the-query"):
        assert secret not in caplog.text


def test_state_files_hold_no_secret(serving: Serving, tmp_path: Path) -> None:
    service = serving()
    service.post("/v1/flagger/confirm-promotion", canary(key=KEY), {})
    service.let_work()
    (record,) = (tmp_path / "state" / "attempts").glob("*/attempt.json")
    assert json.loads(record.read_text())["order"]["deploy"]["name"] == "shop/pay/abc"
    assert not any(secret in record.read_text() for secret in (TOKEN, KEY))
