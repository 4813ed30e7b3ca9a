"""deploy/gitlab, job by job: the gate, the actuator and a fleet are the real ones."""

from pathlib import Path

import pytest
from engines.files import document
from engines.fleet_deployment import FleetMachine, commands
from engines.gitlab import Pipeline

from streampay_sandbox import fleet as fleets
from streampay_sandbox.fleet import Fleet

ROLLBACK = """[rollback]
hook = "command"
within_seconds = 60

[rollback.command]
roll_back = ["{python}", "-m", "streampay_sandbox.engine_client", "roll-back"]
live_release = ["{python}", "-m", "streampay_sandbox.engine_client", "live"]
"""


def variables_of(fleet: Fleet, release: str) -> dict[str, str]:
    """Return the project's variables: those that the head of the file lists, and the ledger's addresses."""
    breaks = f"/start?release={release}&fault=half-broken"
    promote = commands(fleet)["PROMOTE_COMMAND"]
    return {
        **fleet.environ(),
        **commands(fleet),
        "PROMOTE_COMMAND": f"{promote.replace('/promote?release=$RELEASE', breaks)}; {promote}",
        "LIVE_URL": fleet.base_url,
        "CI_COMMIT_SHA": release,
        "CI_PIPELINE_ID": "4242",
    }


def test_a_release_that_breaks_after_its_promotion_is_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "PER_MINUTE_IN_A_FLEET", {**fleets.PER_MINUTE_IN_A_FLEET, "login": 100_000})
    config = document("gitlab/deploy.gitlab-ci.yml")
    config["variables"]["SMOKE_ENV"] = "sandbox"
    with Fleet("v1") as fleet:
        fleet.start("v2")
        machine = FleetMachine(tmp_path, rollback=ROLLBACK)
        given = variables_of(fleet, "v2")
        del given["SMOKE_BASE_URL"], given["SMOKE_ENV"]
        pipeline = Pipeline(config, machine, given, artifacts=tmp_path / "kept")
        results = pipeline.play()
        assert results == {
            "record": "success",
            "candidate": "success",
            "gate": "success",
            "promote": "success",
            "gate-live": "failed",
            "discard": "skipped",
            "rollback": "success",
            "rollback-by-hand": "manual",
        }, machine.said
        assert fleet.engine.state().live == "v1"
    told = [next((tmp_path / "kept" / gate).rglob("*Z-*/summary.md")).read_text() for gate in ("gate", "gate-live")]
    assert ["No earlier green run" in one for one in told] == [True, False], (
        "the history of the job before, by the cache"
    )
    assert any("ROLLED BACK  sandbox: v1 is live again" in said for said in machine.said)
