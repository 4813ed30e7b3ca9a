"""AWS CodeDeploy: what is under way is stopped and rolled back; else the target's revision is deployed, once."""

from collections.abc import Iterator
from typing import Any

import pytest
from aws_double import REGION, CodeDeployDouble
from engine_double import writes
from hook_cases import Played, aws_codedeploy

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.rollback.hooks.aws_codedeploy import CodeDeployHook, CodeDeploySettings


@pytest.fixture
def played() -> Iterator[Played]:
    with aws_codedeploy() as played:
        yield played


def engine(played: Played) -> CodeDeployDouble:
    assert isinstance(played.double.engine, CodeDeployDouble)
    return played.double.engine


def test_the_recorded_revision_is_deployed_with_the_key_in_its_description(played: Played) -> None:
    assert "by d-00000002" in played.hook.roll_back(played.intent())
    made = engine(played).made[-1]
    assert made["revision"] == engine(played).made[0]["revision"]
    assert played.intent().key in made["description"]


def test_a_deployment_of_this_intent_is_not_made_twice_whatever_was_deployed_since(played: Played) -> None:
    played.hook.roll_back(played.intent())
    assert "by deployment d-00000002, Succeeded" in played.hook.roll_back(played.intent())
    played.deploy("v2")
    assert "was put back by this intent before" in played.refused()
    assert played.changes() == ["CreateDeployment"]


def test_another_intents_deployment_is_not_this_ones(played: Played) -> None:
    played.hook.roll_back(played.intent(key="rollback-12"))
    played.deploy("v2")
    played.hook.roll_back(played.intent(key="rollback-1"))
    assert played.changes() == ["CreateDeployment", "CreateDeployment"]


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_deployment_of_this_intent_that_went_wrong_is_named(played: Played, status: str) -> None:
    played.hook.roll_back(played.intent())
    engine(played).made[-1]["status"] = status
    assert f"deployment d-00000002 of this intent ended: {status}" in played.refused()


def test_a_deployment_under_way_is_stopped_and_rolled_back() -> None:
    with aws_codedeploy(under_way=True) as played:
        assert "stops and rolls back d-00000001: Succeeded" in played.hook.roll_back(played.intent())
        assert played.changes() == ["StopDeployment"]
        assert played.double.written()[0].json["autoRollbackEnabled"] is True


def test_a_deployment_under_way_that_would_go_back_to_something_else_is_not_stopped(played: Played) -> None:
    engine(played).deploy("v3", status="InProgress")
    said = played.refused(failed_release=played.release("v3"))
    assert "DeploymentLimitExceededException" in said
    assert "see which deployment of this group is under way" in said
    assert played.changes() == ["CreateDeployment"]


def test_a_deployment_that_ends_meanwhile_is_told() -> None:
    with aws_codedeploy(under_way=True) as played:
        played.double.first(lambda: engine(played).made[-1].update(status="Succeeded"), when=writes)
        assert "DeploymentAlreadyCompletedException" in played.refused()
        played.hook.roll_back(played.intent())
        assert played.live() == "v1"


@pytest.mark.parametrize(("kind", "told_by", "name"), [("S3", "s3-version", "{}"), ("S3", "s3-key", "{}.zip")])
def test_revisions_in_s3_tell_their_release(kind: str, told_by: str, name: str) -> None:
    with aws_codedeploy(kind, told_by) as played:
        v1, v2 = name.format("v1"), name.format("v2")
        assert played.hook.live_release() == v2
        played.hook.roll_back(played.intent(failed_release=v2, target_release=v1))
        assert played.live() == "v1"


def test_a_long_history_is_read_in_batches(played: Played) -> None:
    for number in range(60):
        played.deploy(f"other-{number:02}")
    played.deploy("v2")
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"


def test_a_group_without_a_deployment_has_no_release(played: Played) -> None:
    engine(played).made.clear()
    assert played.hook.live_release() is None
    assert "has an unknown release" in played.refused()


@pytest.mark.parametrize("revision", [{}, {"appSpecContent": {"content": "Resources: []"}}])
def test_a_revision_that_names_no_task_definition_has_no_release(played: Played, revision: dict[str, Any]) -> None:
    engine(played).made[-1]["revision"] = revision
    assert played.hook.live_release() is None


def test_what_is_not_there_is_named() -> None:
    with aws_codedeploy() as played:
        assert isinstance(played.hook, CodeDeployHook)
        played.hook._at["applicationName"] = "other"
        assert "correct application" in played.refused()


def test_a_way_to_tell_releases_that_is_none_is_refused() -> None:
    settings = CodeDeploySettings(application="pay", deployment_group="web", region=REGION, release_told_by="tag")
    with pytest.raises(SettingsInvalid, match="release_told_by is 'tag'") as caught:
        CodeDeployHook(settings)
    assert "commit, s3-key, s3-version" in caught.value.next_step
