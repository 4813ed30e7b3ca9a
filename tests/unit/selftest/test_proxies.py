"""A disturbed proxy on the wire, and each way for it to go wrong."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from waits import HANG_SECONDS

from streampay_sandbox.proxy import (
    DisturbingProxy,
    Forward,
    ProxiedAnswer,
    ProxiedRequest,
    ProxyDecision,
    SubstituteAnswer,
    hang_up,
)
from streampay_selftest import proxy_behaviours
from streampay_selftest.run_variation import RunVariation
from streampay_smoke.http.client import Client, NoAnswer

COOKIES = ("a=1", "b=2")


def echo(passing: ProxiedRequest) -> ProxiedAnswer:
    """What the deployment behind was asked, and two cookies."""
    told = {"number": passing.number, "method": passing.method, "path": passing.path, "headers": dict(passing.headers)}
    headers = (("content-type", "application/json"), *(("set-cookie", cookie) for cookie in COOKIES))
    return ProxiedAnswer(status=200, headers=headers, content=json.dumps(told).encode())


class ProxyUnderTest:
    """A proxy whose disturbance a test sets, a client at its beginning and an echo at its end."""

    client: Client

    def __init__(self) -> None:
        self.behaviour: Any = lambda passing: Forward()

    def __call__(self, passing: ProxiedRequest) -> ProxyDecision:
        decided: ProxyDecision = self.behaviour(passing)
        return decided

    def asked(self, method: str = "GET", path: str = "/x?y=1", **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.client.request(method, path, **more).text)
        return told


@pytest.fixture
def proxy() -> Iterator[ProxyUnderTest]:
    made = ProxyUnderTest()
    with (
        DisturbingProxy(behaviour=echo) as behind,
        DisturbingProxy(behind.url, behaviour=made) as proxy,
        Client(base_url=proxy.url, timeout_seconds=HANG_SECONDS) as made.client,
    ):
        yield made


def test_what_passes_is_what_was_sent(proxy: ProxyUnderTest) -> None:
    told = proxy.asked("POST", headers={"Idempotency-Key": "k"}, json={"a": 1})
    assert (told["method"], told["path"], told["headers"]["idempotency-key"]) == ("POST", "/x?y=1", "k")
    assert told["headers"]["content-length"] == str(len('{"a":1}'))
    assert proxy.client.request("GET", "/").header_values("set-cookie") == COOKIES


def test_the_clock_of_what_stands_behind_is_what_a_caller_sees(proxy: ProxyUnderTest) -> None:
    then = "Thu, 01 Jan 2026 00:00:00 GMT"
    proxy.behaviour = proxy_behaviours.answering(
        lambda sent: ProxiedAnswer(status=200, headers=(("date", then),), content=b"{}")
    )
    assert proxy.client.request("GET", "/").header_values("date") == (then,)


def test_headers_bodies_and_queries_get_lost(proxy: ProxyUnderTest) -> None:
    proxy.behaviour = lambda passing: Forward(
        without=frozenset({"idempotency-key"}), with_body=False, path="/elsewhere"
    )
    told = proxy.asked("POST", headers={"Idempotency-Key": "k", "Authorization": "a"}, json={"a": 1})
    assert told["path"] == "/elsewhere"
    assert "idempotency-key" not in told["headers"]
    assert (told["headers"]["authorization"], told["headers"]["content-length"]) == ("a", "0")


def test_what_is_delivered_twice_is_answered_once(proxy: ProxyUnderTest) -> None:
    proxy.behaviour = lambda passing: Forward(times=2)
    assert [proxy.asked("POST")["number"] for _ in range(2)] == [1, 3]


def test_an_answer_is_remade(proxy: ProxyUnderTest) -> None:
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.called("text/html"))
    reply = proxy.client.request("GET", "/")
    assert (reply.header("content-type"), reply.header_values("set-cookie")) == ("text/html", COOKIES)
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.without_header("set-cookie"))
    assert proxy.client.request("GET", "/").header("set-cookie") == ""
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.dressed)
    assert proxy.client.request("GET", "/").header_values("set-cookie") == (*COOKIES, "AWSALB=abc; Path=/")
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.zipped)
    assert proxy.asked()["method"] == "GET", "the client unpacks it"
    bare = ProxiedAnswer(status=204, headers=(), content=b"")
    assert proxy_behaviours.zipped(bare) == bare, "what followed would be read as the next answer"
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.shouted)
    assert proxy.client.request("GET", "/").header("set-cookie") == "a=1, b=2"
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.saying(b'"number"', b'"count"'))
    assert "count" in proxy.asked()
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.half)
    with pytest.raises(json.JSONDecodeError):
        proxy.asked()


@pytest.mark.parametrize("then", [proxy_behaviours.torn, proxy_behaviours.lost])
def test_an_answer_that_is_torn_or_lost_is_none(proxy: ProxyUnderTest, then: Any) -> None:
    proxy.behaviour = proxy_behaviours.answering(then)
    with pytest.raises(NoAnswer) as caught:
        proxy.asked()
    assert caught.value.cause == "reset"
    proxy.behaviour = lambda passing: Forward()
    assert proxy.asked()["number"] == 1, "it was done all the same"


def test_an_answer_that_drips_takes_its_time(proxy: ProxyUnderTest) -> None:
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.dripping(0.001))
    began = time.monotonic()
    length = len(proxy.client.request("GET", "/").content)
    assert time.monotonic() - began >= 0.001 * length


def test_a_connection_that_is_closed_after_each_answer_is_made_anew(proxy: ProxyUnderTest) -> None:
    proxy.behaviour = proxy_behaviours.answering(proxy_behaviours.closing)
    replies = [proxy.client.request("GET", "/") for _ in range(3)]
    assert [reply.opened_connection for reply in replies] == [True] * 3


def passing(number: int = 0, path: str = "/api/streams", method: str = "GET", **more: Any) -> ProxiedRequest:
    return ProxiedRequest(number=number, connection=more.pop("connection", 0), method=method, path=path, **more)


TEAPOT = SubstituteAnswer(status=418)


def met(behaviour: Any, *requests: ProxiedRequest) -> list[bool]:
    return [behaviour(request) is TEAPOT for request in requests]


def test_who_meets_what() -> None:
    numbers = [passing(number) for number in range(6)]
    assert met(proxy_behaviours.every(3, TEAPOT), *numbers) == [False, False, True, False, False, True]
    assert met(proxy_behaviours.every(3, TEAPOT, "/api/auth"), *numbers) == [False] * 6
    assert met(proxy_behaviours.first(2, TEAPOT), *numbers[:3]) == [True, True, False]
    assert met(proxy_behaviours.after(2, TEAPOT), *numbers[:4]) == [False, False, True, True]
    assert met(proxy_behaviours.everywhere(TEAPOT), *numbers) == [True] * 6
    below = proxy_behaviours.below("/api/streams", TEAPOT, method="POST")
    assert met(below, passing(), passing(method="POST"), passing(method="POST", path="/api/auth")) == [
        False,
        True,
        False,
    ]
    replica = proxy_behaviours.one_replica_of(3, TEAPOT, until=4)
    assert met(replica, passing(connection=2), passing(connection=1), passing(4, connection=2)) == [True, False, False]


def test_the_first_caller_alone_meets_it() -> None:
    behaviour = proxy_behaviours.for_the_first_caller(TEAPOT)
    mine, yours = passing(headers={"authorization": "mine"}), passing(headers={"authorization": "yours"})
    assert met(behaviour, passing(), mine, yours, passing(), mine) == [False, True, False, False, True]


def test_a_shared_cache_answers_others_with_what_the_first_saw() -> None:
    behaviour = proxy_behaviours.shared_cache("/api/streams")
    seen = ProxiedAnswer(status=200, headers=(), content=b"mine")

    def asked(request: ProxiedRequest, behind: ProxiedAnswer) -> ProxyDecision:
        decided = behaviour(request)
        return decided.then(behind) if isinstance(decided, Forward) else decided

    failed = ProxiedAnswer(status=500, headers=(), content=b"")
    assert asked(passing(), failed) is failed, "only good answers are kept"
    assert asked(passing(), seen) is seen
    assert asked(passing(headers={"authorization": "yours"}), failed) is seen
    assert asked(passing(method="POST"), failed) is failed
    assert asked(passing(path="/api/readyz"), failed) is failed


def test_a_round_robin_takes_turns() -> None:
    behaviour = proxy_behaviours.round_robin(2)
    assert [getattr(behaviour(passing()), "to", None) for _ in range(4)] == [0, 1, 0, 1]


def test_an_error_has_the_services_envelope() -> None:
    sent = proxy_behaviours.error(429, "slow", retry_after="7").sent()
    assert (sent.status, sent.header("retry-after"), json.loads(sent.content)["error"]["code"]) == (429, "7", "slow")
    assert gzip.decompress(proxy_behaviours.zipped(sent).content) == sent.content
    assert hang_up().sent().status == 0


def test_variation_adds_to_what_the_proxy_does() -> None:
    calm = RunVariation(seed=1)
    assert calm.on(proxy_behaviours.everywhere(TEAPOT), "case")(passing()) is TEAPOT
    windy = RunVariation(seed=1, jitter_seconds=0.5)
    assert windy.on(proxy_behaviours.everywhere(TEAPOT), "case")(passing()) is TEAPOT
    seconds = [_seconds(windy.on(lambda _: Forward(seconds=1.0), "case")(passing())) for _ in range(2)]
    assert 1.0 < seconds[0] < 1.5
    assert seconds[0] == seconds[1], "the same seed brings the same"


def _seconds(decided: ProxyDecision) -> float:
    assert isinstance(decided, Forward)
    return decided.seconds


@pytest.mark.parametrize("oddity", [proxy_behaviours.chunked, proxy_behaviours.until_closed])
def test_an_answer_without_a_length_is_whole(proxy: ProxyUnderTest, oddity: Any) -> None:
    proxy.behaviour = proxy_behaviours.answering(oddity)
    assert [proxy.asked()["number"] for _ in range(3)] == [0, 1, 2]
    assert "content-length" not in {name for name, _ in proxy.client.request("GET", "/x").header_items}


def test_an_answer_without_content_stays_as_it_is() -> None:
    empty = ProxiedAnswer(status=204, headers=(), content=b"")
    assert proxy_behaviours.chunked(empty) == proxy_behaviours.until_closed(empty) == empty


def test_a_restart_lasts_so_many_seconds_from_a_request_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    behaviour = proxy_behaviours.for_seconds(2.0, hang_up(), after=1)
    asked = [ProxiedRequest(number=number, connection=0, method="GET", path="/") for number in range(4)]
    assert behaviour(asked[0]) == Forward()
    assert behaviour(asked[1]) == hang_up()
    now = 101.9
    assert behaviour(asked[2]) == hang_up()
    now = 102.0
    assert behaviour(asked[3]) == Forward()


def test_noise_delays_reads_alone_and_is_the_same_in_each_run() -> None:
    asked = [ProxiedRequest(number=number, connection=0, method="GET", path="/api") for number in range(200)]
    first, second = (proxy_behaviours.noisy(0.8, 0.5, "/api") for _ in range(2))
    delayed = [first(each) for each in asked]
    assert delayed == [second(each) for each in asked]
    assert 0.65 < sorted(each.seconds for each in delayed if isinstance(each, Forward))[100] < 0.95
    for other in (replace(asked[0], method="POST"), replace(asked[0], path="/x")):
        assert first(other) == Forward()
