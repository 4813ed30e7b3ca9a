"""A sample of `benchmarks/crash_and_leak.py`: killed runs answer nothing wrong, pay nobody twice, leak nothing."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from crashes import Kill, Scene, broken, kills

from streampay_smoke.sandbox.road import Proxy
from streampay_smoke.sandbox.stack import start_sandbox

SHORT = "@settlement or @readiness"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with start_sandbox() as sandbox, Proxy(sandbox.base_url, disturb=broken) as faulty:
        yield Scene(sandbox, faulty.url, tmp_path, tags=SHORT)


def test_runs_that_are_killed_in_the_middle_leave_nothing_wrong(scene: Scene) -> None:
    planned = [
        Kill(number=0, victim="the whole group", after_lines=150, after_seconds=0.0, faulty=False, neighbour=True),
        Kill(number=1, victim="supervisor", after_lines=90, after_seconds=0.0, faulty=True, neighbour=False),
    ]
    for kill in planned:
        crash = scene.crash(kill)
        assert not crash.problems, crash
        assert (crash.hit, crash.left.partition(" (")[0]) == (True, "killed before: INCONCLUSIVE"), crash
    audit = scene.audit(range(len(planned)))
    assert audit.paid_streams >= 2
    assert not audit.paid_twice
    assert not audit.unexplained_transfers
    assert not audit.missing_stroops
    assert not audit.service_streams_left


def test_moments_are_drawn_from_the_seed_alone_and_cover_the_run() -> None:
    planned, again, others = (list(islice(kills(seed=seed, lines=400), 200)) for seed in (1, 1, 2))
    assert planned == again != others
    assert {kill.after_lines for kill in planned} >= {0, 400}
    assert len({kill.after_lines // 40 for kill in planned}) > 9
