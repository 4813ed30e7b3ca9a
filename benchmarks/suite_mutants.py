"""The suite itself is spoilt, in hundreds of ways, and none of them may end in a PASS.

    .venv-test/bin/python benchmarks/suite_mutants.py            all mutants; writes docs/suite-mutants.md and .json
    .venv-test/bin/python benchmarks/suite_mutants.py --quick    a sample with a fixed seed; writes nothing
    .venv-test/bin/python benchmarks/suite_mutants.py --only TEXT...    those whose kind or name has a text

Ends with 1 when a mutant is a PASS, by its exit code or by the verdict it leaves. Mutants that take evidence away are
played against a sandbox that is well, where the suite as it is passes; mutants that could call a fault good are played
against a sandbox with that fault, which the suite as it is does not pass. Both are shown first.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from mutators.mutant import HEALTHY, Mutant  # noqa: E402
from mutators.playing import forged, play, run, sandbox, verdict_of  # noqa: E402
from mutators.steps import hook_mutants, module_mutants, promise_mutants, step_mutants  # noqa: E402
from mutators.told import ENTRIES, Told, page  # noqa: E402
from suite_parts import Project  # noqa: E402

SEED = 20261125
QUICK_PLAYED, QUICK_JUDGED = 12, 60
PAGE = ROOT / "docs" / "suite-mutants.md"
AT_ONCE = 3


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What the suite as it is leaves: a good journal, and its size."""

    journal: Path
    lines: int
    size: int


def passes(folder: Path) -> Baseline:
    """Show that the suite as it is passes what is well, through both entries; raises RuntimeError otherwise."""
    for entry in ENTRIES:
        with sandbox(HEALTHY) as environ:
            project = Project(folder / entry, environ)
            code, _ = run(project, Mutant(kind="", name=""), entry, project.environ)
        if (code, verdict_of(project)[0]) != (0, "PASS"):
            said = (project.folder / "output").read_text()
            raise RuntimeError(f"the suite as it is does not pass through {entry}: {said}")
    journal = (folder / ENTRIES[0] / "artifacts" / "latest").resolve() / "journal.jsonl"
    content = journal.read_bytes()
    return Baseline(journal=journal, lines=content.count(b"\n"), size=len(content))


def finds(faults: Iterable[tuple[str, str]], folder: Path) -> None:
    """Show that the suite as it is finds faults, given with the tags to play; raises RuntimeError otherwise."""
    for fault, tags in faults:
        with sandbox(fault) as environ:
            project = Project(folder / fault, environ)
            code, _ = run(project, Mutant(kind="", name="", tags=tags), ENTRIES[0], project.environ)
        if (code, verdict_of(project)[0]) != (1, "FAIL"):
            raise RuntimeError(f"the suite as it is does not find {fault}")


def all_mutants(baseline: Baseline, scratch: Path) -> tuple[list[Mutant], list[Forged]]:
    """Return every mutant: those that are played, and those that are only judged."""
    rng = random.Random(SEED)
    features = ROOT / "features"
    played = [
        *feature_mutants(features),
        *step_mutants(features),
        *hook_mutants(features),
        *promise_mutants(),
        *module_mutants(),
        *configuration_mutants(),
        *manifest_mutants(features / "manifest.jsonl"),
        *environment_mutants(),
        *process_mutants(baseline.size),
        *clock_mutants(),
        *signal_mutants(baseline.lines, rng),
        *during_mutants(baseline.lines, baseline.journal, rng),
    ]
    judged = [*after_mutants(baseline.journal, rng), *rechained_mutants(baseline.journal, scratch)]
    names = Counter(mutant.id for mutant in (*played, *judged))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"mutants of the same name: {twice[:3]}")
    return played, judged


Kind = TypeVar("Kind", Mutant, Forged)


def chosen(mutants: Sequence[Kind], arguments: Sequence[str], sample: int) -> list[Kind]:
    """Return the mutants that are asked for: all, a sample of one for each of some kinds, or those with a text."""
    if arguments[:1] == ["--only"]:
        return [mutant for mutant in mutants if any(text in mutant.id for text in arguments[1:])]
    if arguments != ["--quick"]:
        return list(mutants)
    rng = random.Random(SEED)
    kinds = list(dict.fromkeys(mutant.kind for mutant in mutants))
    picked = rng.sample(kinds, min(sample, len(kinds)))
    return [rng.choice([mutant for mutant in mutants if mutant.kind == kind]) for kind in picked]


def play_all(mutants: Sequence[Mutant]) -> Iterator[Told | None]:
    """Play mutants side by side; those of a kind take turns at the two entries."""
    turns: Counter[str] = Counter()
    entries = []
    for mutant in mutants:
        entries.append(mutant.entry or ENTRIES[turns[mutant.kind] % len(ENTRIES)])
        turns[mutant.kind] += 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(play, mutants, entries)


def told_by(arguments: Sequence[str]) -> Iterator[Told | None]:
    """Play and judge what is asked for; None for a mutant that is none."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        baseline = passes(scratch)
        played, judged = all_mutants(baseline, scratch)
        to_play, to_judge = chosen(played, arguments, QUICK_PLAYED), chosen(judged, arguments, QUICK_JUDGED)
        print(f"{len(to_play)} of {len(played)} to play, {len(to_judge)} of {len(judged)} to judge", flush=True)
        faults = dict.fromkeys((mutant.against, mutant.tags) for mutant in to_play if mutant.against)
        finds(faults, scratch)
        yield from (forged(mutant, scratch) for mutant in to_judge)
        yield from play_all(to_play)


def line(each: Told) -> str:
    """Return a mutant's line for a terminal."""
    sign = "late" if each.late else "PASS" if each.passed else "FAIL" if each.blames else "    "
    return f"{sign} {each.kind}: {each.name} [{each.entry}] {each.code} {each.word} {each.reason_code}"


def main(arguments: Sequence[str]) -> int:
    """Play what is asked for; 1 when a mutant is a PASS."""
    if arguments not in ([], ["--quick"]) and not (len(arguments) > 1 and arguments[0] == "--only"):
        print(f"unknown: {' '.join(arguments)}; use --quick, or --only TEXT...", file=sys.stderr)
        return 2
    began = time.monotonic()
    told: list[Told] = []
    equivalent = 0
    for each in told_by(arguments):
        if each is None:
            equivalent += 1
            continue
        told.append(each)
        if each.entry in ENTRIES or each.passed:
            print(line(each), flush=True)
    counted = [each for each in told if not each.late]
    holes = [each for each in counted if each.passed]
    print(
        f"{len(counted)} mutants, {len(holes)} PASS, {sum(each.blames for each in counted)} blamed a good release; "
        f"{equivalent} equivalent and {len(told) - len(counted)} late were left out; {time.monotonic() - began:.0f} s"
    )
    for each in holes:
        print(line(each))
    if not arguments:
        PAGE.write_text(page(told, equivalent), encoding="utf-8")
        PAGE.with_suffix(".json").write_text(_json(counted), encoding="utf-8")
    return 1 if holes else 0


def _json(told: Sequence[Told]) -> str:
    lines = (json.dumps([each.kind, each.name, each.entry, each.code, each.word, each.reason_code]) for each in told)
    return '{"columns": ["kind", "name", "entry", "exit_code", "verdict", "reason_code"], "mutants": [\n' + (
        ",\n".join(lines) + "\n]}\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
