"""The whole gate against the real sandbox, and what it leaves. What it catches is measured by the selftest."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from stellar_sdk import Keypair
from suite_parts import ROOT, Project, Ran

from streampay_sandbox.proxy import (
    DisturbingProxy,
    Forward,
    ProxiedRequest,
    ProxyDecision,
    SubstituteAnswer,
    burst,
    gateway,
    hang_up,
)
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_sandbox.wire_versions import WIRE_VERSIONS
from streampay_smoke.core.secret import Secret
from streampay_smoke.gate.verdict import Action, VerdictStatus, schema
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import synthetic_user, unowned_address
from streampay_smoke.service.records import StreamOrder

SCENARIOS = 76
EXCLUDED = ("readiness/the-expected-release-is-deployed-on-every-replica",)
"""What is left out where nobody says which release was deployed."""


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run as a newcomer makes it: nothing set, everything embedded."""
    return Project(tmp_path_factory.mktemp("healthy"), {}).smoke()


def test_a_healthy_release_is_a_pass(healthy: Ran) -> None:
    verdict = healthy.verdict
    assert (healthy.code, verdict.verdict, verdict.action) == (0, VerdictStatus.PASS, Action.HOLD), healthy.output
    assert verdict.target.rehearsal, "nobody named a deployment"
    assert "This was a rehearsal against a simulation" in healthy.output
    assert len(verdict.evidence.executed_ids) == SCENARIOS
    assert (verdict.evidence.missing_ids, verdict.evidence.excluded_ids) == ((), EXCLUDED)
    assert verdict.settlement.proof == "ledger"
    assert re.fullmatch("[0-9a-f]{64}", verdict.settlement.tx_hash)
    assert verdict.cleanup.created > 0
    assert verdict.cleanup.leaked == 0


def test_the_oldest_rpc_that_is_played_will_do(tmp_path: Path) -> None:
    with start_sandbox(rpc_version=next(iter(WIRE_VERSIONS))) as sandbox:
        ran = Project(tmp_path, sandbox.ready_document()["env"]).smoke()
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output
    assert len(ran.verdict.evidence.executed_ids) == SCENARIOS


def test_everything_says_that_it_was_simulated(healthy: Ran) -> None:
    assert healthy.verdict.target.simulated
    assert healthy.verdict.chain.simulated
    for said in (healthy.output, (healthy.folder / "summary.md").read_text(), healthy.verdict.message):
        assert "simulated" in said.lower()
    assert "simulated" in (healthy.folder / "allure-results" / "environment.properties").read_text().lower()


def test_the_verdict_keeps_its_schema(healthy: Ran) -> None:
    document = json.loads((healthy.folder / "verdict.json").read_text())
    published = json.loads((ROOT / "docs" / "schemas" / "verdict.schema.json").read_text())
    assert published == schema()
    jsonschema_rs.validator_for(published).validate(document)
    broken = {**document, "verdict": "FINE"}
    assert not jsonschema_rs.validator_for(published).is_valid(broken)


def test_every_promised_file_is_there(healthy: Ran) -> None:
    for name in ("verdict.json", "journal.jsonl", "junit", "ctrf.json", "allure-results", "summary.md"):
        assert (healthy.folder / name).exists(), name
    assert len(list((healthy.folder / "allure-results").glob("*-result.json"))) == SCENARIOS + len(EXCLUDED)


SEED = Keypair.random().secret
SECRET_SHAPES = re.compile(rb"\bS[A-Z2-7]{55}\b|eyJ[\w-]{8,}\.eyJ[\w-]+\.|Bearer (?!<redacted>)[\w.-]{8,}")


