"""Amazon ECS: a deployment under way is rolled back, anything else is an update to the recorded task definition."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from aws_double import REGION, EcsDouble
from cluster_double import digest
from engine_double import writes
from hook_cases import Played, aws_ecs

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.rollback.hooks.aws_ecs import EcsHook, EcsSettings

SETTINGS = EcsSettings(cluster="pay", service="web", region=REGION)


@pytest.fixture
def played() -> Iterator[Played]:
    with aws_ecs() as played:
        yield played


@pytest.fixture
def under_way() -> Iterator[Played]:
    with aws_ecs(under_way=True) as played:
        yield played


def engine(played: Played) -> EcsDouble:
    assert isinstance(played.double.engine, EcsDouble)
    return played.double.engine


def test_a_service_at_rest_is_updated_to_the_recorded_task_definition(played: Played) -> None:
    assert played.hook.roll_back(played.intent()).endswith("was updated to " + next(iter(engine(played).tasks)))
    assert played.changes() == ["UpdateService"]


def test_a_deployment_under_way_is_stopped_with_a_rollback(under_way: Played) -> None:
    assert "rolls back its deployment" in under_way.hook.roll_back(under_way.intent())
    assert under_way.changes() == ["StopServiceDeployment"]
    assert under_way.double.written()[0].json["stopType"] == "ROLLBACK"
    assert under_way.hook.live_release() == digest("v1")
    engine(under_way).go_on()
    assert f"with {digest('v1')}" in under_way.hook.roll_back(under_way.intent())
    assert under_way.changes() == ["StopServiceDeployment"]


def test_a_deployment_that_comes_from_something_else_is_not_rolled_back_to_it(under_way: Played) -> None:
    under_way.deploy("v3")
    intent = under_way.intent(failed_release=digest("v3"))
    under_way.hook.roll_back(intent)
    assert under_way.changes() == ["UpdateService"]
    assert under_way.live() == "v1"


def test_a_deployment_from_several_revisions_is_not_rolled_back_to_any(under_way: Played) -> None:
    engine(under_way).deployments[-1]["sourceServiceRevisions"] *= 2
    under_way.hook.roll_back(under_way.intent())
    assert under_way.changes() == ["UpdateService"]


def test_a_service_that_names_no_deployment_is_updated(played: Played) -> None:
    engine(played).deployments.clear()
    played.hook.roll_back(played.intent())
    assert played.changes() == ["UpdateService"]


def test_a_deployment_that_ends_meanwhile_is_looked_at_again(under_way: Played) -> None:
    def end() -> None:
        engine(under_way).deployments[-1]["status"] = "SUCCESSFUL"

    under_way.double.first(end, when=writes)
    assert "ConflictException" in under_way.refused()
    under_way.hook.roll_back(under_way.intent())
    assert under_way.changes() == ["StopServiceDeployment", "UpdateService"]


def test_a_service_of_another_controller_is_left_alone(played: Played) -> None:
    engine(played).controller = "CODE_DEPLOY"
    assert "is deployed by CODE_DEPLOY" in played.refused()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"cluster": "other"}, "400: ClusterNotFoundException: Cluster not found."),
        ({"service": "other"}, "ECS service pay/other is not there"),
        ({"container": "app"}, "set container"),
        ({"container": ""}, "none is named, there are: web, proxy"),
        ({"look_back": 1}, f"none of the last 1 task definitions of web has the release {digest('v1')}"),
        ({"release_told_by": "annotation:release"}, "has an unknown release"),
    ],
)
def test_settings_that_do_not_fit_say_so(settings: dict[str, Any], why: str) -> None:
    with aws_ecs(**settings) as played:
        assert why in played.refused()


def test_a_release_may_be_told_by_a_docker_label() -> None:
    with aws_ecs(release_told_by="label:release") as played:
        assert played.hook.live_release() == "v2"
        played.hook.roll_back(played.intent(failed_release="v2", target_release="v1"))
        assert played.live() == "v1"


def test_an_image_named_by_a_tag_is_not_put_back() -> None:
    with aws_ecs(release_told_by="label:release") as played:
        for task in engine(played).tasks.values():
            task["containerDefinitions"][0]["image"] = "registry.example/streampay:latest"
        assert "names its image by a tag" in played.refused(failed_release="v2", target_release="v1")


@pytest.mark.parametrize("kind", ["ThrottlingException", "com.amazonaws#RequestLimitExceeded:http://example"])
def test_being_throttled_passes(played: Played, kind: str) -> None:
    played.double.refuse(400, {"__type": kind, "message": "Rate exceeded"})
    played.hook.roll_back(played.intent())
    assert played.pauses == [0.25]


def test_a_wrong_clock_or_key_is_named(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-access-key")
    said = played.refused()
    assert "InvalidSignatureException" in said
    assert "clock" in said


def test_without_credentials_nothing_is_asked(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    assert "no credentials for AWS were found; give the job a role" in played.refused()
    assert played.double.asked == []


def test_a_profile_that_is_none_is_named(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert "the credentials for AWS could not be got: ProfileNotFound" in played.refused()


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsInvalid, match="botocore is not installed") as caught:
        EcsHook(SETTINGS)
    assert "streampay-smoke[aws]" in caught.value.next_step


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("eu-central-1", "https://ecs.eu-central-1.amazonaws.com"),
        ("cn-north-1", "https://ecs.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_region_has_its_address(region: str, address: str) -> None:
    hook = EcsHook(EcsSettings(cluster="pay", service="web", region=region))
    assert hook._aws._address == address
