"""The traps the files of deploy/ avoid: with each of them the same play ends wrong, so playing proves something."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import github_double
import msgspec
import pytest
from engines import adapters, argo, flagger
from engines import files as deploy
from engines.adapters import ADAPTERS, Adapter
from engines.effects import Effect, Situation
from engines.expressions import evaluate, interpolated
from engines.files import document, documents, seconds
from engines.github import Workflow
from engines.google import CloudDeploy
from engines.kubernetes import Job
from engines.line import Line
from engines.shell import COMMANDS, Checkout
from fake_smoke import FakeSmoke, decision_on, verdict_of
from ruamel.yaml import YAML

from streampay_smoke.gate.policy import ReleaseStep
from streampay_smoke.gate.verdict import Action, VerdictStatus
from streampay_smoke.publish.github import outputs
from streampay_smoke.settings.deadline import CLEAN_UP_MOST_SECONDS, derived_deadline_seconds
from streampay_smoke.settings.variables import VARIABLES

pytestmark = pytest.mark.usefixtures("quick_disk")

Spoil = Callable[[Any], None]


def adapter(name: str) -> Adapter:
    (found,) = [one for one in ADAPTERS if one.name == name]
    return found


def played_with(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, spoil: Spoil, status: VerdictStatus, situation: Situation
) -> Effect:
    """Play an adapter on files that `spoil` has changed."""
    read = documents

    def spoilt(path: str) -> list[Any]:
        found = json.loads(json.dumps(read(path)))
        for one in found:
            spoil(one)
        return list(found)

    monkeypatch.setattr(deploy, "documents", spoilt)
    monkeypatch.setattr(adapters, "documents", spoilt)
    return adapter(name).play(folder, status, situation)


def metric(template: Any) -> Any:
    return template["spec"]["metrics"][0]


def without(name: str, *, of: str) -> Spoil:
    """Take a setting out of the metric of a template, so that Argo's default holds."""

    def spoil(one: Any) -> None:
        if one.get("metadata", {}).get("name") == of:
            del metric(one)[name]

    return spoil


def setting(path: str, value: object) -> Spoil:
    """Give another value to what a path such as jobs.promote.if names, where it is."""

    def spoil(one: Any) -> None:
        *way, last = path.split(".")
        for name in way:
            one = one.get(name, {}) if isinstance(one, dict) else {}
        if last in one:
            one[last] = value

    return spoil


