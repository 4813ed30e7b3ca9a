"""Several runs against one deployment at once: they share its limits, and none accuses the release of them.

The sandbox of the whole runs refills its limits of writes and sign-ins in seconds, where StreamPay takes a minute.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from suite_parts import Project, Ran
from waits import HANG_SECONDS, Stopwatch

from streampay_sandbox.service.limits import TokenBuckets
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.gate.verdict import VerdictStatus

AT_ONCE = 4
SECONDS = HANG_SECONDS
"""How long four runs may take on a busy machine."""

REFILL_SECONDS = {"login": 6.0, "write": 6.0}
"""Limits that hold up all the same: four runs need some twenty sign-ins and forty writes, and have five and ten."""

SHORT_SECONDS = 40

BUSY = 4
"""From this slowdown on more than the four runs is at work here."""


def at_once(
    folder: Path, sandbox: Sandbox, *arguments: str, auth_modes: Sequence[str] = ("wallet",) * AT_ONCE, **environ: str
) -> Sequence[Ran]:
    """Start four runs as four pipelines do, and return how they ended."""
    projects = []
    for number, auth_mode in enumerate(auth_modes):
        (folder / str(number)).mkdir()
        given = {**sandbox.ready_document()["env"], "SMOKE_AUTH_MODE": auth_mode, **environ}
        projects.append(Project(folder / str(number), given, traced=False))
    runs = [project.start("streampay_smoke", "run", *arguments) for project in projects]
    outputs = [run.communicate(timeout=SECONDS)[0] for run in runs]
    return [project.ran(run.returncode, said) for project, run, said in zip(projects, runs, outputs, strict=True)]


def sign_ins(run: Ran) -> int:
    return sum(
        event["event"] == "exchanged" and (event["method"], event["target"]) == ("POST", "/api/auth/wallet")
        for event in run.events
    )


def waited(run: Ran) -> bool:
    return any(event["event"] == "rate_limit_wait" for event in run.events)


@pytest.mark.timeout(SECONDS + 30)
def test_runs_of_a_part_sign_each_user_in_once_together(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": f"{tmp_path}/cache"}
    with start_sandbox() as sandbox:
        runs = at_once(tmp_path, sandbox, "--tags", "@streams or @readiness", **cache)

    assert [run.verdict.verdict for run in runs] == [VerdictStatus.PASS] * AT_ONCE, [run.output for run in runs]
    assert sum(sign_ins(run) for run in runs) == 2, "one for each of the two users"


@pytest.mark.timeout(SECONDS + 30)
def test_four_whole_runs_that_have_the_time_pass(tmp_path: Path) -> None:
    buckets = TokenBuckets(refill_seconds=REFILL_SECONDS)
    with start_sandbox(buckets=buckets) as sandbox:
        runs = at_once(tmp_path, sandbox, auth_modes=["wallet", "wallet", "jwt", "jwt"])

    told = [(run.verdict.verdict, run.verdict.reason_code) for run in runs]
    assert told == [(VerdictStatus.PASS, "all_promises_kept")] * AT_ONCE, [run.output for run in runs]
    assert any(waited(run) for run in runs), "there was nothing to share"


@pytest.mark.timeout(SECONDS + 30)
def test_whole_runs_that_have_no_time_to_wait_hold_and_never_fail(tmp_path: Path) -> None:
    with start_sandbox() as sandbox, Stopwatch() as watch:
        runs = at_once(tmp_path, sandbox, SMOKE_DEADLINE_SECONDS=f"{SHORT_SECONDS}")

    told = [(run.verdict.verdict, run.verdict.reason_code) for run in runs]
    held = {(VerdictStatus.INCONCLUSIVE, "throttled")}
    if watch.slowdown > BUSY:  # then the time is over before a limit is met
        held.add((VerdictStatus.INCONCLUSIVE, "deadline"))
    assert set(told) <= {(VerdictStatus.PASS, "all_promises_kept"), *held}, told
    assert held & set(told), "twenty sign-ins cannot all be let through in this time"
    assert all("rolled back" not in run.output for run in runs)
