"""Whole canaries: a worse candidate, and a comparison that is ended half-way."""

import json
import signal
from pathlib import Path

from suite_parts import Project
from waits import HANG_SECONDS, wait_until

from streampay_smoke.gate.verdict import VerdictStatus


def journal_of(project: Project) -> Path | None:
    latest = project.latest()
    return latest / "journal.jsonl" if latest else None


def test_a_worse_candidate_fails_and_both_distributions_are_shown(bare_project: Project) -> None:
    project = bare_project
    done = project.answer("canary", "--canary-journeys", "5", "--canary-fault", "reads-slower")
    ran = project.ran(done.returncode, done.stdout + done.stderr)
    verdict = ran.verdict
    assert (ran.code, verdict.verdict, verdict.reason_code) == (1, VerdictStatus.FAIL, "canary_worse"), ran.output
    assert verdict.cleanup.created > 5
    assert verdict.cleanup.leaked == 0
    assert {each.kind for each in verdict.objectives} == {"canary_reads", "canary_writes", "canary_errors"}
    summary, report = ((ran.folder / name).read_text() for name in ("summary.md", "report.html"))
    assert "| reads | candidate |" in summary
    assert "| reads | stable |" in summary
    assert report.count("reads of the candidate, from") == report.count("reads of the stable, from") == 1
    (begun,) = (event for event in ran.events if event["event"] == "canary_started")
    assert f"seed {begun['seed']}" in summary
    again = project.answer("judge", str(ran.folder), "--json")
    assert json.loads(again.stdout)["reason_code"] == "canary_worse"


def test_a_canary_that_is_ended_half_way_holds_and_leaves_nothing(bare_project: Project) -> None:
    project = bare_project
    running = project.start("streampay_smoke", "canary", "--canary-journeys", "40")

    def under_way() -> bool:
        journal = journal_of(project)
        return journal is not None and journal.exists() and journal.read_text().count('"canary_paired"') > 8

    wait_until(under_way, "a canary under way")
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=HANG_SECONDS)
    ran = project.ran(running.returncode, output)
    assert (ran.code, ran.verdict.reason_code) == (143, "terminated"), ran.output
    assert ran.verdict.cleanup.created > 0
    assert ran.verdict.cleanup.leaked == 0
