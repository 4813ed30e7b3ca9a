"""Every adapter of `deploy/`, played: a folder, a word and a situation in, an effect out."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from fake_smoke import FakeSmoke, decision_on, verdict_of
from serve_parts import TOKEN

from engines import argo, aws, flagger, gitlab
from engines.effects import Effect, Situation, Stage
from engines.files import DEPLOY, document, documents
from engines.github import Workflow
from engines.google import CloudDeploy
from engines.kubernetes import Job
from engines.line import Line
from engines.pods import Cluster, Image
from engines.shell import COMMANDS, Checkout
from streampay_smoke.core import times
from streampay_smoke.core.secret import Secret
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.publish.github import outputs
from streampay_smoke.serve.keys import flagger_key

Play = Callable[[Path, VerdictStatus, Situation], Effect]
OnLine = Callable[[Line], Effect]

RELEASE = "2026.11.3"


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """One way to wire the gate. `slow_answers` says whether a slow gate's verdict still reaches the engine."""

    name: str
    file: str
    stage: Stage
    play: Play
    slow_answers: bool


def one_run(line: Line) -> None:
    """Check that however often the gate was asked, it ran once."""
    assert len(line.player.played) == (0 if line.situation is Situation.DOWN else 1)


def program(folder: Path, status: VerdictStatus, situation: Situation) -> FakeSmoke:
    """Return a gate that answers a word; where the gate is down, it is killed before it writes anything."""
    fake = FakeSmoke(folder)
    told(fake, status)
    if situation is Situation.DOWN:
        fake.killed()
    return fake


def told(fake: FakeSmoke, status: VerdictStatus) -> None:
    """Let the gate answer a word, and write for GitHub what it really writes."""
    run_id = f"{times.stamp(times.now_ms())}-e5f124"
    verdict = msgspec.structs.replace(verdict_of(status), run_id=run_id)
    fake.answers(verdict)
    fake.tells_github(outputs(verdict, decision_on(verdict)))


# Argo Rollouts


def argo_before(folder: Path, status: VerdictStatus, situation: Situation) -> Effect:
    template = document(argo.TEMPLATES, name="streampay-smoke-before")
    spec = template["spec"]["metrics"][0]["provider"]["job"]["spec"]
    fake = program(folder, status, Situation.NORMAL)
    cluster = applied(folder, fake, *documents("argo-rollouts/settings.yaml"))
    job = Job(spec, cluster, "pay", situation, argo.arguments(template, "prePromotionAnalysis"))
    effect = argo.before(template, job)
    for call in fake.calls:
        assert call == f"run --base-url http://streampay-preview.pay.svc:8080 --expect-release {RELEASE} --no-report"
    return effect


def applied(folder: Path, fake: FakeSmoke, *objects: Mapping[str, Any]) -> Cluster:
    """Return a cluster with these objects, whose image has a gate that answers as it is told."""
    return Cluster(folder / "cluster", Image(folder, fake.program, fake.environ)).apply(*objects)


def argo_after_on(line: Line) -> Effect:
    return argo.after(document(argo.TEMPLATES, name="streampay-smoke-after"), line)


# Flagger


def canary(path: str) -> Mapping[str, Any]:
    """Return a Canary with the key it would be given."""
    manifest: dict[str, Any] = json.loads(json.dumps(document(path)))
    metadata = manifest["metadata"]
    for hook in manifest["spec"]["analysis"]["webhooks"]:
        hook["metadata"]["key"] = flagger_key(Secret(TOKEN), metadata["namespace"], metadata["name"])
    return manifest


def flagger_on(path: str) -> OnLine:
    return lambda line: flagger.Canary(canary(path), line).play()


# AWS


def ecs_on(line: Line) -> Effect:
    return aws.ecs(json.loads((DEPLOY / "aws" / "ecs-deployment.json").read_text()), line)


# Engines that ask the service


