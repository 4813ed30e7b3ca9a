"""A Deployment: the recorded template of the target, by digest, and only while it is what was looked at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_double import NAMESPACE, TOKEN, ClusterDouble, DeploymentDouble, digest, image
from engine_double import writes
from hook_cases import Played, kubernetes

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hook import HookFailed
from streampay_smoke.rollback.hooks import HOOKS
from streampay_smoke.rollback.hooks.cluster import KEY_ANNOTATION, selector_text
from streampay_smoke.rollback.hooks.kubernetes import KubernetesHook, KubernetesSettings


@pytest.fixture
def played() -> Iterator[Played]:
    with kubernetes() as played:
        yield played


def cluster(played: Played) -> ClusterDouble:
    assert isinstance(played.double.engine, ClusterDouble)
    return played.double.engine


def deployment(played: Played) -> dict[str, Any]:
    return cluster(played).objects["deployments", "web"]


def test_the_whole_recorded_template_is_put_back_by_digest(played: Played) -> None:
    words = played.hook.roll_back(played.intent())
    template = deployment(played)["spec"]["template"]
    web = template["spec"]["containers"][0]
    assert web["image"] == image("v1")
    assert web["env"] == [{"name": "CONFIG_OF", "value": "v1"}]
    assert "pod-template-hash" not in template["metadata"]["labels"]
    assert deployment(played)["metadata"]["annotations"][KEY_ANNOTATION] == played.intent().key
    assert "Deployment streampay/web took the pod template of web-" in words


def test_of_two_configurations_of_the_target_the_latest_is_put_back(played: Played) -> None:
    played.deploy("v1")
    deployment(played)["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "CONFIG_OF", "value": "later"}]
    cluster(played).controllers[0]()
    played.deploy("v2")
    played.hook.roll_back(played.intent())
    assert deployment(played)["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "later"


def test_a_second_rollback_does_not_toggle_back_to_the_bad_release(played: Played) -> None:
    played.hook.roll_back(played.intent())
    played.hook.roll_back(played.intent(key="another attempt of another run"))
    assert played.live() == "v1"


def test_the_same_release_deployed_again_is_not_taken_back_by_an_old_intent(played: Played) -> None:
    played.hook.roll_back(played.intent())
    played.deploy("v2")
    assert "put back by this intent before" in played.refused()
    assert played.live() == "v2"


def test_a_change_in_between_that_is_no_deploy_is_looked_at_and_passed_over(played: Played) -> None:
    played.double.first(lambda: cluster(played).touch("deployments", "web"), when=writes)
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"
    assert len(played.double.written()) == 2


def test_a_paused_deployment_is_resumed_with_the_target(played: Played) -> None:
    deployment(played)["spec"]["paused"] = True
    played.hook.roll_back(played.intent())
    assert deployment(played)["spec"]["paused"] is False
    assert played.live() == "v1"


def test_a_target_that_is_there_but_held_is_let_go(played: Played) -> None:
    deployment(played)["spec"]["paused"] = True
    played.deploy("v1")
    assert played.live() == "v2"
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"


def test_something_that_writes_another_template_is_seen(played: Played) -> None:
    def admission() -> None:
        deployment(played)["spec"]["template"]["spec"]["containers"][0]["image"] = image("v9")

    cluster(played).controllers.insert(0, admission)
    assert f"was given {digest('v1')} and has {digest('v9')}" in played.refused()


def test_a_history_of_several_pages_is_read_to_its_end(played: Played) -> None:
    for number in range(60):
        played.deploy(f"other-{number:02}")
    played.deploy("v2")
    played.hook.roll_back(played.intent())
    assert played.live() == "v1"


def test_another_owners_replica_sets_are_not_its_history(played: Played) -> None:
    stranger = DeploymentDouble(cluster(played), "stranger")
    stranger.deploy("v0")
    assert "no ReplicaSet of Deployment streampay/web has the release" in played.refused(target_release=digest("v0"))


def test_an_image_named_by_a_tag_is_not_put_back() -> None:
    with kubernetes(release_told_by="annotation:streampay.dev/release") as played:
        for one in cluster(played).objects.values():
            one["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/streampay:latest"
        assert "names its image by a tag, registry.example/streampay:latest" in played.refused()
        assert played.double.written() == []


def test_a_release_may_be_told_by_an_annotation() -> None:
    with kubernetes(release_told_by="annotation:streampay.dev/release") as played:
        assert played.hook.live_release() == "v2"
        played.hook.roll_back(played.intent())
        assert played.live() == "v1"


def test_a_release_may_be_told_by_a_label_and_one_that_is_not_told_is_not_rolled_back() -> None:
    with kubernetes(release_told_by="label:release") as played:
        assert played.hook.live_release() is None
        assert "has an unknown release, not v2" in played.refused()
        deployment(played)["spec"]["template"]["metadata"]["labels"]["release"] = "v7"
        assert played.hook.live_release() == "v7"


def test_the_releases_container_must_be_clear() -> None:
    with kubernetes(container="") as played:
        assert "none is named, there are: web, proxy" in played.refused()
    with kubernetes(container="app") as played:
        assert "set container" in played.refused()


def test_the_first_annotation_of_an_object_can_be_written(played: Played) -> None:
    del deployment(played)["metadata"]["annotations"]
    played.hook.roll_back(played.intent())
    assert deployment(played)["metadata"]["annotations"][KEY_ANNOTATION] == played.intent().key


@pytest.mark.parametrize("told_by", ["", "digest", "label", "label:", "header:x-release"])
def test_what_cannot_tell_a_release_is_refused(told_by: str) -> None:
    settings = KubernetesSettings(namespace="n", deployment="d", server="https://c.example", release_told_by=told_by)
    with pytest.raises(SettingsInvalid, match="release_told_by"):
        KubernetesHook(settings, None)


def test_selectors_are_written_as_the_query_wants_them() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["web", "api"]},
        {"key": "track", "operator": "NotIn", "values": ["canary"]},
        {"key": "app", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    assert selector_text({"matchLabels": {"app": "pay"}, "matchExpressions": rules}) == (
        "app=pay,tier in (web,api),track notin (canary),app,!old"
    )


def test_a_pod_finds_its_cluster_and_its_rotated_token(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("an-old-token\n")
    settings = KubernetesSettings(
        namespace=NAMESPACE,
        deployment="web",
        container="web",
        server=played.double.url,
        token_file=str(tmp_path / "token"),
    )
    hook = KubernetesHook(settings, None)
    with pytest.raises(HookFailed, match="was answered 401"):
        hook.live_release()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert hook.live_release() == digest("v2")
    (tmp_path / "token").unlink()
    with pytest.raises(HookFailed, match="cannot be read: FileNotFoundError"):
        hook.live_release()


def test_the_variable_wins_over_the_token_file(played: Played) -> None:
    settings = KubernetesSettings(
        namespace=NAMESPACE, deployment="web", container="web", server=played.double.url, token_file="/nowhere"
    )
    assert HOOKS["kubernetes"].make(settings, {"SMOKE_ROLLBACK_TOKEN": Secret(TOKEN)}).live_release() == digest("v2")


def test_outside_of_a_cluster_its_address_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    here = KubernetesSettings(namespace="n", deployment="d")
    with pytest.raises(SettingsInvalid, match="no Kubernetes API is named"):
        KubernetesHook(here, None)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    with pytest.raises(SettingsInvalid, match=r"/var/run/.*ca.crt, the authorities .* cannot be read"):
        KubernetesHook(here, None)
    (tmp_path / "ca.crt").write_text("no certificate")
    monkeypatch.setattr("streampay_smoke.rollback.hooks.cluster.ACCOUNT", tmp_path)
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        KubernetesHook(here, None)


def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(SettingsInvalid, match="no https address"):
        KubernetesHook(KubernetesSettings(namespace="n", deployment="d", server="http://10.0.0.1"), None)
