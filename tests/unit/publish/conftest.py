"""The sample runs as fixtures."""

from collections.abc import Callable

import pytest
from sample_runs import SCRIPTS, Sample, Script, judged


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
