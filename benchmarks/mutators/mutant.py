"""What a mutant of the suite is: one change, how it is played, and against what."""

import signal
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec
from behave.model import Scenario
from behave.parser import ParserError, parse_feature
from suite_parts import Project

HEALTHY = ""
"""A sandbox without a fault: a mutant that destroys evidence must not be a PASS here."""

PART = "@readiness or @settlement"
"""What is played where a mutant has to be met while a run is under way: a tenth of the suite, with its money."""

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

    @property
    def changes_nothing(self) -> bool:
        """Whether a mutant whose files are as they were is none at all."""
        return not (self.environ or self.meddling or self.limits != Limits() or self.tags != "@smoke")

    @property
    def alone(self) -> bool:
        """Whether it takes a new Python and a sandbox of its own: what is played in them is what is spoilt."""
        python = any(name.startswith("PYTHON") for name in self.environ)
        return python or bool(self.entry or self.against or self.meddling or self.limits != Limits())


def replaced(name: str, text: str) -> Spoil:
    """Write a file of the features anew; raises ValueError where that changes nothing."""

    def spoil(project: Project) -> None:
        path = project.features / name
        if path.read_text() == text:
            raise ValueError(f"{name} stays as it is")
        path.write_text(text)

    return spoil


@lru_cache(maxsize=64)
def model(content: bytes) -> object:
    """Return what behave makes of a feature file: two with the same model play the same."""
    try:
        feature = parse_feature(content.decode())
    except (ParserError, UnicodeDecodeError) as error:
        return type(error).__name__
    return [_told(scenario) for scenario in (feature.walk_scenarios() if feature else ())]


def _told(scenario: Scenario) -> object:
    steps = [(step.step_type, step.name) for step in scenario.all_steps]
    return (scenario.name, sorted(scenario.effective_tags), steps)
