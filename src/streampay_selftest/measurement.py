"""Plays what was chosen of the corpus and returns the results."""

import contextlib
import hashlib
import os
import signal
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import msgspec

from streampay_selftest.case import Case
from streampay_selftest.case_run import GATE, NO_ANSWER, CaseRun, play
from streampay_selftest.corpus import CORPUS
from streampay_selftest.pool import played
from streampay_selftest.progress_output import ProgressOutput
from streampay_selftest.results import Results, collected
from streampay_selftest.run_store import FOLDER, RunStore
from streampay_selftest.scoring import DISTURBED_RUNS, FAULT_SEEDS, UNDISTURBED, UNDISTURBED_RUNS
from streampay_smoke.core.progress_line import counted
from streampay_smoke.settings.folders import project_root

JOBS_PER_CORE = 3
"""Most of a case is waiting: for ledgers, for answers that never come, for processes to start."""

WRONG = FOLDER / "wrong"
"""Where the evidence of runs that were wrong is kept."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run to make of a case of the corpus, by this gate."""

    case: str
    seed: int
    hurried: bool
    gate: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to play: these cases, in a hurry or whole, each with so many seeds (None for as many as the mode says)."""

    names: tuple[str, ...]
    hurried: bool
    seeds: int | None = None
    gate: tuple[str, ...] = GATE

    def tasks(self, seconds: Mapping[str, float], done: Container[tuple[str, int]] = ()) -> Sequence[Task]:
        """Return the runs that are not `done`.

        All cases advance alike, so that what is stopped half-way is half of everything.
        """
        wanted = {name: self._seeds_of(CORPUS[name]) for name in self.names}
        tasks = [
            Task(case=name, seed=seed, hurried=self.hurried, gate=self.gate)
            for name, seeds in wanted.items()
            for seed in range(seeds)
            if (name, seed) not in done
        ]
        place = self._places(seconds)
        return sorted(tasks, key=lambda task: (task.seed + place[task.case]) / wanted[task.case])

    def _places(self, seconds: Mapping[str, float]) -> Mapping[str, float]:
        """Return where in a round of all cases each has its turn, from 0 to 1.

        In a hurry there is one round, and its end is waited for: what is expected to take longest begins, after what
        was never timed. Of many rounds the order is drawn: what takes long mostly waits, and leaves the cores to what
        is played beside it, unless that waits too.
        """
        if self.hurried:
            ordered = sorted(self.names, key=lambda name: -seconds.get(name, float("inf")))
        else:
            ordered = sorted(self.names, key=lambda name: hashlib.sha256(name.encode()).digest())
        return {name: number / len(ordered) for number, name in enumerate(ordered)}

    def _seeds_of(self, case: Case) -> int:
        if self.seeds is not None:
            return self.seeds
        if self.hurried:
            return 1
        if case.is_fault:
            return FAULT_SEEDS
        if case.name == UNDISTURBED:
            return UNDISTURBED_RUNS
        disturbances = sum(not each.is_fault for each in CORPUS.values()) - 1
        return -(-DISTURBED_RUNS // disturbances)


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """The results, and why not everything was played, "" when it was."""

    results: Results
    stopped: str = ""


def measure(
    plan: Plan,
    *,
    root: Path,
    jobs: int | None = None,
    seconds: Mapping[str, float] | None = None,
    commit: str = "",
) -> Measurement:
    """Play the plan in worker processes; tells about each run as it ends.

    Whole runs are kept as they end, and those that are kept already are not played again. `seconds` is how long a run
    of each case took before, as far as that is known. SIGTERM and Ctrl-C end it with what there is.
    """
    run_store = None if plan.hurried else RunStore(root)
    kept = run_store.runs() if run_store else {}
    tasks = plan.tasks(seconds or {}, kept)
    known = [run for (name, _), run in kept.items() if name in plan.names]
    if run_store and kept:
        print(f"{len(known):,} runs are kept in {run_store.path.relative_to(root)}, {len(tasks):,} are left to play")
    results, stopped = list(known), ""
    progress = ProgressOutput(len(tasks))
    playing = played(
        tasks,
        play_task,
        jobs=jobs or JOBS_PER_CORE * (os.cpu_count() or 1),
        lost=_lost,
        began=lambda task: progress.begin(task.case),
    )
    with _stoppable(), counted(progress.count), contextlib.closing(playing):
        try:
            for task, result in playing:
                if run_store and not run_store.is_current:
                    stopped = "the code has changed: runs of one state of it are not added to those of another"
                    break
                if run_store:
                    run_store.add(result, commit)
                progress.show(CORPUS[task.case], result)
                results.append(result)
        except KeyboardInterrupt:
            stopped = "it was told to stop"
    return Measurement(results=collected(CORPUS, results, commit=commit, hurried=plan.hurried), stopped=stopped)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM be what Ctrl-C is, and Ctrl-C itself where a shell has switched it off for the background."""
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def play_task(task: Task) -> CaseRun:
    """Play one run; for a worker process."""
    evidence = project_root() / WRONG
    return play(CORPUS[task.case], task.seed, hurried=task.hurried, gate=task.gate, evidence=evidence)


def _lost(task: Task, why: str) -> CaseRun:
    return CaseRun(case=task.case, seed=task.seed, status=NO_ANSWER, problem=why)