def artifacts(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_no_artifact_and_no_output_holds_a_secret(project: Project, sandbox: Sandbox) -> None:
    env = sandbox.ready_document()["env"]
    ran = project.smoke("--report", SMOKE_AUTH_MODE="jwt")
    assert ran.code == 0, ran.output
    secrets = [env[name].encode() for name in ("SMOKE_AUTH_JWT_SECRET", "SMOKE_API_KEY")]
    for path, content in [*artifacts(ran.folder), (Path("output"), ran.output.encode())]:
        assert not SECRET_SHAPES.search(content), path
        assert not any(secret in content for secret in secrets), path


def test_nothing_that_behave_and_allure_write_by_themselves_holds_a_secret(
    project: Project, sandbox: Sandbox, tmp_path: Path
) -> None:
    def spill(passing: ProxiedRequest) -> ProxyDecision:
        body = json.dumps({"error": {"code": SEED, "message": SEED}})
        told = SubstituteAnswer(status=500, text=body, content_type="application/json")
        return told if passing.path.startswith("/api/streams") else Forward()

    formats = {"plain": "steps.txt", "json": "steps.json", "allure_behave.formatter:AllureFormatter": "allure"}
    chosen = [word for name, path in formats.items() for word in ("-f", name, "-o", str(tmp_path / "told" / path))]
    junit = ("--junit", f"--junit-directory={tmp_path / 'told' / 'junit'}")
    with DisturbingProxy(sandbox.base_url, behaviour=spill) as proxy:
        ran = project.behave("--tags=@streams", *chosen, *junit, SMOKE_BASE_URL=proxy.url)
    assert ran.verdict.verdict is VerdictStatus.FAIL, ran.output
    written: dict[str, str] = {}
    for path in (tmp_path / "told").rglob("*"):
        if path.is_file():
            kind = path.relative_to(tmp_path / "told").parts[0]
            written[kind] = written.get(kind, "") + path.read_text()
    assert written.keys() == {"steps.txt", "steps.json", "allure", "junit"}
    for kind, told in written.items():
        assert "answered 500" in told, kind
        assert "<redacted>" in told or "&lt;redacted&gt;" in told, kind
        assert SEED not in told, kind


@pytest.mark.parametrize("mode", ["jwt", "api-key"])
def test_every_auth_mode_of_the_sandbox_passes(project: Project, mode: str) -> None:
    ran = project.behave("--tags=@streams", SMOKE_AUTH_MODE=mode)
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output


CUTOVER = [gateway(502), gateway(503), hang_up(), gateway(504), hang_up()]


def test_a_cutover_is_ridden_out_and_shown(project: Project, sandbox: Sandbox) -> None:
    with DisturbingProxy(sandbox.base_url, behaviour=burst(CUTOVER)) as proxy:
        ran = project.behave("--tags=@readiness", SMOKE_BASE_URL=proxy.url)
    assert ran.verdict.verdict is VerdictStatus.PASS, ran.output
    assert [item.flaky for item in ran.verdict.checks if item.status == "passed"] == [True]
    assert "1 flaky" in ran.verdict.message
    assert "flaky" in (ran.folder / "summary.md").read_text()
    retried = [event["because"] for event in ran.events if event["event"] == "retried"]
    assert retried[-3:] == ["reset", "http 504", "reset"], "the control probes at the start met with the others"


@pytest.mark.parametrize("setting", [{"SMOKE_STELLAR_NETWORK": "pubnet"}, {"SMOKE_STELLAR_NETWORK": "mainnet"}])
def test_a_public_network_configuration_is_safety(bare_project: Project, setting: dict[str, str]) -> None:
    for ran in (bare_project.behave("--tags=@smoke", **setting), bare_project.smoke(**setting)):
        assert (ran.code, ran.verdict.verdict, ran.verdict.action) == (4, VerdictStatus.SAFETY, Action.HOLD), ran.output


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_deployment_without_an_address_is_config(bare_project: Project, environment: str) -> None:
    secrets = {"SMOKE_AUTH_TOKEN": "a-long-token"}
    for ran in (
        bare_project.behave("--tags=@smoke", SMOKE_ENV=environment, **secrets),
        bare_project.smoke("--env", environment, **secrets),
    ):
        assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output
        assert "SMOKE_BASE_URL" in ran.output


def test_a_typo_is_config(bare_project: Project) -> None:
    ran = bare_project.smoke(SMOKE_BASEURL="http://x")
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG)
    assert "did you mean SMOKE_BASE_URL" in ran.output


def test_an_expected_release_that_answers_passes(project: Project) -> None:
    ran = project.smoke("--tags", "@readiness", "--expect-release", "sandbox")
    assert (ran.code, ran.verdict.target.release_expected) == (0, "sandbox"), ran.output
    assert ran.verdict.target.releases_observed == ("sandbox",)


