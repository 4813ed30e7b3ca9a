"""Objectives in whole runs: the candidate beside a stable release, on proxies of known length."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_parts import Project, Ran

from streampay_sandbox.proxy import DisturbingProxy, Forward
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.gate.verdict import ObjectiveResult, VerdictStatus

COMPARISON = "reads are no slower than on the stable release"
QUICK_READS = "lists and streams are read quickly"
READINESS = "--tags=@readiness"
PROMISED_MS = 500
"""What is promised of reads in place of a second, so that what misses it takes less long."""


@pytest.fixture(scope="module")
def stable() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def candidate() -> Iterator[Sandbox]:
    """One of each test's own: its rate limits are not used up."""
    with start_sandbox() as running:
        yield running


def proxy(sandbox: Sandbox, *, seconds: float) -> DisturbingProxy:
    """A proxy on which every answer takes so much longer."""
    return DisturbingProxy(sandbox.base_url, behaviour=lambda passing: Forward(seconds=seconds))


def promising(folder: Path, sandbox: Sandbox) -> Project:
    """A project whose environment promises quicker reads than the shipped one."""
    project = Project(folder, sandbox.ready_document()["env"])
    with (folder / "environments" / "sandbox.toml").open("a") as place:
        place.write(f'\n[[objectives]]\nname = "{QUICK_READS}"\nthreshold = {PROMISED_MS}\n')
    return project


def answer(ran: Ran, name: str) -> ObjectiveResult:
    return next(each for each in ran.verdict.objectives if each.name == name)


def test_a_candidate_that_is_slower_than_the_stable_release_fails(
    tmp_path: Path, candidate: Sandbox, stable: Sandbox
) -> None:
    with proxy(candidate, seconds=0.06) as slow, proxy(stable, seconds=0.01) as quick:
        ran = Project(tmp_path, candidate.ready_document()["env"]).behave(
            READINESS, SMOKE_BASE_URL=slow.url, SMOKE_BASELINE_URL=quick.url
        )
    compared = answer(ran, COMPARISON)
    assert (ran.code, ran.verdict.verdict, ran.verdict.reason_code) == (1, VerdictStatus.FAIL, "objective_missed"), (
        ran.output
    )
    assert (compared.decision, compared.gates, compared.confidence) == ("fail", True, 0.999857)
    assert compared.samples < 40
    assert compared.warm_up >= 2
    assert "decided" in compared.note
    assert compared.estimate is not None
    assert compared.estimate > 1.5
    assert COMPARISON in (ran.folder / "summary.md").read_text()


def test_reads_at_twice_the_promised_time_fail(tmp_path: Path, candidate: Sandbox) -> None:
    with proxy(candidate, seconds=2 * PROMISED_MS / 1000) as slow:
        ran = promising(tmp_path, candidate).behave(
            "--tags=@streams and not @signing-secret and not @second-user", SMOKE_BASE_URL=slow.url
        )
    assert (ran.code, ran.verdict.verdict, ran.verdict.reason_code) == (1, VerdictStatus.FAIL, "objective_missed"), (
        ran.output
    )
    assert ran.verdict.message.endswith("reads too slow -> hold")
    assert re.search(rf"{QUICK_READS}: p95 \d+", ran.verdict.message)
    timed = [event for event in ran.events if event["event"] == "probed" and event["name"] == "way to the deployment"]
    assert timed
    assert all(probe["took_ms"] < 500 for probe in timed)


def test_reads_that_let_a_run_meet_its_deadline_fail(tmp_path: Path, candidate: Sandbox) -> None:
    with proxy(candidate, seconds=1.2 * PROMISED_MS / 1000) as slow:
        ran = promising(tmp_path, candidate).smoke("--deadline", "30", SMOKE_BASE_URL=slow.url)
    assert (ran.code, ran.verdict.verdict, ran.verdict.reason_code) == (1, VerdictStatus.FAIL, "objective_missed"), (
        ran.output
    )
    assert ran.verdict.evidence.missing_ids


def test_a_stable_release_that_is_as_slow_holds(tmp_path: Path, candidate: Sandbox, stable: Sandbox) -> None:
    with proxy(candidate, seconds=1.2) as slow, proxy(stable, seconds=1.2) as as_slow:
        project = Project(tmp_path, candidate.ready_document()["env"])
        ran = project.smoke("--deadline", "60", SMOKE_BASE_URL=slow.url, SMOKE_BASELINE_URL=as_slow.url)
    assert (ran.code, ran.verdict.verdict) == (3, VerdictStatus.INCONCLUSIVE), ran.output
    missed = [each.name for each in ran.verdict.objectives if each.decision == "fail"]
    assert missed == [QUICK_READS]


def test_a_candidate_that_is_quicker_keeps_the_objective(tmp_path: Path, candidate: Sandbox, stable: Sandbox) -> None:
    with proxy(stable, seconds=0.06) as slow:
        ran = Project(tmp_path, candidate.ready_document()["env"]).behave(READINESS, SMOKE_BASELINE_URL=slow.url)
    assert (ran.code, answer(ran, COMPARISON).decision) == (0, "pass"), ran.output


def test_nothing_of_the_stable_release_passes_for_the_candidate(
    tmp_path: Path, candidate: Sandbox, stable: Sandbox
) -> None:
    ran = Project(tmp_path, candidate.ready_document()["env"]).behave(READINESS, SMOKE_BASELINE_URL=stable.base_url)
    pairs = [event for event in ran.events if event["event"] == "pair_sampled"]
    assert 0 < len(pairs) <= 42
    assert {pair["candidate_first"] for pair in pairs} == {True, False}
    assert ran.events[-1]["event"] == "run_finished"
    assert answer(ran, COMPARISON).decision != "fail"


def test_a_stable_release_that_is_silent_decides_nothing(tmp_path: Path, candidate: Sandbox) -> None:
    ran = Project(tmp_path, candidate.ready_document()["env"]).behave(
        READINESS, SMOKE_BASELINE_URL="http://127.0.0.1:9"
    )
    compared = answer(ran, COMPARISON)
    assert (ran.code, compared.decision, compared.samples) == (0, "insufficient_sample", 0), ran.output
    assert "no sign-in" in compared.note


def test_a_failed_scenario_is_not_followed_by_sampling(tmp_path: Path, stable: Sandbox) -> None:
    with start_sandbox(faults=("ready-lies-html",)) as wrong:
        project = Project(tmp_path, wrong.ready_document()["env"])
        place = tmp_path / "environments" / "sandbox.toml"
        place.write_text(place.read_text().replace("ready_within_seconds = 10", "ready_within_seconds = 1"))
        ran = project.behave(READINESS, SMOKE_BASELINE_URL=stable.base_url)
    assert ran.verdict.verdict is VerdictStatus.FAIL, ran.output
    assert answer(ran, COMPARISON).note == "not sampled: a scenario failed"


def test_a_whole_run_measures_what_its_place_asks_for(tmp_path: Path, candidate: Sandbox) -> None:
    ran = Project(tmp_path, candidate.ready_document()["env"]).behave("--tags=@settlement or @streams")
    found = {each.kind: each for each in ran.verdict.objectives}
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output
    assert found["read_latency"].samples >= 5
    assert found["write_latency"].samples >= 4
    assert found["success_ratio"].estimate == 1.0
    assert found["settlement_time"].samples == 2
    decisions = {each.name: each.decision for each in ran.verdict.objectives}
    assert decisions.pop("no settlement runs into the time-out") == "pass"
    assert set(decisions.values()) == {"insufficient_sample"}
    assert all(each.gates for each in ran.verdict.objectives)
