"""What a person does while an engine waits, and what a busy gate does to it."""

from pathlib import Path

import pytest
from engines.adapters import ON_LINE
from engines.effects import Effect
from engines.line import BusyLine, RerunLine

from streampay_smoke.gate.verdict import VerdictStatus

pytestmark = pytest.mark.usefixtures("quick_disk")

HOLDS = ("Argo Rollouts, after promotion (web)", "Flagger, blue/green", "Amazon ECS, lifecycle hook")
"""Engines that wait for as long as there is no answer, or at least long enough for a person."""


@pytest.mark.parametrize("name", HOLDS)
def test_a_rerun_that_passes_ends_the_waiting_without_a_redeploy(tmp_path: Path, name: str) -> None:
    with RerunLine(tmp_path, VerdictStatus.INCONCLUSIVE, then=VerdictStatus.PASS, after_calls=6) as line:
        assert ON_LINE[name](line) is Effect.PROMOTED


@pytest.mark.parametrize("name", HOLDS)
def test_a_rerun_that_fails_ends_it_the_other_way(tmp_path: Path, name: str) -> None:
    with RerunLine(tmp_path, VerdictStatus.INCONCLUSIVE, then=VerdictStatus.FAIL, after_calls=6) as line:
        assert ON_LINE[name](line) in {Effect.ROLLED_BACK, Effect.GIVEN_UP}


def test_a_pass_that_is_withdrawn_while_traffic_shifts_promotes_nothing(tmp_path: Path) -> None:
    with RerunLine(tmp_path, VerdictStatus.PASS, then=VerdictStatus.INCONCLUSIVE, after_calls=5) as line:
        assert ON_LINE["Flagger, progressive"](line) is Effect.HELD


def test_a_fail_that_is_found_while_traffic_shifts_rolls_back(tmp_path: Path) -> None:
    with RerunLine(tmp_path, VerdictStatus.PASS, then=VerdictStatus.FAIL, after_calls=5) as line:
        assert ON_LINE["Flagger, progressive"](line) is Effect.ROLLED_BACK


@pytest.mark.parametrize("name", ON_LINE)
def test_a_queue_that_is_full_for_a_while_changes_nothing(tmp_path: Path, name: str) -> None:
    with BusyLine(tmp_path, VerdictStatus.PASS, busy_calls=6) as line:
        assert ON_LINE[name](line) is Effect.PROMOTED


@pytest.mark.parametrize("name", ON_LINE)
def test_a_queue_that_stays_full_rolls_nothing_back(tmp_path: Path, name: str) -> None:
    with BusyLine(tmp_path, VerdictStatus.PASS, busy_calls=100_000) as line:
        assert ON_LINE[name](line) in {Effect.HELD, Effect.GIVEN_UP}
        assert ON_LINE[name](line) is (Effect.HELD if name in HOLDS[:2] else Effect.GIVEN_UP)
