"""The suite itself is spoilt, in hundreds of ways, and none of them may end in a PASS.

    .venv-test/bin/python benchmarks/suite_mutants.py [--most N | --every | --quick | --only TEXT...]

At most N (30) of each kind, or all of them, and docs/suite-mutants.md is written; or a sample with a fixed seed, or
those whose kind or name has a text, and nothing is.

Ends with 1 when a mutant is a PASS, by its exit code or by the verdict it leaves. Mutants that take evidence away are
played against a sandbox that is well, where the suite as it is passes; mutants that could call a fault good are played
against a sandbox with that fault, which the suite as it is does not pass. Both are shown first.

What is chosen of a kind is chosen with a fixed seed, and what few choose is among what more choose. A run that writes
the page keeps what it found in artifacts/suite-mutants/, and one that was stopped, or one of more, goes on there, as
long as nothing of the suite, the package and the mutators has changed.
"""

import argparse
import contextlib
import hashlib
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "benchmarks")]

from mutators.around import (  # noqa: E402
    clock_mutants,
    configuration_mutants,
    environment_mutants,
    manifest_mutants,
    process_mutants,
    signal_mutants,
)
from mutators.evidence import Forged, after_mutants, during_mutants, rechained_mutants  # noqa: E402
from mutators.features import feature_mutants  # noqa: E402
from mutators.mutant import HEALTHY, PART, Mutant  # noqa: E402
from mutators.playing import Player, forged, run, sandbox, verdict_of  # noqa: E402
from mutators.reported import ENTRIES, FORK, JUDGE, MutantOutcome, page  # noqa: E402
from mutators.room import emptied_mutants, room_mutants, weakened_mutants  # noqa: E402
from mutators.steps import hook_mutants, step_mutants  # noqa: E402
from suite_parts import Project  # noqa: E402

