"""docs/scale.md is what `benchmarks/scale.py` simulates, and its schedule stays within the limits."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="scale")
def _scale() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_is_simulated(scale: ModuleType) -> None:
    assert scale.main(["--check"]) == 0


def test_a_plan_that_waits_for_nothing_breaks_the_limits_and_the_one_in_turn_keeps_them(scale: ModuleType) -> None:
    costs = scale.measured()
    at_once, in_turn = (
        scale.simulate(plan, costs["money"], costs["read-only"]) for plan in (scale.PLANS[0], scale.RECOMMENDED)
    )

    assert at_once.most_calls > scale.TRANSACTIONS_PER_LEDGER
    assert at_once.most_friendbot > scale.FRIENDBOT_A_MINUTE
    assert in_turn.most_calls <= scale.TRANSACTIONS_PER_LEDGER
    assert in_turn.most_rpc <= scale.RPC_A_SECOND
    assert in_turn.most_friendbot <= scale.FRIENDBOT_A_MINUTE
    assert in_turn.most_jobs <= scale.JOBS_AT_ONCE
    assert in_turn.hours * 3600 < 1.1 * scale.DAY_SECONDS
    assert len(in_turn.waits) == scale.ENVIRONMENTS


def test_jobs_cover_every_region_of_every_deploy_once(scale: ModuleType) -> None:
    for plan in scale.PLANS:
        jobs = list(scale.jobs_of(plan))
        assert sum(job.whole + job.others for job in jobs) == scale.ENVIRONMENTS * plan.judged
        assert sum(job.whole for job in jobs) == scale.ENVIRONMENTS * plan.whole_in
