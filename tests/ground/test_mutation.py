"""The page about mutation testing adds up and is of this judge, and what may live is said with a reason."""

import importlib.util
import shutil
import sys
import warnings
from collections.abc import Callable
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


def test_the_page_is_of_this_judge(mutation: ModuleType) -> None:
    if other := mutation.changed():
        warnings.warn(mutation.WARNING.format(modules=", ".join(other)), stacklevel=1)


@pytest.fixture(name="page")
def a_page(mutation: ModuleType, tmp_path: Path) -> Path:
    """A page of the judge as it is now."""
    found = {
        name: mutation.Row(mutants=100, found=99, may_live=1, survived=0, source=source)
        for name, source in mutation.digests().items()
    }
    lines = [*(row.line(name) for name, row in found.items()), mutation.total(found.values()).line("**all**")]
    path = tmp_path / "mutation.md"
    path.write_text("".join(lines))
    return path


def test_a_change_of_a_module_is_a_warning_and_a_change_of_most_is_an_error(
    mutation: ModuleType,
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = tmp_path / "gate"
    shutil.copytree(mutation.GATE, gate, ignore=shutil.ignore_patterns("__pycache__"))
    assert mutation.changed(page, gate) == []
    (gate / "judge.py").write_text("other = 1")
    (gate / "another.py").write_text("new = 1")
    assert mutation.changed(page, gate) == ["another", "judge"]
    monkeypatch.setattr(mutation.changed, "__defaults__", (page, gate))
    assert mutation.main([]) == 0
    assert "warning: docs/mutation.md was measured before another, judge changed" in capsys.readouterr().out
    for module in gate.glob("*.py"):
        module.write_text("other = 1")
    with pytest.raises(ValueError, match=r"of a judge that is gone: .*; run scripts/mutate.sh"):
        mutation.changed(page, gate)
    assert mutation.main([]) == 1


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: "", "no row of all modules"),
        (lambda text: text.replace("100 | 99", "100 | 98", 1), "does not add up"),
        (lambda text: text.replace("100.0 %", "99.9 %", 1), "does not add up"),
        (lambda text: text[text.index("\n") + 1 :], "not their sum"),
    ],
    ids=["empty", "a count", "a score", "a row"],
)
def test_a_page_that_does_not_add_up_is_an_error(
    mutation: ModuleType, page: Path, spoil: Callable[[str], str], says: str
) -> None:
    page.write_text(spoil(page.read_text()))
    with pytest.raises(ValueError, match=says):
        mutation.changed(page)


def test_a_page_that_is_not_there_and_a_low_score_are_errors(mutation: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "mutation.md"
    with pytest.raises(ValueError, match=r"is no result of scripts/mutate\.sh"):
        mutation.changed(page)
    row = mutation.Row(mutants=100, found=80, may_live=0, survived=20, source="0")
    page.write_text(row.line("judge") + mutation.total([row]).line("**all**"))
    with pytest.raises(ValueError, match=r"80\.0 % is less than"):
        mutation.changed(page)


def test_every_mutant_that_may_live_has_a_reason(mutation: ModuleType) -> None:
    explained = mutation.explanations()
    assert all(entry.why.strip() for entry in explained)
    keys = [(entry.function, entry.was, becomes) for entry in explained for becomes in entry.becomes]
    assert len(keys) == len(set(keys))
    sources = {path.stem: " ".join(path.read_text().split()) for path in mutation.GATE.glob("*.py")}
    gone = [entry for entry in explained if " ".join(entry.was.split()) not in sources[entry.function.split(".")[0]]]
    assert not gone, "explains lines that the judge no longer has"


def test_the_score_counts_what_may_not_live(mutation: ModuleType) -> None:
    row = mutation.Row(mutants=100, found=90, may_live=5, survived=5, source="ab")
    assert row.line("judge") == "| judge | 100 | 90 | 5 | 5 | 94.7 % | `ab` |\n"
    assert (
        mutation.Row(mutants=2, found=0, may_live=2, survived=0).line("no") == "| no | 2 | 0 | 2 | 0 | 100.0 % |  |\n"
    )
