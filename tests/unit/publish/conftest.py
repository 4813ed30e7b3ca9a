"""The sample runs as fixtures."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sample_runs import SCRIPTS, Sample, Script, judged

from streampay_smoke.publish.report_model import RunReport


@pytest.fixture(params=SCRIPTS, name="any_run")
def _any_run(request: pytest.FixtureRequest) -> Sample:
    return judged(SCRIPTS[request.param]())


@pytest.fixture
def sample() -> Callable[[str], Sample]:
    """Return a named sample run."""
    return lambda name: judged(SCRIPTS[name]())


@pytest.fixture
def script() -> type[Script]:
    """Return the script class, for tests that write their own run."""
    return Script


@pytest.fixture
def many(sample: Callable[[str], Sample]) -> Callable[[str, int], RunReport]:
    """Return the report of a run by its name, with each of its scenarios so many times."""

    def repeated(name: str, count: int) -> RunReport:
        run = sample(name).report
        scenarios = tuple(
            replace(scenario, check=replace(scenario.check, scenario=f"number {number}"))
            for number in range(count)
            for scenario in run.scenarios
        )
        return replace(run, scenarios=scenarios)

    return repeated
