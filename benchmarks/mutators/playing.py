"""Plays a mutant: a project of its own, a process as users start it, and what is done to it meanwhile."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from gate_forks import Forks
from gate_watch import processes_of
from suite_parts import Project

from mutators.evidence import Forged
from mutators.mutant import HEALTHY, Limits, Meddling, Mutant, model
from mutators.reported import ENTRIES, FORK, JUDGE, MutantOutcome
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.evidence import journal as journals
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import written_at

LONGEST_SECONDS = 150.0
DEADLINE_SECONDS = "110"


@contextlib.contextmanager
def sandbox(fault: str) -> Iterator[dict[str, str]]:
    """Run a sandbox with a fault, or one that is well; give the variables that point a run at it."""
    with start_sandbox(faults=(fault,) if fault else ()) as running:
        yield {**running.ready_document()["env"], "SMOKE_DEADLINE_SECONDS": DEADLINE_SECONDS}


class Player(contextlib.AbstractContextManager["Player"]):
    """Plays mutants: those the gate stops at its door in forks, against one sandbox that is well, and others alone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._own = threading.local()
        self._forks = contextlib.ExitStack()

    def close(self) -> None:
        """End the processes that fork."""
        self._forks.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def play(self, mutant: Mutant, entry: str) -> MutantOutcome | None:
        """Play one mutant in a project of its own; None for one that is none, because behave would play the same."""
        with tempfile.TemporaryDirectory() as folder:
            if entry == FORK:
                project = Project(Path(folder) / FORK, self._environ)
                if not _spoilt(project, mutant):
                    return None
                code = self.fork(project, mutant)
                if not _has_begun(project):
                    return _outcome(mutant, FORK, project, code)
                entry = ENTRIES[0]  # the door let it in: as users start it, then, and where nobody else disturbs it
            with sandbox(mutant.against) as environ:
                project = Project(Path(folder) / entry, environ)
                if not _spoilt(project, mutant):
                    return None
                code, late = run(project, mutant, entry, _environ_of(project, mutant))
                return _outcome(mutant, entry, project, code, late=late)

    def fork(self, project: Project, mutant: Mutant) -> int:
        """Run behave in a fork; return its exit code."""
        if not hasattr(self._own, "forks"):
            self._own.forks = self._forks.enter_context(Forks())
        forks: Forks = self._own.forks
        done = forks.run(
            "behave",
            [f"--tags={mutant.tags}", *mutant.arguments],
            folder=project.folder,
            environ=_environ_of(project, mutant),
            within_seconds=LONGEST_SECONDS,
        )
        (project.folder / "output").write_text(done.stdout + done.stderr)
        return done.returncode


def _spoilt(project: Project, mutant: Mutant) -> bool:
    """Spoil a project; False where behave would play the same. Raises ValueError for a mutant that changes nothing."""
    before = _content(project.folder)
    mutant.spoil(project)
    now = _content(project.folder)
    changed = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    if not changed and mutant.changes_nothing:
        raise ValueError(f"{mutant.id} changes nothing")
    return not changed or any(_plays_otherwise(before.get(name), now.get(name), name) for name in changed)


def _plays_otherwise(before: bytes | None, now: bytes | None, name: str) -> bool:
    return before is None or now is None or not name.endswith(".feature") or model(before) != model(now)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _environ_of(project: Project, mutant: Mutant) -> dict[str, str]:
    home = mutant.environ.get("HOME")
    return {**project.environ, **mutant.environ, **({"HOME": str(project.folder / home)} if home else {})}


def _has_begun(project: Project) -> bool:
    """Whether a scenario was begun: then more than the gate's door stood in the way."""
    latest = project.latest()
    return latest is not None and b'"event":"scenario_started"' in (latest / "journal.jsonl").read_bytes()


def _outcome(mutant: Mutant, entry: str, project: Project, code: int, *, late: bool = False) -> MutantOutcome:
    status, reason_code = verdict_of(project)
    return MutantOutcome(
        kind=mutant.kind,
        name=mutant.name,
        entry=entry,
        against=mutant.against,
        code=code,
        status=status,
        reason_code=reason_code,
        late=late,
    )


def run(project: Project, mutant: Mutant, entry: str, environ: dict[str, str]) -> tuple[int, bool]:
    """Run a command to its end; return its exit code (negative for a signal), and whether meddling came too late."""
    command = {
        "behave": [sys.executable, "-m", "behave", f"--tags={mutant.tags}"],
        "run": [sys.executable, "-m", "streampay_smoke", "run", "--tags", mutant.tags],
    }[entry]
    with (
        (project.folder / "output").open("wb") as output,
        subprocess.Popen(
            [*command, *mutant.arguments],
            cwd=project.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if mutant.limits.file_bytes is not None else output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: _limit(mutant.limits),  # noqa: PLW1509 - the child has one thread at that point
            start_new_session=True,
        ) as process,
    ):
        try:
            late = mutant.meddling is not None and not _meddle(project, mutant.meddling, process)
            process.communicate(timeout=LONGEST_SECONDS)
            if mutant.meddling is not None:
                _wait_for_orphans(process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, late


def _limit(limits: Limits) -> None:
    for stream in limits.closed:
        os.close(stream)
    if limits.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))


def _folder_at_line(latest: Path, line: int) -> Path | None:
    """Return the run's folder once its journal has so many lines."""
    with contextlib.suppress(OSError):
        folder = latest.resolve(strict=True)
        if (folder / "journal.jsonl").read_bytes().count(b"\n") >= line:
            return folder
    return None


def _meddle(project: Project, meddling: Meddling, process: "subprocess.Popen[bytes]") -> bool:
    """Wait for the moment and do it; return False when the run was over before."""
    latest = project.folder / "artifacts" / "latest"
    while (folder := _folder_at_line(latest, meddling.at_line)) is None:
        if process.poll() is not None:
            return False
        time.sleep(0.003)
    if meddling.deed is not None:
        meddling.deed(folder)
    if meddling.number is not None:
        target = process.pid if meddling.to == "supervisor" or not _children(process.pid) else _children(process.pid)[0]
        os.kill(target, meddling.number)
    return True


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _wait_for_orphans(session: int) -> None:
    """Wait until nothing of a process's session runs any more: what it left behind may still write a verdict."""
    ends_at = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < ends_at:
        if not processes_of(session):
            return
        time.sleep(0.05)


def verdict_of(project: Project) -> tuple[str, str]:
    latest = project.latest()
    verdict = written_at(latest / "verdict.json") if latest else None
    return (str(verdict.verdict), verdict.reason_code) if verdict else ("", "")


def forged(mutant: Forged, scratch: Path) -> MutantOutcome:
    """Judge a journal that was spoilt."""
    path = scratch / "judged.jsonl"
    path.write_bytes(mutant.content)
    verdict = judge(journals.read(path))
    return MutantOutcome(
        kind=mutant.kind,
        name=mutant.name,
        entry=JUDGE,
        against=HEALTHY,
        code=verdict.exit_code,
        status=str(verdict.verdict),
        reason_code=verdict.reason_code,
    )