AFTER, BEFORE = "Argo Rollouts, after promotion (web)", "Argo Rollouts, before promotion (Job)"
LIVE, CANDIDATE = "GitHub Actions, live", "GitHub Actions, candidate"
TRAPS = {
    "Argo's default aborts when the gate is away": (
        AFTER,
        without("consecutiveErrorLimit", of="streampay-smoke-after"),
        VerdictStatus.PASS,
        Situation.DOWN,
        Effect.ROLLED_BACK,
    ),
    "without failureCondition a run that is not done yet is a failure": (
        AFTER,
        without("failureCondition", of="streampay-smoke-after"),
        VerdictStatus.PASS,
        Situation.NORMAL,
        Effect.ROLLED_BACK,
    ),
    "without successCondition a run that is not done yet is a success": (
        AFTER,
        without("successCondition", of="streampay-smoke-after"),
        VerdictStatus.FAIL,
        Situation.NORMAL,
        Effect.PROMOTED,
    ),
    "without inconclusiveLimit the first look pauses": (
        AFTER,
        without("inconclusiveLimit", of="streampay-smoke-after"),
        VerdictStatus.PASS,
        Situation.NORMAL,
        Effect.HELD,
    ),
    "one tolerated failure tolerates the only one": (
        BEFORE,
        lambda one: metric(one).update(failureLimit=1) if one.get("kind") == "AnalysisTemplate" else None,
        VerdictStatus.FAIL,
        Situation.NORMAL,
        Effect.PROMOTED,
    ),
    "a repair rule that rolls back does so for a ledger that is down": (
        "Google Cloud Deploy, verify",
        lambda one: one.update(rules=[{"repairRolloutRule": {"repairPhases": [{"rollback": {}}]}}]),
        VerdictStatus.INCONCLUSIVE,
        Situation.NORMAL,
        Effect.ROLLED_BACK,
    ),
    "a low threshold gives a good canary up while the gate is slow": (
        "Flagger, progressive",
        setting("spec.analysis.threshold", 1),
        VerdictStatus.PASS,
        Situation.SLOW,
        Effect.GIVEN_UP,
    ),
    "a promotion that does not name PASS promotes everything": (
        CANDIDATE,
        setting("jobs.promote.if", "always()"),
        VerdictStatus.INCONCLUSIVE,
        Situation.NORMAL,
        Effect.PROMOTED,
    ),
    "a rollback at everything but PASS rolls back for a ledger that is down": (
        LIVE,
        setting("jobs.rollback.if", "always() && needs.gate-live.outputs.verdict != 'PASS'"),
        VerdictStatus.INCONCLUSIVE,
        Situation.NORMAL,
        Effect.ROLLED_BACK,
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trap: str) -> None:
    name, spoil, status, situation, wrong = TRAPS[trap]
    assert played_with(monkeypatch, tmp_path, name, spoil, status, situation) is wrong


def test_a_rollback_that_does_not_say_always_is_skipped_after_the_failure_it_is_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoil = setting("jobs.rollback.if", "needs.gate-live.outputs.verdict == 'FAIL'")
    assert played_with(monkeypatch, tmp_path, LIVE, spoil, VerdictStatus.FAIL, Situation.NORMAL) is Effect.HELD


@pytest.mark.parametrize("run_id", ["20261123T212214Z-e5f124", "", "not-a-run"])
def test_a_pass_that_is_old_or_of_nobody_promotes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_id: str
) -> None:
    told = adapters.told

    def long_ago(fake: FakeSmoke, status: VerdictStatus) -> None:
        told(fake, status)
        fake.tells_github(f"verdict={status}\nrun_id={run_id}\ndecision=promote\n")

    monkeypatch.setattr(adapters, "told", long_ago)
    assert adapter(CANDIDATE).play(tmp_path, VerdictStatus.PASS, Situation.NORMAL) is Effect.HELD


def test_a_pipeline_that_does_not_read_the_code_rolls_back_for_a_ledger_that_is_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoil = setting("rollback.script", ['streampay-smoke rollback --deploy "$DEPLOY" --failed "$SMOKE_EXPECT_RELEASE"'])
    effect = played_with(monkeypatch, tmp_path, "GitLab CI, live", spoil, VerdictStatus.INCONCLUSIVE, Situation.NORMAL)
    assert effect is Effect.ROLLED_BACK


def test_a_pre_rollout_hook_in_blue_green_counts_waiting_as_failing(tmp_path: Path) -> None:
    """Flagger counts its iterations back while it waits, and then plays pre-rollout again."""
    manifest = json.loads(json.dumps(adapters.canary("flagger/bluegreen.yaml")))
    confirm = manifest["spec"]["analysis"]["webhooks"][0]
    pre = {**confirm, "type": "pre-rollout", "url": confirm["url"].replace("confirm-promotion", "pre-rollout")}
    manifest["spec"]["analysis"]["webhooks"].insert(0, pre)
    with Line(tmp_path, VerdictStatus.INCONCLUSIVE, Situation.NORMAL) as line:
        assert flagger.Canary(manifest, line).play() is Effect.GIVEN_UP


def test_inconclusive_is_tried_again_before_promotion_and_fail_is_not(tmp_path: Path) -> None:
    template = document(argo.TEMPLATES, name="streampay-smoke-before")
    spec = metric(template)["provider"]["job"]["spec"]
    args = argo.arguments(template, "prePromotionAnalysis")
    for status, pods in (
        (VerdictStatus.INCONCLUSIVE, 3),
        (VerdictStatus.FAIL, 1),
        (VerdictStatus.CONFIG, 1),
        (VerdictStatus.SAFETY, 1),
    ):
        fake = FakeSmoke(tmp_path / status)
        adapters.told(fake, status)
        cluster = adapters.applied(tmp_path / status, fake, *documents("argo-rollouts/settings.yaml"))
        assert Job(spec, cluster, "pay", Situation.NORMAL, args).condition() == "Failed"
        assert len(fake.calls) == pods


