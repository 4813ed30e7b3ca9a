"""Whole runs that go on watching: to the end, and cut short by a release that breaks after its promotion."""

import pytest
from suite_parts import Project

from streampay_sandbox.road import Forward, Passing, Proxy, Reply
from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.gate.verdict import Word

PACE = ("[bake.counters]", "[bake]\nreads_per_minute = 300\n\n[bake.counters]")
LISTS_BEFORE_IT_BREAKS = 8


@pytest.fixture
def brisk(project: Project) -> Project:
    place = project.folder / "environments" / "sandbox.toml"
    assert PACE[0] in place.read_text()
    place.write_text(place.read_text().replace(*PACE))
    project.environ["SMOKE_AUTH_MODE"] = "jwt"
    return project


def test_a_release_that_stays_well_is_watched_past_the_deadline_and_passes(brisk: Project) -> None:
    with start_sandbox() as unhurried:  # its rate limits are not used up
        environ = unhurried.ready_document()["env"]
        ran = brisk.smoke("--tags", "@readiness", "--deadline", "8", "--bake", "8s", **environ)
    assert (ran.code, ran.verdict.verdict) == (0, Word.PASS), ran.output
    assert "watched for 8" in ran.verdict.message
    burn = [answer for answer in ran.verdict.objectives if answer.kind == "error_burn"]
    assert len(burn) == 2, "own reads and the service's counters"
    assert burn[0].samples > 5
    assert "reads succeed while the release is watched" in (ran.folder / "summary.md").read_text()


def test_a_release_that_breaks_after_its_promotion_fails_long_before_the_bake_is_over(
    brisk: Project, sandbox: Sandbox
) -> None:
    lists = iter(range(10_000))

    def disturb(passing: Passing) -> Reply | Forward:
        broken = passing.path.startswith("/api/streams") and next(lists) >= LISTS_BEFORE_IT_BREAKS
        return Reply(status=500, text='{"error": {"code": "INTERNAL", "message": "m"}}') if broken else Forward()

    with Proxy(sandbox.base_url, disturb=disturb) as road:
        ran = brisk.smoke("--tags", "@readiness", "--bake", "60", SMOKE_BASE_URL=road.url)
    assert (ran.code, ran.verdict.verdict) == (1, Word.FAIL), ran.output
    assert (ran.verdict.attribution, ran.verdict.reason_code) == ("product", "objective_missed")
    assert ran.verdict.timings.total_ms < 30_000


def test_a_time_nobody_can_read_is_config(bare_project: Project) -> None:
    ran = bare_project.smoke("--bake", "soon")
    assert (ran.code, ran.verdict.verdict) == (2, Word.CONFIG), ran.output
    assert "10m" in ran.output
