"""Watches a run of the gate from outside: its processes and their command lines, its journal as it grows."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from suite_parts import Project
from waits import HANG_SECONDS

PROC = Path("/proc")
LOOK_SECONDS = 0.005
_SESSION = 3  # of the fields behind the name in /proc/PID/stat: state, parent, group, session


class Watched:
    """A run that was started in a session of its own, so that all its processes are found, orphans too.

    Leave the block only after the run has ended; what is left of it then is killed.
    """

    def __init__(self, project: Project, *command: str, **environ: str) -> None:
        self.artifacts = Path(environ.get("SMOKE_ARTIFACTS", project.folder / "artifacts"))
        self._before = set(self._folders())
        self.process = project.start(*command, cwd=None, own_session=True, **environ)
        self.output = ""

    @property
    def folder(self) -> Path | None:
        """The run's folder, once there is one."""
        new = sorted(set(self._folders()) - self._before)
        return new[0] if new else None

    @property
    def lines(self) -> int:
        """How many whole lines the journal has."""
        folder = self.folder
        try:
            return (folder / "journal.jsonl").read_bytes().count(b"\n") if folder else 0
        except FileNotFoundError:
            return 0

    def pids(self) -> dict[int, str]:
        """Return the session's living processes, each with its command line."""
        return processes_of(self.process.pid)

    def wait_until(self, met: Callable[[], bool], within_seconds: float = HANG_SECONDS) -> bool:
        """Return whether something came true while the run went on."""
        limit = time.monotonic() + within_seconds
        while not met():
            if self.process.poll() is not None or time.monotonic() > limit:
                return met()
            time.sleep(LOOK_SECONDS)
        return True

    def kill(self, *pids: int) -> bool:
        """Kill so that nothing can be caught; return whether any of them was still there."""
        hit = False
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                hit = True
            except ProcessLookupError:
                continue
        return hit

    def wait(self, within_seconds: float = HANG_SECONDS) -> int:
        """Return the exit code, once every process that could still print has ended."""
        self.output, _ = self.process.communicate(timeout=within_seconds)
        return self.process.returncode

    def _folders(self) -> list[Path]:
        if not self.artifacts.is_dir():
            return []
        return [path for path in self.artifacts.glob("*Z-*") if path.is_dir() and not path.is_symlink()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill(*self.pids())
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.process.communicate(timeout=HANG_SECONDS)


class CommandLines:
    """Collects what every process of a session shows of itself, again and again as long as the block lasts."""

    def __init__(self, watched: Watched) -> None:
        self.seen: set[str] = set()
        self._watched = watched
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self.seen.update(self._watched.pids().values())

    def __enter__(self) -> Self:
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._looking.join()


def processes_of(session: int) -> dict[int, str]:
    """Return a session's living processes, each with its command line."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and _session_of(entry) == session:
            found[int(entry.name)] = command_line_of(entry)
    return {pid: line for pid, line in found.items() if line}


def command_line_of(process: Path) -> str:
    """Return what a process shows as its command line, and its name; "" for one that is gone."""
    try:
        line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{line}[{(process / 'comm').read_text().strip()}]" if line else ""
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _session_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[_SESSION])
    except (FileNotFoundError, ProcessLookupError):
        return 0
