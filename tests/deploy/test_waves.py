"""Rollouts in waves: the next one begins on the promotion of the one before, and on nothing else."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engines import argo
from engines.effects import Effect, Situation
from engines.files import document
from engines.fleet_deployment import FleetMachine
from engines.github import Workflow
from engines.line import Line

from streampay_sandbox import fleet as fleets
from streampay_sandbox.fleet import ENGINE_VARIABLE, Fleet
from streampay_smoke.gate import verdict
from streampay_smoke.gate.verdict import VerdictStatus

WAVES = "github/waves.yml"

EU, US = "eu-west-1", "us-east-1"
"""The regions of the first two waves."""

ROLLBACK = """[rollback]
hook = "command"
within_seconds = 20

[rollback.command]
roll_back = ["bash", "-c", "STREAMPAY_FLEET=$(cat engine-${{STREAMPAY_DEPLOY#run-}}) {client} roll-back"]
live_release = ["bash", "-c", "STREAMPAY_FLEET=$(cat engine-${{STREAMPAY_DEPLOY#run-}}) {client} live"]
"""

REGION = """[[regions]]
name = "{name}"
base_url = "{base_url}"
rpc_url = "{rpc_url}"
friendbot_url = "{friendbot_url}"
contract_id = "{contract_id}"
"""

CLIENT = f"{shlex.quote(sys.executable)} -m streampay_sandbox.engine_client"


def roll_out(machine: Any, artifacts: Path, *, roll_back: str, variables: Mapping[str, str] | None = None) -> Workflow:
    """Dispatch waves.yml and play it to its end."""
    protected = {f"sandbox-wave-{wave}": {"vars": dict(variables or {})} for wave in (1, 2, 3)}
    workflow = Workflow(
        document(WAVES),
        machine,
        {
            "inputs": {"environment": "sandbox", "release": "v2", "bake": "4s", "roll_back": roll_back},
            "github": {"run_id": "run", "run_attempt": 1},
            "vars": {},
            "secrets": {},
            "protected": protected,
        },
        artifacts=artifacts,
    )
    workflow.play()
    return workflow


def decisions(played: Workflow) -> dict[str, str]:
    return {name: job["outputs"].get("decision", "") for name, job in played.results.items() if job["outputs"]}


def results(played: Workflow) -> dict[str, str]:
    return {name: job["result"] for name, job in played.results.items()}


@pytest.fixture
def regions() -> Iterator[dict[str, Fleet]]:
    """A fleet in each region of the first two waves, v1 live and v2 started; v2 is broken in the second one."""
    with pytest.MonkeyPatch.context() as patch, Fleet("v1") as eu, Fleet("v1") as us:
        patch.setattr(fleets, "PER_MINUTE_IN_A_FLEET", {**fleets.PER_MINUTE_IN_A_FLEET, "login": 100_000})
        eu.start("v2")
        us.start("v2", faults=["half-broken"])
        yield {EU: eu, US: us}


def test_a_fault_in_wave_two_stops_the_rollout_and_all_that_was_deployed_goes_back(
    regions: dict[str, Fleet], tmp_path: Path
) -> None:
    environs = {name: fleet.environ() for name, fleet in regions.items()}
    listed = [
        REGION.format(
            name=name,
            base_url=environ["SMOKE_BASE_URL"],
            rpc_url=environ["SMOKE_STELLAR_RPC_URL"],
            friendbot_url=environ["SMOKE_STELLAR_FRIENDBOT_URL"],
            contract_id=environ["SMOKE_CONTRACT_ID"],
        )
        for name, environ in environs.items()
    ]
    machine = FleetMachine(tmp_path, rollback=ROLLBACK.format(client=CLIENT) + "".join(listed))
    for name, environ in environs.items():
        (machine.folder / f"engine-{name}").write_text(environ[ENGINE_VARIABLE])
    deploy = f'{ENGINE_VARIABLE}=$(cat "engine-$REGION") {CLIENT} POST "/promote?release=$RELEASE"'
    played = roll_out(
        machine,
        tmp_path / "kept",
        roll_back="all",
        variables={
            "DEPLOY_REGION_COMMAND": deploy,
            "SMOKE_TOKEN_CONTRACT_ID": environs[EU]["SMOKE_TOKEN_CONTRACT_ID"],
        },
    )
    assert decisions(played) == {"first": "promote", "second": "rollback"}, machine.said
    expected = {"first": "success", "second": "success", "third": "skipped", "back": "success", "stopped": "failure"}
    assert results(played) == expected, machine.said[-3:]
    assert "wave 1 PASS, wave 2 FAIL, wave 3 skipped, all rolled back: success" in machine.said[-1]
    assert {name: fleet.engine.state().live for name, fleet in regions.items()} == {EU: "v1", US: "v1"}
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert kept == {"wave-record-1", "wave-record-2", "wave-1-1", "wave-2-1", "waves-back-1"}
    said = {wave: list(verdicts_in(tmp_path / "kept" / f"wave-{wave}-1")) for wave in (1, 2)}
    assert {wave: sorted(str(one.verdict) for one in all_of) for wave, all_of in said.items()} == {
        1: ["PASS", "PASS"],  # the region's, and the merged one
        2: ["FAIL", "FAIL"],
    }


def verdicts_in(folder: Path) -> Iterator[verdict.Verdict]:
    """Yield the verdicts of a wave's evidence, each once: links to a folder were followed when it was uploaded."""
    found = {one.run_id: one for path in folder.rglob("verdict.json") if (one := verdict.written_at(path))}
    yield from found.values()


