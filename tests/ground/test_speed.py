"""The benchmark compares with what was measured beside it, and names the part that grew."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def speed() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("speed", ROOT / "benchmarks" / "speed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def row(speed: ModuleType, **changes: Any) -> Any:
    fields = {
        "part": "start-up",
        "what": "the runner",
        "seconds": (1.0, 3.0, 2.0),
        "base": "the base",
        "base_seconds": (0.5, 1.0, 40.0),
    }
    return speed.Row(**{**fields, **changes})


def test_a_ratio_is_of_medians(speed: ModuleType) -> None:
    assert row(speed).ratio == 2.0


@pytest.mark.parametrize(("target", "met"), [(None, None), (2.0, True), (1.9, False)])
def test_a_target_is_met_or_missed(target: float | None, met: bool | None, speed: ModuleType) -> None:
    assert row(speed, target=target).met is met


def test_a_page_names_each_target_that_is_missed(speed: ModuleType) -> None:
    found = {"start-up": [row(speed, target=1.5), row(speed, what="behave", target=2.5), row(speed, what="Python")]}

    page = speed._page(found, runs=3, loads=(0.5, 1.0))

    assert "Targets that are missed: 1 of 2.\n- the runner: 2.00 times the base, 1.50 wanted\n" in page
    assert "| the runner | 2.0 s | 3.0 s | 3 | 2.00 | the base | 1.50 | **no** |" in page


@pytest.mark.parametrize(("most", "grew"), [(2.1, False), (1.9, True), (None, False)])
def test_a_regression_fails_and_says_what_grew(
    most: float | None,
    grew: bool,
    speed: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(speed, "CHECKED", {"start-up": lambda runs: iter([row(speed, most=most)])})

    assert speed.main(["--check"]) == int(grew)

    said = "grew: start-up: the runner: 2.00 x the base, and may be 1.9 at most"
    assert (said in capsys.readouterr().out) == grew


def test_evidence_is_measured_by_scenario(speed: ModuleType) -> None:
    found = list(speed.evidence.rows(1, (speed.evidence.BASE, 200)))

    assert [each.what for each in found] == [
        f"{cost}, each of {count} scenarios"
        for cost in ("writing the journal", "reading and judging it", "making every report")
        for count in (speed.evidence.BASE, 200)
    ]
    assert all(0 < each.median < 1 for each in found)
