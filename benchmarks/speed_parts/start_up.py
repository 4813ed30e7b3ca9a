"""Start-up by part, in seconds of CPU: what each process of a run imports, and the smallest whole run."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from speed_parts.gate import ROOT, environment
from speed_parts.rows import Row
from streampay_sandbox.stack import start_sandbox

SDK = "`import stellar_sdk`"
IMPORTS = {
    "Python itself": ("pass", 0.2),
    "the command (`streampay_smoke.cli`)": ("import streampay_smoke.cli", 0.6),
    "the supervisor": ("import streampay_smoke.run.supervisor", 0.7),
    "behave": ("import behave.__main__", 0.7),
    "the runner in behave": ("import behave.__main__, streampay_smoke.runner.runner", 1.5),
    "reports": ("import streampay_smoke.publish.publish, jinja2", 1.0),
}
"""What is imported, and the generous limit of its ratio to SDK."""


def rows(runs: int) -> Iterator[Row]:
    """Yield a row for each import, and one for `@readiness` of a running deployment."""
    sdk = _cpu_seconds(runs, [sys.executable, "-c", "import stellar_sdk"])
    for what, (statement, most) in IMPORTS.items():
        seconds = _cpu_seconds(runs, [sys.executable, "-c", statement])
        yield Row(part="start-up", what=what, seconds=seconds, base=SDK, base_seconds=sdk, most=most)
    with start_sandbox() as sandbox:
        yield from _readiness(runs, {**sandbox.ready_document()["env"], "SMOKE_REPORT": "0"}, sdk)


def _readiness(runs: int, environ: Mapping[str, str], sdk: tuple[float, ...]) -> Iterator[Row]:
    folder = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as artifacts:
        settings = {**environ, "SMOKE_ARTIFACTS": artifacts}
        commands: Mapping[str, Sequence[str]] = {
            "`streampay-smoke run --tags @readiness`": [str(folder / "streampay-smoke"), "run", "--tags", "@readiness"],
            "`behave --tags=@readiness`": [str(folder / "behave"), "--tags=@readiness"],
        }
        for what, command in commands.items():
            seconds = _cpu_seconds(runs, command, settings)
            yield Row(part="start-up", what=what, seconds=seconds, base=SDK, base_seconds=sdk, target=0.3, most=4.0)


def _cpu_seconds(runs: int, command: Sequence[str], settings: Mapping[str, str] | None = None) -> tuple[float, ...]:
    """Return the CPU time of a command and its children, some times; a first time fills the caches and is left out."""
    environ = environment()

    def once() -> float:
        before = _children()
        subprocess.run(command, cwd=ROOT, env={**environ, **(settings or {})}, check=True, capture_output=True)
        return _children() - before

    return tuple(_after_one(once, runs))


def _after_one(measure: Callable[[], float], runs: int) -> Iterator[float]:
    measure()
    for _ in range(runs):
        yield measure()


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