STUB = """#!/bin/bash
# Stands for the gate: merges say what says-REGION holds (promote without one), and what was asked is kept in asked.
set -euo pipefail
case $1 in
  rollback)
    echo "${2#--} $SMOKE_REGION" >>asked
    [ "$2" = --record ] || exit 0
    mkdir -p artifacts/rollback
    touch "artifacts/rollback/$SMOKE_ENV-$SMOKE_REGION.jsonl" ;;
  run)
    echo "run $3 for ${7}" >>asked
    [ "$(cat "says-$3" 2>/dev/null)" != lost ] || exit 143
    mkdir -p "$SMOKE_ARTIFACTS/1Z-1" && touch "$SMOKE_ARTIFACTS/1Z-1/verdict.json" ;;
  merge)
    while [ "$1" != --expect ]; do [ "$1" = merge ] || echo "merge $1" >>asked; shift; done
    shift
    decision=promote
    for region; do
      [ ! -e "says-$region" ] || [ "$(cat "says-$region")" = lost ] || decision=$(cat "says-$region")
      [ -e "artifacts/$region/1Z-1/verdict.json" ] || decision=hold
    done
    echo "decision=$decision" >>"$GITHUB_OUTPUT"
    [ "$decision" = promote ] ;;
esac
"""


class StubbedMachine(FleetMachine):
    """A runner on which a script stands for the gate."""

    def _install(self) -> None:
        super()._install()
        (self.action / ".venv" / "bin" / "streampay-smoke").write_text(STUB)

    def asked(self, what: str) -> list[str]:
        """Return the regions for which something was asked, in order."""
        lines = (self.folder / "asked").read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith(f"{what} ")]


LAST = ["us-west-2", "ap-south-1"]
DEPLOY = {"DEPLOY_REGION_COMMAND": 'echo "deployed $REGION" >>asked'}


@pytest.mark.parametrize(
    ("says", "roll_back", "deployed", "rolled_back"),
    [
        pytest.param({}, "wave", [EU, US, *LAST], [], id="every wave passes"),
        pytest.param({EU: "rollback"}, "all", [EU], [EU], id="the first one fails"),
        pytest.param({US: "rollback"}, "wave", [EU, US], [US], id="the second one fails"),
        pytest.param({US: "hold"}, "all", [EU, US], [], id="the second one holds"),
        pytest.param({LAST[1]: "rollback"}, "wave", [EU, US, *LAST], LAST, id="the last one fails"),
        pytest.param({LAST[0]: "rollback"}, "all", [EU, US, *LAST], [*LAST, EU, US, *LAST], id="all goes back"),
        pytest.param({US: "lost"}, "all", [EU, US], [], id="a run is lost"),
    ],
)
def test_what_a_wave_says_decides_alone(
    says: dict[str, str], roll_back: str, deployed: list[str], rolled_back: list[str], tmp_path: Path
) -> None:
    machine = StubbedMachine(tmp_path, rollback="")
    for region, decision in says.items():
        (machine.folder / f"says-{region}").write_text(decision)
    played = roll_out(machine, tmp_path / "kept", roll_back=roll_back, variables=DEPLOY)
    assert machine.asked("deployed") == deployed, machine.said
    assert machine.asked("record") == deployed, "before anything changes"
    assert sorted(machine.asked("run")) == sorted(deployed)
    assert machine.asked("deploy") == rolled_back
    assert (results(played)["stopped"] == "skipped") is (not says)
    assert len(machine.asked("merge")) == len(deployed) - (says.get(US) == "lost"), "each wave has its own evidence"


STEPS = "argo-rollouts/waves.yaml"


def argo_rolls_out(line: Line) -> tuple[list[int], Effect]:
    """Make the steps of the Rollout: return the weights that were set, and what became of the release."""
    rollout, template = document(STEPS, kind="Rollout"), document(STEPS, kind="AnalysisTemplate")
    (metric,) = template["spec"]["metrics"]
    weights: list[int] = []
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        if "setWeight" in step:
            weights.append(step["setWeight"])
            continue
        (used,) = step["analysis"]["templates"]
        assert used["templateName"] == template["metadata"]["name"]
        given = {one["name"]: one for one in step["analysis"]["args"]}
        args = {
            arg["name"]: source["value"] if "value" in source else argo.value_from(source["valueFrom"], rollout)
            for arg in template["spec"]["args"]
            if (source := given.get(arg["name"], arg))
        }
        phase = argo.analyse(metric, line, args)
        if phase != "Successful":
            return weights, Effect.ROLLED_BACK if phase in {"Failed", "Error"} else Effect.HELD
    return weights, Effect.PROMOTED


@pytest.mark.parametrize(
    ("says", "weights", "effect"),
    [
        (["PASS", "PASS", "PASS"], [10, 25, 100], Effect.PROMOTED),
        (["FAIL", "PASS", "PASS"], [10], Effect.ROLLED_BACK),
        (["PASS", "FAIL", "PASS"], [10, 25], Effect.ROLLED_BACK),
        (["PASS", "INCONCLUSIVE", "PASS"], [10, 25], Effect.HELD),
        (["PASS", "PASS", "SAFETY"], [10, 25, 100], Effect.HELD),
    ],
)
def test_each_step_of_argo_waits_for_a_verdict_of_its_own(
    says: list[str], weights: list[int], effect: Effect, tmp_path: Path
) -> None:
    with Line(tmp_path, VerdictStatus.PASS, Situation.NORMAL) as line:
        line.player.words = [VerdictStatus(word) for word in says]
        assert argo_rolls_out(line) == (weights, effect)
        deploys = [order.deploy.name for order in line.player.played]
    assert len(set(deploys)) == len(weights), "a run for each wave"


def test_a_gate_that_is_away_takes_no_wave_back(tmp_path: Path) -> None:
    with Line(tmp_path, VerdictStatus.PASS, Situation.DOWN) as line:
        assert argo_rolls_out(line) == ([10], Effect.HELD)
