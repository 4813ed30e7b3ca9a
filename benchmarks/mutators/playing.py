"""Plays a mutant: a project of its own, a process as users start it, and what is done to it meanwhile."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from suite_parts import Project

from mutators.evidence import Forged
from mutators.mutant import HEALTHY, Limits, Meddling, Mutant, model
from mutators.told import Told
from streampay_smoke.evidence import journal as journals
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import from_json
from streampay_smoke.sandbox.stack import start_sandbox

LONGEST_SECONDS = 150.0
DEADLINE_SECONDS = "110"


@contextlib.contextmanager
def sandbox(fault: str) -> Iterator[dict[str, str]]:
    """Run a sandbox with a fault, or one that is well; give the variables that point a run at it."""
    with start_sandbox(faults=(fault,) if fault else ()) as running:
        yield {**running.ready_document()["env"], "SMOKE_DEADLINE_SECONDS": DEADLINE_SECONDS}


def play(mutant: Mutant, entry: str) -> Told | None:
    """Play one mutant in a project of its own; None for one that is none, because behave would play the same."""
    with tempfile.TemporaryDirectory() as folder, sandbox(mutant.against) as environ:
        project = Project(Path(folder), environ)
        before = _content(project.folder), model(project.features)
        mutant.spoil(project)
        unchanged = _content(project.folder) == before[0]
        if unchanged and not (
            mutant.environ or mutant.meddling or mutant.limits != Limits() or mutant.tags != "@smoke"
        ):
            raise ValueError(f"{mutant.id} changes nothing")
        if _only_features(before[0], _content(project.folder)) and model(project.features) == before[1]:
            return None
        home = mutant.environ.get("HOME")
        more = {**mutant.environ, **({"HOME": str(project.folder / home)} if home else {})}
        code, late = run(project, mutant, entry, {**project.environ, **more})
        word, reason_code = verdict_of(project)
    return Told(
        kind=mutant.kind,
        name=mutant.name,
        entry=entry,
        against=mutant.against,
        code=code,
        word=word,
        reason_code=reason_code,
        late=late,
    )


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _only_features(before: dict[str, bytes], now: dict[str, bytes]) -> bool:
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    return bool(changed) and all(name.endswith(".feature") for name in changed)


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


def _meddle(project: Project, meddling: Meddling, process: "subprocess.Popen[bytes]") -> bool:
    """Wait for the moment and do it; return False when the run was over before."""
    latest = project.folder / "artifacts" / "latest"
    while process.poll() is None:
        with contextlib.suppress(OSError):
            folder = latest.resolve(strict=True)
            if (folder / "journal.jsonl").read_bytes().count(b"\n") >= meddling.at_line:
                break
        time.sleep(0.003)
    else:
        return False
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
        alive = False
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                alive = alive or (int(fields[3]) == session and fields[0] != "Z")
        if not alive:
            return
        time.sleep(0.05)


def verdict_of(project: Project) -> tuple[str, str]:
    latest = project.latest()
    try:
        verdict = from_json((latest / "verdict.json").read_bytes()) if latest else None
    except (OSError, msgspec.DecodeError):
        verdict = None
    return (str(verdict.verdict), verdict.reason_code) if verdict else ("", "")


def forged(mutant: Forged, scratch: Path) -> Told:
    """Judge a journal that was spoilt."""
    path = scratch / "judged.jsonl"
    path.write_bytes(mutant.content)
    verdict = judge(journals.read(path))
    return Told(
        kind=mutant.kind,
        name=mutant.name,
        entry="judge",
        against=HEALTHY,
        code=verdict.exit_code,
        word=str(verdict.verdict),
        reason_code=verdict.reason_code,
    )
