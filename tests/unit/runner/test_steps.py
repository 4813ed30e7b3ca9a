"""Every step that a feature speaks of is defined, once, and no definition is left over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from behave.runner_util import load_step_modules
from behave.step_registry import StepRegistry, registry

from streampay_smoke.runner.plan import scenarios_below

FEATURES = Path(__file__).parents[3] / "features"


@pytest.fixture(name="steps")
def the_steps_of_the_features() -> Iterator[StepRegistry]:
    registry.clear()
    load_step_modules([str(FEATURES / "steps")])
    yield registry
    registry.clear()


def test_every_step_is_defined_and_every_definition_is_used(steps: StepRegistry) -> None:
    spoken = {
        (step.step_type, step.name): steps.find_step_definition(step)
        for item in scenarios_below(FEATURES)
        for step in item.scenario.all_steps
    }
    assert [step for step, definition in spoken.items() if definition is None] == []
    used = {definition.func for definition in spoken.values()}
    defined = {matcher.func for matchers in steps.steps.values() for matcher in matchers}
    assert {function.__name__ for function in defined - used} == set()