SEED = 20261125
QUICK_FORKED, QUICK_ALONE, QUICK_JUDGED = 20, 3, 60
PAGE = ROOT / "docs" / "suite-mutants.md"
STATE = ROOT / "artifacts" / "suite-mutants"
AT_ONCE = 3
MOST_OF_A_KIND = 30


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What the suite as it is leaves of a part: a good journal, and its size."""

    journal: Path
    lines: int
    size: int

    @classmethod
    def of(cls, journal: Path) -> "Baseline":
        content = journal.read_bytes()
        return cls(journal=journal, lines=content.count(b"\n"), size=len(content))


def passes(folder: Path, player: Player, *, whole: bool) -> Path:
    """Show that the suite as it is passes what is well, however it is started; raises RuntimeError otherwise.

    Returns the journal of a part of the suite.
    """
    entries = (*ENTRIES, FORK) if whole else (FORK,)
    journals: list[Path] = []
    for tags, entry in itertools.product(("@smoke", PART) if whole else (PART,), entries):
        nothing = Mutant(kind="", name="", tags=tags)
        with sandbox(HEALTHY) as environ:  # one for each: a second sign-in within a minute would have to wait
            project = Project(folder / f"{entry}, {tags}", environ)
            if entry == FORK:
                code = player.fork(project, nothing)
            else:
                code, _ = run(project, nothing, entry, project.environ)
        if (code, verdict_of(project)[0]) != (0, "PASS"):
            said = (project.folder / "output").read_text()
            raise RuntimeError(f"the suite as it is does not pass through {entry}: {said}")
        journals.append((project.folder / "artifacts" / "latest").resolve() / "journal.jsonl")
    return journals[-1]


def finds(faults: Iterable[tuple[str, str]], folder: Path) -> None:
    """Show that the suite as it is finds faults, given with the tags to play; raises RuntimeError otherwise."""
    for fault, tags in faults:
        with sandbox(fault) as environ:
            project = Project(folder / f"{fault}, {tags}", environ)
            code, _ = run(project, Mutant(kind="", name="", tags=tags), ENTRIES[0], project.environ)
        if (code, verdict_of(project)[0]) not in {(1, "FAIL"), (2, "CONFIG")}:  # CONFIG: wrong settings
            raise RuntimeError(f"the suite as it is does not find {fault} with {tags}")


def all_mutants(baseline: Baseline, scratch: Path) -> tuple[list[Mutant], list[Forged]]:
    """Return every mutant: those that are played, and those that are only judged."""
    rng = random.Random(SEED)
    features = ROOT / "features"
    played = [
        *feature_mutants(features),
        *step_mutants(features),
        *hook_mutants(features),
        *room_mutants(),
        *weakened_mutants(),
        *emptied_mutants(),
        *configuration_mutants(),
        *manifest_mutants(features / "manifest.jsonl"),
        *environment_mutants(),
        *process_mutants(baseline.size),
        *clock_mutants(),
        *signal_mutants(baseline.lines, rng),
        *during_mutants(baseline.lines, baseline.journal, rng),
    ]
    judged = [*after_mutants(baseline.journal, rng), *rechained_mutants(baseline.journal, scratch)]
    names = Counter([*(mutant.id for mutant in played), *(mutant.id for mutant in judged)])
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"mutants of the same name: {twice[:3]}")
    return played, judged


def entries_of(mutants: Sequence[Mutant]) -> list[str]:
    """Return how each mutant is played: alone at the two entries by turns, else in a fork but for one of a kind."""
    turns: Counter[str] = Counter()
    entries = []
    for mutant in mutants:
        turn = turns[mutant.kind]
        turns[mutant.kind] += 1
        forked = FORK if turn else ENTRIES[1]
        entries.append(mutant.entry or ENTRIES[turn % len(ENTRIES)] if mutant.alone else forked)
    return entries


Kind = TypeVar("Kind", Mutant, Forged)


def at_most(mutants: Sequence[Kind], most: int) -> list[Kind]:
    """Return so many mutants of each kind: of fewer, some of those that are among more."""
    of_kind: dict[str, list[Kind]] = {}
    for mutant in mutants:
        of_kind.setdefault(mutant.kind, []).append(mutant)
    return [mutant for each in of_kind.values() for mutant in sorted(each, key=_lot)[:most]]


def _lot(mutant: Mutant | Forged) -> bytes:
    return hashlib.sha256(f"{SEED} {mutant.id}".encode()).digest()


def sampled(mutants: Sequence[Kind], size: int) -> list[Kind]:
    """Return one mutant of each of some kinds."""
    rng = random.Random(SEED)
    kinds = list(dict.fromkeys(mutant.kind for mutant in mutants))
    picked = rng.sample(kinds, min(size, len(kinds)))
    return [rng.choice([mutant for mutant in mutants if mutant.kind == kind]) for kind in picked]


def play_all(player: Player, mutants: Sequence[tuple[Mutant, str]]) -> Iterator[tuple[Mutant, MutantOutcome | None]]:
    """Play mutants side by side; yields each as it ends."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {pool.submit(player.play, mutant, entry): mutant for mutant, entry in mutants}
        try:
            for done in as_completed(asked):
                yield asked[done], done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the state: a mutant by its id, and what became of it (None for one that is none)."""

    id: str
    outcome: MutantOutcome | None


class State:
    """What a full run has found so far; a run of anything else starts with nothing."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / f"{_digest()}.baseline.jsonl"
        self._path = folder / f"{_digest()}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)

    def found(self) -> dict[str, MutantOutcome | None]:
        with contextlib.suppress(FileNotFoundError):
            records = (msgspec.json.decode(line, type=Record) for line in self._path.read_bytes().splitlines())
            return {record.id: record.outcome for record in records}
        return {}

    def keep(self, mutant: Mutant, outcome: MutantOutcome | None) -> None:
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(Record(id=mutant.id, outcome=outcome)) + b"\n")


