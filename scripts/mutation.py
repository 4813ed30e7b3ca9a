"""Tells what mutation testing of the judge found: `scripts/mutate.sh` runs it.

`mutation.py --begin` notes which sources are about to be measured, `--write` writes docs/mutation.md from the results
in mutants/. Without arguments it looks at the page, and ends with 1 when that is malformed, does not add up, or is of a
judge that is gone: most modules have changed since and it does not say so. A module or two that changed are a warning
only; whoever mends a line of the judge need not wait for thousands of mutants.
"""

import hashlib
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
GATE = ROOT / "src" / "streampay_smoke" / "gate"
RESULTS = ROOT / "mutants" / "src" / "streampay_smoke" / "gate"
EXPLAINED = ROOT / "tests" / "unit" / "gate" / "mutants_that_may_live.toml"
PAGE = ROOT / "docs" / "mutation.md"
MEASURED = ROOT / "mutants" / "measured.json"

LEAST_SCORE = 99.0
"""Percent of the mutants that may not live, over all modules."""

KILLED = {1, 3, 36, -24, 24, 152, 255}
"""Exit codes of pytest for a mutant that was found: a test failed, or it never came to an end."""


class Survivor(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant no test found: its function, the lines that differ, and why it may live ("" when nobody knows)."""

    name: str
    function: str
    was: str
    becomes: str
    why: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mutants of one line that change nothing anybody could see, or that this tool cannot try."""

    function: str
    was: str
    becomes: tuple[str, ...]
    why: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says of a module, or of all: counts of mutants, and the digest of the source they were made of."""

    mutants: int
    found: int
    may_live: int
    survived: int
    source: str = ""

    @property
    def adds_up(self) -> bool:
        """Whether every mutant is counted once."""
        return self.mutants == self.found + self.may_live + self.survived

    @property
    def score(self) -> float:
        """Percent found of those that may not live."""
        counted = self.mutants - self.may_live
        return 100 * self.found / counted if counted else 100.0

    def line(self, name: str) -> str:
        """Return the row of the table."""
        counts = f"{self.mutants} | {self.found} | {self.may_live} | {self.survived} | {self.score:.1f} %"
        return f"| {name} | {counts} | {f'`{self.source}`' if self.source else ''} |\n"


_ROW = re.compile(r"(?m)^\| (\S+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+\.\d) % \| (?:`(\w+)`)? ?\|$")
_ALL = "**all**"


def digests(gate: Path = GATE) -> dict[str, str]:
    """Return the digest of each module of the judge."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in sorted(gate.glob("*.py"))}


def rows(text: str) -> dict[str, Row]:
    """Return the rows of the page's table, by module; raises ValueError when one does not add up."""
    found = {}
    for name, mutants, killed, may_live, survived, score, source in _ROW.findall(text):
        row = Row(
            mutants=int(mutants), found=int(killed), may_live=int(may_live), survived=int(survived), source=source
        )
        if not row.adds_up or f"{row.score:.1f}" != score:
            raise ValueError(f"the row of {name} does not add up")
        found[name] = row
    if _ALL not in found:
        raise ValueError("there is no row of all modules")
    if total(row for name, row in found.items() if name != _ALL) != found[_ALL]:
        raise ValueError("the row of all modules is not their sum")
    return found


def total(found: Iterable[Row]) -> Row:
    """Return the sum of rows."""
    each = list(found)
    return Row(
        mutants=sum(row.mutants for row in each),
        found=sum(row.found for row in each),
        may_live=sum(row.may_live for row in each),
        survived=sum(row.survived for row in each),
    )


def changed(page: Path = PAGE, gate: Path = GATE) -> list[str]:
    """Return the modules that are not, or not as they are, on the page.

    Raises ValueError, with what to do, for a page that says nothing of this judge.
    """
    try:
        found = rows(page.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{page.name} is no result of scripts/mutate.sh: {error}") from error
    if found[_ALL].score < LEAST_SCORE:
        raise ValueError(f"{page.name}: {found[_ALL].score:.1f} % is less than {LEAST_SCORE:g} %: write tests")
    now = {name: source for name, source in digests(gate).items() if name != "__init__"}
    other = [name for name, source in now.items() if name not in found or found[name].source != source]
    if len(other) * 2 > len(now):
        raise ValueError(f"{page.name} is of a judge that is gone: {', '.join(other)} changed; run scripts/mutate.sh")
    return other


def explanations() -> Sequence[Explanation]:
    """Read why mutants may live."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["mutant"]
    return [msgspec.convert(entry, Explanation) for entry in entries]


def made() -> Mapping[str, Mapping[str, int | None]]:
    """Return the exit code of each mutant, by module; None for one that was not tried."""
    return {
        path.name.removesuffix(".py.meta"): json.loads(path.read_text())["exit_code_by_key"]
        for path in sorted(RESULTS.glob("*.meta"))
    }


def results() -> Mapping[str, Mapping[str, int]]:
    """Return the exit code of each mutant that was tried, by module."""
    return {
        module: {name: code for name, code in codes.items() if code is not None} for module, codes in made().items()
    }


def survivors(explained: Sequence[Explanation]) -> Iterator[Survivor]:
    """Yield the mutants that were not found, in the order of their modules."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    why = {
        (entry.function, _flat(entry.was), _flat(becomes)): entry.why
        for entry in explained
        for becomes in entry.becomes
    }
    for module, codes in results().items():
        for name, code in codes.items():
            if code in KILLED:
                continue
            lines = get_diff_for_mutant(name).splitlines()
            was, becomes = (
                _flat("\n".join(line[1:] for line in lines if line[:1] == sign and line[:3] != sign * 3))
                for sign in "-+"
            )
            function = f"{module}.{_function(name)}"
            yield Survivor(
                name=name, function=function, was=was, becomes=becomes, why=why.get((function, was, becomes), "")
            )


TEXT = """\
# Mutation testing of the judge

Is every line of the judge held by a test of its own? [mutmut](https://mutmut.readthedocs.io) changes
`src/streampay_smoke/gate/` in one place at a time and runs `tests/unit/gate` against each change; a change that no test
finds has survived. Made by

```
scripts/mutate.sh
```

mutmut changes functions: tables outside of them, such as the rules of attribution, have tests of their own and no score
here.{share}

| module | mutants | found | may live | survived | score | source |
|---|---:|---:|---:|---:|---:|---|
{rows}
The score is the share found of those that may not live. Each row names the digest of the source it was measured on.
The tests warn of modules that have changed since; they fail where most have, where this page does not add up, and where
the score of all is below {least:g} %.

## Mutants that may live

{free} changes show in no verdict, report or caller, or are out of the tool's reach. `{explained}` lists each with its
reason, by text: a line that changes is asked again.

## Mutants that survived

{survived}"""


SHARE = """

**A share was tried: {tried:,} of {of:,} mutants**, of each function at least the same tenths by their number
(`scripts/mutate.sh --tenths N`). Without an option all are."""


def page(found: Sequence[Survivor], measured: Mapping[str, str]) -> str:
    """Return the page; `measured` are the digests of the modules whose mutants were tried."""
    alive = Counter(each.name.split(".")[-2] for each in found)
    free = Counter(each.name.split(".")[-2] for each in found if each.why)
    counted = {
        module: Row(
            mutants=len(codes),
            found=len(codes) - alive[module],
            may_live=free[module],
            survived=alive[module] - free[module],
            source=measured[module],
        )
        for module, codes in results().items()
        if codes
    }
    lines = {each: f"| `{each.function}` | `{each.was}` | `{each.becomes}` |" for each in found}
    unexplained = "".join(f"{line}\n" for each, line in lines.items() if not each.why)
    of = sum(map(len, made().values()))
    tried = sum(map(len, results().values()))
    return TEXT.format(
        share="" if tried == of else SHARE.format(tried=tried, of=of),
        rows="".join([*(row.line(name) for name, row in counted.items()), total(counted.values()).line(_ALL)]),
        least=LEAST_SCORE,
        explained=EXPLAINED.relative_to(ROOT),
        free=free.total(),
        survived=f"| function | was | becomes |\n|---|---|---|\n{unexplained}" if unexplained else "None.\n",
    )


def _function(name: str) -> str:
    mangled = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    if mangled.startswith("xǁ"):
        return ".".join(mangled.split("ǁ")[1:])
    return mangled.removeprefix("x_")


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    """Do what the module's docstring says."""
    match arguments:
        case ["--begin"]:
            MEASURED.parent.mkdir(exist_ok=True)
            MEASURED.write_text(json.dumps(digests()), encoding="utf-8")
        case ["--write"]:
            found = list(survivors(explanations()))
            PAGE.write_text(page(found, json.loads(MEASURED.read_text(encoding="utf-8"))), encoding="utf-8")
            left = [each for each in found if not each.why]
            print(f"{len(left)} mutants survived without a reason, see {PAGE.relative_to(ROOT)}")
        case _:
            return _looked()
    return 0


def _looked() -> int:
    try:
        other = changed()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if other:
        print(f"warning: {WARNING.format(modules=', '.join(other))}")
    return 0


WARNING = "docs/mutation.md was measured before {modules} changed; scripts/mutate.sh measures again"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
