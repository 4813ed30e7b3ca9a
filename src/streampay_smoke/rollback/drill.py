"""The drill: the actuator made to do everything it promises, for real, on a fleet that belongs to nobody.

A rollback that was never made does not work on the night it is needed. A drill starts the program as people do, breaks
what may break around it, kills it half-way, and leaves a dated report of what it did.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from streampay_smoke import __version__
from streampay_smoke.core import times
from streampay_smoke.core.progress_line import Count
from streampay_smoke.core.system_facts import child_environment
from streampay_smoke.rollback.log import read_log
from streampay_smoke.rollback.outcome import RollbackEnding

SCHEMA = "streampay.dev/rollback-drill/v1"

STABLE, BROKEN, OTHER = "v1", "v2", "v3"
BROKEN_BY = "half-broken"
"""The fault of the sandbox that the failed release has: it calls itself ready, and its lists answer 500."""

PROGRAM = "streampay_smoke.rollback"
LONGEST_SECONDS = 60.0
EXERCISES = 8


class DrillState(Protocol):
    """What an engine knows."""

    @property
    def live(self) -> str:
        """The live release."""

    @property
    def applied(self) -> Sequence[object]:
        """Every rollback that was made."""


class DrillEngine(Protocol):
    """The engine of a fleet."""

    def promote(self, release: str) -> None:
        """Make a release the live one."""

    def misbehave(self, *faults: str) -> None:
        """Go wrong in these ways, and in no others."""

    def state(self) -> DrillState:
        """Return what it knows."""


class DrillLedger(Protocol):
    """The ledger of a fleet."""

    def stop(self) -> None:
        """Go down."""


class DrillFleet(Protocol):
    """A fleet of the sandbox (`streampay_sandbox.fleet.Fleet`), with STABLE live."""

    @property
    def engine(self) -> DrillEngine:
        """Its engine."""

    @property
    def ledger(self) -> DrillLedger:
        """Its ledger."""

    def start(self, name: str, *, replicas: int = 2, faults: Sequence[str] = ()) -> None:
        """Start a release at no traffic."""

    def environ(self) -> Mapping[str, str]:
        """Return the variables that point a rollback at it."""


class Exercise(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried: what was expected, what came of it, and what the program said first.

    `seconds` is the program from start to end.
    """

    name: str
    expected: str
    observed: str
    held: bool
    seconds: float
    said: str


class DrillReport(msgspec.Struct, frozen=True, kw_only=True):
    """A drill: when (ISO 8601, UTC), by which version, and every exercise."""

    schema: str
    at: str
    version: str
    held: bool
    exercises: tuple[Exercise, ...]


