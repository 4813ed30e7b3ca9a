"""The steps of the features as functions: what a scenario does can be played on its context without behave."""

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from behave.model import Table
from behave.parser import parse_file
from behave.step_registry import registry

from streampay_smoke.acceptance.scenario_context import ScenarioContext

FEATURES = Path(__file__).parents[2] / "features"


def _all_steps() -> dict[str, Callable[..., None]]:
    found: dict[str, Callable[..., None]] = {}
    for path in sorted((FEATURES / "steps").glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        own = {
            name: each for name, each in inspect.getmembers(module, inspect.isfunction) if each.__module__ == path.stem
        }
        assert not own.keys() & found.keys(), "two steps have one name"
        found.update(own)
    return found


STEPS = _all_steps()


def _all_tables() -> dict[str, Table]:
    found: dict[str, Table] = {}
    for path in sorted(FEATURES.glob("*.feature")):
        for scenario in parse_file(str(path)).walk_scenarios():
            for step in scenario.all_steps:
                if step.table is not None:
                    found.setdefault(registry.find_match(step).func.__name__, step.table)
    return found


TABLES = _all_tables()
"""The table that a step has in the features, by the name of its function."""


def play(scenario: ScenarioContext, *names: str, **arguments: object) -> None:
    """Play steps by the names of their functions, one after the other, on a scenario's context."""
    for name in names:
        STEPS[name](SimpleNamespace(scenario_context=scenario, table=TABLES.get(name)), **arguments)
