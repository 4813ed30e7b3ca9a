"""Runs behave in a process of its own and vouches for the answer, even when that process is killed or hangs."""

import codecs
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import IO, TextIO

from streampay_smoke.core.ending_signals import ending_signals
from streampay_smoke.core.live_line import LiveLine, live_line
from streampay_smoke.core.progress_line import ProgressLine
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import Interrupted, RunFinished, RunRefused
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.judge import judge
from streampay_smoke.run.detail import Detail, lines_of
from streampay_smoke.run.folder import COMPARISON_ONLY, RUN_FOLDER, RunFolder
from streampay_smoke.run.heartbeat import text_of
from streampay_smoke.run.parent_death import PARENT_DEATH_PIPE, parent_death_pipe
from streampay_smoke.run.progress import RunProgress
from streampay_smoke.settings import Settings
from streampay_smoke.settings.folders import PROJECT, project_root, suite_root

GRACE_SECONDS = 3.0
"""How much later than the deadline behave may begin to end what it made: one that is killed leaves it behind."""

LOOK_SECONDS = 0.1
"""How often a run is looked at: a step that holds the interpreter is found out this much later at most."""

LAST_OUTPUT_SECONDS = 1.0
"""How long the last output of a behave that has ended is waited for: something else may hold it open."""

NEEDED_AT_THE_END = ("streampay_smoke.run.conclude", "streampay_smoke.publish.publish")
"""What is imported while behave plays: before that, it would take a core from the start of this run or another."""

RUNNER = "streampay_smoke.runner.runner:GateRunner"
"""The runner by name, for this process has no use for behave: with it a changed `behave.ini` is found."""

_ENDINGS = (RunFinished, RunRefused, Interrupted)


def supervise(
    settings: Settings,
    folder: RunFolder,
    environ: Mapping[str, str],
    paths: Sequence[str],
    detail: Detail = Detail.NORMAL,
    *,
    comparison_only: bool = False,
) -> None:
    """Play the features at `paths` (all by default) with `environ`; the journal then says how the run ended.

    A run that is `comparison_only` plays none of them.

    From here on, ending signals are behave's: once it has ended, they end nothing.
    """
    command = [sys.executable, "-m", "behave", f"--runner={RUNNER}", f"--tags={settings.tags}"]
    command += ["-D", f"{RUN_FOLDER}={folder.path}"]
    if comparison_only:
        command += ["-D", COMPARISON_ONLY]
    root = project_root()
    live = live_line(sys.stderr, environ) if detail is Detail.NORMAL else None
    # What behave prints to a terminal that shows a live line goes through this process, which takes the line away.
    through = subprocess.PIPE if live else None
    with parent_death_pipe() as end:
        command += ["-D", f"{PARENT_DEATH_PIPE}={end}", "--", *paths]
        with subprocess.Popen(
            command,
            cwd=suite_root(root),
            env={**environ, PROJECT: str(root), **({"PYTHONUNBUFFERED": "1"} if live else {})},
            pass_fds=[end],
            stdout=(through if sys.stdout.isatty() else None) if detail is Detail.NORMAL else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if detail is Detail.QUIET else through,
        ) as behave:
            _pass_on_signals_to(behave)
            passing_on = _passing_on(behave, live) if live else []
            ending = _ending(behave, settings, folder, detail, live)
            if ending:
                behave.kill()
                behave.wait()
            for thread in passing_on:
                thread.join(LAST_OUTPUT_SECONDS)
            if live:
                live.clear()
    _vouch(folder, settings, exit_code=behave.returncode, ending=ending)


def _passing_on(behave: "subprocess.Popen[bytes]", live: LiveLine) -> list[threading.Thread]:
    """Print what behave prints above the live line, in threads that end with its output."""

    def pass_on(output: IO[bytes], stream: TextIO) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with contextlib.suppress(ValueError, OSError):  # closed: what holds the other end outlived behave
            while some := os.read(output.fileno(), 65536):
                live.pass_on(decoder.decode(some), stream)

    pairs = [(behave.stdout, sys.stdout), (behave.stderr, sys.stderr)]
    threads = [
        threading.Thread(target=pass_on, args=(output, stream), daemon=True) for output, stream in pairs if output
    ]
    for thread in threads:
        thread.start()
    return threads


def _ending(
    behave: "subprocess.Popen[bytes]", settings: Settings, folder: RunFolder, detail: Detail, live: LiveLine | None
) -> str:
    """Wait for behave; return why it has to be killed, "" when it ended by itself."""
    progress = RunProgress(
        folder.journal_path,
        deadline_seconds=settings.deadline_seconds + GRACE_SECONDS,
        observer=_print if detail is Detail.VERBOSE else lambda entry: None,
    )
    heartbeat = ProgressLine(text_of(lambda: progress), live=live)
    needed = list(NEEDED_AT_THE_END)
    while True:
        if detail is Detail.NORMAL:
            heartbeat.look()
        try:
            behave.wait(min(LOOK_SECONDS, max(progress.left_seconds, 0.0)))
        except subprocess.TimeoutExpired:
            stuck = progress.step_is_stuck()
            if progress.left_seconds <= 0:
                return "deadline"
            if stuck:
                return "step_timeout"
            if needed and progress.has_begun:
                importlib.import_module(needed.pop(0))
        else:
            progress.catch_up()
            return ""


def _print(entry: journals.Entry) -> None:
    for line in lines_of(entry):
        print(line, flush=True)


def _vouch(folder: RunFolder, settings: Settings, *, exit_code: int, ending: str) -> None:
    """Write down that behave was killed, unless its evidence says how the run ended and explains its exit code."""
    read = journals.read(folder.journal_path)
    verdict = judge(read)
    ended = any(isinstance(entry.event, _ENDINGS) for entry in read.entries)
    if ended and not ending and verdict.exit_code == exit_code and verdict.run_id in {"", folder.run_id}:
        return
    with Journal(folder.journal_path, redactor_of(settings)) as journal:
        journal.append(Interrupted(reason=ending or "killed", detail=_how(exit_code, ending, settings)))


def redactor_of(settings: Settings) -> Redactor:
    """Return a redactor that knows the secrets of these settings."""
    redactor = Redactor()
    redactor.learn(*settings.redacted())
    return redactor


def _how(exit_code: int, ending: str, settings: Settings) -> str:
    if ending == "step_timeout":
        return "a step went on past its budget, could not be interrupted, and was killed"
    if ending:
        return f"the {settings.deadline_seconds:g} s of this run were over, and behave had to be killed"
    if exit_code < 0:
        return f"behave was killed by {signal.Signals(-exit_code).name}"
    return f"behave ended with exit code {exit_code}, which its evidence does not explain"


def _pass_on_signals_to(process: subprocess.Popen[bytes]) -> None:
    """Hand the signals that end a run to behave, which writes down what was done; a terminal's own reach it twice."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        process.send_signal(number)

    for number in ending_signals():
        signal.signal(number, pass_on)