def _digest() -> str:
    digest = hashlib.sha256()
    for folder in (ROOT / "features", ROOT / "environments", ROOT / "src", ROOT / "benchmarks"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which mutants are played: at most so many of a kind (None for all), a sample, or those whose id has a text."""

    most: int | None = MOST_OF_A_KIND
    quick: bool = False
    only: tuple[str, ...] = ()

    @property
    def is_for_the_page(self) -> bool:
        return not (self.quick or self.only)


def outcomes_by(choice: Choice, scratch: Path, state: State | None) -> Iterator[MutantOutcome | None]:
    """Play and judge what is asked for; None for a mutant that is none."""
    with sandbox(HEALTHY) as environ, Player(environ) as player:
        journal = passes(scratch, player, whole=not choice.quick)
        if state:
            if not state.journal.exists():
                state.journal.write_bytes(journal.read_bytes())
            journal = state.journal
        played, judged = all_mutants(Baseline.of(journal), scratch)
        if choice.is_for_the_page and choice.most is not None:
            played = at_most(played, choice.most)
        asked = list(zip(played, entries_of(played), strict=True))
        if choice.quick:
            alone = sampled([mutant for mutant in played if mutant.alone], QUICK_ALONE)
            forked = sampled([mutant for mutant, entry in asked if entry == FORK], QUICK_FORKED)
            asked = [(mutant, entry) for mutant, entry in asked if mutant in alone or mutant in forked]
            judged = sampled(judged, QUICK_JUDGED)
        elif choice.only:
            asked = [(mutant, entry) for mutant, entry in asked if _has(mutant, choice.only)]
            judged = [mutant for mutant in judged if _has(mutant, choice.only)]
        found = state.found() if state else {}
        print(f"{len(asked)} to play ({len(found)} were before), {len(judged)} to judge", flush=True)
        finds(dict.fromkeys((mutant.against, mutant.tags) for mutant, _ in asked if mutant.against), scratch)
        yield from (forged(mutant, scratch) for mutant in judged)
        yield from (found[mutant.id] for mutant, _ in asked if mutant.id in found)
        for mutant, outcome in play_all(player, [pair for pair in asked if pair[0].id not in found]):
            if state:
                state.keep(mutant, outcome)
            yield outcome


def _has(mutant: Mutant | Forged, texts: Sequence[str]) -> bool:
    return any(text in mutant.id for text in texts)


def line(each: MutantOutcome) -> str:
    """Return a mutant's line for a terminal."""
    sign = "late" if each.late else "PASS" if each.passed else "FAIL" if each.blames else "    "
    return f"{sign} {each.kind}: {each.name} [{each.entry}] {each.code} {each.status} {each.reason_code}"


def main(arguments: Sequence[str]) -> int:
    """Play what is asked for; 1 when a mutant is a PASS."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--most", type=int, default=MOST_OF_A_KIND, metavar="N", help="of each kind (default: %(default)s)"
    )
    how.add_argument("--every", action="store_true", help="all mutants")
    how.add_argument("--quick", action="store_true", help="a sample; writes nothing")
    how.add_argument("--only", nargs="+", default=(), metavar="TEXT", help="whose id has a text; writes nothing")
    given = parser.parse_args(arguments)
    choice = Choice(most=None if given.every else given.most, quick=given.quick, only=tuple(given.only))
    writes = choice.is_for_the_page
    began = time.monotonic()
    outcomes: list[MutantOutcome] = []
    equivalent = 0
    with tempfile.TemporaryDirectory() as scratch:
        for each in outcomes_by(choice, Path(scratch), State(STATE) if writes else None):
            if each is None:
                equivalent += 1
                continue
            outcomes.append(each)
            if each.entry != JUDGE or each.passed:
                print(line(each), flush=True)
    counted = [each for each in outcomes if not each.late]
    holes = [each for each in counted if each.passed]
    print(
        f"{len(counted)} mutants, {len(holes)} PASS, {sum(each.blames for each in counted)} blamed a good release; "
        f"{equivalent} equivalent and {len(outcomes) - len(counted)} late left out; {time.monotonic() - began:.0f} s"
    )
    for each in holes:
        print(line(each))
    if writes:
        PAGE.write_text(page(outcomes, equivalent, choice.most), encoding="utf-8")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
