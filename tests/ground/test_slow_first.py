"""Long tests begin first, and every test is played once."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from slow_first import SECONDS, slow_first


def test_long_tests_begin_each_workers_share_and_the_others_keep_their_order() -> None:
    names = [*(f"a::{number}" for number in range(5)), "b::one", "b::two", "c::longer", "c::longer too"]
    tests = [SimpleNamespace(nodeid=name) for name in names]
    found = [test.nodeid for test in slow_first(tests, 2, {"b": 5, "c::": 10})]
    assert found == ["c::longer", "b::one", "b::two", "a::0", "c::longer too", "a::1", "a::2", "a::3", "a::4"]


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 40])
def test_every_test_is_played_once_however_many_workers_there_are(workers: int) -> None:
    tests = [SimpleNamespace(nodeid=f"{'long' if number % 3 else 'short'}::{number}") for number in range(20)]
    assert sorted(map(id, slow_first(tests, workers, {"long::": 1}))) == sorted(map(id, tests))


def test_what_is_said_to_take_long_is_there() -> None:
    for name in SECONDS:
        file, _, test = name.partition("::")
        assert test.partition("[")[0] in Path(__file__).parents[2].joinpath(file).read_text(encoding="utf-8")
