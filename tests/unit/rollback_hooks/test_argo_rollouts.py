"""Argo Rollouts: what is under way is aborted, what is through is put back without the steps that let it through."""

from collections.abc import Iterator
from typing import Any

import pytest
from cluster_double import ClusterDouble, digest, image
from engine_double import Double, writes
from hook_cases import Played, argo_rollouts

from streampay_smoke.rollback.hooks.cluster import KEY_ANNOTATION


@pytest.fixture
def played() -> Iterator[Played]:
    with argo_rollouts() as played:
        yield played


def rollout(double: Double) -> dict[str, Any]:
    assert isinstance(double.engine, ClusterDouble)
    return double.engine.objects["rollouts", "web"]


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_an_update_under_way_is_aborted_before_its_template_is_put_back(strategy: str) -> None:
    with argo_rollouts(strategy) as played:
        words = played.hook.roll_back(played.intent())
        abort, template = played.double.written()
        assert abort.path.endswith("/rollouts/web/status")
        assert abort.json["status"] == {"abort": True}
        assert abort.headers["content-type"] == "application/merge-patch+json"
        assert template.path.endswith("/rollouts/web")
        assert "has the target as its stable release" in words
        assert rollout(played.double)["status"]["abort"] is False


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_an_update_that_is_through_is_put_back_without_its_steps(strategy: str) -> None:
    with argo_rollouts(strategy, promoted=True) as played:
        assert "promotes the target fully" in played.hook.roll_back(played.intent())
        template, promote = played.double.written()
        assert template.path.endswith("/rollouts/web")
        assert promote.path.endswith("/rollouts/web/status")
        assert promote.json["status"] == {"promoteFull": True}
        assert played.live() == "v1"
        assert "has the target as its stable release" in played.hook.roll_back(played.intent())


def test_the_template_is_that_of_the_recorded_replica_set(played: Played) -> None:
    played.hook.roll_back(played.intent())
    template = rollout(played.double)["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == image("v1")
    assert "rollouts-pod-template-hash" not in template["metadata"]["labels"]
    assert rollout(played.double)["metadata"]["annotations"] == {KEY_ANNOTATION: played.intent().key}


def test_an_aborted_rollout_is_at_its_stable_release_and_is_still_put_back(played: Played) -> None:
    rollout(played.double)["status"]["abort"] = True
    assert played.hook.live_release() == digest("v1")
    played.hook.roll_back(played.intent())
    assert [asked.path.rpartition("/")[2] for asked in played.double.written()] == ["web"]
    assert rollout(played.double)["spec"]["template"]["spec"]["containers"][0]["image"] == image("v1")


def test_an_abort_that_was_taken_and_not_followed_up_is_finished_by_the_next_attempt(played: Played) -> None:
    played.double.refuse(403, when=lambda asked: writes(asked) and not asked.path.endswith("/status"))
    assert "was answered 403" in played.refused()
    assert played.live() == "v1"
    played.hook.roll_back(played.intent())
    assert rollout(played.double)["spec"]["template"]["spec"]["containers"][0]["image"] == image("v1")


@pytest.mark.parametrize("promoted", [False, True])
def test_a_deploy_in_between_is_neither_aborted_nor_overwritten(promoted: bool) -> None:
    with argo_rollouts(promoted=promoted) as played:
        played.double.first(lambda: played.deploy("v3"), when=writes)
        played.refused()
        assert rollout(played.double)["status"]["abort"] is False
        assert rollout(played.double)["spec"]["template"]["spec"]["containers"][0]["image"] == image("v3")


def test_a_paused_rollout_is_resumed_with_the_target(played: Played) -> None:
    rollout(played.double)["spec"]["paused"] = True
    played.hook.roll_back(played.intent())
    assert rollout(played.double)["spec"]["paused"] is False
    assert played.live() == "v1"


def test_a_target_that_is_there_but_held_is_let_go() -> None:
    with argo_rollouts(promoted=True) as played:
        rollout(played.double)["spec"]["paused"] = True
        played.deploy("v1")
        played.hook.roll_back(played.intent())
        assert rollout(played.double)["spec"]["paused"] is False
        assert played.live() == "v1"


def test_a_full_promotion_that_was_asked_for_is_not_asked_for_again() -> None:
    with argo_rollouts(promoted=True) as played:
        played.deploy("v1")
        rollout(played.double)["status"]["promoteFull"] = True
        assert "promotes the target fully" in played.hook.roll_back(played.intent())
        assert played.double.written() == []


def test_the_same_release_deployed_again_is_left_to_an_intent_of_its_own(played: Played) -> None:
    played.hook.roll_back(played.intent())
    played.deploy("v2")
    assert "put back by this intent before" in played.refused()


def test_a_controller_that_is_down_is_named_at_the_deadline(played: Played) -> None:
    assert isinstance(played.double.engine, ClusterDouble)
    engine = played.double.engine
    keep = engine.answer

    def without_controller(asked: Any) -> Any:
        answered = keep(asked)
        rollout(played.double)["status"]["observedGeneration"] = "1"
        return answered

    engine.answer = without_controller  # type: ignore[method-assign]
    words = played.refused()
    assert "its controller has not taken it up yet" in words
    assert "log of the argo-rollouts controller" in words


def test_a_template_kept_elsewhere_is_not_guessed_at(played: Played) -> None:
    spec = rollout(played.double)["spec"]
    spec["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    del spec["template"]
    assert "takes its template from Deployment web (spec.workloadRef)" in played.refused()
