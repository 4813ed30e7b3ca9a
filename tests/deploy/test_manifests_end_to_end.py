"""The manifests of Argo Rollouts, the CronJob and the service, and ECS's task: real gates, started as they say.

What a person fills in stands in `filled`; the environment, files and volumes of each process are the manifest's.
"""

import contextlib
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from engines import argo, aws
from engines.effects import Effect, Situation
from engines.files import DEPLOY, document, documents
from engines.kubernetes import Job
from engines.line import Unreachable
from engines.pods import Cluster, Image, Started, Waiting, task
from serve_parts import TOKEN, Reply
from waits import HANG_SECONDS, wait_until

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.settings.variables import VARIABLES

PAY, GATE = "pay", "streampay-gate"
RELEASE = "2026.11.3"
"""What the files of deploy/ say that the new release calls itself."""

SERVICE_PORT, REPORTS_PORT = "8780", "8000"


def under_way(attempt: Path) -> bool:
    return json.loads(attempt.read_text())["outcome"] is None


def filled(path: str, given: Mapping[str, str]) -> list[Any]:
    """Return a file of settings as a person fills it in: secrets go into Secrets, all else into the ConfigMap."""
    secrets = {name for name in given if VARIABLES[name].secret}
    objects = deepcopy(documents(path))
    for one in objects:
        if one["kind"] == "ConfigMap":
            one["data"] |= {name: value for name, value in given.items() if name not in secrets}
        elif one["kind"] == "Secret" and "token" in one["stringData"]:
            one["stringData"]["token"] = TOKEN
        elif one["kind"] == "Secret":
            one["stringData"] |= {name: given[name] for name in secrets if name in given}
            if "SMOKE_SERVE_TOKEN" in one["stringData"]:
                one["stringData"]["SMOKE_SERVE_TOKEN"] = TOKEN
    return objects


def settings(sandbox: Sandbox, **more: str) -> dict[str, str]:
    """Return what points a run at a sandbox."""
    return {**sandbox.ready_document()["env"], **more}


def job_before(cluster: Cluster, base_url: str) -> tuple[Effect, Job]:
    """Return what Argo makes of a candidate at this address before its promotion, and the Job that it asked."""
    template = document(argo.TEMPLATES, name="streampay-smoke-before")
    args = {**argo.arguments(template, "prePromotionAnalysis"), "preview-url": base_url}
    job = Job(template["spec"]["metrics"][0]["provider"]["job"]["spec"], cluster, PAY, Situation.NORMAL, args)
    return argo.before(template, job), job


def argo_cluster(folder: Path, given: Mapping[str, str]) -> Cluster:
    return Cluster(folder, Image(folder)).apply(*filled("argo-rollouts/settings.yaml", given))


