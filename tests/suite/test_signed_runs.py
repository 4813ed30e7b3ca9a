"""Runs with a signing key: what is signed is verified from outside, and the key is found nowhere."""

import base64
import json
from pathlib import Path

import pytest
from suite_parts import Project
from waits import HANG_SECONDS

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.gate.verdict import VerdictStatus

SEED = bytes(range(32))
KEY = base64.b64encode(SEED).decode()
PUBLIC = SigningKey(SEED).public
PUBLIC_KEY = base64.b64encode(PUBLIC.raw).decode()
PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n".format(
    base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + SEED).decode()
)


def judged(project: Project, journal: Path, *options: str) -> tuple[int, str]:
    with project.start("streampay_smoke", "judge", str(journal), *options) as judging:
        output, _ = judging.communicate(timeout=HANG_SECONDS)
    return judging.returncode, output


@pytest.mark.parametrize(("command", "key"), [("behave", KEY), ("smoke", PEM)])
def test_a_signed_run_is_verified_by_whoever_has_the_public_key(project: Project, command: str, key: str) -> None:
    options = ["--tags=@readiness"] if command == "behave" else ["--tags", "@readiness"]
    ran = getattr(project, command)(*options, SMOKE_SIGNING_KEY=key)
    assert (ran.code, ran.verdict.signed_by) == (0, PUBLIC.id), ran.output
    assert not (ran.folder / "test-result.dsse.json").exists()
    assert "nothing is attested: the service or the ledger was simulated" in ran.output
    secret = [KEY.encode(), PEM.split("\n")[1].encode()]
    for path in ran.folder.rglob("*"):
        assert not path.is_file() or not any(part in path.read_bytes() for part in secret), path
    assert not any(part.decode() in ran.output for part in secret)

    journal = ran.folder / "journal.jsonl"
    code, output = judged(project, journal, "--verify", PUBLIC_KEY)
    assert (code, output.splitlines()[0]) == (0, f"verified: signed by key {PUBLIC.id}")
    (project.folder / "key").write_text(PUBLIC_KEY)
    assert judged(project, journal, "--verify", "key", "--verdict", str(ran.folder / "verdict.json"))[0] == 0

    verdict = ran.folder / "verdict.json"
    verdict.write_text(verdict.read_text().replace('"assertions": ', '"assertions":  ', 1))
    code, output = judged(project, journal, "--verify", PUBLIC_KEY)
    assert (code, "not verified: verdict.json is not what was signed" in output) == (3, True)
    assert "PASS" not in output


def test_a_killed_run_is_signed_by_the_supervisor(project: Project) -> None:
    check = (
        "    readiness.dependencies_are_healthy(context.scenario_context.readiness, context.scenario_context.expect)"
    )
    project.edit("steps/readiness_steps.py", check, "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)")
    ran = project.smoke("--tags", "@readiness", SMOKE_SIGNING_KEY=KEY)
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output
    code, output = judged(project, ran.folder / "journal.jsonl", "--verify", PUBLIC_KEY)
    assert (code, "verified: signed by key" in output) == (3, True)


@pytest.mark.parametrize("command", ["behave", "smoke"])
def test_a_key_that_cannot_sign_is_config_before_anything_is_sent(bare_project: Project, command: str) -> None:
    options = ["--tags=@readiness"] if command == "behave" else ["--tags", "@readiness"]
    ran = getattr(bare_project, command)(*options, SMOKE_SIGNING_KEY="bm90IGEga2V5")
    assert (ran.code, ran.verdict.verdict, ran.verdict.reason_code) == (2, VerdictStatus.CONFIG, "settings_invalid")
    assert "SMOKE_SIGNING_KEY is no Ed25519 private key" in ran.output
    assert "bm90IGEga2V5" not in ran.output


def test_an_unsigned_run_is_not_verified(project: Project) -> None:
    ran = project.behave("--tags=@readiness")
    assert ran.verdict.signed_by == ""
    code, output = judged(project, ran.folder / "journal.jsonl", "--verify", PUBLIC_KEY)
    assert (code, "nothing shows that this verdict was signed" in output) == (3, True)


def test_options_that_make_no_sense_are_config(project: Project) -> None:
    (project.folder / "journal").write_text("")
    assert judged(project, project.folder / "journal", "--verdict", "x")[0] == 2
    assert judged(project, project.folder / "journal", "--verify", "no key")[0] == 2


def test_the_ci_system_is_told_and_its_trace_is_joined(project: Project) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    place = project.folder / "environments" / "sandbox.toml"
    place.write_text(place.read_text().replace("ready_within_seconds = 10", "ready_within_seconds = 0.5"))
    github = {"GITHUB_OUTPUT": str(project.folder / "out"), "GITHUB_STEP_SUMMARY": str(project.folder / "summary")}
    with start_sandbox(faults=("ready-degraded-but-200",)) as broken:
        ran = project.smoke(
            "--tags",
            "@readiness",
            GITHUB_ACTIONS="true",
            TRACEPARENT=f"00-{trace}-00f067aa0ba902b7-01",
            **github,
            **broken.ready_document()["env"],
        )
    assert ran.code == 1, ran.output
    assert ran.output.count("::error ") == 2  # the verdict, and the check
    assert "title=[product]" in ran.output
    assert (project.folder / "out").read_text().count("verdict=FAIL\n") == 1
    assert (project.folder / "summary").read_text().startswith("# FAIL")
    assert ran.verdict.trace_id == trace
    asked = [event["request"] for event in ran.events if event["event"] == "exchanged" and event["peer"] == "service"]
    assert asked
    assert all(f"traceparent: 00-{trace}-" in request for request in asked)
    finished = json.loads((ran.folder / "cdevents.jsonl").read_text().splitlines()[-1])
    assert finished["data"]["context"]["chainId"] == trace
    assert finished["data"]["subject"]["content"]["outcome"] == "failure"


def test_a_refused_run_tells_the_ci_system_too(bare_project: Project) -> None:
    out = bare_project.folder / "out"
    ran = bare_project.smoke("--env", "staging", GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(out))
    assert ran.code == 2
    assert "verdict=CONFIG\n" in out.read_text()
    assert "::error title=[config]" in ran.output