# Times: a limit that is shorter than the gate's own cuts it off, and what is cut off is no answer

# SMOKE_DEADLINE_SECONDS in staging, where nobody sets it
DEADLINE_SECONDS = derived_deadline_seconds(ready_within_seconds=60, seconds_per_ledger=5)
WHOLE_RUN_SECONDS = DEADLINE_SECONDS + CLEAN_UP_MOST_SECONDS + 30  # and a start, and a report


def test_a_job_has_time_for_every_run_it_may_start() -> None:
    spec = metric(document(argo.TEMPLATES, name="streampay-smoke-before"))["provider"]["job"]["spec"]
    runs = 1 + spec["backoffLimit"]
    waits = sum(10 * 2**number for number in range(spec["backoffLimit"]))
    assert spec["activeDeadlineSeconds"] >= runs * WHOLE_RUN_SECONDS + waits
    synthetic = document("kubernetes/synthetic.yaml", kind="CronJob")["spec"]["jobTemplate"]["spec"]
    assert synthetic["activeDeadlineSeconds"] >= WHOLE_RUN_SECONDS


def test_pipelines_have_time_for_a_run() -> None:
    for name, job in document("github/deploy.yml")["jobs"].items():
        if name.startswith("gate"):
            assert job["timeout-minutes"] * 60 >= 2 * WHOLE_RUN_SECONDS
    for name, job in document("gitlab/deploy.gitlab-ci.yml").items():
        if name.startswith("gate"):
            assert int(job["timeout"].split()[0]) * 60 >= 2 * WHOLE_RUN_SECONDS
    (test,) = document("google-cloud-deploy/skaffold.yaml")["verify"]
    assert test["timeout"] >= 2 * WHOLE_RUN_SECONDS


def test_flagger_waits_longer_than_a_run_lasts() -> None:
    (pre,) = [
        hook
        for hook in document("flagger/progressive.yaml")["spec"]["analysis"]["webhooks"]
        if hook["type"] == "pre-rollout"
    ]
    assert seconds(pre["timeout"]) >= WHOLE_RUN_SECONDS + 10


def test_argo_pauses_only_after_a_run_had_its_time_twice() -> None:
    verdict = metric(document(argo.TEMPLATES, name="streampay-smoke-after"))
    assert verdict["inconclusiveLimit"] * seconds(verdict["interval"]) >= 2 * WHOLE_RUN_SECONDS


def test_the_old_release_is_there_until_the_new_one_is_proved() -> None:
    strategy = document(argo.ROLLOUT, kind="Rollout")["spec"]["strategy"]["blueGreen"]
    assert "scaleDownDelaySeconds" not in strategy
    assert "autoPromotionSeconds" not in strategy
    assert document(argo.ROLLOUT, kind="Rollout")["spec"]["progressDeadlineAbort"] is False


# The workflow that puts a release back


def rollback_played(
    folder: Path, *, live: str, target: str = "r1", failed: str = "r2", variables: Mapping[str, str] = COMMANDS
) -> tuple[str, list[str]]:
    """Return what became of the job, and the commands it called to put a release back."""
    fake = FakeSmoke(folder)
    (fake.folder / "live").write_text(live)
    checkout = Checkout(folder / "checkout", fake)
    workflow = Workflow(
        document("github/rollback.yml"),
        checkout,
        {
            "inputs": {"target": target, "failed": failed, "key": "k1"},
            "github": {"run_attempt": 1},
            "vars": {},
            "secrets": {},
            "protected": {"staging": {"vars": variables}},
        },
        artifacts=folder / "kept",
    )
    return workflow.play()["rollback"], checkout.calls


