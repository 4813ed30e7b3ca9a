"""`streampay-smoke selftest`: play the corpus, tell what came of it, and say whether the gate meets its targets."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from streampay_selftest.case_run import GATE
from streampay_selftest.case_selection import SHARE_OF, share, unknown
from streampay_selftest.commits import CHANGES, commit_of
from streampay_selftest.committed import FOLDER, committed_results, write
from streampay_selftest.corpus import CORPUS
from streampay_selftest.measurement import Plan, measure
from streampay_selftest.progress_output import summary
from streampay_selftest.results import DISTURBANCE, FAULT, Results, merged, to_json
from streampay_selftest.scoring import missed, score
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.files import replace_file
from streampay_smoke.settings.folders import project_root

MET, MISSED, STOPPED = 0, 1, 3


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for; None leaves it to the mode."""

    full: bool = False
    every_case: bool = False
    only: tuple[str, ...] = ()
    seeds: int | None = None
    jobs: int | None = None
    list_only: bool = False
    json_file: Path | None = None
    write: bool = False


def selftest(wanted: Wanted, gate: Sequence[str] = GATE) -> int:
    """Play the corpus and tell; return 1 when a target is missed, 3 when it was stopped before it had played all.

    Raises SettingsInvalid for an unknown case.
    """
    names = _names(wanted.only)
    if wanted.list_only:
        print("\n".join(_listed(names)))
        return MET
    root = project_root()
    committed, commit = committed_results(root), commit_of(root)
    if not (wanted.full or wanted.every_case or wanted.only):
        names = _share(committed, commit)
    plan = Plan(names=names, hurried=not wanted.full, seeds=wanted.seeds, gate=tuple(gate))
    measured = measure(plan, root=root, jobs=wanted.jobs, seconds=_seconds(committed), commit=commit)
    results = measured.results
    if wanted.json_file is not None:
        replace_file(wanted.json_file, to_json(results))
    if wanted.write:
        write(root, merged(CORPUS, committed, results) if committed else results)
    of = score(results)
    print(f"\n{summary(results, of)}")
    if measured.stopped:
        print(f"stopped: {measured.stopped}. The same command goes on with what is missing.")
    return MISSED if missed(of) else STOPPED if measured.stopped else MET


def _names(only: Sequence[str]) -> tuple[str, ...]:
    for name in only:
        if name not in CORPUS:
            near = difflib.get_close_matches(name, CORPUS, n=1, cutoff=0.4)
            raise SettingsInvalid(
                f"the corpus has no case {name!r}{f'; did you mean {near[0]!r}?' if near else ''}",
                next_step="see `streampay-smoke selftest --list`",
            )
    return tuple(name for name in CORPUS if not only or name in only)


def _share(committed: Results | None, commit: str) -> tuple[str, ...]:
    new = unknown(CORPUS, committed.by_name if committed else {})
    names = tuple(share(CORPUS, commit.removesuffix(CHANGES), new))
    print(
        f"{len(names)} of {len(CORPUS)} cases: 1 of {SHARE_OF} as commit {commit} draws them, and {len(new)} that are "
        f"new or changed since {FOLDER}; --every-case plays all"
    )
    return names


def _listed(names: Sequence[str]) -> Sequence[str]:
    width = max(map(len, names))
    kinds = {True: FAULT, False: DISTURBANCE}
    return [
        f"{kinds[case.is_fault]:11}  {name:{width}}  {' or '.join(case.truths):26}  {case.story}"
        for name, case in ((name, CORPUS[name]) for name in names)
    ]


def _seconds(results: Results | None) -> Mapping[str, float]:
    if results is None:
        return {}
    return {case.name: median(each for outcome in case.outcomes for each in outcome.seconds) for case in results.cases}
