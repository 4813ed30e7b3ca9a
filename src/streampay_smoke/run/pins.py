"""`features/manifest.jsonl`: the suite as somebody accepted it. Read without behave; see `runner.manifest`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.gate.concerns import proves_settlement

FILE = "manifest.jsonl"
"""Its name in the folder of the features."""

ACCEPT = "python -m streampay_smoke.runner.manifest --write"

LEDGER = "ledger"
"""How settlements are proved unless a run asks for less."""

_MOST_SHOWN = 3


class PinnedScenario(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="pinned", tag="scenario"):
    """A scenario; `sha256` covers its steps, those of its background among them, with their tables and texts.

    `at_least` is how many assertions each step made, at least, in good runs. A scenario that moves money asserts more
    on the ledger than where the service is taken at its word, and is counted for each proof ("ledger", "service");
    others are counted under "ledger". What nobody has measured is not there.
    """

    name: str
    tags: tuple[str, ...]
    steps: int
    assertions: int
    sha256: str
    at_least: dict[str, tuple[int, ...]] = {}

    def __post_init__(self) -> None:
        if any(len(counts) != self.steps for counts in self.at_least.values()):
            raise ValueError(f"{self.name} has {self.steps} steps, and at_least counts others")

    def at_least_by(self, proof: str) -> tuple[int, ...]:
        """Return the least numbers of assertions where settlements are proved by `proof`; () when nobody measured."""
        return self.at_least.get(self.counted_under(proof), ())

    def counted_under(self, proof: str) -> str:
        """Return the proof under which assertions are counted in runs that prove settlements by `proof`."""
        return proof if proves_settlement(self.name, self.tags) else LEDGER


class PinnedFile(msgspec.Struct, frozen=True, kw_only=True, tag_field="pinned", tag="file"):
    """A file that decides what scenarios do: hooks, steps, the acceptance package, behave's configuration."""

    name: str
    sha256: str


Pin = PinnedFile | PinnedScenario

Pins = Mapping[str, Pin]
"""Pins by name: a file's path, a scenario's id."""


class SuiteChanged(SmokeError):
    """The suite is not the one that was accepted, or nobody knows which one was: nothing is played."""

    kind = "suite_changed"
    blame = Blame.CONFIG

    @classmethod
    def because(cls, found: Sequence[str]) -> "SuiteChanged":
        """Return the error for differences, the first of them by name."""
        more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        return cls(
            f"this is not the suite that was accepted: {'; '.join(found[:_MOST_SHOWN])}{more}",
            next_step=f"undo the change, or accept it: {ACCEPT}",
        )


def read(path: Path) -> Pins:
    """Read a manifest; raises SuiteChanged where there is none, or none that says everything once."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SuiteChanged.because([f"{path.name} cannot be read: {error.strerror}"]) from error
    pins: dict[str, Pin] = {}
    for number, line in enumerate(lines, start=1):
        try:
            pin: Pin = msgspec.json.decode(line, type=Pin)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SuiteChanged.because([f"{path.name}, line {number}, cannot be read: {error}"]) from error
        if pin.name in pins:
            raise SuiteChanged.because([f"{path.name}, line {number}: {pin.name} is there twice"])
        pins[pin.name] = pin
    return pins
