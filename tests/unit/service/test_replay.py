"""The same request to another deployment: red in the same way, or not."""

import contextlib

import pytest
from waits import HANG_SECONDS

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.dialects import DIALECTS
from streampay_smoke.service.replay import SILENCE, AnswerSummary, ObservedRequest
from streampay_smoke.service.transport import HostUnresolved, ServiceTransport
from tests.unit.service.conftest import Says, Script, ScriptedService

USER = Credential(kind="bearer", headers={"authorization": "Bearer t"}, shown_as="a token")
PAGE = Says(json={"data": [], "meta": {"hasNext": False, "nextCursor": None, "total": 0}})
PLAIN_500 = Says(status=500, text="Internal Server Error")
OWN_500 = Says(status=500, json={"error": {"code": "INTERNAL", "message": "m"}})
OWN_401 = Says(status=401, json={"error": {"code": "UNAUTHORIZED", "message": "m"}})


def deployment_at(url: str, events: list[AnyEvent]) -> Deployment:
    return Deployment(ServiceTransport(url, record=events.append, timeout_seconds=HANG_SECONDS), DIALECTS["app-v1"])


@pytest.fixture
def deployment(service: ScriptedService, events: list[AnyEvent]) -> Deployment:
    return deployment_at(service.url, events)


def readyz(status: int = 200, **statuses: str) -> Says:
    checks = {name: {"status": "ok"} for name in ("config", "stellar", "kms")}
    checks |= {name: {"status": said} for name, said in statuses.items()}
    return Says(status=status, json={"status": "ok" if status == 200 else "degraded", "checks": checks})


def listed(deployment: Deployment) -> ObservedRequest:
    with contextlib.suppress(SmokeError):
        deployment.streams(USER)
    assert deployment.last_asked is not None
    return deployment.last_asked


@pytest.mark.parametrize(
    ("says", "answer_summary"),
    [
        (PAGE, AnswerSummary(status_class=2, genuine=True, kept=True)),
        (Says(json={}), AnswerSummary(status_class=2, genuine=False, kept=False)),
        (PLAIN_500, AnswerSummary(status_class=5, genuine=False, kept=False)),
        (OWN_500, AnswerSummary(status_class=5, genuine=True, kept=False)),
        (OWN_401, AnswerSummary(status_class=4, genuine=True, kept=False)),
        (Says(status=302), AnswerSummary(status_class=3, genuine=False, kept=False)),
    ],
)
def test_an_answer_leaves_an_impression(
    service: ScriptedService, deployment: Deployment, says: Says, answer_summary: AnswerSummary
) -> None:
    service.on("GET /api/streams", says)
    assert listed(deployment).answer_summary == answer_summary


def test_no_answer_leaves_one_too(events: list[AnyEvent]) -> None:
    assert listed(deployment_at("http://127.0.0.1:9", events)).answer_summary == SILENCE


@pytest.mark.parametrize(("says", "kept"), [(OWN_401, True), (PAGE, False), (OWN_500, False)])
def test_a_refusal_is_what_bad_credentials_are_promised(
    service: ScriptedService, deployment: Deployment, says: Script, kept: bool
) -> None:
    service.on("GET /api/streams", says)
    deployment.refusal(ANONYMOUS)
    assert deployment.last_asked is not None
    assert deployment.last_asked.answer_summary.kept is kept


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        (PLAIN_500, PLAIN_500, True),
        (OWN_500, OWN_500, True),
        (PLAIN_500, OWN_500, False),
        (PLAIN_500, Says(status=404), False),
        (PLAIN_500, PAGE, False),
        (PAGE, PAGE, False),
    ],
)
def test_red_in_the_same_way_is_the_same_class_and_the_same_origin(
    service: ScriptedService, deployment: Deployment, here: Says, there: Says, same: bool
) -> None:
    service.on("GET /api/streams", here, there)
    asked = listed(deployment)
    assert deployment.replayed(asked, USER).is_red_like(asked.answer_summary) is same
    assert [request.path for request in service.asked] == ["/api/streams?limit=20"] * 2


def test_readiness_is_compared_by_what_is_degraded(service: ScriptedService, deployment: Deployment) -> None:
    service.on(
        "GET /api/readyz", readyz(503, stellar="down"), readyz(503, stellar="down"), readyz(503, kms="down"), readyz()
    )
    stellar, again, kms, well = (deployment.readiness_summary() for _ in range(4))
    assert again.is_red_like(stellar)
    assert not kms.is_red_like(stellar)
    assert not well.is_red_like(stellar)
    assert "stellar" in stellar.description
    assert "as promised" in well.description


def test_a_refused_connection_there_is_silence(
    service: ScriptedService, deployment: Deployment, events: list[AnyEvent]
) -> None:
    service.on("GET /api/streams", PLAIN_500)
    there = deployment_at("http://127.0.0.1:9", events).replayed(listed(deployment), USER)
    assert there == SILENCE
    assert there.description == "no answer"


def test_silence_that_tells_nothing_of_the_deployment_is_no_impression(
    service: ScriptedService, deployment: Deployment, events: list[AnyEvent]
) -> None:
    service.on("GET /api/streams", PLAIN_500)
    with pytest.raises(HostUnresolved):
        deployment_at("http://no-such-host.invalid", events).replayed(listed(deployment), USER)
