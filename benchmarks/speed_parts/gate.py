"""The gate, played as a process: how long until it ends, and until its verdict is printed."""

import functools
import os
import re
import subprocess
import sys
import tempfile
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


class GateRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run: seconds from its start until the verdict was printed, and until the process ended."""

    told_seconds: float
    seconds: float
    verdict: Verdict
    entries: tuple[Entry, ...]


def environment() -> dict[str, str]:
    """Return what a command is started with: nobody's settings, and modules compiled as an installation keeps them."""
    left_out = ("SMOKE_", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    _compile_once()
    return inherited


@functools.cache
def _compile_once() -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", "src"], cwd=ROOT, check=True)


def play(environ: Mapping[str, str], *, tags: str = "", wanted: str = "", project: Path = ROOT) -> GateRun:
    """Play the suite of a project, or the part of it with these tags, without Allure's report.

    Raises RuntimeError for a run without a verdict, or with another than the `wanted` one.
    """
    inherited = environment()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("streampay-smoke")), "run", "--no-report"]
        command += ["--tags", tags] if tags else []
        settings = {"SMOKE_ARTIFACTS": folder, "SMOKE_KEEP_SIGN_IN": "0", **environ}
        began = time.monotonic()
        told = 0.0
        with subprocess.Popen(
            command,
            cwd=project,
            env={**inherited, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not told and VERDICT_LINE.match(line):
                    told = time.monotonic() - began
            process.wait(HANG_SECONDS)
        seconds = time.monotonic() - began
        verdict = written_at(Path(folder) / "latest" / "verdict.json")
        if verdict is None or not told:
            raise RuntimeError(f"a run with {sorted(environ)} left no verdict")
        if wanted and verdict.verdict != wanted:
            raise RuntimeError(f"a run that has to be {wanted} is {verdict.message}")
        entries = journal.read(Path(folder) / "latest" / "journal.jsonl").entries
    return GateRun(told_seconds=told, seconds=seconds, verdict=verdict, entries=entries)
