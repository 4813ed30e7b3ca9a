"""A disturbed road on the wire, and each way for it to go wrong."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waits import HANG_SECONDS

from streampay_sandbox.road import Decided, Forward, Passing, Proxy, Reply, Sent, hang_up
from streampay_selftest import disturbances
from streampay_selftest.weather import Weather
from streampay_smoke.http.client import Client, NoAnswer, new_client

COOKIES = ("a=1", "b=2")


def echo(passing: Passing) -> Sent:
    """What the deployment behind was asked, and two cookies."""
    told = {"number": passing.number, "method": passing.method, "path": passing.path, "headers": dict(passing.headers)}
    headers = (("content-type", "application/json"), *(("set-cookie", cookie) for cookie in COOKIES))
    return Sent(status=200, headers=headers, content=json.dumps(told).encode())


class Road:
    """A road whose disturbance a test sets, a client at its beginning and an echo at its end."""

    client: Client

    def __init__(self) -> None:
        self.disturb: Any = lambda passing: Forward()

    def __call__(self, passing: Passing) -> Decided:
        decided: Decided = self.disturb(passing)
        return decided

    def asked(self, method: str = "GET", path: str = "/x?y=1", **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.client.request(method, path, **more).text)
        return told


@pytest.fixture
def road() -> Iterator[Road]:
    made = Road()
    with (
        Proxy(disturb=echo) as behind,
        Proxy(behind.url, disturb=made) as proxy,
        new_client(base_url=proxy.url, timeout_seconds=HANG_SECONDS) as made.client,
    ):
        yield made


def test_what_passes_is_what_was_sent(road: Road) -> None:
    told = road.asked("POST", headers={"Idempotency-Key": "k"}, json={"a": 1})
    assert (told["method"], told["path"], told["headers"]["idempotency-key"]) == ("POST", "/x?y=1", "k")
    assert told["headers"]["content-length"] == str(len('{"a":1}'))
    assert road.client.request("GET", "/").header_values("set-cookie") == COOKIES


def test_the_clock_of_what_stands_behind_is_what_a_caller_sees(road: Road) -> None:
    then = "Thu, 01 Jan 2026 00:00:00 GMT"
    road.disturb = disturbances.answering(lambda sent: Sent(status=200, headers=(("date", then),), content=b"{}"))
    assert road.client.request("GET", "/").header_values("date") == (then,)


def test_headers_bodies_and_queries_get_lost(road: Road) -> None:
    road.disturb = lambda passing: Forward(without=frozenset({"idempotency-key"}), with_body=False, path="/elsewhere")
    told = road.asked("POST", headers={"Idempotency-Key": "k", "Authorization": "a"}, json={"a": 1})
    assert told["path"] == "/elsewhere"
    assert "idempotency-key" not in told["headers"]
    assert (told["headers"]["authorization"], told["headers"]["content-length"]) == ("a", "0")


def test_what_is_delivered_twice_is_answered_once(road: Road) -> None:
    road.disturb = lambda passing: Forward(times=2)
    assert [road.asked("POST")["number"] for _ in range(2)] == [1, 3]


def test_an_answer_is_remade(road: Road) -> None:
    road.disturb = disturbances.answering(disturbances.called("text/html"))
    reply = road.client.request("GET", "/")
    assert (reply.header("content-type"), reply.header_values("set-cookie")) == ("text/html", COOKIES)
    road.disturb = disturbances.answering(disturbances.without_header("set-cookie"))
    assert road.client.request("GET", "/").header("set-cookie") == ""
    road.disturb = disturbances.answering(disturbances.dressed)
    assert road.client.request("GET", "/").header_values("set-cookie") == (*COOKIES, "AWSALB=abc; Path=/")
    road.disturb = disturbances.answering(disturbances.zipped)
    assert road.asked()["method"] == "GET", "the client unpacks it"
    bare = Sent(status=204, headers=(), content=b"")
    assert disturbances.zipped(bare) == bare, "what followed would be read as the next answer"
    road.disturb = disturbances.answering(disturbances.shouted)
    assert road.client.request("GET", "/").header("set-cookie") == "a=1, b=2"
    road.disturb = disturbances.answering(disturbances.saying(b'"number"', b'"count"'))
    assert "count" in road.asked()
    road.disturb = disturbances.answering(disturbances.half)
    with pytest.raises(json.JSONDecodeError):
        road.asked()


@pytest.mark.parametrize("then", [disturbances.torn, disturbances.lost])
def test_an_answer_that_is_torn_or_lost_is_none(road: Road, then: Any) -> None:
    road.disturb = disturbances.answering(then)
    with pytest.raises(NoAnswer) as caught:
        road.asked()
    assert caught.value.cause == "reset"
    road.disturb = lambda passing: Forward()
    assert road.asked()["number"] == 1, "it was done all the same"


def test_an_answer_that_drips_takes_its_time(road: Road) -> None:
    road.disturb = disturbances.answering(disturbances.dripping(0.001))
    began = time.monotonic()
    length = len(road.client.request("GET", "/").content)
    assert time.monotonic() - began >= 0.001 * length


def test_a_connection_that_is_closed_after_each_answer_is_made_anew(road: Road) -> None:
    road.disturb = disturbances.answering(disturbances.closing)
    replies = [road.client.request("GET", "/") for _ in range(3)]
    assert [reply.opened_connection for reply in replies] == [True] * 3


def passing(number: int = 0, path: str = "/api/streams", method: str = "GET", **more: Any) -> Passing:
    return Passing(number=number, connection=more.pop("connection", 0), method=method, path=path, **more)


TEAPOT = Reply(status=418)


def met(disturb: Any, *requests: Passing) -> list[bool]:
    return [disturb(request) is TEAPOT for request in requests]


def test_who_meets_what() -> None:
    numbers = [passing(number) for number in range(6)]
    assert met(disturbances.every(3, TEAPOT), *numbers) == [False, False, True, False, False, True]
    assert met(disturbances.every(3, TEAPOT, "/api/auth"), *numbers) == [False] * 6
    assert met(disturbances.first(2, TEAPOT), *numbers[:3]) == [True, True, False]
    assert met(disturbances.after(2, TEAPOT), *numbers[:4]) == [False, False, True, True]
    assert met(disturbances.everywhere(TEAPOT), *numbers) == [True] * 6
    below = disturbances.below("/api/streams", TEAPOT, method="POST")
    assert met(below, passing(), passing(method="POST"), passing(method="POST", path="/api/auth")) == [
        False,
        True,
        False,
    ]
    replica = disturbances.one_replica_of(3, TEAPOT, until=4)
    assert met(replica, passing(connection=2), passing(connection=1), passing(4, connection=2)) == [True, False, False]


def test_the_first_caller_alone_meets_it() -> None:
    disturb = disturbances.for_the_first_caller(TEAPOT)
    mine, yours = passing(headers={"authorization": "mine"}), passing(headers={"authorization": "yours"})
    assert met(disturb, passing(), mine, yours, passing(), mine) == [False, True, False, False, True]


def test_a_shared_cache_answers_others_with_what_the_first_saw() -> None:
    disturb = disturbances.shared_cache("/api/streams")
    seen = Sent(status=200, headers=(), content=b"mine")

    def asked(request: Passing, behind: Sent) -> Decided:
        decided = disturb(request)
        return decided.then(behind) if isinstance(decided, Forward) else decided

    failed = Sent(status=500, headers=(), content=b"")
    assert asked(passing(), failed) is failed, "only good answers are kept"
    assert asked(passing(), seen) is seen
    assert asked(passing(headers={"authorization": "yours"}), failed) is seen
    assert asked(passing(method="POST"), failed) is failed
    assert asked(passing(path="/api/readyz"), failed) is failed


def test_a_round_robin_takes_turns() -> None:
    disturb = disturbances.round_robin(2)
    assert [getattr(disturb(passing()), "to", None) for _ in range(4)] == [0, 1, 0, 1]


def test_an_error_has_the_services_envelope() -> None:
    sent = disturbances.error(429, "slow", retry_after="7").sent()
    assert (sent.status, sent.header("retry-after"), json.loads(sent.content)["error"]["code"]) == (429, "7", "slow")
    assert gzip.decompress(disturbances.zipped(sent).content) == sent.content
    assert hang_up().sent().status == 0


def test_weather_adds_to_what_the_road_does() -> None:
    calm = Weather(seed=1)
    assert calm.on(disturbances.everywhere(TEAPOT), "case")(passing()) is TEAPOT
    windy = Weather(seed=1, jitter_seconds=0.5)
    assert windy.on(disturbances.everywhere(TEAPOT), "case")(passing()) is TEAPOT
    seconds = [_seconds(windy.on(lambda _: Forward(seconds=1.0), "case")(passing())) for _ in range(2)]
    assert 1.0 < seconds[0] < 1.5
    assert seconds[0] == seconds[1], "the same seed brings the same"


def _seconds(decided: Decided) -> float:
    assert isinstance(decided, Forward)
    return decided.seconds
