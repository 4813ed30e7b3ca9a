"""Plays what was chosen of the corpus and returns the results."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from streampay_smoke.selftest.case import Case
from streampay_smoke.selftest.corpus import CORPUS
from streampay_smoke.selftest.playing import GATE, NO_ANSWER, Played, play
from streampay_smoke.selftest.pool import played
from streampay_smoke.selftest.results import Results, collected
from streampay_smoke.selftest.scoring import UNDISTURBED
from streampay_smoke.selftest.telling import Progress

JOBS_PER_CORE = 3
"""Most of a case is waiting: for ledgers, for answers that never come, for processes to start."""

FULL_FAULT_SEEDS = 4
FULL_NOISY_RUNS = 3_000
FULL_UNDISTURBED_RUNS = 750
"""None of so many INCONCLUSIVE bounds their share below 0.5 %."""


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

    def tasks(self, seconds: Mapping[str, float]) -> Sequence[Task]:
        """Return the runs, those expected to take longest first; what was never timed comes before them."""
        tasks = [
            Task(case=name, seed=seed, hurried=self.hurried, gate=self.gate)
            for name in self.names
            for seed in range(self._seeds_of(CORPUS[name]))
        ]
        return sorted(tasks, key=lambda task: -seconds.get(task.case, float("inf")))

    def _seeds_of(self, case: Case) -> int:
        if self.seeds is not None:
            return self.seeds
        if self.hurried:
            return 1
        if case.is_fault:
            return FULL_FAULT_SEEDS
        if case.name == UNDISTURBED:
            return FULL_UNDISTURBED_RUNS
        noises = sum(not each.is_fault for each in CORPUS.values()) - 1
        return -(-FULL_NOISY_RUNS // noises)


def measure(
    plan: Plan, *, jobs: int | None = None, seconds: Mapping[str, float] | None = None, commit: str = ""
) -> Results:
    """Play the plan in worker processes and return the results; tells about each run as it ends.

    `seconds` is how long a run of each case took before, as far as that is known.
    """
    tasks = plan.tasks(seconds or {})
    progress = Progress(len(tasks))
    results = []
    for task, result in played(tasks, play_task, jobs=jobs or JOBS_PER_CORE * (os.cpu_count() or 1), lost=_lost):
        progress.show(CORPUS[task.case], result)
        results.append(result)
    progress.end()
    return collected(CORPUS, results, commit=commit, hurried=plan.hurried)


def play_task(task: Task) -> Played:
    """Play one run; for a worker process."""
    return play(CORPUS[task.case], task.seed, hurried=task.hurried, gate=task.gate)


def _lost(task: Task, why: str) -> Played:
    return Played(case=task.case, seed=task.seed, word=NO_ANSWER, trouble=why)


def commit_of(root: Path) -> str:
    """Return the commit a folder is at, with "+changes" where its code differs from it; "unknown" without git."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "src", "features", "environments", "behave.ini")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+changes" if changed else head


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
