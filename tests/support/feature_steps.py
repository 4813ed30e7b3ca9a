"""The steps of the features as functions: what a scenario does can be played on its context without behave."""

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from streampay_smoke.acceptance.scenario_context import ScenarioContext

FOLDER = Path(__file__).parents[2] / "features" / "steps"


def _all_steps() -> dict[str, Callable[..., None]]:
    found: dict[str, Callable[..., None]] = {}
    for path in sorted(FOLDER.glob("*.py")):
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


def play(world: ScenarioContext, *names: str, **arguments: object) -> None:
    """Play steps by the names of their functions, one after the other, on a scenario's context."""
    for name in names:
        STEPS[name](SimpleNamespace(world=world), **arguments)
