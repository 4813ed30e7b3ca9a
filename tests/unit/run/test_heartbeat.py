"""Whoever watches a run sees every few seconds how far it is and what it waits for."""

import re
from pathlib import Path

from streampay_smoke.evidence.events import (
    AnyEvent,
    Awaiting,
    Exclusion,
    ExpectedScenario,
    RunPlanned,
    ScenarioFinished,
    ScenarioStarted,
    StepStarted,
)
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.run.heartbeat import live_text, text_of
from streampay_smoke.run.progress import LaneWait, ProgressView, RunProgress


def expected(name: str) -> ExpectedScenario:
    return ExpectedScenario(id=name, feature="F", scenario=name, location="f:1", tags=(), steps=())


PLAN = RunPlanned(
    tags="@smoke",
    expected=tuple(map(expected, ("a/1", "a/2", "a/3", "a/4"))),
    excluded=(Exclusion(id="a/4", reason="not here"),),
)
STORY: tuple[tuple[int, AnyEvent], ...] = (
    (0, PLAN),
    (1, ScenarioStarted(id="a/1")),
    (1, ScenarioFinished(id="a/1", status="passed", duration_ms=1)),
    (1, ScenarioStarted(id="a/2")),
    (1, StepStarted(text="When it settles", budget_seconds=9)),
    (1, Awaiting(what="POST /settle", peer="service")),
    (2, ScenarioStarted(id="a/3")),
    (2, StepStarted(text="When a ledger closes", budget_seconds=9)),
    (2, Awaiting(what="a ledger to close")),
)


def test_a_run_says_what_every_lane_waits_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    progress = RunProgress(path, deadline_seconds=60)
    assert text_of(lambda: None)(5.0, is_live=False) == "5 s: getting ready"
    with Journal(path, Redactor()) as journal:
        for lane, event in STORY:
            journal.append(event, lane=lane)
    start, waits = text_of(lambda: progress)(10.0, is_live=False).split("; waiting for ")
    assert start == "10 s: 1 of 3 scenarios done"
    assert re.sub(r"\d+ s", "N s", waits) == (
        "the service to answer POST /settle (N s of 9), a ledger to close (N s of 9)"
    )
    assert text_of(lambda: progress)(10.0, is_live=True).startswith("10 s of 70 | done: 1 of 3 scenarios")


def test_a_live_line_tells_waits_before_what_is_done() -> None:
    view = ProgressView("", 0, 2, 9, ("readiness",), 3, (LaneWait("a ledger", 4.2, 60), LaneWait("an answer", 1, 9)))
    assert live_text(view, 12.3, 99.9) == (
        "12 s of 112 | done: 2 of 9 scenarios, 1 of 3 features | waits 4 s of 60, 1 more: a ledger | readiness"
    )
    cleaning = ProgressView("ending what the run made", 30, 9, 9, ("readiness",), 1, ())
    assert "| ending what the run made (at most 30 s) |" in live_text(cleaning, 1, -1)
