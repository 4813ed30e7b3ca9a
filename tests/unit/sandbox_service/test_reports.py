"""Live events of a stream, and what other services report."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from waits import HANG_SECONDS, Stopwatch, wait_until

from streampay_sandbox.service import wire
from streampay_sandbox.service.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature_of, signed_with
from streampay_sandbox.service.wire import MAX_WEBHOOK_BYTES, HttpCall
from streampay_smoke.core.secret import Secret
from tests.unit.sandbox_service.conftest import WEBHOOK_SECRET

EVENT = {"eventType": "settlement.finished", "data": {"id": "stream-1"}}


def body(reply: Any) -> Any:
    return json.loads(reply.content)


@contextmanager
def listening(deployment: Any, stream_id: str, **headers: str) -> Iterator[Iterator[str]]:
    """Listen to a stream: its lines, from the first one on."""
    sent = {"authorization": f"Bearer {deployment.token}", "x-tenant-id": "t", **headers}
    url = f"{deployment.url}/api/streams/{stream_id}/events"
    with httpx.stream("GET", url, headers=sent, timeout=HANG_SECONDS, trust_env=False) as reply:
        assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        assert reply.headers["cache-control"] == "no-cache, no-transform"
        lines = reply.iter_lines()
        assert next(lines).startswith(":")
        yield lines


def next_event(lines: Iterator[str]) -> tuple[str, Any]:
    name = next(line for line in lines if line.startswith("event:")).partition(": ")[2]
    return name, json.loads(next(lines).partition(": ")[2])


def test_an_owner_hears_what_happens_to_their_stream(deployment: Any) -> None:
    stream_id, other = deployment.create(), deployment.create()
    with listening(deployment, stream_id) as lines:
        deployment.act(other, "start")
        deployment.act(stream_id, "start")
        assert next_event(lines)[1]["status"] == "active"
        settled = body(deployment.act(stream_id, "settle", key="k"))["data"]
        name, said = next_event(lines)
        assert (name, said["id"], said["status"]) == ("settle:finished", stream_id, "ended")
        assert said["settlement"] == settled["settlement"]
        deployment.act(stream_id, "settle", key="k")  # a replay is no event
        deployment.act(stream_id, "withdraw", key="w")
        assert next_event(lines)[1]["status"] == "withdrawn"
    live = deployment.parts.live
    wait_until(lambda: not live._listening_to(stream_id), "the service notices that its listener left")


def test_a_refused_action_is_no_event(deployment: Any) -> None:
    stream_id = deployment.create()
    with listening(deployment, stream_id) as lines:
        assert deployment.act(stream_id, "settle", key="early").status == 409
        deployment.act(stream_id, "start")
        assert next_event(lines)[0] == "stream:updated"


def test_silence_is_kept_alive(deployment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "KEEP_ALIVE_SECONDS", 0.1)
    monkeypatch.setattr(wire, "LOOK_SECONDS", 0.05)
    with listening(deployment, deployment.create()) as lines:
        assert next(line for line in lines if line) == ": keep-alive"


def test_events_are_refused_in_the_measured_order(deployment: Any) -> None:
    stream_id = deployment.create()
    other = deployment.parts.tokens.issue("another-user")[0]

    def refused(path: str, **headers: str) -> Any:
        reply = deployment.send("GET", f"/api/streams/{path}/events", headers=headers)
        return reply.status, body(reply)["error"]["code"]

    token, tenant = {"authorization": f"Bearer {deployment.token}"}, {"x-tenant-id": "t"}
    assert refused("stream-00000000") == (401, "UNAUTHORIZED")
    assert refused(stream_id, authorization="Bearer junk", **tenant) == (401, "UNAUTHORIZED")
    assert refused("stream-00000000", **token) == (400, "MISSING_TENANT")
    assert refused("stream-00000000", **token, **tenant) == (404, "NOT_FOUND")
    assert refused(stream_id, authorization=f"Bearer {other}", **tenant) == (403, "FORBIDDEN")
    head = deployment.raw("HEAD", f"/api/streams/{stream_id}/events", headers={**token, **tenant})
    assert (head.status, head.content) == (200, b"")


def test_a_service_that_stops_ends_its_listeners_at_once(deploy: Any) -> None:
    deployment = deploy()
    with listening(deployment, deployment.create()) as lines:
        with Stopwatch() as watch:
            deployment.server.stop()
            assert not [line for line in lines if line]
        assert watch.seconds < watch.allows(2)


def reported(deployment: Any, event: Any = EVENT, *, secret: str = WEBHOOK_SECRET, ago: int = 0) -> Any:
    """Report an event as a service that holds `secret` does, and without a browser's pair."""
    content = json.dumps(event).encode()
    timestamp = str(int(time.time()) - ago)
    headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature_of(Secret(secret), timestamp, content)}
    return deployment.raw("POST", "/api/webhooks", content=content, headers=headers)


def test_a_signed_report_is_taken_and_counted(deployment: Any) -> None:
    assert (reported(deployment).status, body(reported(deployment))) == (200, {"success": True})
    deployment.raw("POST", "/api/webhooks", json=EVENT)
    health = body(deployment.raw("GET", "/api/webhooks/health"))
    assert health == {"status": "ok", "deliveries": {"taken": 2, "refused": 1}}


@pytest.mark.parametrize("how", [{"secret": "another"}, {"ago": 301}, {"ago": -303}])  # seconds: 3 for a slow machine
def test_a_report_that_is_not_signed_as_it_should_be_is_refused(deployment: Any, how: Any) -> None:
    reply = reported(deployment, **how)
    assert (reply.status, body(reply)["error"]["code"]) == (401, "INVALID_SIGNATURE")


@pytest.mark.parametrize("headers", [{}, {TIMESTAMP_HEADER: "soon"}, {SIGNATURE_HEADER: "v1=00"}])
def test_an_unsigned_report_is_refused(deployment: Any, headers: dict[str, str]) -> None:
    assert deployment.raw("POST", "/api/webhooks", json=EVENT, headers=headers).status == 401
    assert deployment.raw("POST", "/api/webhooks", content=b"junk", headers=headers).status == 401


def test_a_signature_covers_the_body(deployment: Any) -> None:
    now = time.time()
    signed = signed_with(Secret("s"), lambda: now)
    headers = {TIMESTAMP_HEADER: str(int(now)), SIGNATURE_HEADER: signature_of(Secret("s"), str(int(now)), b"one")}
    calls = [
        HttpCall(method="POST", path="", route="", params={}, query={}, headers=headers, body=content, client="")
        for content in (b"one", b"two")
    ]
    assert [signed(call) for call in calls] == [True, False]


@pytest.mark.parametrize("event", [{}, {"eventType": " "}, {"eventType": 1}, {**EVENT, "amount": 1}, ["eventType"]])
def test_a_signed_body_that_is_no_event_is_refused(deployment: Any, event: Any) -> None:
    assert reported(deployment, event).status == 400


def test_reports_may_be_longer_than_other_bodies(deployment: Any) -> None:
    long = {**EVENT, "data": "x" * 300_000}
    assert reported(deployment, long).status == 200
    assert reported(deployment, {**EVENT, "data": "x" * MAX_WEBHOOK_BYTES}).status == 413
