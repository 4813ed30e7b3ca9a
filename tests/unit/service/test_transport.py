"""The wire to the deployment: what is sent, what is recorded, what is waited out, and what is no answer."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authorities import Authority, TlsServer

from streampay_smoke.core.cpu_wait import cpu_wait_ns
from streampay_smoke.core.errors import Blame, ServiceUnavailable, SettingsInvalid
from streampay_smoke.evidence.events import AnyEvent, Exchanged, Waited
from streampay_smoke.service import transport as module
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.transport import (
    HostUnresolved,
    NoServiceAnswer,
    ServiceTransport,
    pause_seconds,
)
from tests.unit.service.conftest import Says, ScriptedService

Connect = Callable[..., ServiceTransport]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def connect(service: ScriptedService, events: list[AnyEvent], slept: list[float]) -> Iterator[Connect]:
    transports: list[ServiceTransport] = []

    def start(url: str = "", *, timeout_seconds: float = 5, throttle_seconds: float = 30) -> ServiceTransport:
        transports.append(
            ServiceTransport(
                url or service.url,
                record=events.append,
                timeout_seconds=timeout_seconds,
                throttle_seconds=throttle_seconds,
                sleep=slept.append,
            )
        )
        return transports[-1]

    yield start
    for transport in transports:
        transport.close()


def exchanged(events: list[AnyEvent]) -> list[Exchanged]:
    return [event for event in events if isinstance(event, Exchanged)]


def test_an_answer_carries_everything_a_check_needs(service: ScriptedService, connect: Connect) -> None:
    service.on(
        "GET /api/x",
        Says(
            status=418,
            json={"a": [1]},
            headers=(
                ("X-Request-Id", "r-1"),
                ("X-Release", "2026.11"),
                ("X-StreamPay-Simulated", "sandbox"),
                ("Set-Cookie", "a=1"),
                ("Set-Cookie", "b=2"),
            ),
        ),
    )
    answer = connect().send("GET", "/api/x?limit=1")
    assert (answer.status, answer.json, answer.body_text) == (418, {"a": [1]}, '{"a": [1]}')
    assert (answer.request_id, answer.release, answer.simulated) == ("r-1", "2026.11", True)
    assert answer.headers["x-release"] == "2026.11"
    assert answer.set_cookies == ("a=1", "b=2")
    assert answer.asked == "GET /api/x?limit=1"


@pytest.mark.parametrize(("header", "simulated"), [((), False), ((("x-streampay-simulated", "false"),), False)])
def test_an_answer_that_names_nothing_is_real_and_keeps_our_request_id(
    service: ScriptedService, connect: Connect, header: tuple[tuple[str, str], ...], simulated: bool
) -> None:
    service.on("GET /", Says(text="<html>", headers=header))
    answer = connect().send("GET", "/")
    assert answer.json is None
    assert answer.release == ""
    assert answer.simulated is simulated
    assert answer.request_id == service.asked[0].headers["x-request-id"]


def test_every_request_is_marked_and_has_ids_of_its_own(service: ScriptedService, connect: Connect) -> None:
    transport = connect()
    transport.send("GET", "/a")
    transport.send("POST", "/b", json={"x": "ä"}, headers={"idempotency-key": "k"})
    first, second = (asked.headers for asked in service.asked)
    for headers in (first, second):
        assert headers["baggage"] == "synthetic=true"
        assert headers["x-streampay-synthetic"] == "smoke"
        assert headers["user-agent"].startswith("streampay-smoke/")
        assert re.fullmatch(r"smoke-[0-9a-f]{32}", headers["x-request-id"])
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"])
    assert first["x-request-id"] != second["x-request-id"]
    assert first["traceparent"][:35] == second["traceparent"][:35]
    assert first["traceparent"] != second["traceparent"]
    assert "content-type" not in first
    assert second["content-type"] == "application/json"
    assert second["idempotency-key"] == "k"
    assert service.asked[1].json == {"x": "ä"}


def test_an_exchange_is_recorded_without_its_secrets(
    service: ScriptedService, connect: Connect, events: list[AnyEvent]
) -> None:
    service.on(
        "POST /login",
        Says(json={"token": "tok_hunter2"}, headers=(("Set-Cookie", "session=hunter2"), ("X-Release", "r7"))),
    )
    connect().send(
        "POST",
        "/login",
        json={"signature": "hunter2", "address": "GABC"},
        headers={"cookie": "csrf-token=hunter2", "x-csrf-token": "hunter2"},
        credential=Credential(kind="bearer", headers={"authorization": "Bearer hunter2"}, shown_as="a token"),
    )
    assert service.asked[0].headers["authorization"] == "Bearer hunter2"
    (event,) = exchanged(events)
    assert (event.peer, event.method, event.target, event.status, event.release) == (
        "service",
        "POST",
        "/login",
        200,
        "r7",
    )
    assert event.request_id == service.asked[0].headers["x-request-id"]
    assert "hunter2" not in event.request + event.response
    assert '"address":"GABC"' in event.request
    assert event.request.startswith("POST /login\n")
    assert "authorization: <redacted>" in event.request
    assert event.response.startswith("HTTP 200\n")
    assert (event.cpu_wait_ms is None) is (cpu_wait_ns() is None)


def test_a_429_is_waited_out_as_told(
    service: ScriptedService, connect: Connect, events: list[AnyEvent], slept: list[float]
) -> None:
    busy = Says(status=429, headers=(("Retry-After", "6"),))
    service.on("POST /api/streams", busy, busy, Says(status=201, json={}))
    assert connect().send("POST", "/api/streams", json={"a": 1}).status == 201
    assert slept == [6, 6]
    assert [event.status for event in exchanged(events)] == [429, 429, 201]
    assert [asked.json for asked in service.asked] == [{"a": 1}] * 3
    assert len({asked.headers["x-request-id"] for asked in service.asked}) == 3
    assert events[-1] == Waited(
        what="the rate limit to let POST /api/streams through",
        met=True,
        within_seconds=30,
        waited_seconds=12,
        attempts=3,
        last="status 201, Retry-After 'not given'",
    )


def test_a_429_that_outlasts_the_budget_is_returned_and_recorded(
    service: ScriptedService, connect: Connect, events: list[AnyEvent], slept: list[float]
) -> None:
    service.on("GET /a", Says(status=429, headers=(("Retry-After", "6"),)))
    assert connect(throttle_seconds=13).send("GET", "/a").status == 429
    assert slept == [6, 6]
    assert events[-1] == Waited(
        what="the rate limit to let GET /a through",
        met=False,
        within_seconds=13,
        waited_seconds=12,
        attempts=3,
        last="status 429, Retry-After '6'",
    )


def test_a_429_that_asks_for_more_than_the_budget_is_not_slept_for(
    service: ScriptedService, connect: Connect, events: list[AnyEvent], slept: list[float]
) -> None:
    service.on("GET /a", Says(status=429, headers=(("Retry-After", "3600"),)))
    assert connect().send("GET", "/a").status == 429
    assert slept == []
    assert isinstance(events[-1], Waited)
    assert not events[-1].met


def test_a_zero_retry_after_does_not_hammer_for_ever(
    service: ScriptedService, connect: Connect, slept: list[float]
) -> None:
    service.on("GET /a", Says(status=429, headers=(("Retry-After", "0"),)))
    assert connect(throttle_seconds=3).send("GET", "/a").status == 429
    assert sum(slept) == 3
    assert len(service.asked) == 4


@pytest.mark.parametrize(("value", "seconds"), [("6", 6), ("-5", 1), ("0", 1), ("", 1), ("soon", 1)])
def test_a_pause_is_never_shorter_than_a_second(
    service: ScriptedService, connect: Connect, value: str, seconds: float
) -> None:
    service.on("GET /a", Says(status=429, headers=(("Retry-After", value),)))
    assert pause_seconds(connect(throttle_seconds=0).send("GET", "/a")) == seconds


def test_a_refused_connection_is_the_products(connect: Connect, events: list[AnyEvent]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        ServiceUnavailable, match=rf"GET /a got no answer: .*, at http://127\.0\.0\.1:{port}$"
    ) as caught:
        connect(f"http://127.0.0.1:{port}").send("GET", "/a")
    assert isinstance(caught.value, NoServiceAnswer)
    assert (caught.value.cause, caught.value.blame, caught.value.kind) == (
        "refused",
        Blame.PRODUCT,
        "service_unavailable",
    )
    assert caught.value.next_step
    (event,) = exchanged(events)
    assert event.status is None
    assert "the connection was refused" in event.error
    assert event.request.startswith("GET /a\n")


def test_a_name_that_does_not_resolve_is_the_runners(connect: Connect, events: list[AnyEvent]) -> None:
    with pytest.raises(ServiceUnavailable, match="does not resolve") as caught:
        connect("http://no-such-host.invalid").send("GET", "/a")
    assert isinstance(caught.value, HostUnresolved)
    assert (caught.value.cause, caught.value.blame, caught.value.kind) == ("dns", Blame.HARNESS, "host_unresolved")
    assert exchanged(events)[0].status is None


def test_silence_is_no_answer(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = connect(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.2)
        with pytest.raises(NoServiceAnswer, match=r"no full answer in time after 0\.2 s") as caught:
            transport.send("GET", "/a")
    assert caught.value.cause == "timeout"


def test_a_reset_in_the_middle_of_a_write_is_no_answer_and_not_sent_again(connect: Connect) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            received.append(connection.recv(65536))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(NoServiceAnswer) as caught:
        connect(f"http://127.0.0.1:{listener.getsockname()[1]}").send("POST", "/settle")
    listener.close()
    assert caught.value.cause == "reset"
    assert len(received) == 1


def test_a_request_that_cannot_be_written_is_a_matter_of_settings(connect: Connect, events: list[AnyEvent]) -> None:
    with pytest.raises(SettingsInvalid, match="could not be sent") as caught:
        connect().send("GET", "/a", headers={"x-api-key": "hunter2\n"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(events)
    assert caught.value.__suppress_context__


def test_every_cause_has_a_next_step() -> None:
    from streampay_smoke.http import client as http

    assert set(module._NEXT_STEPS) == set(http.CAUSES) - {"dns", "bad request", "proxy", "untrusted"}


def test_it_closes_as_a_context_manager(service: ScriptedService, events: list[AnyEvent]) -> None:
    with ServiceTransport(service.url, record=events.append, timeout_seconds=5) as transport:
        assert transport.send("GET", "/a").status == 404
        assert transport.base_url == service.url


def redirecting(location: str) -> Says:
    return Says(status=308, headers=(("location", location),))


def test_a_host_that_is_served_by_https_only_is_a_wrong_address(
    service: ScriptedService, connect: Connect, events: list[AnyEvent]
) -> None:
    host = service.url.partition("//")[2]
    service.on("GET /api/readyz", redirecting(f"https://{host}/api/readyz?x=1"))
    with pytest.raises(SettingsInvalid, match=f"sends everybody to https: .*https://{host}/api/readyz") as caught:
        connect().send("GET", "/api/readyz")
    assert caught.value.next_step == f"set SMOKE_BASE_URL (--base-url) to https://{host}"
    assert exchanged(events)[0].status == 308


ELSEWHERE = (
    "https://elsewhere.example/api/x",
    "https://127.0.0.1/login",
    "http://127.0.0.1/api/x",
    "/api/x/",
    "https://[::1",
    "",
)


@pytest.mark.parametrize("location", ELSEWHERE)
def test_any_other_redirect_is_the_answer(service: ScriptedService, connect: Connect, location: str) -> None:
    service.on("GET /api/x", redirecting(location))
    assert connect().send("GET", "/api/x").status == 308


def test_a_redirect_to_https_is_the_releases_once_http_was_served(service: ScriptedService, connect: Connect) -> None:
    service.on("GET /api/x", redirecting("https://127.0.0.1/api/x"))
    transport = connect()
    transport.send("GET", "/api/readyz")
    assert transport.send("GET", "/api/x").status == 308


def test_a_proxy_in_the_way_is_the_runners_trouble(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://smoke:a-proxys-password@127.0.0.1:9")
    with pytest.raises(module.ProxyFailed, match=r"by the proxy 127\.0\.0\.1:9 of HTTP_PROXY: .*refused") as caught:
        connect("http://127.0.0.2:1").send("GET", "/api/readyz")
    assert caught.value.blame is Blame.HARNESS
    assert "NO_PROXY" in caught.value.next_step
    assert "a-proxys-password" not in str(caught.value)


def test_an_unknown_authority_is_a_setting(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = Authority(tmp_path, "internal").issue("localhost")
    with TlsServer(certificate) as server, pytest.raises(module.CertificateUntrusted) as caught:
        connect(server.url().rstrip("/")).send("GET", "/api/readyz")
    assert caught.value.blame is Blame.CONFIG
    assert "SSL_CERT_FILE" in caught.value.next_step
