"""What the source imports is declared, and what is declared is imported."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {folder.name for folder in (ROOT / "src").iterdir()}
NOT_IMPORTED: dict[str, str] = {}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


DECLARED = names(PROJECT["dependencies"])
OPTIONAL = names([line for extra in PROJECT["optional-dependencies"].values() for line in extra])


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the top packages that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def imported() -> set[str]:
    """Return the distributions that the source imports; a module that none provides stands for itself."""
    modules = {module for path in (ROOT / "src").rglob("*.py") for module in imported_modules(path)}
    providers = packages_distributions()
    foreign = modules - set(sys.stdlib_module_names) - OURS
    return {canonicalize_name(name) for module in foreign for name in set(providers.get(module, [module]))}


def test_every_package_that_is_imported_is_declared() -> None:
    assert sorted(imported() - DECLARED - OPTIONAL) == []


def test_every_declared_package_is_imported_or_has_a_reason() -> None:
    assert (DECLARED | OPTIONAL) - imported() == NOT_IMPORTED.keys()
