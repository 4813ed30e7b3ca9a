"""Whoever watches a run sees every few seconds how far it is and what it waits for."""

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
from streampay_smoke.run.heartbeat import EVERY_SECONDS, Heartbeat
from streampay_smoke.run.progress import RunProgress


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


def test_a_line_every_few_seconds_says_what_every_lane_waits_for(tmp_path: Path) -> None:
    path, now, said = tmp_path / "journal.jsonl", [100.0], list[str]()
    progress = RunProgress(path, deadline_seconds=60)
    heartbeat = Heartbeat(progress, clock=lambda: now[0], say=said.append)
    heartbeat.look()
    now[0] += EVERY_SECONDS
    heartbeat.look()
    heartbeat.look()
    with Journal(path, Redactor()) as journal:
        for lane, event in STORY:
            journal.append(event, lane=lane)
    progress.step_is_stuck()
    now[0] += EVERY_SECONDS
    heartbeat.look()
    assert said == [
        "... 5 s: getting ready",
        "... 10 s: 1 of 3 scenarios done; waiting for the service to answer POST /settle, a ledger to close",
    ]


def test_a_line_stays_a_line(tmp_path: Path) -> None:
    path, said = tmp_path / "journal.jsonl", list[str]()
    progress = RunProgress(path, deadline_seconds=60)
    with Journal(path, Redactor()) as journal:
        for event in (PLAN, ScenarioStarted(id="a/1"), StepStarted(text="When"), Awaiting(what="x" * 500)):
            journal.append(event)
    progress.step_is_stuck()
    times = iter([0.0, EVERY_SECONDS])
    Heartbeat(progress, clock=lambda: next(times), say=said.append).look()
    assert len(said[0]) == 160