class Drill:
    """Runs the exercises on one fleet; `log_path` is a log of its own, kept beside the report."""

    def __init__(self, fleet: DrillFleet, log_path: Path, root: Path, progress: Count) -> None:
        self._fleet = fleet
        self._progress = progress
        self._log_path = log_path
        self._root = root
        self._made_before = 0
        self._environ = child_environment({**fleet.environ(), "SMOKE_ROLLBACK_LOG": str(log_path)})
        fleet.start(BROKEN, replicas=2, faults=[BROKEN_BY])
        fleet.start(OTHER, replicas=1)

    def exercises(self) -> Iterator[Exercise]:
        """Make every exercise, in an order in which each finds what it needs."""
        yield self._expect(
            "the live release is recorded before a deploy", self._record, "plain", RollbackEnding.VERIFIED
        )
        self._deploy_broken()
        yield self._rolled_back("a broken release is rolled back and the rollback proved", "plain")
        yield self._rolled_back("a second rollback of the deploy does nothing", "plain")
        yield self._expect(
            "a deploy that was not recorded has nothing to go back to",
            self._roll_back,
            "unknown",
            RollbackEnding.NO_PREVIOUS,
        )
        self._record("fenced")
        self._fleet.engine.promote(OTHER)
        yield self._expect(
            "another release than the failed one is not removed",
            self._roll_back,
            "fenced",
            RollbackEnding.REFUSED,
            live=OTHER,
        )
        self._prepare("silent", "no-answer")
        yield self._rolled_back("an engine that acts and gives no answer acts once", "silent")
        self._prepare("killed", "late")
        self._kill_after_asking("killed")
        yield self._rolled_back("a rollback killed after it asked is finished, and acts once", "killed")
        self._prepare("without-ledger")
        self._fleet.ledger.stop()
        yield self._rolled_back("a rollback is made and proved while the ledger is down", "without-ledger")

    def _prepare(self, deploy: str, *faults: str) -> None:
        """Let STABLE be live and recorded, then the broken release be deployed; the engine misbehaves from then on."""
        self._fleet.engine.misbehave()
        self._fleet.engine.promote(STABLE)
        self._record(deploy)
        self._deploy_broken(*faults)

    def _deploy_broken(self, *faults: str) -> None:
        self._fleet.engine.promote(BROKEN)
        self._fleet.engine.misbehave(*faults)
        self._made_before = len(self._fleet.engine.state().applied)

    def _rolled_back(self, name: str, deploy: str) -> Exercise:
        """Roll back the broken release; since it was deployed exactly one rollback is made, whoever began it."""
        exercise = self._expect(name, self._roll_back, deploy, RollbackEnding.VERIFIED, live=STABLE)
        made = len(self._fleet.engine.state().applied) - self._made_before
        return msgspec.structs.replace(
            exercise,
            expected=f"{exercise.expected}, 1 made",
            observed=f"{exercise.observed}, {made} made",
            held=exercise.held and made == 1,
        )

    def _expect(
        self, name: str, run: Callable[[str], "_Ran"], deploy: str, ending: RollbackEnding, live: str = ""
    ) -> Exercise:
        self._progress.doing = name
        ran = run(deploy)
        self._progress.done += 1
        is_live = self._fleet.engine.state().live
        return Exercise(
            name=name,
            expected=f"exit code {ending.value}{f', {live} live' if live else ''}",
            observed=f"exit code {ran.code}{f', {is_live} live' if live else ''}",
            held=ran.code == ending and live in {"", is_live},
            seconds=round(ran.seconds, 2),
            said=ran.said,
        )

    def _record(self, deploy: str) -> "_Ran":
        return self._run("--record", "--deploy", deploy)

    def _roll_back(self, deploy: str) -> "_Ran":
        return self._run("--deploy", deploy, "--failed", BROKEN)

    def _run(self, *arguments: str) -> "_Ran":
        began = time.monotonic()
        done = subprocess.run(
            self._command(*arguments),
            cwd=self._root,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        lines = (done.stdout or done.stderr).strip().splitlines()
        return _Ran(code=done.returncode, seconds=time.monotonic() - began, said=lines[0] if lines else "")

    def _kill_after_asking(self, deploy: str) -> None:
        """Start a rollback and end it by SIGKILL as soon as its log says that it asks."""
        command = self._command("--deploy", deploy, "--failed", BROKEN)
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, cwd=self._root, env=self._environ, stdout=quiet, stderr=quiet) as process:
            while process.poll() is None and not read_log(self._log_path).of(deploy).asked:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", PROGRAM, "--env", "sandbox", *arguments]


class _Ran(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    seconds: float
    said: str


def drill(fleet: DrillFleet, folder: Path, root: Path, progress: Count) -> tuple[DrillReport, Path]:
    """Run a drill and write its report below `folder`, as JSON and as a page; return both. `root` is the project's."""
    at_ms = times.now_ms()
    stamp = times.stamp(at_ms)
    folder.mkdir(parents=True, exist_ok=True)
    exercises = tuple(Drill(fleet, folder / f"{stamp}.jsonl", root, progress).exercises())
    report = DrillReport(
        schema=SCHEMA,
        at=times.iso(at_ms),
        version=__version__,
        held=all(exercise.held for exercise in exercises),
        exercises=exercises,
    )
    (folder / f"{stamp}.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    page = folder / f"{stamp}.md"
    page.write_text(page_of(report), encoding="utf-8")
    return report, page


def page_of(report: DrillReport) -> str:
    """Return a drill's report for people."""
    rows = "".join(map(_row, report.exercises))
    return (
        f"# Rollback drill of {report.at}\n\n"
        f"{'Every exercise held.' if report.held else 'Something did not hold: see to it before the next deploy.'} "
        f"streampay-smoke {report.version}, on a fleet of the sandbox:\n"
        "everything is simulated but the processes, their sockets and their deaths.\n\n"
        f"| | exercise | expected | observed | took |\n|---|---|---|---|---|\n{rows}"
    )


def _row(it: Exercise) -> str:
    held, observed = ("held", it.observed) if it.held else ("**FAILED**", f"{it.observed}: {it.said}")
    return f"| {held} | {it.name} | {it.expected} | {observed} | {it.seconds:.1f} s |\n"
