"""Objectives in every report: what was kept, what was missed, and what too few samples left open."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from gate_stories import HELD, READY, ended, planned, played, started

from streampay_smoke.evidence import events
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.journal import Journal, read
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.publish import objectives
from streampay_smoke.publish.allure import environment
from streampay_smoke.publish.ctrf import ctrf_json
from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.junit import junit_xml
from streampay_smoke.publish.report_model import RunReport, report_of
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.summary import summary_md

SLOW = events.Exchanged(peer="service", method="GET", target="/", status=200, duration_ms=900, purpose="list")
SPOKEN = events.ServiceSeen(release="r1")

Run = Callable[..., RunReport]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def make(*stated: Objective) -> RunReport:
        story: list[AnyEvent] = [started(), events.ObjectivesSet(objectives=stated), planned(READY)]
        story += [*played(READY, SPOKEN, HELD, *(SLOW,) * 12), events.Measured(), ended(readiness__ready="passed")]
        with Journal(tmp_path / "journal.jsonl", Redactor()) as journal:
            for event in story:
                journal.append(event)
        found = read(tmp_path / "journal.jsonl")
        return report_of(found.entries, judge(found))

    return make


def reads(threshold: float, *, gates: bool = False) -> Objective:
    return Objective(name=f"reads under {threshold:g} | quickly", kind="read_latency", threshold=threshold, gates=gates)


COMPARED = Objective(name="no slower", kind="read_comparison", threshold=1.1)


def test_a_miss_that_is_shown_is_told_and_turns_nothing(run: Run) -> None:
    report = run(reads(500), COMPARED)
    assert report.verdict.verdict is VerdictStatus.PASS
    assert [each.outcome for each in objectives.objective_reports(report.verdict)] == [
        ReportStatus.BROKEN,
        ReportStatus.SKIPPED,
    ]
    assert objectives.counted(report.verdict) == "1 missed, 1 not decided: too few samples"


def test_every_report_tells_the_objectives(run: Run) -> None:
    report = run(reads(500), COMPARED)
    summary = summary_md(report).decode()
    assert "## Objectives: 1 missed, 1 not decided: too few samples" in summary
    assert (
        "reads under 500 \\| quickly | missed (shown only) | p95 900 ms, promised 500 ms, 12 of 12 reads too slow"
        in summary
    )
    page = html_report(report).decode()
    assert "900 to ? ms at confidence 0.99" in page
    first, second = json.loads(ctrf_json(report))["results"]["summary"]["extra"]["objectives"]
    assert (first["decision"], second["decision"]) == ("fail", "insufficient_sample")
    assert environment(report)["Objectives"] == objectives.counted(report.verdict)


def test_a_gating_miss_is_a_failure_of_the_run_itself(run: Run) -> None:
    report = run(reads(500, gates=True))
    assert report.verdict.verdict is VerdictStatus.FAIL
    assert (report.scenarios[0].outcome, report.scenarios[0].check.id) == (ReportStatus.FAILED, "run")
    assert objectives.objective_reports(report.verdict)[0].outcome is ReportStatus.FAILED
    assert b"<failure" in junit_xml(report)
    assert b"<error" not in junit_xml(report)


def test_a_run_without_objectives_tells_none(run: Run) -> None:
    report = run()
    assert "Objectives" not in summary_md(report).decode()
    assert "Objectives" not in html_report(report).decode()
    assert "Objectives" not in environment(report)
