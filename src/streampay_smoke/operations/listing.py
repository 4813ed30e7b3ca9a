"""`streampay-smoke run --list`: the scenarios that a selection plays, with their tags. Nothing is played or asked."""

import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from streampay_smoke import settings as configuration
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.evidence.events import ExpectedScenario
from streampay_smoke.publish.terminal import width_of
from streampay_smoke.runner.plan import all_scenarios, exclusion_of
from streampay_smoke.runner.selection import refuse_unknown_tags, tag_expression
from streampay_smoke.settings import Settings
from streampay_smoke.settings.folders import FEATURES, project_root, suite_root
from streampay_smoke.settings.reading import read_what_can_be


class ListingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing needs to know."""

    tags: str


def print_listing(options: Mapping[str, str], paths: Sequence[str]) -> int:
    """Print the listing in the width of the terminal; return the exit code."""
    for line in listing(options, paths, width_of(sys.stdout).check):
        print(line)
    return 0


def listing(options: Mapping[str, str], paths: Sequence[str], columns: int) -> Iterator[str]:
    """Yield the lines of the listing; raises SettingsInvalid for a selection that cannot be read.

    What an environment leaves out is marked where its settings can be used.
    """
    root = suite_root(project_root())
    scenarios = tuple(all_scenarios(root / FEATURES).values())
    tags = read_what_can_be(ListingSettings, options).tags
    expression = tag_expression(tags)
    refuse_unknown_tags(tags, lambda: {tag for scenario in scenarios for tag in scenario.tags})
    chosen = [scenario for scenario in scenarios if expression.evaluate(scenario.tags)]
    if paths:
        wanted = [_place(root, path) for path in paths]
        chosen = [scenario for scenario in chosen if any(_is_at(scenario, *place) for place in wanted)]
    settings = _settings(options)
    feature = ""
    for scenario in chosen:
        if scenario.feature != feature:
            feature = scenario.feature
            yield feature
        because = exclusion_of(scenario.tags, settings) if settings else ""
        left_out = f" (left out here: {because})" if because else ""
        yield from textwrap.wrap(
            f"{scenario.scenario}{left_out}", columns, initial_indent="  ", subsequent_indent="    "
        )
        yield from _tags(scenario.tags, columns, "      ")
    counts = Counter(tag for scenario in chosen for tag in scenario.tags)
    yield ""
    yield f"{len(chosen)} of {len(scenarios)} scenarios are selected by {tags}{' and the paths' if paths else ''}"
    yield from _tags((f"{tag} ({count})" for tag, count in counts.most_common()), columns, "  ")


def _tags(tags: Iterator[str] | Sequence[str], columns: int, indent: str) -> list[str]:
    text = "  ".join(f"@{tag}" for tag in tags)
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _settings(options: Mapping[str, str]) -> Settings | None:
    """Return the settings of a run; None where they cannot be used, or a sandbox of its own would say the rest."""
    try:
        settings = configuration.load(options)
    except SmokeError:
        return None
    return None if settings.embedded else settings


def _place(root: Path, given: str) -> tuple[Path, int]:
    """Return the file or folder of a path as behave takes it, and the line in it, 0 for all."""
    name, _, line = given.rpartition(":")
    path, number = (Path(name), int(line)) if name and line.isdecimal() else (Path(given), 0)
    found = (root / path).resolve()
    if not found.exists():
        raise SettingsInvalid(f"there is no {path}", next_step=f"give a path below {root}, such as {FEATURES}")
    return found, number


def _is_at(scenario: ExpectedScenario, path: Path, line: int) -> bool:
    file, _, number = scenario.location.rpartition(":")
    return Path(file).resolve().is_relative_to(path) and line in {0, int(number)}