def test_the_failed_release_is_replaced_by_the_target(tmp_path: Path) -> None:
    assert rollback_played(tmp_path, live="r2") == ("success", ["ci/roll-back r1 r2 k1"])


def test_a_target_that_is_live_already_is_left_there(tmp_path: Path) -> None:
    assert rollback_played(tmp_path, live="r1") == ("success", [])


@pytest.mark.parametrize("live", ["r3", ""])
def test_another_live_release_than_the_failed_one_is_left_alone(tmp_path: Path, live: str) -> None:
    assert rollback_played(tmp_path, live=live) == ("failure", [])


@pytest.mark.parametrize("missing", ["LIVE_RELEASE_COMMAND", "ROLL_BACK_COMMAND"])
def test_a_command_that_nobody_set_fails_and_changes_nothing(tmp_path: Path, missing: str) -> None:
    variables = {name: command for name, command in COMMANDS.items() if name != missing}
    assert rollback_played(tmp_path, live="r2", variables=variables) == ("failure", [])


def test_a_release_is_never_read_as_a_command(tmp_path: Path) -> None:
    told, calls = rollback_played(tmp_path, live="r2", target="r1; touch stolen", failed="r2")
    assert (told, calls) == ("success", ["ci/roll-back r1; touch stolen r2 k1"])
    assert not (tmp_path / "checkout" / "stolen").exists()


def test_the_rollback_workflow_takes_exactly_what_the_hook_sends() -> None:
    declared = document("github/rollback.yml")["on"]["workflow_dispatch"]["inputs"]
    assert declared.keys() == github_double.INPUTS  # what the hook sends: tests/unit/rollback_hooks
    assert all(one["required"] for one in declared.values())
    assert "${{ inputs.key }}" in document("github/rollback.yml")["run-name"], "the hook finds its run by the key"


def test_nothing_stands_in_the_way_of_a_rollback() -> None:
    workflow, deploy_workflow = document("github/rollback.yml"), document("github/deploy.yml")
    (job,) = workflow["jobs"].values()
    assert not {"needs", "if", "concurrency"} & job.keys()
    assert not job["environment"].endswith("-live"), "that one waits for reviewers"
    assert workflow["concurrency"]["group"].split("-")[0] != deploy_workflow["concurrency"]["group"].split("-")[0]
    by_hand = document("gitlab/deploy.gitlab-ci.yml")["rollback-by-hand"]
    assert by_hand["needs"] == ["record"]
    assert not {"resource_group", "environment"} & by_hand.keys()


# The action in a workflow of somebody else's


def job_in_docs() -> Any:
    page = (deploy.DEPLOY.parent / "docs" / "engines.md").read_text()
    return YAML(typ="safe", pure=True).load(page.split("```yaml\n")[1].split("```")[0])["gate"]


def played_alone(folder: Path, job: Any, status: VerdictStatus) -> tuple[dict[str, Any], FakeSmoke, Path]:
    fake = FakeSmoke(folder)
    fake.looks()
    adapters.told(fake, status)
    workflow = Workflow(
        {"jobs": {"gate": {**job, "timeout-minutes": 20}}},
        Checkout(folder / "checkout", fake),
        {
            "github": {"sha": "c0ffee", "run_attempt": 1},
            "vars": {"SMOKE_BASE_URL": "https://live"},
            "secrets": {},
        },
        artifacts=folder / "kept",
    )
    workflow.play()
    return workflow.results["gate"], fake, folder / "kept"


@pytest.mark.parametrize(
    ("status", "decision"),
    [(VerdictStatus.PASS, "promote"), (VerdictStatus.FAIL, "rollback"), (VerdictStatus.INCONCLUSIVE, "hold")],
)
def test_the_ten_lines_of_the_docs_are_a_gate(tmp_path: Path, status: VerdictStatus, decision: str) -> None:
    job, fake, kept = played_alone(tmp_path, job_in_docs(), status)
    assert job["outputs"] == {"decision": decision}
    assert (job["result"] == "success") is (status is VerdictStatus.PASS)
    assert fake.calls == ["run --env=staging --base-url=https://live --expect-release=c0ffee --no-report"]
    assert [path.name for path in kept.rglob("*") if path.is_file()] == ["verdict.json"]


