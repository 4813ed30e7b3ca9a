"""The gate, played as a process: how long until it ends, and until its verdict is printed."""

import contextlib
import functools
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from streampay_smoke.evidence import journal
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.gate.verdict import Verdict, written_at

ROOT = Path(__file__).resolve().parents[2]
VERDICT_LINE = re.compile(r"(PASS|FAIL|INCONCLUSIVE|CONFIG|SAFETY)  ")
HANG_SECONDS = 900.0
MEMORY_EVERY_SECONDS = 0.3


class GateRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run: seconds from its start until the verdict was printed, and until the process ended.

    `peak_mib` is the most memory that all its processes had at once, what they share counted once; 0 unmeasured.
    """

    told_seconds: float
    seconds: float
    verdict: Verdict
    entries: tuple[Entry, ...]
    peak_mib: float = 0.0


def environment() -> dict[str, str]:
    """Return what a command is started with: nobody's settings, and modules compiled as an installation keeps them."""
    left_out = ("SMOKE_", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    _compile_once()
    return inherited


@functools.cache
def _compile_once() -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", "src"], cwd=ROOT, check=True)


def play(
    environ: Mapping[str, str], *, tags: str = "", wanted: str = "", measures_memory: bool = False, sandbox_pid: int = 0
) -> GateRun:
    """Play the suite, or the part of it with these tags, without Allure's report.

    Memory is measured of the run's processes and, where it is named, the sandbox's.
    Raises RuntimeError for a run without a verdict, or with another than the `wanted` one.
    """
    inherited = environment()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("streampay-smoke")), "run", "--no-report"]
        command += ["--tags", tags] if tags else []
        settings = {"SMOKE_ARTIFACTS": folder, "SMOKE_KEEP_SIGN_IN": "0", **environ}
        began = time.monotonic()
        told, peaks, over = 0.0, [0.0], threading.Event()
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            watching = threading.Thread(target=_watch, args=(process.pid, sandbox_pid, over, peaks))
            if measures_memory:
                watching.start()
            for line in process.stdout:
                if not told and VERDICT_LINE.match(line):
                    told = time.monotonic() - began
            process.wait(HANG_SECONDS)
            over.set()
        seconds = time.monotonic() - began
        verdict = written_at(Path(folder) / "latest" / "verdict.json")
        if verdict is None or not told:
            raise RuntimeError(f"a run with {sorted(environ)} left no verdict")
        if wanted and verdict.verdict != wanted:
            raise RuntimeError(f"a run that has to be {wanted} is {verdict.message}")
        entries = journal.read(Path(folder) / "latest" / "journal.jsonl").entries
    return GateRun(told_seconds=told, seconds=seconds, verdict=verdict, entries=entries, peak_mib=peaks[0])


def _watch(pid: int, sandbox_pid: int, over: threading.Event, peaks: list[float]) -> None:
    while not over.wait(MEMORY_EVERY_SECONDS):
        peaks[0] = max(peaks[0], sum(map(_pss_mib, [*_tree(pid), sandbox_pid])))


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        text = " ".join(children.read_text() for children in Path(f"/proc/{pid}/task").glob("*/children"))
        return [pid, *(each for child in text.split() for each in _tree(int(child)))]
    return [pid]


def _pss_mib(pid: int) -> float:
    """Return the memory of a process, of what others share with it only its part; 0 for one that is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