def over(play: OnLine) -> Play:
    """Return the play of an engine that asks the service."""

    def played(folder: Path, status: VerdictStatus, situation: Situation) -> Effect:
        with Line(folder, status, situation) as line:
            effect = play(line)
            if situation is Situation.TWICE:  # the controller restarts, and begins anew
                assert play(line) is effect
            one_run(line)
            return effect

    return played


ON_LINE: Mapping[str, OnLine] = {
    "Argo Rollouts, after promotion (web)": argo_after_on,
    "Flagger, blue/green": flagger_on("flagger/bluegreen.yaml"),
    "Flagger, progressive": flagger_on("flagger/progressive.yaml"),
    "Amazon ECS, lifecycle hook": ecs_on,
    "AWS CodeDeploy, hook": aws.codedeploy,
}
"""Engines that ask the service, by the name of their adapter."""


# CI systems: the gate of the candidate, or that of what is live after a candidate that passed


def github(gate: str) -> Play:
    def play(folder: Path, status: VerdictStatus, situation: Situation) -> Effect:
        fake = FakeSmoke(folder)
        checkout = Checkout(folder / "checkout", fake)

        def before(job: str) -> str:
            answer_job(fake, job, gate, status, situation)
            return "cancelled" if job == gate and situation is Situation.SLOW else ""

        results: dict[str, str] = {}
        for attempt in range(1, 3 if situation is Situation.TWICE else 2):
            workflow = Workflow(
                document("github/deploy.yml"),
                checkout,
                {
                    "inputs": {"environment": "staging", "release": RELEASE},
                    "github": {"run_id": "4242", "run_attempt": attempt},
                    "vars": {"SMOKE_BASE_URL": "https://live", "CANDIDATE_URL": "https://candidate", **COMMANDS},
                    "secrets": {},
                },
                artifacts=folder / "kept",
                before=before,
            )
            results = workflow.play()
        effect = of_calls(checkout, live=gate == "gate-live", proved=results["gate-live"] == "success")
        settled = results["gate-live"] == "success" or "success" in (results["discard"], results["rollback"])
        assert results["hold"] == ("skipped" if settled else "failure"), "what is not settled is told to a person"
        return effect

    return play


def gitlab_ci(gate: str) -> Play:
    def play(folder: Path, status: VerdictStatus, situation: Situation) -> Effect:
        fake = FakeSmoke(folder)
        checkout = Checkout(folder / "checkout", fake)

        def before(job: str) -> str:
            answer_job(fake, job, gate, status, situation)
            return "failed" if job == gate and situation is Situation.SLOW else ""

        results: dict[str, str] = {}
        for _ in range(2 if situation is Situation.TWICE else 1):
            pipeline = gitlab.Pipeline(
                document("gitlab/deploy.gitlab-ci.yml"),
                checkout,
                {
                    "CI_COMMIT_SHA": RELEASE,
                    "CI_PIPELINE_ID": "4242",
                    "LIVE_URL": "https://live",
                    "CANDIDATE_URL": "https://candidate",
                    **COMMANDS,
                },
                artifacts=folder / "kept",
                before=before,
            )
            results = pipeline.play()
        return of_calls(checkout, live=gate == "gate-live", proved=results["gate-live"] == "success")

    return play


def answer_job(fake: FakeSmoke, job: str, gate: str, status: VerdictStatus, situation: Situation) -> None:
    """Set the gate up for a job: `gate` gets the status, the gate before it says PASS."""
    told(fake, status if job == gate else VerdictStatus.PASS)
    if job == gate and situation is Situation.DOWN:
        fake.killed()


def of_calls(checkout: Checkout, *, live: bool, proved: bool) -> Effect:
    """Return what a pipeline did, by the commands it called; with `live`, a promotion has to be proved after it."""
    rolled_back = checkout.called(f"rollback --deploy 4242 --failed {RELEASE}")
    discarded, promoted = checkout.called("ci/discard-candidate"), checkout.called("ci/promote")
    assert not (discarded and (promoted or rolled_back))
    assert checkout.calls[0] == "rollback --record --deploy 4242"
    if rolled_back:
        return Effect.ROLLED_BACK
    if discarded:
        return Effect.GIVEN_UP
    return Effect.PROMOTED if promoted and (proved or not live) else Effect.HELD


