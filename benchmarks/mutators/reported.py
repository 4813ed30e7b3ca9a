"""What became of mutants, and the page that says so.

What counts: a change of a feature file where behave's own parser makes other scenarios, tags or steps of it; a key of
`behave.ini` where it decides what is played. `behave, forked` is `behave` in a fork of a process that has imported
it: good enough for a suite that the gate refuses before it plays anything; a mutant that gets as far as a scenario is
played again in a process and a sandbox of its own, and only that counts. One of each kind is played by
`streampay-smoke run`; signals, deeds, clocks, disks, closed streams, spoilt packages and faults always meet a process
as users start it, and a part of the suite. Journals that are only judged are counted apart: where their chain is
written anew, one event that proves something is left out or says the contrary."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mutators.mutant import HEALTHY

ENTRIES = ("behave", "run")
"""The two ways to play the suite: `behave --tags=...` and `streampay-smoke run --tags ...`."""

FORK, JUDGE = "behave, forked", "judge"
"""`behave` as it is, in a fork of a process that has imported it; and a journal that is only judged."""


class MutantOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mutant: the entry it was played through, exit code, and the verdict on disk ("" for none)."""

    kind: str
    name: str
    entry: str
    against: str
    code: int
    status: str
    reason_code: str
    late: bool = False

    @property
    def passed(self) -> bool:
        return self.code == 0 or self.status == "PASS"

    @property
    def blames(self) -> bool:
        """Whether a mutant is called the release's fault where the release has none."""
        well = self.against == HEALTHY and self.entry != JUDGE
        return well and (self.code == 1 or self.status == "FAIL")


TEXT = """\
# The suite itself is spoilt

A gate that is broken must not say PASS. Each mutant below is one change: of a feature, a step, a hook, an action, a
check, an observation, the configuration, the manifest, the settings, the process, the clock, the disk, or the evidence
of a run that is under way or over. Made by

```
.venv-test/bin/python benchmarks/suite_mutants.py
```

which ends with 1 when one of them is a PASS, by its exit code or by the verdict it leaves. {taken} CI plays a sample.

**{played} mutants were played, and {judged} journals judged: {passed} PASS.** {blaming} blamed a release that was well.
Verdicts: {statuses}. Played through: {entries}.

What is accepted together with a change is no mutant here: the numbers of assertions still stand against it, and what
asserts as much and means less is found by the review of the manifest only
([writing-scenarios.md](writing-scenarios.md)). Whoever invents a whole run is stopped by a signature only
([security.md](security.md)). Left out: {equivalent} changes that change nothing, {late} that came after the run was
over.
{blamed}
| what is spoilt | mutants | PASS | verdicts | reason codes |
|---|---:|---:|---|---|
{rows}"""


def page(outcomes: Sequence[MutantOutcome], equivalent: int, most: int | None) -> str:
    """Return the page of a run that took at most so many mutants of each kind, None for all."""
    counted = sorted((each for each in outcomes if not each.late), key=lambda each: (each.entry == JUDGE, each.kind))
    judged = sum(each.entry == JUDGE for each in counted)
    kinds = dict.fromkeys(each.kind for each in counted)
    return TEXT.format(
        taken="All were played." if most is None else f"At most {most} of each kind were played (`--most`).",
        played=len(counted) - judged,
        judged=judged,
        passed=sum(each.passed for each in counted),
        blaming=sum(each.blames for each in counted),
        statuses=_counted([each.status or "no verdict" for each in counted]),
        entries=_counted([f"`{each.entry}`" for each in counted]),
        blamed="".join(
            f"\nBlamed, by exit code 1 or FAIL: {each.kind}: {each.name} ({each.reason_code or 'no verdict'}).\n"
            for each in counted
            if each.blames
        ),
        equivalent=equivalent,
        late=len(outcomes) - len(counted),
        rows="".join(_rows({kind: [each for each in counted if each.kind == kind] for kind in kinds})),
    )


def _rows(outcomes: Mapping[str, Sequence[MutantOutcome]]) -> Iterator[str]:
    """Yield a row for each kind that was answered in several ways, and one for all that were answered alike."""
    groups: dict[tuple[str, ...], dict[str, Sequence[MutantOutcome]]] = {}
    for kind, mutants in outcomes.items():
        answers = sorted({f"{each.status or 'none'} {each.reason_code}" for each in mutants})
        groups.setdefault(tuple(answers) if len(answers) == 1 else (kind,), {})[kind] = mutants
    for kinds in groups.values():
        yield _row(kinds)


def _row(kinds: Mapping[str, Sequence[MutantOutcome]]) -> str:
    outcomes = [each for mutants in kinds.values() for each in mutants]
    reasons = Counter(each.reason_code for each in outcomes if each.reason_code).most_common(3)
    passed = sum(each.passed for each in outcomes)
    statuses = _counted([each.status or "none" for each in outcomes])
    names = ", ".join(kinds) if len(kinds) == 1 else ", ".join(f"{kind} ({len(each)})" for kind, each in kinds.items())
    return (
        f"| {names} | {len(outcomes)} | {passed} | {statuses} | {', '.join(f'`{reason}`' for reason, _ in reasons)} |\n"
    )


def _counted(statuses: Sequence[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())
