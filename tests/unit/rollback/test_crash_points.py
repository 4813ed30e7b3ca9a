"""Exactly once, wherever the actuator is killed: every point is visited, by SIGKILL, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from crash_explorer import Exploration, Explored, Scenario
from fleet_parts import ROOT, environment_in
from msgspec.structs import replace
from suite_parts import untraced
from waits import HANG_SECONDS, slowdown

from streampay_sandbox.fleet import Fleet

SETTLE_SECONDS = 0.6

SCENARIOS = (
    Scenario(name="healthy", least=38),
    Scenario(name="no-answer", least=36, faults=("no-answer",), kills=3, every=3),
    Scenario(name="late", least=36, faults=("late",), kills=3, every=3),
    Scenario(name="forgets-keys", least=36, faults=("forgets-keys",), kills=3, every=3, dies_while_asking=False),
    Scenario(name="dead-release", least=36, failed="dead", kills=3, every=3),
    Scenario(name="recording", least=12, records=True),
    Scenario(name="does-nothing", least=6, faults=("does-nothing",), every=6, within_seconds=1.0, exit_code=1),
)


def test_there_are_two_hundred_crash_points() -> None:
    assert sum(scenario.least for scenario in SCENARIOS) >= 200


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet("v1", replicas=1) as running:
        running.start("v2", replicas=1, faults=["half-broken"])
        running.start("dead", replicas=0)
        running.engine.late_seconds = 0.1
        yield running


def explore(fleet: Fleet, root: Path, scenario: Scenario) -> Explored:
    fleet.engine.misbehave(*scenario.faults)
    slow = slowdown()
    asked = Exploration(
        environ={**fleet.environ(), "SMOKE_AUTH_MODE": "jwt"},
        root=str(environment_in(root)),
        engine_url=fleet.engine_url,
        scenario=replace(scenario, within_seconds=slow * scenario.within_seconds),
        settle_seconds=slow * SETTLE_SECONDS,
    )
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "support" / "crash_explorer.py"],
        input=msgspec.json.encode(asked),
        env=untraced(),
        capture_output=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    said = [line for line in done.stderr.decode().splitlines() if not line.startswith("... ")]  # what goes on
    assert said == []
    return msgspec.json.decode(done.stdout, type=Explored)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_it_acts_once_and_ends_proved(fleet: Fleet, tmp_path: Path, scenario: Scenario) -> None:
    visits = explore(fleet, tmp_path, scenario).visits
    acts = scenario.exit_code == 0
    expected = (scenario.exit_code, "v1" if acts else scenario.failed, int(acts), False)
    assert [visit for visit in visits if (visit.exit_code, visit.live, visit.applied, visit.damaged) != expected] == []
    assert all(("RollbackProved" in visit.steps) is acts for visit in visits)
    assert sum(len(visit.killed) for visit in visits) >= scenario.least
