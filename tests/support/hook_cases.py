"""Every hook with the double of its engine, where v1 ran first and v2 is live, so that one test can ask all alike."""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aws_double
import cloud_run_double
import github_double
import pytest
from aws_double import CodeDeployDouble, EcsDouble
from cloud_run_double import CloudRunDouble
from cluster_double import NAMESPACE, TOKEN, ClusterDouble, DeploymentDouble, RolloutDouble, SlotsDouble, digest
from engine_double import Double, serving
from github_double import GithubDouble
from hook_clock import noted

from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hook import Hook, HookFailed, Intent
from streampay_smoke.rollback.hooks.argo_rollouts import ArgoRolloutsHook, ArgoRolloutsSettings
from streampay_smoke.rollback.hooks.aws_codedeploy import CodeDeployHook, CodeDeploySettings
from streampay_smoke.rollback.hooks.aws_ecs import EcsHook, EcsSettings
from streampay_smoke.rollback.hooks.cloud_run import CloudRunHook, CloudRunSettings
from streampay_smoke.rollback.hooks.github import GithubHook, GithubSettings
from streampay_smoke.rollback.hooks.kubernetes import KubernetesHook, KubernetesSettings
from streampay_smoke.rollback.hooks.kubernetes_service import KubernetesServiceHook, KubernetesServiceSettings


@dataclass
class Played:
    """A hook, its engine, and what the engine's owner can see and do."""

    hook: Hook
    double: Double
    live: Callable[[], str]
    deploy: Callable[[str], None]
    release: Callable[[str], str]
    """The release as the engine names it."""
    secrets: tuple[str, ...]
    pauses: list[float] = field(default_factory=list)

    def intent(self, **changed: Any) -> Intent:
        given: dict[str, Any] = {
            "deploy": "deploy-7",
            "environment": "staging",
            "failed_release": self.release("v2"),
            "target_release": self.release("v1"),
            "key": "rollback-deploy-7-4f1d",
            "deadline_seconds": 60.0,
        }
        return Intent(**(given | changed))

    def refused(self, **changed: Any) -> str:
        """Roll back, which has to fail; return what is said of it: the message and the next step, with no secret."""
        with pytest.raises(HookFailed) as caught:
            self.hook.roll_back(self.intent(**changed))
        said = f"{caught.value}; {caught.value.next_step}"
        assert caught.value.next_step
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + said
        assert [secret for secret in self.secrets if secret in shown] == []
        return said

    def changes(self) -> list[str]:
        """What the engine was asked to change: actions of AWS, last parts of paths elsewhere."""
        return [
            asked.headers.get("x-amz-target", asked.path).rpartition("." if "x-amz-target" in asked.headers else "/")[2]
            for asked in self.double.written()
        ]


Case = Callable[[], "contextlib.AbstractContextManager[Played]"]


def plain(release: str) -> str:
    return release


@contextlib.contextmanager
def kubernetes(**settings: Any) -> Iterator[Played]:
    cluster = ClusterDouble()
    deployment = DeploymentDouble(cluster)
    deployment.deploy("v1")
    deployment.deploy("v2")
    given: dict[str, Any] = {"namespace": NAMESPACE, "deployment": "web", "container": "web", **settings}
    pauses: list[float] = []
    with serving(cluster) as double:
        hook = KubernetesHook(KubernetesSettings(server=double.url, **given), Secret(TOKEN), clock=noted(pauses))
        by_digest = "release_told_by" not in settings
        release = digest if by_digest else plain
        yield Played(hook, double, deployment.running, deployment.deploy, release, (TOKEN,), pauses)


@contextlib.contextmanager
def kubernetes_service(**settings: Any) -> Iterator[Played]:
    cluster = ClusterDouble()
    slots = SlotsDouble(cluster)
    given: dict[str, Any] = {
        "namespace": NAMESPACE,
        "service": "web",
        "deployments": ("web-blue", "web-green"),
        "slot_label": "slot",
        "container": "web",
        **settings,
    }
    pauses: list[float] = []
    with serving(cluster) as double:
        served = KubernetesServiceSettings(server=double.url, **given)
        hook = KubernetesServiceHook(served, Secret(TOKEN), clock=noted(pauses))
        yield Played(hook, double, slots.running, slots.deploy, digest, (TOKEN,), pauses)


@contextlib.contextmanager
def argo_rollouts(strategy: str = "canary", *, promoted: bool = False, **settings: Any) -> Iterator[Played]:
    cluster = ClusterDouble()
    rollout = RolloutDouble(cluster, strategy)
    rollout.deploy("v2")
    if promoted:
        rollout.finish()
    given: dict[str, Any] = {"namespace": NAMESPACE, "rollout": "web", "container": "web", **settings}
    pauses: list[float] = []
    clock = noted(pauses, meanwhile=rollout.reconcile)  # the controller works while the hook waits for it
    with serving(cluster) as double:
        hook = ArgoRolloutsHook(ArgoRolloutsSettings(server=double.url, **given), Secret(TOKEN), clock=clock)
        yield Played(hook, double, rollout.running, rollout.deploy, digest, (TOKEN,), pauses)