# Google Cloud Deploy, and checks of what is live


def cloud_deploy(folder: Path, status: VerdictStatus, situation: Situation) -> Effect:
    checkout = Checkout(folder / "checkout", program(folder, status, situation))
    pipeline, automation = documents("google-cloud-deploy/clouddeploy.yaml")
    assert pipeline["serialPipeline"]["stages"][0]["strategy"]["standard"]["verify"] is True
    target = CloudDeploy(checkout, situation)
    return target.roll_out(document("google-cloud-deploy/skaffold.yaml"), automation["rules"])


def synthetic(folder: Path, status: VerdictStatus, situation: Situation) -> Effect:
    spec = document("kubernetes/synthetic.yaml", kind="CronJob")["spec"]["jobTemplate"]["spec"]
    objects = [*documents("kubernetes/settings.yaml"), *documents("kubernetes/synthetic.yaml")]
    cluster = applied(folder, program(folder, status, Situation.NORMAL), *objects)
    job = Job(spec, cluster, "streampay-gate", situation)
    return Effect.NOTHING if job.condition() == "Complete" else Effect.ALERTED


ADAPTERS = (
    Adapter(
        name="Argo Rollouts, before promotion (Job)",
        file=argo.TEMPLATES,
        stage=Stage.BEFORE,
        play=argo_before,
        slow_answers=False,
    ),
    Adapter(
        name="Argo Rollouts, after promotion (web)",
        file=argo.TEMPLATES,
        stage=Stage.AFTER,
        play=over(ON_LINE["Argo Rollouts, after promotion (web)"]),
        slow_answers=True,
    ),
    Adapter(
        name="Flagger, blue/green",
        file="flagger/bluegreen.yaml",
        stage=Stage.BEFORE,
        play=over(ON_LINE["Flagger, blue/green"]),
        slow_answers=True,
    ),
    Adapter(
        name="Flagger, progressive",
        file="flagger/progressive.yaml",
        stage=Stage.BEFORE,
        play=over(ON_LINE["Flagger, progressive"]),
        slow_answers=True,
    ),
    Adapter(
        name="Amazon ECS, lifecycle hook",
        file="aws/ecs_hook.py",
        stage=Stage.BEFORE,
        play=over(ON_LINE["Amazon ECS, lifecycle hook"]),
        slow_answers=True,
    ),
    Adapter(
        name="AWS CodeDeploy, hook",
        file="aws/codedeploy_hook.py",
        stage=Stage.BEFORE,
        play=over(ON_LINE["AWS CodeDeploy, hook"]),
        slow_answers=True,
    ),
    Adapter(
        name="GitHub Actions, candidate",
        file="github/deploy.yml",
        stage=Stage.BEFORE,
        play=github("gate"),
        slow_answers=False,
    ),
    Adapter(
        name="GitHub Actions, live",
        file="github/deploy.yml",
        stage=Stage.AFTER,
        play=github("gate-live"),
        slow_answers=False,
    ),
    Adapter(
        name="GitLab CI, candidate",
        file="gitlab/deploy.gitlab-ci.yml",
        stage=Stage.BEFORE,
        play=gitlab_ci("gate"),
        slow_answers=False,
    ),
    Adapter(
        name="GitLab CI, live",
        file="gitlab/deploy.gitlab-ci.yml",
        stage=Stage.AFTER,
        play=gitlab_ci("gate-live"),
        slow_answers=False,
    ),
    Adapter(
        name="Google Cloud Deploy, verify",
        file="google-cloud-deploy/skaffold.yaml",
        stage=Stage.AFTER,
        play=cloud_deploy,
        slow_answers=False,
    ),
    Adapter(
        name="Kubernetes CronJob",
        file="kubernetes/synthetic.yaml",
        stage=Stage.WATCH,
        play=synthetic,
        slow_answers=False,
    ),
)
