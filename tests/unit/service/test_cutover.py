"""Silence is waited out inside a budget and leaves evidence; an answer of the service is never asked for again."""

from collections.abc import Callable
from typing import Any

import pytest

from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.evidence.events import AnyEvent, Exchanged, Retried, Waited
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.cutover import Cutover
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import DIALECTS, Call
from streampay_smoke.service.records import StreamOrder
from streampay_smoke.service.transport import NoServiceAnswer, ServiceTransport
from tests.unit.service.conftest import Says, ScriptedService

USER = Credential(kind="bearer", headers={"authorization": "Bearer t"}, shown_as="a token")
ORDER = StreamOrder(recipient="GSOMEBODY", rate="1", schedule="day")
PAGE = {"data": [], "meta": {"hasNext": False, "nextCursor": None, "total": 0}}
STREAM = {"id": "s1", "status": "draft", "recipient": "GSOMEBODY", "rate": "1", "schedule": "day"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cutover(clock: Clock, events: list[AnyEvent], within_seconds: float = 5.0) -> Cutover:
    return Cutover(within_seconds, events.append, clock=lambda: clock.now, sleep=clock.sleep)


def silent(*causes: str) -> Callable[[], str]:
    left = list(causes)

    def send() -> str:
        if left:
            raise NoServiceAnswer("nothing", cause=left.pop(0))
        return "an answer"

    return send


def of(events: list[AnyEvent], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_an_answer_at_once_leaves_no_trace(clock: Clock, events: list[AnyEvent]) -> None:
    assert cutover(clock, events).through("GET /x", silent()) == "an answer"
    assert (events, clock.naps) == ([], [])


@pytest.mark.parametrize("cause", ["refused", "reset", "http 502", "http 503", "http 504"])
def test_silence_is_waited_out_and_each_attempt_is_written_down(
    clock: Clock, events: list[AnyEvent], cause: str
) -> None:
    assert cutover(clock, events).through("GET /x", silent(cause, cause)) == "an answer"
    assert [(event.attempt, event.because) for event in of(events, Retried)] == [(2, cause), (3, cause)]
    (waited,) = of(events, Waited)
    assert (waited.met, waited.attempts, waited.within_seconds) == (True, 3, 5.0)
    assert waited.waited_seconds == pytest.approx(0.3)


@pytest.mark.parametrize("cause", ["timeout", "tls", "dns", "protocol", "too large", "unreachable"])
def test_any_other_trouble_is_not(clock: Clock, events: list[AnyEvent], cause: str) -> None:
    with pytest.raises(NoServiceAnswer):
        cutover(clock, events).through("GET /x", silent(cause))
    assert events == []


def test_a_broken_promise_is_not_asked_for_again(clock: Clock, events: list[AnyEvent]) -> None:
    def broken() -> None:
        raise PromiseBroken("no")

    with pytest.raises(PromiseBroken):
        cutover(clock, events).through("GET /x", broken)
    assert events == []


def test_the_budget_is_the_whole_runs(clock: Clock, events: list[AnyEvent]) -> None:
    patience = cutover(clock, events, within_seconds=1.0)
    with pytest.raises(NoServiceAnswer):
        patience.through("GET /x", silent(*["refused"] * 99))
    assert clock.now == pytest.approx(1.0)
    (waited,) = of(events, Waited)
    assert not waited.met
    events.clear()
    with pytest.raises(NoServiceAnswer):
        patience.through("GET /y", silent("refused"))
    assert events == []
    assert clock.now == pytest.approx(1.0)


def test_pauses_grow_up_to_a_second(clock: Clock, events: list[AnyEvent]) -> None:
    cutover(clock, events, within_seconds=60).through("GET /x", silent(*["reset"] * 6))
    assert clock.naps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


@pytest.mark.parametrize(
    ("call", "repeatable"),
    [
        (Call(method="GET", path="/"), True),
        (Call(method="POST", path="/", headers={"idempotency-key": "k"}), True),
        (Call(method="POST", path="/"), False),
    ],
)
def test_a_request_may_be_repeated_when_that_can_do_nothing_twice(call: Call, repeatable: bool) -> None:
    assert call.repeatable is repeatable


@pytest.fixture
def deployment(service: ScriptedService, events: list[AnyEvent], clock: Clock) -> Deployment:
    transport = ServiceTransport(service.url, record=events.append, timeout_seconds=5)
    return Deployment(transport, DIALECTS["app-v1"], cutover=cutover(clock, events))


def gateway(status: int = 502) -> Says:
    return Says(status=status, text="<html>Bad Gateway</html>")


def test_a_read_is_sent_again_until_the_service_answers(
    service: ScriptedService, deployment: Deployment, events: list[AnyEvent]
) -> None:
    service.on("GET /api/streams", gateway(), gateway(503), Says(json=PAGE))
    assert deployment.streams(USER).total == 0
    assert [event.status for event in of(events, Exchanged)] == [502, 503, 200]


def test_a_write_is_sent_again_only_with_a_key(service: ScriptedService, deployment: Deployment) -> None:
    service.on("POST /api/streams", gateway(), Says(status=201, json={"data": STREAM}))
    with pytest.raises(NoServiceAnswer):
        deployment.create(USER, ORDER)
    service.on("POST /api/streams", gateway(), Says(status=201, json={"data": STREAM}))
    assert deployment.create(USER, ORDER, "key").id == "s1"
    keys = [asked.headers.get("idempotency-key") for asked in service.requests("POST /api/streams")]
    assert keys == [None, "key", "key"]


def test_the_csrf_pair_is_fetched_through_a_cutover(service: ScriptedService, deployment: Deployment) -> None:
    cookie = Says(json={}, headers=(("Set-Cookie", "csrf-token=abc; Path=/"),))
    service.on("GET /api/healthz", gateway(), cookie)
    service.on("POST /api/streams", Says(status=201, json={"data": STREAM}))
    deployment.create(USER, ORDER, "key")
    assert service.requests("POST /api/streams")[0].headers["x-csrf-token"] == "abc"


def test_a_503_of_the_services_own_is_its_answer(service: ScriptedService, deployment: Deployment) -> None:
    busy = Says(status=503, json={"error": {"code": "BUSY", "message": "m"}})
    service.on("GET /api/streams", busy, Says(json=PAGE))
    with pytest.raises(PromiseBroken):
        deployment.streams(USER)
    assert len(service.asked) == 1


def test_a_last_look_waits_out_silence_and_takes_any_answer_of_the_service(
    service: ScriptedService, deployment: Deployment
) -> None:
    checks = {name: {"status": "ok"} for name in ("config", "stellar", "kms")}
    well = Says(json={"status": "ok", "checks": checks}, headers=(("X-Release", "r1"),))
    service.on("GET /api/readyz", gateway(), well)
    assert deployment.look_again().release == "r1"
    service.on("GET /api/readyz", gateway())
    with pytest.raises(NoServiceAnswer):
        deployment.look_again()


def test_nothing_is_waited_out_once_the_service_was_waited_for_in_vain(clock: Clock, events: list[AnyEvent]) -> None:
    patience = cutover(clock, events)
    patience.give_up()
    with pytest.raises(NoServiceAnswer):
        patience.through("GET /x", silent("refused"))
    assert clock.naps == []
    assert patience.through("GET /x", silent()) == "an answer"