def test_a_sandbox_cannot_vouch_for_staging(project: Project) -> None:
    ran = project.behave("--tags=@readiness", SMOKE_ENV="staging", SMOKE_STELLAR_NETWORK="testnet")
    assert ran.verdict.verdict is not VerdictStatus.PASS


def forget(secret: str) -> None:
    """There is no redactor to tell."""


def in_production(project: Project) -> Ran:
    """Play the whole smoke as production would be played, the sandbox's ledger standing in for testnet."""
    place = project.folder / "environments" / "production.toml"
    told_by = 'release_told_by = "header:x-release"\n'
    text = place.read_text().replace(told_by, "")
    place.write_text(text.replace("[service]\n", f"[service]\n{told_by}"))
    return project.behave("--tags=@smoke", SMOKE_ENV="production", SMOKE_SIGNER_SEED=SEED)


def test_production_is_read_only_and_says_so(tmp_path: Path) -> None:
    with start_sandbox(faults=("ready-names-mainnet",)) as public, start_sandbox() as testing:
        # Minted tokens, for a service lets a wallet sign in a few times a minute only.
        secret = public.ready_document()["env"]["SMOKE_AUTH_JWT_SECRET"]
        service = {"SMOKE_BASE_URL": public.base_url, "SMOKE_AUTH_MODE": "jwt", "SMOKE_AUTH_JWT_SECRET": secret}
        project = Project(tmp_path, {**testing.ready_document()["env"], **service})
        ran = in_production(project)
        assert (ran.code, ran.verdict.reason_code) == (3, "fixture_missing"), ran.output
        created = [event["kind"] for event in ran.events if event["event"] == "resource_created"]
        assert created == ["contract stream"], "on the test network, and nothing in production"

        # Somebody gives the synthetic user streams of its own, as the message asks for.
        user = Deployment.at(
            public.base_url, dialect="app-v1", record=lambda event: None, timeout_seconds=10, learn_secret=forget
        )
        seed = synthetic_user("production", "wallet", learn_secret=forget, signer_seed=Secret(SEED))
        credential = user.sign_in(seed)
        for _ in range(2):
            user.create(credential, StreamOrder(recipient=unowned_address(), rate="1", schedule="day"))
        ran = in_production(project)
    verdict = ran.verdict
    assert (ran.code, verdict.verdict) == (0, VerdictStatus.PASS), ran.output
    passed = {item.id.split("/")[0] for item in verdict.checks if item.status == "passed"}
    assert passed == {
        *("access", "api_v2_access", "events", "ledger", "operations", "readiness", "streams", "throttling", "webapp"),
    }
    excluded = {item.id: item.hint for item in verdict.checks if item.status == "excluded"}
    read_only = {name for name, hint in excluded.items() if "read-only" in hint}
    written = {"access", "api_v2_access", "events", "records", "records_cancelled", "settlement", "settlement_keys"}
    written |= {"webapp", "webhooks"}
    assert {name.split("/")[0] for name in read_only} == written
    assert set(excluded) - read_only == {
        "ledger/only-the-expected-administrator-controls-the-contract",
        "access/a-sign-in-with-a-challenge-that-was-already-used-is-refused",
        "operations/the-metrics-are-available",
        "operations/the-index-of-the-ledger-is-up-to-date",
        *EXCLUDED,
        "records/a-stream-from-an-earlier-release-still-exists",
        "throttling/only-the-caller-who-exceeds-the-read-limit-is-throttled",
        "throttling_evasion/forged-tokens-do-not-use-up-the-read-limit-of-the-user-they-name",
        "throttling_evasion/a-user-cannot-evade-the-read-limit-by-claiming-a-new-api-key-in-each-request",
        "throttling_evasion/a-user-cannot-evade-the-read-limit-by-claiming-a-new-network-address-in-each-request",
        "throttling_evasion/a-caller-cannot-evade-the-sign-in-limit-by-claiming-a-new-network-address-in-each-request",
        "webapp/the-cors-preflight-allows-the-web-app-to-write",
    }
    assert "excluded here" in verdict.message
    created = [event["kind"] for event in ran.events if event["event"] == "resource_created"]
    assert (created, verdict.cleanup.leaked) == (["contract stream"], 0)
