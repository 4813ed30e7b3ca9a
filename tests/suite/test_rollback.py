"""Deploy, gate, promote; deploy a broken release, gate, verified rollback: the programs as users run them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from suite_parts import Project, Ran

from streampay_sandbox.engine import EngineFault
from streampay_sandbox.fleet import Fleet
from streampay_smoke.gate.verdict import VerdictStatus


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet("v1", replicas=2) as running:
        running.start("v2", replicas=2)
        running.start("v3", replicas=2, faults=["half-broken"])
        yield running


class Pipeline:
    """A deploy as a pipeline makes it: record, deploy, gate."""

    def __init__(self, project: Project, fleet: Fleet) -> None:
        self.project = project
        self.fleet = fleet
        fleet.engine.misbehave()
        fleet.engine.promote("v1")
        self.rolled_back_before = len(fleet.engine.state().applied)

    def record(self, deploy: str) -> None:
        command = [sys.executable, "-m", "streampay_smoke", "rollback", "--record", "--deploy", deploy]
        done = subprocess.run(
            command, cwd=self.project.folder, env=self.project.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def gate(self, release: str, *arguments: str, deploy: str, **environ: str) -> Ran:
        given = {"SMOKE_EXPECT_RELEASE": release, "SMOKE_DEPLOY": deploy, "SMOKE_ON_FAIL": "rollback", **environ}
        return self.project.smoke(*arguments, **given)

    @property
    def rollbacks(self) -> int:
        return len(self.fleet.engine.state().applied) - self.rolled_back_before

    @property
    def live(self) -> str:
        return self.fleet.engine.state().live


@pytest.fixture
def pipeline(tmp_path: Path, fleet: Fleet) -> Pipeline:
    return Pipeline(Project(tmp_path, fleet.environ()), fleet)


def decision_of(ran: Ran) -> dict[str, Any]:
    decision: dict[str, Any] = json.loads((ran.folder / "decision.json").read_text())
    return decision


def test_blue_green_promotes_a_good_release_and_takes_a_broken_one_back(pipeline: Pipeline, fleet: Fleet) -> None:
    pipeline.record("d-1")
    preview = {"SMOKE_BASE_URL": fleet.preview_url("v2"), "SMOKE_ROLLBACK_BASE_URL": fleet.base_url}
    good = pipeline.gate("v2", deploy="d-1", **preview)
    assert (good.verdict.verdict, decision_of(good)["step"]) == (VerdictStatus.PASS, "promote"), good.output
    assert "decision: promote: every promise was proved" in good.output
    fleet.engine.promote("v2")

    pipeline.record("d-2")
    fleet.engine.promote("v3")
    broken = pipeline.gate("v3", deploy="d-2")
    assert (broken.code, broken.verdict.verdict) == (1, VerdictStatus.FAIL), broken.output
    assert "decision: roll back: the release broke a promise -> v2 is put back now" in broken.output
    assert "ROLLED BACK  sandbox: v2 is live again and healthy" in broken.output
    decision = decision_of(broken)
    assert (decision["acts"], decision["target_release"], decision["rollback"]) == (True, "v2", {"exit_code": 0})
    assert (pipeline.live, pipeline.rollbacks) == ("v2", 1)


def test_a_canary_is_taken_back_by_an_engine_that_gives_no_answer(pipeline: Pipeline, fleet: Fleet) -> None:
    file = pipeline.project.folder / "environments" / "sandbox.toml"  # a tenth of the traffic is one replica of ten
    file.write_text(file.read_text().replace("replicas = 1\n", "replicas = 10\n", 1))
    pipeline.record("d-1")
    fleet.engine.shift({"v1": 90, "v3": 10})
    fleet.engine.misbehave(EngineFault.NO_ANSWER)
    preview = {"SMOKE_BASE_URL": fleet.preview_url("v3"), "SMOKE_ROLLBACK_BASE_URL": fleet.base_url}
    ran = pipeline.gate("v3", deploy="d-1", **preview)
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    assert "ROLLED BACK  sandbox: v1 is live again and healthy" in ran.output
    assert "Engine: " in ran.output
    assert (fleet.engine.state().weights["v3"], pipeline.live, pipeline.rollbacks) == (0, "v1", 1)


@pytest.mark.parametrize("selection", [("--tags", "@streams"), ("features/streams.feature",)])
def test_a_feature_played_by_hand_never_rolls_back(
    pipeline: Pipeline, fleet: Fleet, selection: tuple[str, ...]
) -> None:
    pipeline.record("d-1")
    fleet.engine.promote("v3")
    ran = pipeline.gate("v3", *selection, deploy="d-1")
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    decision = decision_of(ran)
    assert (decision["step"], decision["acts"], decision["page"]) == ("hold", False, False)
    assert "decision: hold: a part of the suite failed: whoever played it decides" in ran.output
    assert (pipeline.live, pipeline.rollbacks) == ("v3", 0)


def test_behave_itself_judges_and_never_acts(pipeline: Pipeline, fleet: Fleet) -> None:
    pipeline.record("d-1")
    fleet.engine.promote("v3")
    given = {"SMOKE_EXPECT_RELEASE": "v3", "SMOKE_DEPLOY": "d-1", "SMOKE_ON_FAIL": "rollback"}
    ran = pipeline.project.behave("--tags=@streams", **given)
    assert (ran.code, decision_of(ran)["acts"]) == (1, False), ran.output
    assert (pipeline.live, pipeline.rollbacks) == ("v3", 0)
