"""The page about mutation testing is of the judge as it is, and what may live is said with a reason."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "mutation.py"


@pytest.fixture(name="mutation", scope="module")
def the_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutation"] = module  # msgspec looks its records' types up there
    spec.loader.exec_module(module)
    return module


def test_the_page_is_of_the_judge_as_it_is_now(mutation: ModuleType) -> None:
    assert mutation.stale() == ""
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_changed_judge_is_seen(mutation: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    shutil.copytree(mutation.GATE, gate, ignore=shutil.ignore_patterns("__pycache__"))
    assert mutation.digest(gate) == mutation.digest()
    with (gate / "judge.py").open("a") as judge:
        judge.write("\n")
    assert "run scripts/mutate.sh" in mutation.stale(mutation.PAGE, gate)
    monkeypatch.setattr(mutation, "stale", lambda: "it is stale")
    assert mutation.main([]) == 1


def test_every_mutant_that_may_live_has_a_reason(mutation: ModuleType) -> None:
    explained = mutation.explanations()
    assert all(entry.why.strip() for entry in explained)
    keys = [(entry.function, entry.was, becomes) for entry in explained for becomes in entry.becomes]
    assert len(keys) == len(set(keys))


def test_the_score_counts_what_may_not_live(mutation: ModuleType) -> None:
    assert mutation._row("judge", 100, 10, 5) == "| judge | 100 | 90 | 5 | 5 | 94.7 % |\n"
    assert mutation._row("empty", 2, 2, 2) == "| empty | 2 | 0 | 2 | 0 | 100.0 % |\n"
