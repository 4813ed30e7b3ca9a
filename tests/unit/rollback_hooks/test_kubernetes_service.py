"""Blue and green behind one Service: switched back only to pods that can take the traffic."""

from collections.abc import Iterator
from typing import Any

import pytest
from cluster_double import ClusterDouble, DeploymentDouble
from hook_cases import Played, kubernetes_service

from streampay_smoke.rollback.hook import HookFailed
from streampay_smoke.rollback.hooks.cluster import KEY_ANNOTATION


@pytest.fixture
def played() -> Iterator[Played]:
    with kubernetes_service() as played:
        yield played


def cluster(played: Played) -> ClusterDouble:
    assert isinstance(played.double.engine, ClusterDouble)
    return played.double.engine


def found(played: Played, kind: str, name: str) -> dict[str, Any]:
    return cluster(played).objects[kind, name]


def test_only_the_slot_changes(played: Played) -> None:
    assert played.hook.roll_back(played.intent()) == "Service streampay/web points at slot=blue, web-blue"
    service = found(played, "services", "web")
    assert service["spec"]["selector"] == {"app": "streampay", "slot": "blue"}
    assert service["metadata"]["annotations"] == {KEY_ANNOTATION: played.intent().key}


def test_the_failed_release_switched_to_again_is_left_to_an_intent_of_its_own(played: Played) -> None:
    played.hook.roll_back(played.intent())
    found(played, "services", "web")["spec"]["selector"]["slot"] = "green"
    assert "put back by this intent before" in played.refused()


@pytest.mark.parametrize(
    ("spec", "status", "why"),
    [
        ({"replicas": 0}, {}, "it is scaled to zero"),
        ({}, {"availableReplicas": 1}, "1 of 2 pods of its template are available"),
        ({}, {"updatedReplicas": 0}, "0 of 2 pods of its template are available"),
        ({}, {"observedGeneration": 0}, "its controller has not seen its latest change"),
    ],
)
def test_a_slot_that_cannot_take_the_traffic_gets_none(
    played: Played, spec: dict[str, int], status: dict[str, int], why: str
) -> None:
    blue = found(played, "deployments", "web-blue")
    blue["spec"] |= spec
    blue["status"] |= status
    assert f"Deployment web-blue cannot take the traffic: {why}" in played.refused()
    assert played.live() == "v2"


def test_a_slot_that_comes_up_in_time_is_waited_for(played: Played) -> None:
    blue = found(played, "deployments", "web-blue")
    blue["status"]["availableReplicas"] = 0
    played.double.first(lambda: None, when=lambda asked: asked.path.endswith("web-blue"))
    played.double.first(
        lambda: blue["status"].update(availableReplicas=2), when=lambda asked: asked.path.endswith("web-blue")
    )
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"
    assert played.pauses == [1.0]


def test_two_slots_with_the_target_are_one_too_many(played: Played) -> None:
    DeploymentDouble(cluster(played), "web-red", slot="red").deploy("v1")
    with kubernetes_service(deployments=("web-blue", "web-green", "web-red")) as other:
        DeploymentDouble(cluster(other), "web-red", slot="red").deploy("v1")
        assert "2 of web-blue, web-green, web-red have the release" in other.refused()


def test_a_slot_the_service_could_not_select_is_none(played: Played) -> None:
    found(played, "deployments", "web-blue")["spec"]["template"]["metadata"]["labels"]["app"] = "another"
    assert "0 of web-blue, web-green have the release" in played.refused()


@pytest.mark.parametrize("settings", [{"slot_label": "colour"}, {"deployments": ("web-blue",)}])
def test_a_service_that_points_at_no_slot_says_so(settings: dict[str, Any]) -> None:
    with kubernetes_service(**settings) as played:
        assert "does not point at one of" in played.refused()
        with pytest.raises(HookFailed, match="does not point at one of"):
            played.hook.live_release()
