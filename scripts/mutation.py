"""Tells what mutation testing of the judge found: `scripts/mutate.sh` runs it.

`mutation.py --write` writes docs/mutation.md from the results in mutants/, `--survivors` names what survived there,
and without arguments it says whether the page is of the judge as it is now, and ends with 1 when it is not.
"""

import hashlib
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
GATE = ROOT / "src" / "streampay_smoke" / "gate"
RESULTS = ROOT / "mutants" / "src" / "streampay_smoke" / "gate"
EXPLAINED = ROOT / "tests" / "unit" / "gate" / "mutants_that_may_live.toml"
PAGE = ROOT / "docs" / "mutation.md"

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


def digest(gate: Path = GATE) -> str:
    """Return the digest of the judge's sources."""
    found = hashlib.sha256()
    for path in sorted(gate.glob("*.py")):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def stale(page: Path = PAGE, gate: Path = GATE) -> str:
    """Return what is wrong with the page, "" for nothing."""
    if not page.is_file() or f"`{digest(gate)}`" not in page.read_text(encoding="utf-8"):
        return f"{page.name} is not of the judge as it is now; run scripts/mutate.sh and commit the result"
    return ""


def explanations() -> Sequence[Explanation]:
    """Read why mutants may live."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["mutant"]
    return [msgspec.convert(entry, Explanation) for entry in entries]


def results() -> Mapping[str, Mapping[str, int | None]]:
    """Return the exit code of each mutant, by module."""
    return {
        path.name.removesuffix(".py.meta"): json.loads(path.read_text())["exit_code_by_key"]
        for path in sorted(RESULTS.glob("*.meta"))
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

for sources with the digest `{digest}`. CI only compares the digest. mutmut changes functions: tables outside of
them, such as the rules of attribution, have tests of their own and no score here.

| module | mutants | found | may live | survived | score |
|---|---:|---:|---:|---:|---:|
{rows}
The score is the share found of those that may not live.

## Mutants that may live

Each changes nothing that a verdict, a report or a caller could show, or is out of the tool's reach. The list is kept in
`{explained}`, by text: a line that changes is asked again.

| function | was | becomes | why |
|---|---|---|---|
{may_live}
## Mutants that survived

{survived}"""


def page(found: Sequence[Survivor]) -> str:
    """Return the page."""
    codes = results()
    alive = Counter(each.name.split(".")[-2] for each in found)
    free = Counter(each.name.split(".")[-2] for each in found if each.why)
    rows = [_row(module, len(codes[module]), alive[module], free[module]) for module in codes if codes[module]]
    total = _row("**all**", sum(map(len, codes.values())), alive.total(), free.total())
    lines = {each: f"| `{each.function}` | `{each.was}` | `{each.becomes}` |" for each in found}
    unexplained = "".join(f"{line}\n" for each, line in lines.items() if not each.why)
    return TEXT.format(
        digest=digest(),
        rows="".join([*rows, total]),
        explained=EXPLAINED.relative_to(ROOT),
        may_live="".join(f"{line} {each.why} |\n" for each, line in lines.items() if each.why),
        survived=f"| function | was | becomes |\n|---|---|---|\n{unexplained}" if unexplained else "None.\n",
    )


def _row(module: str, mutants: int, alive: int, free: int) -> str:
    found = mutants - alive
    score = 100 * found / (mutants - free) if mutants > free else 100.0
    return f"| {module} | {mutants} | {found} | {free} | {alive - free} | {score:.1f} % |\n"


def _function(name: str) -> str:
    mangled = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    if mangled.startswith("xǁ"):
        return ".".join(mangled.split("ǁ")[1:])
    return mangled.removeprefix("x_")


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    """Write the page, name the survivors, or say whether the page is stale."""
    if arguments == ["--survivors"]:
        print("\n".join(each.name for each in survivors(())))
        return 0
    if arguments == ["--write"]:
        found = list(survivors(explanations()))
        PAGE.write_text(page(found), encoding="utf-8")
        left = [each for each in found if not each.why]
        print(f"{len(left)} mutants survived without a reason, see {PAGE.relative_to(ROOT)}")
        return 0
    if problem := stale():
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