@contextlib.contextmanager
def github(**settings: Any) -> Iterator[Played]:
    engine = GithubDouble()
    given: dict[str, Any] = {"repository": "streampay/web", "workflow": "rollback.yml", "ref": "main", **settings}
    pauses: list[float] = []
    with serving(engine) as double:
        hook = GithubHook(GithubSettings(api=double.url, **given), Secret(github_double.TOKEN), clock=noted(pauses))
        yield Played(hook, double, lambda: engine.live, engine.deploy, plain, (github_double.TOKEN,), pauses)


@contextlib.contextmanager
def aws_credentials() -> Iterator[None]:
    """Hand out AWS credentials as a CI job has them, and keep botocore from looking anywhere else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", aws_double.ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", aws_double.SECRET_KEY)
        patch.setenv("AWS_SESSION_TOKEN", aws_double.SESSION_TOKEN)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, "/nonexistent")
        yield


AWS_SECRETS = (aws_double.SECRET_KEY, aws_double.SESSION_TOKEN)


@contextlib.contextmanager
def aws_ecs(*, under_way: bool = False, **settings: Any) -> Iterator[Played]:
    engine = EcsDouble(under_way=under_way)
    given: dict[str, Any] = {"cluster": "pay", "service": "web", "region": aws_double.REGION, "container": "web"}
    pauses: list[float] = []
    with serving(engine) as double, aws_credentials():
        hook = EcsHook(EcsSettings(**{**given, "endpoint": double.url, **settings}), clock=noted(pauses))
        yield Played(hook, double, engine.running, engine.deploy, digest, AWS_SECRETS, pauses)


@contextlib.contextmanager
def aws_codedeploy(kind: str = "ECS", told_by: str = "image-digest", *, under_way: bool = False) -> Iterator[Played]:
    engine = CodeDeployDouble(kind, under_way=under_way)
    pauses: list[float] = []
    with serving(engine) as double, aws_credentials():
        settings = CodeDeploySettings(
            application="pay",
            deployment_group="web",
            region=aws_double.REGION,
            endpoint=double.url,
            release_told_by=told_by,
            container="web" if kind == "ECS" else "",
        )
        release = digest if kind == "ECS" else plain
        hook = CodeDeployHook(settings, clock=noted(pauses))
        yield Played(hook, double, engine.running, engine.deploy, release, AWS_SECRETS, pauses)


@contextlib.contextmanager
def cloud_run(**settings: Any) -> Iterator[Played]:
    engine = CloudRunDouble()
    given: dict[str, Any] = {"project": "pay", "region": "europe-west1", "service": "web", **settings}
    pauses: list[float] = []
    with serving(engine) as double:
        token = Secret(cloud_run_double.TOKEN)
        clock = noted(pauses, meanwhile=engine.go_on)
        hook = CloudRunHook(CloudRunSettings(api=double.url, **given), token, clock=clock)
        secrets = (cloud_run_double.TOKEN,)
        yield Played(hook, double, engine.running, engine.deploy, digest, secrets, pauses)


CASES: dict[str, Case] = {
    "kubernetes": kubernetes,
    "kubernetes-service": kubernetes_service,
    "argo-rollouts, canary under way": argo_rollouts,
    "argo-rollouts, canary promoted": lambda: argo_rollouts(promoted=True),
    "argo-rollouts, blue/green under analysis": lambda: argo_rollouts("blueGreen"),
    "argo-rollouts, blue/green promoted": lambda: argo_rollouts("blueGreen", promoted=True),
    "aws-ecs": aws_ecs,
    "aws-ecs, under way": lambda: aws_ecs(under_way=True),
    "aws-codedeploy": aws_codedeploy,
    "aws-codedeploy, under way": lambda: aws_codedeploy(under_way=True),
    "aws-codedeploy, commits": lambda: aws_codedeploy("GitHub", "commit"),
    "cloud-run": cloud_run,
    "github": github,
    "github, recorded": lambda: github(environment="staging"),
}

CONDITIONAL = {
    name: case for name, case in CASES.items() if name.startswith(("kubernetes", "argo-rollouts", "cloud-run"))
}
"""Engines whose changes can be made on the condition that nobody else made one."""

KNOWING = {name: case for name, case in CASES.items() if not name.startswith("github")}
"""Engines that know which release they have; with the others it is known on the wire alone."""
