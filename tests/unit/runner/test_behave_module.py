"""Which interpreters run behave as a module, and whose entry they find."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from streampay_smoke.runner.python_m_behave import BehaveMain, is_behave


@pytest.mark.parametrize(
    ("arguments", "is_one"),
    [
        (["-m", "behave"], True),
        (["-X", "utf8", "-m", "behave", "--name=["], True),
        (["-mbehave"], True),
        (["-m", "behavex"], False),
        (["-m", "pytest", "-m", "behave"], False),
        (["-c", "print()", "-m", "behave"], False),
        (["behave"], False),
        ([], False),
    ],
)
def test_an_interpreter_that_runs_behave(arguments: list[str], is_one: bool) -> None:
    assert is_behave(arguments) is is_one


def test_the_entry_is_found_once_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = BehaveMain()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert finder.find_spec("behave.runner", None) is None
    found = importlib.util.find_spec("behave.__main__")
    assert found is not None
    assert str(found.origin).endswith("runner/behave_main.py")
    assert finder not in sys.meta_path


def test_behave_of_another_project_has_its_garbage_collected(tmp_path: Path) -> None:
    steps = tmp_path / "features" / "steps"
    steps.mkdir(parents=True)
    (steps.parent / "its.feature").write_text("Feature: its own\n  Scenario: garbage\n    Given it is collected\n")
    (steps / "steps.py").write_text(
        "import gc\n\nfrom behave import given\n\n\n@given('it is collected')\n"
        "def step(context):\n    assert gc.isenabled()\n"
    )
    command = [sys.executable, "-m", "behave"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