@contextlib.contextmanager
def running(how: Started, container_port: str) -> Iterator[int]:
    """Start a container that listens, on a free port in the place of its own; yield that port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert how.command.count(container_port) == 1
    command = [str(port) if word == container_port else word for word in how.command]
    with subprocess.Popen(
        command, cwd=how.folder, env=how.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as it:
        try:
            wait_until(lambda: listens(port), "it listens", alive=lambda: it.poll() is None)
            yield port
        finally:
            it.terminate()
            it.wait(HANG_SECONDS)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class ServicePort:
    """The way from an engine to a service; an engine that asks again waits until the run has ended."""

    def __init__(self, port: int, state: Path) -> None:
        self._port = port
        self._state = state

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        wait_until(lambda: not any(map(under_way, self._state.rglob("attempt.json"))), "the run ends")
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, urlsplit(url).path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return Reply(status=answer.status, headers=dict(answer.getheaders()), body=answer.read())
        except OSError as error:
            raise Unreachable(url) from error
        finally:
            connection.close()


def runs_in(claim: Path) -> list[Path]:
    return sorted(path for path in claim.glob("*Z-*") if path.is_dir())


def test_argo_promotes_a_good_candidate_and_its_evidence_is_read_from_the_volume(tmp_path: Path) -> None:
    with start_sandbox(release=RELEASE) as sandbox:
        cluster = argo_cluster(tmp_path, settings(sandbox, SMOKE_BASE_URL=""))
        effect, _ = job_before(cluster, sandbox.base_url)
    assert effect is Effect.PROMOTED, cluster.said
    claim = cluster.claim(PAY, "streampay-smoke-evidence")
    (run,) = runs_in(claim)
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "PASS"
    assert (claim / "history.sqlite").is_file()

    reader = document("kubernetes/reader.yaml")["spec"]
    with running(cluster.started(PAY, reader, "reader"), REPORTS_PORT) as port:
        page = ServicePort(port, tmp_path).request("GET", "http://127.0.0.1:8000/latest/report.html", {}, b"")
    assert page.status == 200
    assert b"PASS" in page.body


def broken() -> Sandbox:
    """Start a release that gives itself away early; each run has one of its own, for limits on sign-ins."""
    return start_sandbox(release=RELEASE, faults=["ready-but-database-dead"])


def gate_cluster(folder: Path, given: Mapping[str, str]) -> Cluster:
    volumes = [*documents("kubernetes/service.yaml"), *documents("kubernetes/synthetic.yaml")]
    return Cluster(folder, Image(folder)).apply(*filled("kubernetes/settings.yaml", given), *volumes)


def test_argo_gives_a_broken_candidate_up_at_once(tmp_path: Path) -> None:
    with broken() as sandbox:
        cluster = argo_cluster(tmp_path, settings(sandbox))
        effect, _ = job_before(cluster, sandbox.base_url)
    assert effect is Effect.GIVEN_UP, cluster.said
    assert len(runs_in(cluster.claim(PAY, "streampay-smoke-evidence"))) == 1, "FAIL is not asked again"


def test_argo_asks_the_service_and_takes_a_broken_release_back(tmp_path: Path) -> None:
    with broken() as sandbox:
        gate = gate_cluster(tmp_path, settings(sandbox))
        state = gate.claim(GATE, "streampay-smoke")
        deployment = document("kubernetes/service.yaml", kind="Deployment")["spec"]["template"]["spec"]
        with running(gate.started(GATE, deployment, "gate"), SERVICE_PORT) as port:
            template = document(argo.TEMPLATES, name="streampay-smoke-after")
            assert argo.after(template, ServicePort(port, state)) is Effect.ROLLED_BACK
    assert (state / "history.sqlite").is_file()
    assert len(list(state.rglob("*Z-*/report.html"))) == 1, "asked twice, played once"


def test_a_cron_job_that_finds_a_broken_release_is_a_failed_job(tmp_path: Path) -> None:
    with broken() as sandbox:
        gate = gate_cluster(tmp_path, settings(sandbox))
        spec = document("kubernetes/synthetic.yaml", kind="CronJob")["spec"]["jobTemplate"]["spec"]
        assert Job(spec, gate, GATE, Situation.NORMAL).condition() == "Failed", gate.said
    assert len(runs_in(gate.claim(GATE, "streampay-smoke-evidence"))) == 1


def test_ecs_starts_the_service_and_a_hook_gives_a_broken_release_up(tmp_path: Path) -> None:
    definition = json.loads((DEPLOY / "aws" / "gate-task-definition.json").read_text())
    with broken() as sandbox:
        given = settings(sandbox)
        own = definition["containerDefinitions"][0]
        named = {one["name"] for one in (*own["environment"], *own["secrets"])}
        own["environment"] += [{"name": name, "value": value} for name, value in given.items() if name not in named]
        for one in own["environment"]:
            one["value"] = given.get(one["name"], one["value"])
        parameters = {"streampay-smoke/serve-token": TOKEN}
        own["secrets"] = [one for one in own["secrets"] if one["valueFrom"].endswith("serve-token")]
        how = task(definition, Image(tmp_path), parameters, tmp_path / "efs")
        with running(how, SERVICE_PORT) as port:
            deployment = json.loads((DEPLOY / "aws" / "ecs-deployment.json").read_text())
            details = deployment["deploymentConfiguration"]["lifecycleHooks"][0]["hookDetails"]
            details |= {"base_url": sandbox.base_url}
            assert aws.ecs(deployment, ServicePort(port, tmp_path / "efs")) is Effect.GIVEN_UP


MISSING = {
    "ConfigMap": "CreateContainerConfigError: no ConfigMap streampay-smoke in pay",
    "Secret": "CreateContainerConfigError: no Secret streampay-smoke in pay",
    "PersistentVolumeClaim": "Pending: no PersistentVolumeClaim streampay-smoke-evidence in pay",
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_pod_whose_settings_are_not_there_is_never_an_answer(tmp_path: Path, kind: str) -> None:
    objects = [one for one in documents("argo-rollouts/settings.yaml") if one["kind"] != kind]
    cluster = Cluster(tmp_path, Image(tmp_path)).apply(*objects)
    effect, job = job_before(cluster, "http://127.0.0.1:9")
    assert (effect, job.waits_for) == (Effect.HELD, MISSING[kind])
    assert cluster.said == []


def test_settings_as_they_are_shipped_are_config_and_name_what_is_missing(tmp_path: Path) -> None:
    cluster = argo_cluster(tmp_path, {})
    effect, _ = job_before(cluster, "http://127.0.0.1:9")
    assert effect is Effect.GIVEN_UP
    (said,) = (text for text in cluster.said if text)
    assert "SMOKE_CONTRACT_ID is not set" in said
    (run,) = runs_in(cluster.claim(PAY, "streampay-smoke-evidence"))
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "CONFIG"


def test_a_task_whose_parameter_is_not_there_is_not_started(tmp_path: Path) -> None:
    definition = json.loads((DEPLOY / "aws" / "gate-task-definition.json").read_text())
    with pytest.raises(Waiting, match="no parameter streampay-smoke/auth-token"):
        task(definition, Image(tmp_path), {"streampay-smoke/serve-token": TOKEN}, tmp_path / "efs")
