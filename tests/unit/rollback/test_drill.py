"""The drill holds for the actuator as it is, and for nothing that only says so."""

import json
from pathlib import Path

import pytest
from fleet_parts import environment_in

from streampay_smoke.cli import main
from streampay_smoke.core.progress_line import ProgressLine
from streampay_smoke.rollback import command
from streampay_smoke.rollback import drill as drills


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment_in(tmp_path)
    monkeypatch.chdir(tmp_path)


def test_every_exercise_holds_and_the_report_is_dated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "counted", lambda count: ProgressLine(count, live=None, every_seconds=0.05))
    assert main(["rollback", "--drill"]) == 0
    said, progress = capsys.readouterr()
    assert progress.startswith(f"... 0 of {drills.EXERCISES} exercises; ")
    for line in ("; starting a fleet", " s left; ", "; an engine that acts"):
        assert line in progress
    assert "Every exercise held." in said
    folder = tmp_path / "artifacts" / "rollback" / "drills"
    (report,) = folder.glob("*.json")
    (page,) = folder.glob("*.md")
    (log,) = folder.glob("*.jsonl")
    assert report.stem == page.stem == log.stem
    written = json.loads(report.read_text())
    assert written["at"].replace("-", "").replace(":", "") == report.stem
    assert written["held"] is True
    assert len(written["exercises"]) == drills.EXERCISES
    assert {exercise["held"] for exercise in written["exercises"]} == {True}
    assert f"report: {page}" in said


def test_a_program_that_only_says_so_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drills, "PROGRAM", "platform")  # prints a line and ends with 0
    assert main(["rollback", "--drill"]) == 1
    said = capsys.readouterr().out
    assert "Something did not hold" in said
    assert "| **FAILED** | a broken release is rolled back" in said
    assert "exit code 0, v2 live, 0 made: Linux" in said


def test_a_drill_is_made_on_the_sandbox_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", "--drill", "--env", "staging"]) == 2
    assert "a drill is made on a fleet of the sandbox, and nowhere else" in capsys.readouterr().out
