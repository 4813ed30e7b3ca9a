"""What a mutant of the suite is: one change, how it is played, and against what."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from behave.parser import ParserError, parse_file
from suite_parts import Project

HEALTHY = ""
"""A sandbox without a fault: a mutant that destroys evidence must not be a PASS here."""

Spoil = Callable[[Project], None]


class Meddling(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to a run when its journal has so many lines: a signal, or a deed in its folder.

    `to` is "behave", or "supervisor" where there is one.
    """

    at_line: int
    to: str = "behave"
    number: signal.Signals | None = None
    deed: Callable[[Path], object] | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the process starts with: closed standard streams, and how large a file may grow (bytes)."""

    closed: tuple[int, ...] = ()
    file_bytes: int | None = None


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `kind` is its row on the page, `name` tells it from the others of its kind."""

    kind: str
    name: str
    spoil: Spoil = lambda project: None
    entry: str = ""
    against: str = HEALTHY
    tags: str = "@smoke"
    arguments: tuple[str, ...] = ()
    environ: Mapping[str, str] = {}
    meddling: Meddling | None = None
    limits: Limits = Limits()

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}"


def replaced(name: str, text: str) -> Spoil:
    """Write a file of the features anew; raises ValueError where that changes nothing."""

    def spoil(project: Project) -> None:
        path = project.features / name
        if path.read_text() == text:
            raise ValueError(f"{name} stays as it is")
        path.write_text(text)

    return spoil


def model(features: Path) -> object:
    """Return what behave makes of the feature files: two suites with the same model play the same."""
    found: list[object] = []
    for path in sorted(features.rglob("*.feature")):
        try:
            feature = parse_file(str(path))
        except (ParserError, UnicodeDecodeError) as error:
            found.append((path.name, type(error).__name__))
            continue
        scenarios = feature.walk_scenarios() if feature else ()
        found.append((path.name, [_told(scenario) for scenario in scenarios]))
    return found


def _told(scenario: object) -> object:
    steps = [(step.step_type, step.name) for step in scenario.all_steps]  # type: ignore[attr-defined]
    return (scenario.name, sorted(scenario.effective_tags), steps)  # type: ignore[attr-defined]
