"""Kubernetes' and Argo Rollouts' own models: what the hooks read and leave in the doubles is what a cluster has."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cluster_double import ClusterDouble
from hook_cases import Case, argo_rollouts, kubernetes, kubernetes_service
from waits import HANG_SECONDS

HERE = Path(__file__).parent
CASES: tuple[Case, ...] = (
    kubernetes,
    kubernetes_service,
    argo_rollouts,
    lambda: argo_rollouts("blueGreen", promoted=True),
)


def problems(node: str, objects: list[Any]) -> list[str | None]:
    """What each object's model says against it."""
    done = subprocess.run(
        [node, "kubernetes.cjs"],
        cwd=HERE,
        input=json.dumps(objects),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: list[str | None] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def objects() -> list[Any]:
    """Every object of every cluster before and after its rollback."""
    found: list[Any] = []
    for case in CASES:
        with case() as played:
            cluster = played.double.engine
            assert isinstance(cluster, ClusterDouble)
            found += copy.deepcopy(list(cluster.objects.values()))
            played.hook.roll_back(played.intent())
            found += copy.deepcopy(list(cluster.objects.values()))
    return found


def test_every_object_is_what_its_model_says(node: str, objects: list[Any]) -> None:
    assert {one["kind"] for one in objects} == {"Deployment", "ReplicaSet", "Rollout", "Service"}
    assert [said for said in problems(node, objects) if said] == []


def test_an_object_that_is_none_is_named(node: str, objects: list[Any]) -> None:
    broken = {one["kind"]: copy.deepcopy(one) for one in objects}
    broken["Deployment"]["spec"]["template"]["spec"]["containers"] = "web"
    broken["ReplicaSet"]["spec"]["replicas"] = "2"
    broken["Rollout"]["status"]["abort"] = "yes"
    broken["Service"]["spec"]["selector"] = ["app"]
    assert all(problems(node, list(broken.values())))
