"""How the acceptance package is built: actions take values, checks are pure, only steps and hooks touch the context."""

import ast
import importlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from streampay_smoke import acceptance
from streampay_smoke.run.pins import PinnedScenario, read
from streampay_smoke.runner.plan import scenarios_below

ROOM = Path(acceptance.__file__).parent
FEATURES = Path(__file__).parents[3] / "features"
HELPERS = ("actions", "checks", "observations", "resources")
MOST_LINES_OF_A_STEP = 6

PURE_MODULES = {
    "streampay_smoke.core.amounts",
    "streampay_smoke.evidence.fleet",
    "streampay_smoke.evidence.values",
    "streampay_smoke.http.retry_after",
    "streampay_smoke.service.exchange",
    "streampay_smoke.service.shape",
}
"""Outside the package, the modules whose functions only compute."""

SIDE_EFFECTS = {"asyncio", "http", "httpx", "os", "pathlib", "random", "secrets", "socket", "subprocess", "time"}


def modules(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        yield from sorted((ROOM / room).glob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(("streampay_smoke.acceptance", *path.relative_to(ROOM).with_suffix("").parts))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("path", [*modules(*HELPERS), ROOM / "run_context.py"], ids=name_of)
def test_no_helper_takes_the_scenarios_context(path: Path) -> None:
    tree = ast.parse(path.read_text())
    arguments = [
        argument
        for function in functions(tree)
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    ]
    annotated = [ast.unparse(argument.annotation) for argument in arguments if argument.annotation]
    assert not {argument.arg for argument in arguments} & {"context", "scenario_context"}
    assert not [each for each in annotated if "ScenarioContext" in each or each == "Context"]
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [each for each in imported if each and (each.endswith("scenario_context") or each.startswith("behave"))]


def is_value(found: Any, module: str) -> bool:
    """Whether a name that a check imports is data, an error, or a function that only computes."""
    if isinstance(found, ModuleType):
        return found.__name__.startswith("streampay_smoke.acceptance.checks")
    if isinstance(found, type):
        return issubclass(found, msgspec.Struct | Exception | Enum)
    return not callable(found) or module in PURE_MODULES


@pytest.mark.parametrize("path", [*modules("checks")], ids=name_of)
def test_a_check_neither_sends_nor_signs_nor_waits(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {each.name.partition(".")[0] for each in node.names} & SIDE_EFFECTS
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        assert node.module.partition(".")[0] not in SIDE_EFFECTS
        if not node.module.startswith("streampay_smoke") or node.module.startswith("streampay_smoke.acceptance.checks"):
            continue
        module = importlib.import_module(node.module)
        wrong = [each.name for each in node.names if not is_value(getattr(module, each.name), node.module)]
        assert wrong in ([], ["Recorder"]), f"{path.name} imports {wrong} of {node.module}"


@pytest.mark.parametrize("path", sorted((FEATURES / "steps").glob("*.py")), ids=lambda path: path.stem)
def test_a_step_is_short_and_calls_what_acts_or_checks(path: Path) -> None:
    for function in functions(ast.parse(path.read_text())):
        lines = function.body[-1].end_lineno - function.body[0].lineno + 1  # type: ignore[operator]
        assert lines <= MOST_LINES_OF_A_STEP, function.name
        wrong = (ast.Assert, ast.Try, ast.Raise, ast.If, ast.While)
        assert not [node for node in ast.walk(function) if isinstance(node, wrong)], function.name


def test_only_a_then_step_asserts() -> None:
    pins = read(FEATURES / "manifest.jsonl")
    for item in scenarios_below(FEATURES):
        pin = pins[item.expected.id]
        assert isinstance(pin, PinnedScenario)
        for step, counts in zip(item.scenario.all_steps, pin.at_least_by("ledger"), strict=True):
            assert bool(counts) is (step.step_type == "then"), f"{pin.name}: {step.name}"
