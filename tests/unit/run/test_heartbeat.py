"""Whoever watches a run sees every few seconds how far it is and what it waits for."""

import io
import re
import time
from pathlib import Path

import pytest

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
from streampay_smoke.run.heartbeat import EVERY_SECONDS, Heartbeat, live_text, told_while
from streampay_smoke.run.live_line import LiveLine, live_line
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


def test_a_line_every_few_seconds_says_what_every_lane_waits_for(tmp_path: Path) -> None:
    path, now, said = tmp_path / "journal.jsonl", [100.0], list[str]()
    progress = RunProgress(path, deadline_seconds=60)
    heartbeat = Heartbeat(progress, clock=lambda: now[0], say=said.append)
    heartbeat.look()
    now[0] += EVERY_SECONDS
    heartbeat.look()
    heartbeat.look()
    told(path, progress)
    now[0] += EVERY_SECONDS
    heartbeat.look()
    assert said[0] == "... 5 s: getting ready"
    start, waits = said[1].split("; waiting for ")
    assert start == "... 10 s: 1 of 3 scenarios done"
    assert re.sub(r"\d+ s", "N s", waits) == (
        "the service to answer POST /settle (N s of 9), a ledger to close (N s of 9)"
    )


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


def test_a_live_line_tells_waits_before_what_is_done() -> None:
    view = ProgressView("", 0, 2, 9, ("readiness",), 3, (LaneWait("a ledger", 4.2, 60), LaneWait("an answer", 1, 9)))
    assert live_text(view, 12.3, 99.9) == (
        "12 s of 112 | done: 2 of 9 scenarios, 1 of 3 features | waits 4 s of 60, 1 more: a ledger | readiness"
    )
    cleaning = ProgressView("ending what the run made", 30, 9, 9, ("readiness",), 1, ())
    assert "| ending what the run made (at most 30 s) |" in live_text(cleaning, 1, -1)


@pytest.mark.parametrize(("term", "lives"), [("xterm", True), ("dumb", False), (None, False)])
def test_only_a_terminal_that_can_take_a_line_back_gets_one(term: str | None, lives: bool) -> None:
    environ = {"TERM": term} if term else {}
    assert (live_line(Terminal(), environ) is not None) is lives
    assert live_line(io.StringIO(), environ) is None


def test_what_is_printed_stands_above_the_live_line() -> None:
    terminal = Terminal()
    live = LiveLine(terminal)
    live.show("x" * 200)
    live.pass_on("When it", terminal)
    live.show("not within a line")
    live.pass_on(" settles\n", terminal)
    live.show("after it")
    live.clear()
    assert screen(terminal.getvalue()) == ["When it settles", ""]
    assert max(map(len, re.split(r"[\r\n]|\033\[K", terminal.getvalue()))) == 79
    assert "within" not in terminal.getvalue()


def test_what_takes_long_after_a_run_is_told_in_a_log_too(capsys: pytest.CaptureFixture[str]) -> None:
    with told_while("making a report", most_seconds=60, every_seconds=0.01):
        while not (said := capsys.readouterr().err):
            time.sleep(0.01)
    assert said.startswith("... 0 s of at most 60: making a report")


def told(path: Path, progress: RunProgress) -> None:
    with Journal(path, Redactor()) as journal:
        for lane, event in STORY:
            journal.append(event, lane=lane)
    progress.step_is_stuck()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> list[str]:
    """Return the lines of a terminal after this was written: carriage returns and erased lines carried out."""
    lines = [""]
    for part in re.findall(r"\n|\r\033\[K|[^\n\r]+", written):
        if part == "\n":
            lines.append("")
        elif part.startswith("\r"):
            lines[-1] = ""
        else:
            lines[-1] += part
    return lines
