"""Which tests take long, so that they begin first and side by side: a long one that begins last is waited for alone."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

_ACCESS = "tests/steps/test_access_against_sandbox.py"

SECONDS: Mapping[str, float] = {
    "tests/ground/test_suite_mutants.py::test_no_mutant": 60,
    "tests/unit/rollback/test_crash_points.py::test_it_acts": 45,
    "tests/suite/test_bake.py::test_a_release_that_stays_well": 40,
    "tests/ground/test_calibration.py::test_the_quick_form": 35,
    "tests/ground/test_wheel.py": 15,
    "tests/suite/test_hygiene.py": 15,
    "tests/suite/test_objectives.py": 15,
    "tests/suite/test_rollback.py": 10,
    "tests/suite/test_lanes.py": 10,
    "tests/suite/test_init.py": 10,
    "tests/suite/test_crashes.py": 10,
    f"{_ACCESS}::test_an_attempt_that_succeeds_breaks_the_promise_it_is_about[limits-shared-": 30,
    "tests/steps/test_settings_mismatch.py::test_a_run_at": 20,
    "tests/steps/test_left_on_contract.py::test_a_stream_whose_opening": 15,
    "tests/suite/test_concurrent_runs.py": 10,
    "tests/ground/test_walkthrough.py": 10,
}
"""About how long each of these takes on two cores; what takes less than ten seconds need not be here."""


class Test(Protocol):
    """A test as pytest collected it."""

    @property
    def nodeid(self) -> str: ...


Item = TypeVar("Item", bound=Test)


def slow_first(tests: Sequence[Item], workers: int, seconds: Mapping[str, float]) -> list[Item]:
    """Return the tests in the order in which `workers` get them, long ones at the beginning of each one's share.

    pytest-xdist (`--dist=worksteal`) cuts the list into one share a worker, and a worker that is done takes from the
    end of another's. `seconds` says by the beginning of a test's id how long each test of that name takes; those that
    are not named keep their order, and with it the fixtures they share.
    """
    named = {id(test): _seconds_of(test, seconds) for test in tests}
    long = sorted((test for test in tests if named[id(test)]), key=lambda test: -named[id(test)])
    begins: list[list[Item]] = [[] for _ in range(workers)]
    for test in long:
        least_busy = min(begins, key=lambda begin: sum(named[id(each)] for each in begin))
        least_busy.append(test)
    rest = [test for test in tests if not named[id(test)]]
    ordered: list[Item] = []
    for number, begin in enumerate(begins):
        share = (len(tests) - len(ordered)) // (workers - number)
        more = max(0, share - len(begin))
        ordered += [*begin, *rest[:more]]
        del rest[:more]
    return [*ordered, *rest]


def _seconds_of(test: Test, seconds: Mapping[str, float]) -> float:
    return next((each for name, each in seconds.items() if test.nodeid.startswith(name)), 0.0)
