"""What a run leads to with the environment files as they are shipped: each leaves scenarios out by name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from suite_parts import Project, Ran

from streampay_sandbox.service.auth import Tokens
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.core.secret import Secret
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.service.identity import unowned_address

OF_THE_NETWORK = {"staging": 'network = "testnet"', "local": 'network = "private"', "production": 'network = "public"'}
"""What each file says of the service's network, before it is played on the sandbox, whose services name "private"."""


@pytest.fixture(scope="module")
def failing() -> Iterator[Sandbox]:
    with start_sandbox(faults=["half-broken"]) as running:
        yield running


def token_of_a_user_with_streams(given: dict[str, str]) -> str:
    """Return the token of a user who has two streams, as an operator makes them once for a read-only environment."""
    token, _ = Tokens(Secret(given["SMOKE_AUTH_JWT_SECRET"])).issue("smoke-user")
    order = {"recipient": unowned_address(), "rate": "0.5", "schedule": "month"}
    headers = {"authorization": f"Bearer {token}", "cookie": "csrf-token=c", "x-csrf-token": "c"}
    for _ in range(2):
        httpx.post(f"{given['SMOKE_BASE_URL']}/api/streams", json=order, headers=headers).raise_for_status()
    return token


def play(folder: Path, sandbox: Sandbox, environment: str, *arguments: str, **environ: str) -> tuple[Ran, Any]:
    """Run a shipped environment against a sandbox; return the run and its decision."""
    given = sandbox.ready_document()["env"]
    project = Project(folder, given)
    file = folder / "environments" / f"{environment}.toml"
    file.write_text(file.read_text().replace(OF_THE_NETWORK[environment], 'network = "private"', 1))
    if environment == "production":
        environ = {"SMOKE_AUTH_TOKEN": token_of_a_user_with_streams(given), **environ}
    ran = project.smoke("--env", environment, *arguments, **environ)
    return ran, json.loads((ran.folder / "decision.json").read_text())


@pytest.mark.parametrize(
    ("environment", "auth_mode"), [("staging", "wallet"), ("local", "jwt"), ("production", "bearer")]
)
def test_a_release_that_passes_is_promoted(tmp_path: Path, sandbox: Sandbox, environment: str, auth_mode: str) -> None:
    ran, decision = play(tmp_path, sandbox, environment, SMOKE_AUTH_MODE=auth_mode)
    assert ran.verdict.verdict is VerdictStatus.PASS, ran.output
    assert ran.verdict.evidence.excluded_ids
    assert (decision["step"], decision["page"]) == ("promote", False)


def test_a_release_that_fails_is_rolled_back(tmp_path: Path, failing: Sandbox) -> None:
    ran, decision = play(tmp_path, failing, "staging")
    assert ran.verdict.verdict is VerdictStatus.FAIL, ran.output
    assert decision["step"] == "rollback"


def test_a_tag_filter_makes_it_a_part(tmp_path: Path, sandbox: Sandbox) -> None:
    ran, decision = play(tmp_path, sandbox, "staging", "--tags", "@readiness or @records")
    assert ran.verdict.verdict is VerdictStatus.PASS, ran.output
    assert (decision["step"], decision["because"]) == (
        "hold",
        "a part of the suite passed: that is no reason to promote",
    )
