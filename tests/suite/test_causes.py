"""One cause is red in whole runs, the rest is blocked by it, and the headline is the gravest one."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from suite_parts import Project, Ran

from streampay_sandbox.ledger.genesis import twin_contract_id
from streampay_sandbox.proxy import DisturbingProxy, Forward, ProxiedRequest, ProxyDecision, SubstituteAnswer
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_selftest.proxy_behaviours import below
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.gate.verdict import VerdictStatus

NOWHERE = "http://127.0.0.1:9"
SUMMARY_LINES = {VerdictStatus.PASS: 60, VerdictStatus.FAIL: 120, VerdictStatus.INCONCLUSIVE: 120}
PATIENCE = ("ready_within_seconds = 10", "ready_within_seconds = 1\ncutover_seconds = 1")


def impatient(folder: Path, sandbox: Sandbox) -> Project:
    project = Project(folder, sandbox.ready_document()["env"])
    place = folder / "environments" / "sandbox.toml"
    place.write_text(place.read_text().replace(*PATIENCE))
    return project


def red_of(ran: Ran) -> list[str]:
    return [check.id for check in ran.verdict.checks if check.status in {"failed", "broken", "missing"}]


def blocked_of(ran: Ran) -> list[str]:
    return [check.id for check in ran.verdict.checks if check.status == "blocked"]


def assert_shown(ran: Ran) -> None:
    """Every report shows the same checks red and the same ones blocked, and the summary is short."""
    red = len(red_of(ran))
    not_played = len(blocked_of(ran)) + len(ran.verdict.evidence.excluded_ids)
    junit = ET.parse(next((ran.folder / "junit").glob("*.xml"))).getroot()
    tests = json.loads((ran.folder / "ctrf.json").read_text())["results"]["summary"]
    allure = [json.loads(path.read_text())["status"] for path in (ran.folder / "allure-results").glob("*-result.json")]
    skipped = sum(int(suite.get("skipped", "")) for suite in junit)
    assert int(junit.get("failures", "")) + int(junit.get("errors", "")) == red
    assert (tests["failed"], tests["skipped"], skipped) == (red, not_played, not_played)
    assert (allure.count("failed") + allure.count("broken"), allure.count("skipped")) == (red, not_played)
    summary = (ran.folder / "summary.md").read_text().splitlines()
    assert len(summary) < SUMMARY_LINES[ran.verdict.verdict]
    assert summary.index("## What went wrong") < summary.index("| | |")


def test_another_contract_is_the_setting_or_the_release_as_the_stable_one_tells(tmp_path: Path) -> None:
    with start_sandbox() as sandbox:
        twin = twin_contract_id(ALLOWED["sandbox"].network_id)
        mistyped = impatient(tmp_path / "a", sandbox).smoke("--tags", "@settlement", SMOKE_CONTRACT_ID=twin)
    with start_sandbox(faults=("contract-id-wrong",)) as sandbox:
        stable = sandbox.start_beside()
        wrong = impatient(tmp_path / "b", sandbox).smoke("--tags", "@settlement", SMOKE_BASELINE_URL=stable)

    for ran, code, reason in ((mistyped, 2, "contract_unexpected"), (wrong, 1, "contract_of_the_release")):
        assert (ran.code, ran.verdict.reason_code) == (code, reason), ran.output
        assert f"the service opens its streams on the contract {twin if ran is wrong else ''}" in (
            ran.verdict.message_long
        )
        assert "SMOKE_CONTRACT_ID is" in ran.verdict.message_long
        assert ran.verdict.cleanup.leaked == 0
    assert "No stable release tells which" in mistyped.verdict.causes[0].text
    assert {cause.attribution for cause in mistyped.verdict.causes} == {"config"}, "nothing accuses the release"


def test_a_ledger_that_is_dead_is_one_red_check(tmp_path: Path) -> None:
    with start_sandbox() as sandbox:
        ran = impatient(tmp_path, sandbox).smoke(SMOKE_STELLAR_RPC_URL=NOWHERE)
    assert (ran.code, ran.verdict.verdict, ran.verdict.attribution) == (3, VerdictStatus.INCONCLUSIVE, "dependency"), (
        ran.output
    )
    assert len(red_of(ran)) == 1
    assert len(blocked_of(ran)) >= 6
    assert "gave no usable answer to getNetwork" in ran.verdict.message_long
    assert ran.verdict.message.startswith("INCONCLUSIVE [dependency] (simulated): the ledger's RPC at ")
    assert {check.blocked_by for check in ran.verdict.checks if check.status == "blocked"} == set(red_of(ran))
    assert_shown(ran)


def test_a_service_that_is_dead_is_what_the_headline_says(tmp_path: Path) -> None:
    with start_sandbox() as sandbox:
        project = impatient(tmp_path, sandbox)
        ran = project.smoke("--tags", "@smoke and not @chain and not @operations", SMOKE_BASE_URL=NOWHERE)
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    assert "GET /api/readyz got no answer" in ran.verdict.message
    assert red_of(ran) == ["readiness/the-service-and-its-dependencies-are-ready"]
    assert len(blocked_of(ran)) >= 25
    assert_shown(ran)


def test_raw_behave_plays_readiness_first(tmp_path: Path) -> None:
    with start_sandbox(faults=("every-url-500",)) as sandbox:
        ran = impatient(tmp_path, sandbox).behave("--tags=@readiness or @streams")
    assert ran.code == 1, ran.output
    assert next(event["id"] for event in ran.events if event["event"] == "scenario_started").startswith("readiness/")
    assert "the service is not ready: status 500" in ran.verdict.message
    assert len(red_of(ran)) == 1


@pytest.mark.parametrize(
    ("faults", "tags", "concern", "headline"),
    [
        (
            ("list-leaks-others", "metrics-off", "cors-lacks-headers"),
            "@streams or @operations or @webapp",
            "privacy and access",
            "A second user cannot list or read",
        ),
        (
            ("settle-lies", "list-leaks-others", "metrics-off"),
            "@streams or @operations or @settlement",
            "money",
            "A settled stream pays the recipient",
        ),
        (
            ("metrics-off", "cors-lacks-headers"),
            "@operations or @webapp",
            "contract of the API",
            "The CORS preflight allows the web",
        ),
    ],
    ids=["privacy before the API", "money before privacy", "the API before operability"],
)
def test_the_gravest_cause_is_the_headline(
    tmp_path: Path, faults: tuple[str, ...], tags: str, concern: str, headline: str
) -> None:
    with start_sandbox(faults=faults) as sandbox:
        ran = impatient(tmp_path, sandbox).behave(f"--tags={tags}")
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    assert ran.verdict.causes[0].concern == concern
    assert f": {headline}" in ran.verdict.message
    assert len(ran.verdict.causes) == len({cause.text for cause in ran.verdict.causes}) > 1


def test_a_sign_in_that_fails_blocks_whoever_needs_it(tmp_path: Path) -> None:
    with start_sandbox(faults=("chaos-left-on",)) as sandbox:
        ran = impatient(tmp_path, sandbox).behave("--tags=@access or @settlement or @throttling")
    first = ran.verdict.causes[0]
    assert (ran.code, first.concern, first.scenario) == (1, "availability", ""), ran.output
    assert "answered 503, not 200: CHAOS_INJECTED" in ran.verdict.message
    assert len(first.blocked) > 5
    assert not set(first.blocked) & set(red_of(ran))


def test_where_nobody_can_sign_in_no_limit_on_guesses_is_accused(tmp_path: Path) -> None:
    refused = SubstituteAnswer(status=401, text='{"error":{"code":"UNAUTHORIZED"}}', content_type="application/json")
    refuses = below("/api/auth/wallet", refused, method="POST")
    with start_sandbox() as sandbox, DisturbingProxy(sandbox.base_url, behaviour=refuses) as proxy:
        ran = impatient(tmp_path, sandbox).behave("--tags=@access or @throttling-evasion", SMOKE_BASE_URL=proxy.url)
    (cause,) = ran.verdict.causes
    assert (ran.code, cause.concern) == (1, "availability"), ran.output
    assert "POST /api/auth/wallet answered 401, not 200" in ran.verdict.message
    assert any("cannot-evade-the-sign-in-limit" in blocked for blocked in cause.blocked)


def test_a_login_page_before_the_service_is_one_cause_and_lets_nobody_in(tmp_path: Path) -> None:
    login = SubstituteAnswer(status=302, headers={"location": "/login?next=%2F"})

    def guarded(passing: ProxiedRequest) -> ProxyDecision:
        return Forward() if passing.path.startswith(("/api/readyz", "/api/healthz")) else login

    with start_sandbox() as sandbox, DisturbingProxy(sandbox.base_url, behaviour=guarded) as proxy:
        tags = "--tags=@access or @api-v2-access or @streams or @webhooks or @throttling"
        ran = impatient(tmp_path, sandbox).behave(tags, SMOKE_BASE_URL=proxy.url)
    (cause,) = ran.verdict.causes
    assert (ran.code, cause.concern, len(cause.checks)) == (1, "availability", 1), ran.output
    assert "GET /api/auth/wallet answered 302, not 200: an empty body, pointing at /login" in ran.verdict.message_long
    assert any(blocked.startswith("webhooks/") for blocked in cause.blocked)


def test_a_route_that_serves_nobody_evades_no_limit_and_lets_nobody_in(tmp_path: Path) -> None:
    page = SubstituteAnswer(status=200, text="<!doctype html><html></html>")
    with start_sandbox() as sandbox, DisturbingProxy(sandbox.base_url, behaviour=below("/api/streams?", page)) as proxy:
        ran = impatient(tmp_path, sandbox).behave("--tags=@streams or @throttling-evasion", SMOKE_BASE_URL=proxy.url)
    (cause,) = ran.verdict.causes
    assert (ran.code, cause.concern, len(cause.checks)) == (1, "availability", 1), ran.output
    assert {blocked.partition("/")[0] for blocked in cause.blocked} == {"streams", "throttling_evasion"}


def test_a_dependency_the_service_names_is_no_fault_of_the_release(tmp_path: Path) -> None:
    with start_sandbox(faults=("ready-never",)) as sandbox:
        ran = impatient(tmp_path / "alone", sandbox).behave("--tags=@readiness")
        assert (ran.code, ran.verdict.reason_code, ran.verdict.attribution) == (3, "dependency_down", "dependency")
        with start_sandbox() as stable:
            project = impatient(tmp_path / "beside", sandbox)
            ran = project.behave("--tags=@readiness", SMOKE_BASELINE_URL=stable.base_url)
    assert (ran.code, ran.verdict.reason_code, ran.verdict.attribution) == (1, "never_ready", "product"), ran.output


def test_annotations_are_few_and_the_verdict_is_first(tmp_path: Path) -> None:
    faults = ("list-open", "list-accepts-junk", "list-accepts-expired", "list-accepts-foreign", "list-leaks-others")
    with start_sandbox(faults=faults) as sandbox:
        ran = impatient(tmp_path, sandbox).smoke("--tags", "@streams or @settlement", GITHUB_ACTIONS="true")
    told = [line for line in ran.output.splitlines() if line.startswith("::")]
    assert told[0].startswith("::error title=[product] FAIL::")
    assert len(told) <= 10
