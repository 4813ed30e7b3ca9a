"""Whoever watches something long sees how far it is, and what is printed for good stands whole."""

import io
import os
import re
import sys
import threading

import pytest

from streampay_smoke.core.live_line import LiveLine, live_line
from streampay_smoke.core.progress_line import EVERY_SECONDS, Count, ProgressLine, told_while


def seconds_only(seconds: float, /, *, is_live: bool) -> str:
    return f"{seconds:.0f} s, {'live' if is_live else 'log'}"


@pytest.mark.parametrize(("term", "lives"), [("xterm", True), ("dumb", False), (None, False)])
def test_only_a_terminal_that_can_take_a_line_back_gets_one(term: str | None, lives: bool) -> None:
    environ = {"TERM": term} if term else {}
    assert (live_line(Terminal(), environ) is not None) is lives
    assert live_line(io.StringIO(), environ) is None


def test_beside_a_pipe_there_is_no_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    read_side, write_side = os.pipe()
    with os.fdopen(read_side), os.fdopen(write_side, "w") as to_tee:
        monkeypatch.setattr(sys, "stdout", to_tee)
        assert live_line(Terminal(), {"TERM": "xterm"}) is None


def test_what_is_printed_stands_above_the_live_line() -> None:
    terminal = Terminal()
    live = LiveLine(terminal)
    live.show("x" * 200)
    live.pass_on("When it", terminal)
    live.pass_on("", terminal)
    live.show("not within a line")
    live.pass_on(" settles\n", terminal)
    live.show("after it")
    live.clear()
    assert screen(terminal.getvalue()) == ["When it settles", ""]
    assert max(map(len, re.split(r"[\r\n]|\033\[K", terminal.getvalue()))) == 79
    assert "within" not in terminal.getvalue()


def test_a_log_gets_a_line_when_nothing_else_was_printed_for_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_seconds = [100.0]
    line = ProgressLine(seconds_only, live=None, every_seconds=5, clock=lambda: now_seconds[0])
    monkeypatch.setattr(line, "_tell", lambda: None)  # looked at below, not by its thread
    with line:
        line.look()
        now_seconds[0] += 5
        line.look()
        line.look()
        now_seconds[0] += 4
        print("printed")
        now_seconds[0] += 1
        line.look()
        now_seconds[0] += 4
        line.look()
    assert capsys.readouterr() == ("printed\n", "... 5 s, log\n... 14 s, log\n")


def test_a_line_of_a_log_stays_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, *([EVERY_SECONDS] * 2)])
    ProgressLine(lambda seconds, *, is_live: "x" * 500, live=None, clock=lambda: next(times)).look()
    assert len(capsys.readouterr().err) == 161


def test_what_takes_long_is_told_by_a_thread_that_pauses_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    def tells() -> bool:
        return any(thread.name == "progress" for thread in threading.enumerate())

    with told_while("making a report", most_seconds=60, every_seconds=0.01) as line:
        said = ""
        while not said:
            said = capsys.readouterr().err
        with line.paused():
            assert not tells()
        assert tells()
    assert not tells()
    assert said.startswith("... 0 s of at most 60: making a report")


def test_output_of_any_kind_stands_above_the_live_line_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    machine = io.StringIO()
    monkeypatch.setattr(sys, "stdout", machine)
    with ProgressLine(seconds_only, live=LiveLine(terminal)):
        print("for machines")
        print("a warning", file=sys.stderr)
    assert machine.getvalue() == "for machines\n"
    assert screen(terminal.getvalue()) == ["a warning", ""]
    assert "0 s, live" in terminal.getvalue()
    assert (sys.stdout, sys.stderr) == (machine, terminal)


def test_a_count_says_how_long_the_rest_takes() -> None:
    count = Count("streams")
    assert count(3.0, is_live=False) == "3 s"
    count.total, count.done, count.doing = 8, 2, "ending st-3"
    assert count(10.0, is_live=True) == "2 of 8 streams, about 30 s left | 10 s | ending st-3"
    count.done = 0
    assert count(10.0, is_live=False) == "0 of 8 streams; 10 s; ending st-3"
    together = Count("regions", 4, at_once=True)
    together.done = 1
    assert together(40.0, is_live=False) == "1 of 4 regions; 40 s", "the last one is nearly over, too"


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
