"""Which tests take long, so that they begin first and side by side: a long one that begins last is waited for alone."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

_ACCESS = "tests/steps/test_access_against_sandbox.py"

SECONDS: Mapping[str, float] = {
    "tests/ground/test_suite_mutants.py::test_no_mutant": 60,
    "tests/ground/test_wheel.py": 60,
    "tests/suite/test_namespaces.py": 60,
    "tests/suite/test_objectives.py": 60,
    "tests/deploy/test_waves.py": 60,
    "tests/deploy/test_github_end_to_end.py": 60,
    "tests/deploy/test_manifests_end_to_end.py": 60,
    "tests/suite/test_hygiene.py": 45,
    "tests/suite/test_rollback.py": 45,
    "tests/unit/rollback/test_crash_points.py::test_it_acts": 45,
    "tests/ground/test_calibration.py::test_the_quick_form": 40,
    "tests/suite/test_bake.py::test_a_release_that_stays_well": 40,
    "tests/suite/test_concurrent_runs.py::test_": 30,
    f"{_ACCESS}::test_an_attempt_that_succeeds_breaks_the_promise_it_is_about[limits-shared-": 30,
    "tests/suite/test_canary.py": 30,
    "tests/suite/test_init.py": 30,
    "tests/suite/test_crashes.py": 25,
    "tests/steps/test_settings_mismatch.py::test_a_run_at": 20,
    "tests/suite/test_lanes.py::test_": 15,
    "tests/steps/test_left_on_contract.py::test_a_stream_whose_opening": 15,
    "tests/ground/test_walkthrough.py": 15,
    "tests/deploy/test_gitlab_end_to_end.py": 15,
    "tests/unit/rollback/test_drill.py": 10,
}
"""About how long a test takes on two cores, or a whole file, whose tests stay together and share what it prepares."""


class Test(Protocol):
    """A test as pytest collected it."""

    @property
    def nodeid(self) -> str: ...


Item = TypeVar("Item", bound=Test)


def slow_first(tests: Sequence[Item], workers: int, seconds: Mapping[str, float]) -> list[Item]:
    """Return the tests in the order in which `workers` get them, long ones at the beginning of each one's share.

    pytest-xdist (`--dist=worksteal`) cuts the list into one share a worker, and a worker that is done takes from the
    end of another's. Tests that are not named in `seconds` keep their order, and with it what they share.
    """
    keys = {id(test): next((key for key in seconds if test.nodeid.startswith(key)), "") for test in tests}
    named = groupby((test for test in tests if keys[id(test)]), key=lambda test: keys[id(test)])
    units = [(seconds[key], unit) for key, group in named for unit in _units(key, list(group))]
    begins: list[list[Item]] = [[] for _ in range(workers)]
    busy = [0.0] * workers
    for each_seconds, unit in sorted(units, key=lambda unit: -unit[0]):
        least = busy.index(min(busy))
        busy[least] += each_seconds
        begins[least] += unit
    rest = [test for test in tests if not keys[id(test)]]
    ordered: list[Item] = []
    for number, begin in enumerate(begins):
        share = (len(tests) - len(ordered)) // (workers - number)
        more = max(0, share - len(begin))
        ordered += [*begin, *rest[:more]]
        del rest[:more]
    return [*ordered, *rest]


def _units(key: str, tests: list[Item]) -> list[list[Item]]:
    """Return what stays together: a whole file, or each test of a name."""
    return [[test] for test in tests] if "::" in key else [tests]