def test_an_action_that_is_killed_decides_nothing(tmp_path: Path) -> None:
    job = job_in_docs()
    fake = FakeSmoke(tmp_path / "other")
    fake.killed()
    workflow = Workflow(
        {"jobs": {"gate": {**job, "timeout-minutes": 20}}},
        Checkout(tmp_path / "checkout", fake),
        {"github": {"sha": "c0ffee", "run_attempt": 1}, "vars": {}, "secrets": {}},
        artifacts=tmp_path / "kept",
    )
    assert workflow.play() == {"gate": "failure"}
    assert workflow.results["gate"]["outputs"] == {}


def test_a_project_below_the_root_is_where_the_gate_is_started(tmp_path: Path) -> None:
    (tmp_path / "checkout" / "smoke").mkdir(parents=True)
    job = job_in_docs()
    job["steps"][0]["with"]["project"] = "smoke"
    ran, fake, kept = played_alone(tmp_path, job, VerdictStatus.PASS)
    assert ran["outputs"] == {"decision": "promote"}
    assert fake.started_in == tmp_path / "checkout" / "smoke"
    assert (tmp_path / "checkout" / "artifacts").is_dir()
    assert kept.is_dir()


@pytest.mark.parametrize("text", ["x'; touch stolen; '", "$(touch stolen)", '"; touch stolen; "', "--help", "a\nb"])
def test_an_input_is_never_read_as_a_command_or_an_option(tmp_path: Path, text: str) -> None:
    job = job_in_docs()
    (step,) = job["steps"]
    step["with"] = dict.fromkeys(("expect-release", "region", "tags"), text)
    _, fake, _ = played_alone(tmp_path, job, VerdictStatus.PASS)
    assert not (tmp_path / "checkout" / "stolen").exists()
    called = "\n".join(fake.calls)
    assert called == f"run --expect-release={text} --region={text} --tags={text} --no-report"


# The settings of the workflow


def test_every_secret_that_a_run_can_use_is_passed_to_both_gates() -> None:
    jobs = document("github/deploy.yml")["jobs"]
    given = [step["env"] for job in ("gate", "gate-live") for step in jobs[job]["steps"] if step.get("id") == "smoke"]
    assert given[0] == given[1]
    secret = {
        name
        for name, variable in VARIABLES.items()
        if variable.secret and not name.startswith(("SMOKE_SERVE", "SMOKE_ROLLBACK"))
    }
    assert secret <= given[0].keys()


def test_every_job_with_secrets_or_variables_names_the_environment_they_are_of() -> None:
    for path in ("github/deploy.yml", "github/rollback.yml"):
        for name, job in document(path)["jobs"].items():
            if "secrets." in str(job) or "vars." in str(job):
                assert "environment" in job, f"{path}: {name} sees the repository's only"


def test_every_setting_that_a_file_reads_is_named_in_its_head() -> None:
    for path in ("github/deploy.yml", "github/rollback.yml"):
        text = (deploy.DEPLOY / path).read_text()
        head = text[: text.index("\nname:")]
        for name in re.findall(r"(?:vars|secrets)\.(\w+)", text):
            assert name.removesuffix("_B") in head, f"{path}: {name}"


def test_no_step_calls_a_file_that_the_head_does_not_ask_for() -> None:
    for path in ("github/deploy.yml", "github/rollback.yml", "gitlab/deploy.gitlab-ci.yml"):
        assert not re.findall(r"(?:^|[\s\"'])(?:\./|ci/)[\w-]+", (deploy.DEPLOY / path).read_text())


# What the manifests read is made by a manifest


KUBERNETES = (
    "kubernetes/settings.yaml",
    "kubernetes/service.yaml",
    "kubernetes/synthetic.yaml",
    "kubernetes/reader.yaml",
)
ARGO = ("argo-rollouts/settings.yaml", argo.TEMPLATES, argo.ROLLOUT)


