"""The example of docs/writing-scenarios.md leads to a scenario that is played, as it stands on the page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from step_parts import Witness, answer
from waits import HANG_SECONDS

from streampay_smoke.acceptance.checks import operations

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/writing-scenarios.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(?:gherkin|python)\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
CHECK, TEST = "src/streampay_smoke/acceptance/checks/operations.py", "tests/steps/test_operations.py"


def ran(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SMOKE_")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def test_the_example_is_a_change_that_is_accepted_and_then_played(tmp_path: Path) -> None:
    for name in ("features", "environments", "src/streampay_smoke"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "behave.ini", tmp_path)
    assert len(BLOCKS) == 4
    for name in BLOCKS.keys() - {TEST}:
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{BLOCKS[name]}")
    assert ran(tmp_path, "streampay_smoke.runner.manifest").returncode == 1
    accepted = ran(tmp_path, "streampay_smoke.runner.manifest", "--write")
    assert accepted.returncode == 0, accepted.stderr
    played = ran(tmp_path, "streampay_smoke", "run", "--no-report", "--tags", "@operations")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "Each liveness answer tells when it was made" in played.stdout


def test_the_tests_of_the_example_hold() -> None:
    module: dict[str, Any] = dict(vars(operations))
    exec(compile(BLOCKS[CHECK], "<check>", "exec"), module)
    tests: dict[str, Any] = {
        "operations": SimpleNamespace(**module),
        "answer": answer,
        "pytest": pytest,
        "Witness": Witness,
        "Sequence": tuple,
        "Answer": object,
    }
    exec(compile(f"from __future__ import annotations\n{BLOCKS[TEST]}", "<tests>", "exec"), tests)
    tests["test_an_answer_with_its_time_is_one"](Witness())
    fails = tests["test_an_answer_without_its_time_is_none"]
    (rows,) = (mark.args[1] for mark in fails.pytestmark)
    for answers in rows:
        fails(answers, Witness())
