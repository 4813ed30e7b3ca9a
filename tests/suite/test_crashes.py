"""A sample of `benchmarks/crash_and_leak.py`: killed runs answer nothing wrong, pay nobody twice, leak nothing."""

import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from crashes import Kill, Scene, broken, kills
from gate_watch import Watched

from streampay_sandbox.proxy import DisturbingProxy, Forward, ProxiedRequest, ProxyDecision, SubstituteAnswer
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.acceptance.resources.contract_streams import CONTRACT_STREAM

SHORT = "@settlement or @readiness"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with start_sandbox() as sandbox, DisturbingProxy(sandbox.base_url, behaviour=broken) as faulty:
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


def test_a_draft_that_a_killed_run_left_on_the_contract_is_cancelled_by_a_sweep(tmp_path: Path) -> None:
    drafted, swept = threading.Event(), threading.Event()

    def no_start(passing: ProxiedRequest) -> ProxyDecision:
        """Let no request through once the run has named its stream: what comes next would start it."""
        named = any(CONTRACT_STREAM in path.read_text() for path in tmp_path.rglob("journal.jsonl"))
        if not named or swept.is_set():
            return Forward()
        drafted.set()
        return SubstituteAnswer(status=503)

    with start_sandbox() as sandbox, DisturbingProxy(sandbox.rpc_url, behaviour=no_start) as proxy:
        scene = Scene(sandbox, sandbox.base_url, tmp_path)
        ledger = {"SMOKE_STELLAR_RPC_URL": proxy.url}
        with Watched(scene.project, "behave", "--name=settled directly on the contract", **ledger) as watched:
            assert watched.wait_until(drafted.is_set)
            assert watched.kill(*watched.pids())
            watched.wait()
        assert list(scene.audit(()).direct_streams_left.values()) == ["draft"]
        swept.set()
        said = scene.project.answer("sweep", "--older-than", "0", **ledger)
        assert said.returncode == 0, said.stderr
        assert said.stdout.startswith("ended  contract stream "), said.stdout
        audit = scene.audit(())
    assert (audit.direct_streams, audit.direct_streams_left, audit.missing_stroops) == (1, {}, 0)


def test_moments_are_drawn_from_the_seed_alone_and_cover_the_run() -> None:
    planned, again, others = (list(islice(kills(seed=seed, lines=400), 200)) for seed in (1, 1, 2))
    assert planned == again != others
    assert {kill.after_lines for kill in planned} >= {0, 400}
    assert len({kill.after_lines // 40 for kill in planned}) > 9