def named(value: Any, found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Collect every ConfigMap, Secret, claim, Service and template that a manifest names."""
    kinds = {
        "configMapRef": ("ConfigMap", "name"),
        "secretRef": ("Secret", "name"),
        "secretKeyRef": ("Secret", "name"),
        "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    }
    flat = {"activeService": "Service", "previewService": "Service", "templateName": "AnalysisTemplate"}
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key in kinds:
            kind, at = kinds[str(key)]
            found.add((kind, inner[at]))
        elif key in flat:
            found.add((flat[str(key)], inner))
        elif isinstance(inner, dict | list):
            named(inner, found)
    return found


@pytest.mark.parametrize("files", [KUBERNETES, ARGO], ids=["kubernetes", "argo-rollouts"])
def test_everything_a_manifest_names_is_made_by_one_in_its_folder(files: tuple[str, ...]) -> None:
    manifests = [one for path in files for one in documents(path)]
    made = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    assert named(manifests, set()) - made == set()


@pytest.mark.parametrize("files", [KUBERNETES, ARGO], ids=["kubernetes", "argo-rollouts"])
def test_evidence_outlives_the_pod(files: tuple[str, ...]) -> None:
    manifests = [one for path in files for one in documents(path)]
    kept = [volume for volume in volumes_of(manifests) if volume["name"] in {"artifacts", "state"}]
    assert kept
    assert all("persistentVolumeClaim" in volume for volume in kept)


def volumes_of(value: Any) -> list[dict[str, Any]]:
    """Return the volumes of every pod in a manifest."""
    if isinstance(value, dict):
        own = value["volumes"] if isinstance(value.get("volumes"), list) else []
        return own + [volume for inner in value.values() for volume in volumes_of(inner)]
    return [volume for inner in value for volume in volumes_of(inner)] if isinstance(value, list) else []


def test_no_manifest_holds_a_secret() -> None:
    for path in (KUBERNETES[0], ARGO[0]):
        for one in documents(path):
            assert not any(one.get("stringData", {}).values())


# What Cloud Deploy's container brings and keeps


def cloud_deploy(folder: Path, status: VerdictStatus) -> tuple[CloudDeploy, FakeSmoke]:
    fake = FakeSmoke(folder)
    adapters.told(fake, status)
    fake.looks()
    return CloudDeploy(Checkout(folder / "checkout", fake), Situation.NORMAL), fake


def rolled_out(target: CloudDeploy) -> Effect:
    return target.roll_out(document("google-cloud-deploy/skaffold.yaml"), [])


def test_cloud_deploy_gives_the_gate_its_secrets_and_keeps_its_evidence(tmp_path: Path) -> None:
    target, fake = cloud_deploy(tmp_path, VerdictStatus.PASS)
    assert rolled_out(target) is Effect.PROMOTED
    assert fake.seen_environ["SMOKE_AUTH_TOKEN"] == "token-of-the-user"
    assert target.bucket is not None
    history, evidence = sorted(target.bucket)
    assert evidence.endswith("/20261123T212214Z-e5f124/verdict.json")
    assert fake.seen_environ["SMOKE_REPORT_URL"].endswith(evidence.split("/")[0] + "/{run_id}/report.html")
    assert target.bucket[history] == b'{"of": "this run"}\n'
    target.bucket[history] = b'{"of": "a run before"}\n'
    assert rolled_out(target) is Effect.PROMOTED
    assert target.bucket["history/staging.jsonl"] == b'{"of": "a run before"}\n{"of": "this run"}\n'


@pytest.mark.parametrize(
    ("status", "effect"), [(VerdictStatus.PASS, Effect.PROMOTED), (VerdictStatus.FAIL, Effect.ROLLED_BACK)]
)
def test_a_bucket_that_takes_nothing_changes_no_answer(tmp_path: Path, status: VerdictStatus, effect: Effect) -> None:
    target, _ = cloud_deploy(tmp_path, status)
    target.bucket = None
    assert rolled_out(target) is effect


def test_a_secret_that_cannot_be_read_holds_and_starts_no_run(tmp_path: Path) -> None:
    target, fake = cloud_deploy(tmp_path, VerdictStatus.FAIL)
    target.secrets.clear()
    assert rolled_out(target) is Effect.HELD
    assert fake.calls == []


# What the models rest on


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' == 'A'", True),
        ("needs.gate.result == 'success' && needs.gate.outputs.verdict == 'PASS'", True),
        ("needs.none.outputs.verdict == 'PASS'", False),
        ("needs.none.outputs.verdict || 'nothing'", "nothing"),
        ("!cancelled() && (false || true)", True),
        ("always() && needs.gate.outputs.verdict != 'FAIL'", True),
        ("1 == 1 && null == needs.none", True),
        ("'it''s'", "it's"),
        ("needs.none.outputs.url != ''", False),
        ("needs.none == 'x'", False),
        ("true == 1 && '2' == 2", True),
    ],
)
def test_expressions_are_evaluated_as_github_does(expression: str, value: object) -> None:
    contexts = {"needs": {"gate": {"result": "success", "outputs": {"verdict": "PASS"}}}}
    functions = {"always": lambda: True, "cancelled": lambda: False}
    assert evaluate(expression, contexts, functions) == value
    assert interpolated("a ${{ needs.gate.result }}${{ needs.none }} b", contexts) == "a success b"


@pytest.mark.parametrize(
    ("metric_", "measured", "phase"),
    [
        ({}, ["Successful"], "Successful"),
        ({}, ["Failed"], "Failed"),
        ({"count": 1, "failureLimit": 1}, ["Failed"], "Successful"),
        ({}, ["Error"] * 4, "Running"),
        ({}, ["Error"] * 5, "Error"),
        ({"interval": "1s"}, ["Successful"] * 9, "Running"),
        ({"count": 3, "interval": "1s", "consecutiveSuccessLimit": 2}, ["Successful", "Inconclusive"], "Inconclusive"),
        ({"count": 2, "inconclusiveLimit": 2, "consecutiveSuccessLimit": 1}, ["Inconclusive"] * 2, "Inconclusive"),
        ({"count": 2, "inconclusiveLimit": 2}, ["Inconclusive"] * 2, "Successful"),
        ({"failureLimit": -1, "consecutiveSuccessLimit": 1, "count": 1}, ["Failed"], "Failed"),
    ],
)
def test_argo_assesses_a_metric_like_this(metric_: dict[str, Any], measured: list[str], phase: str) -> None:
    counters = argo.Counters()
    for one in measured:
        counters.measured(one)
    assert argo.assess(metric_, counters) == phase


def test_every_yaml_file_is_read_by_somebody() -> None:
    for path in deploy.DEPLOY.rglob("*.y*ml"):
        assert list(YAML(typ="safe", pure=True).load_all(path.read_text()))


def held(fake: FakeSmoke, status: VerdictStatus) -> None:
    """Let the gate answer a FAIL that the policy of the place holds."""
    verdict = msgspec.structs.replace(verdict_of(status), action=Action.HOLD)
    fake.answers(verdict)
    decision = msgspec.structs.replace(decision_on(verdict), step=ReleaseStep.HOLD)
    fake.tells_github(outputs(verdict, decision))


def test_a_job_knows_the_exit_code_alone_and_gives_the_candidate_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(adapters, "told", held)
    assert adapter(BEFORE).play(tmp_path, VerdictStatus.FAIL, Situation.NORMAL) is Effect.GIVEN_UP


@pytest.mark.parametrize("name", [LIVE, CANDIDATE, "GitLab CI, live", "Google Cloud Deploy, verify"])
def test_a_fail_that_the_policy_holds_is_left_to_a_person(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(adapters, "told", held)
    assert adapter(name).play(tmp_path, VerdictStatus.FAIL, Situation.NORMAL) is Effect.HELD
