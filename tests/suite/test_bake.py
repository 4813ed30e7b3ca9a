"""Whole runs that go on watching: to the end, and cut short by a release that breaks after its promotion."""

import math
from typing import Any

import pytest
from suite_parts import Project, Ran
from waits import HANG_SECONDS, slowdown

from streampay_sandbox.proxy import DisturbingProxy, Forward, ProxiedRequest, SubstituteAnswer
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.gate.verdict import VerdictStatus

COUNTERS = "[bake.counters]"
LISTS_BEFORE_IT_BREAKS = 8
READS = 40
"""As many as a service that limits its callers lets pass in a minute, with what else a run asks."""


def ended(ran: Ran) -> dict[str, Any]:
    """How the bake of a run ended."""
    (event,) = (event for event in ran.events if event["event"] == "bake_ended")
    return event


def quicken(project: Project, reads_per_minute: int) -> None:
    place = project.folder / "environments" / "sandbox.toml"
    assert COUNTERS in place.read_text()
    place.write_text(
        place.read_text().replace(COUNTERS, f"[bake]\nreads_per_minute = {reads_per_minute}\n\n{COUNTERS}")
    )


@pytest.fixture
def brisk(project: Project) -> Project:
    quicken(project, 300)
    project.environ["SMOKE_AUTH_MODE"] = "jwt"
    return project


def test_a_release_that_stays_well_is_watched_past_the_deadline_and_passes(project: Project) -> None:
    seconds = math.ceil(6 * slowdown())
    quicken(project, math.ceil(READS * 60 / seconds))
    project.environ["SMOKE_AUTH_MODE"] = "jwt"
    with start_sandbox() as unhurried:  # its rate limits are not used up
        environ = unhurried.ready_document()["env"]
        ran = project.smoke("--tags", "@readiness", "--deadline", str(seconds), "--bake", f"{seconds}s", **environ)
    assert (ran.code, ran.verdict.verdict) == (0, VerdictStatus.PASS), ran.output
    assert "watched for" in ran.verdict.message
    assert ran.verdict.timings.total_ms > 1000 * seconds, "the bake alone is as long as the deadline"
    assert ended(ran)["reason"] == "over"
    burn = [answer for answer in ran.verdict.objectives if answer.kind == "error_burn"]
    assert len(burn) == 2, "own reads and the service's counters"
    assert burn[0].samples > 5
    assert "reads succeed while the release is watched" in (ran.folder / "summary.md").read_text()


def test_a_release_that_breaks_after_its_promotion_fails_long_before_the_bake_is_over(
    brisk: Project, sandbox: Sandbox
) -> None:
    lists = iter(range(10_000))

    def behaviour(passing: ProxiedRequest) -> SubstituteAnswer | Forward:
        broken = passing.path.startswith("/api/streams") and next(lists) >= LISTS_BEFORE_IT_BREAKS
        return (
            SubstituteAnswer(status=500, text='{"error": {"code": "INTERNAL", "message": "m"}}')
            if broken
            else Forward()
        )

    with DisturbingProxy(sandbox.base_url, behaviour=behaviour) as proxy:
        ran = brisk.smoke("--tags", "@readiness", "--bake", str(HANG_SECONDS), SMOKE_BASE_URL=proxy.url)
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    assert (ran.verdict.attribution, ran.verdict.reason_code) == ("product", "objective_missed")
    assert ended(ran)["reason"] == "burning"
    assert ended(ran)["watched_seconds"] < HANG_SECONDS / 2


def test_a_time_nobody_can_read_is_config(bare_project: Project) -> None:
    ran = bare_project.smoke("--bake", "soon")
    assert (ran.code, ran.verdict.verdict) == (2, VerdictStatus.CONFIG), ran.output
    assert "10m" in ran.output
