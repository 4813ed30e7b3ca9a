"""Feature files: scenarios, steps, tags, rows and keywords, taken away, misspelt or weakened one by one."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from behave.model import Feature, Scenario, ScenarioOutline
from behave.parser import parse_file

from mutators.mutant import Mutant, Spoil, replaced

TRIVIAL = "Given the service is ready"
"""A step that is defined and asserts nothing."""

_KEYWORD = re.compile(r"^\s*(Feature|Background|Scenario Outline|Scenario|Examples)(?=:)")


def feature_mutants(features: Path) -> Iterator[Mutant]:
    """Yield the mutants of every feature file below a folder."""
    for path in sorted(features.glob("*.feature")):
        lines = path.read_text().splitlines()
        feature = parse_file(str(path))
        for mutate in (_scenarios, _steps, _tags, _rows, _keywords, _files):
            yield from mutate(path.name, lines, feature)


def _mutant(kind: str, file: str, what: str, lines: Sequence[str]) -> Mutant:
    return Mutant(kind=kind, name=f"{file}, {what}", spoil=replaced(file, "\n".join(lines) + "\n"))


def _with(lines: Sequence[str], at: int, *instead: str) -> list[str]:
    """Return the lines with others in the place of line `at` (1-based)."""
    return [*lines[: at - 1], *instead, *lines[at:]]


def _written(feature: Feature) -> list[Scenario]:
    return [item for item in feature.run_items if isinstance(item, Scenario | ScenarioOutline)]


def _scenarios(file: str, lines: list[str], feature: Feature) -> Iterator[Mutant]:
    starts = [_begin(lines, item.line) for item in _written(feature)]
    ends = [*starts[1:], len(lines) + 1]
    for item, start, end in zip(_written(feature), starts, ends, strict=True):
        rest = [*lines[: start - 1], *lines[end - 1 :]]
        yield _mutant("a scenario is deleted", file, f"line {item.line}", rest)
    if feature.background:
        first, last = feature.background.line, starts[0]
        yield _mutant("a background is deleted", file, f"line {first}", [*lines[: first - 1], *lines[last - 1 :]])


def _begin(lines: Sequence[str], line: int) -> int:
    while lines[line - 2].strip().startswith("@"):
        line -= 1
    return line


def _steps(file: str, lines: list[str], feature: Feature) -> Iterator[Mutant]:
    owners = [*([feature.background] if feature.background else []), *_written(feature)]
    for step in (step for owner in owners for step in owner.steps):
        at, where = step.line, f"line {step.line}"
        indent = lines[at - 1][: len(lines[at - 1]) - len(lines[at - 1].lstrip())]
        yield _mutant("a step is deleted", file, where, _with(lines, at))
        yield _mutant("a step is emptied", file, where, _with(lines, at, f"{indent}{step.keyword}"))
        misspelt = step.keyword[0] + step.keyword[2:]
        yield _mutant("a step's keyword is misspelt", file, where, _with(lines, at, f"{indent}{misspelt} {step.name}"))
        if step.step_type == "then":
            yield _mutant("an assertion is replaced", file, where, _with(lines, at, f"{indent}{TRIVIAL}"))
            yield _mutant("an assertion is a Given", file, where, _with(lines, at, f"{indent}Given {step.name}"))


def _tags(file: str, lines: list[str], feature: Feature) -> Iterator[Mutant]:
    for at, line in enumerate(lines, start=1):
        for tag in re.findall(r"@[\w-]+", line) if line.strip().startswith("@") else ():
            left = line.replace(tag, "", 1).rstrip()
            yield _mutant(
                "a tag is removed", file, f"line {at}, {tag}", _with(lines, at, *([left] if left.strip() else []))
            )
            yield _mutant(
                "a tag is misspelt", file, f"line {at}, {tag}", _with(lines, at, line.replace(tag, tag[:-1], 1))
            )
    for item in (feature, *_written(feature)):
        added = [*lines[: item.line - 1], "@wip", *lines[item.line - 1 :]]
        yield _mutant("a tag is added", file, f"line {item.line}, @wip", added)


def _rows(file: str, lines: list[str], feature: Feature) -> Iterator[Mutant]:
    for outline in (item for item in _written(feature) if isinstance(item, ScenarioOutline)):
        for examples in outline.examples:
            rows = [row.line for row in examples.table.rows]
            for at in rows:
                yield _mutant("a row of examples is deleted", file, f"line {at}", _with(lines, at))
            none = [line for at, line in enumerate(lines, start=1) if at not in rows]
            yield _mutant("a row of examples is deleted", file, f"all of line {examples.line}", none)
            heading = examples.table.line
            other = lines[heading - 1].replace("| ", "| x", 1)
            yield _mutant("a column of examples is misspelt", file, f"line {heading}", _with(lines, heading, other))


def _keywords(file: str, lines: list[str], feature: Feature) -> Iterator[Mutant]:
    del feature
    for at, line in enumerate(lines, start=1):
        if found := _KEYWORD.match(line):
            word = found[1]
            misspelt = line.replace(word, word[0] + word[2:], 1)
            yield _mutant("a block's keyword is misspelt", file, f"line {at}", _with(lines, at, misspelt))


def _files(file: str, lines: list[str], feature: Feature) -> Iterator[Mutant]:
    del feature
    for part in (1, 2, 3):
        cut = lines[: len(lines) * part // 4]
        yield _mutant("a feature file is cut off", file, f"after {len(cut)} lines", cut)
    deeds: dict[str, Spoil] = {
        "emptied": lambda project: _emptied(project.features / file),
        "removed": lambda project: (project.features / file).unlink(),
        "renamed": lambda project: _renamed(project.features / file),
        "no text any more": lambda project: _binary(project.features / file),
        "a folder": lambda project: _folder(project.features / file),
    }
    for what, spoil in deeds.items():
        yield Mutant(kind="a feature file is gone", name=f"{file}, {what}", spoil=spoil)


def _emptied(path: Path) -> None:
    path.write_text("")


def _renamed(path: Path) -> None:
    path.rename(path.with_suffix(".feature.bak"))


def _binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
