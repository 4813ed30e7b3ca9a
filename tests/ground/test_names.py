"""A public class of the gate is the only one of its name: a reader needs no module to know which one is meant."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "streampay_smoke"


def shared_names(folder: Path) -> dict[str, list[str]]:
    """Return the public classes that several modules below a folder define, by name."""
    modules: Mapping[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(str(path.relative_to(folder)))
    return {name: found for name, found in modules.items() if len(found) > 1}


def test_no_two_modules_of_the_gate_define_a_class_of_the_same_name() -> None:
    assert shared_names(SOURCE) == {}


@pytest.mark.parametrize(
    ("name", "shared"), [("Answer", {"Answer": ["a.py", "b.py"]}), ("_Answer", {}), ("Outcome", {})]
)
def test_a_shared_name_is_found_and_a_private_one_may_be_shared(
    tmp_path: Path, name: str, shared: dict[str, list[str]]
) -> None:
    (tmp_path / "a.py").write_text(f"class {name}: ...\n")
    (tmp_path / "b.py").write_text(f"class {'Result' if name == 'Outcome' else name}: ...\n")
    assert shared_names(tmp_path) == shared
