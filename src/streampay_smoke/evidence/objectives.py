"""Service level objectives as an environment file states them, and as the journal keeps them."""

from enum import StrEnum
from typing import Literal

import msgspec

Kind = Literal["read_latency", "write_latency", "settlement_time", "success_ratio", "flaky_ratio", "read_comparison"]


class OtherCause(StrEnum):
    """What else than the release can make an objective missed all by itself."""

    LEDGER = "a slow ledger"
    SLOW_WAY = "a slow way of this runner, or whatever the stable release is as slow for"
    LOST = "requests that were lost on this runner's way"


class KindOfObjective(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of all objectives of a kind. How one is decided: `streampay_smoke.gate.objectives`.

    `unit` is that of the threshold; x is "times as slow as the stable release". Of a time, `samples` is the plural of
    what takes it, and `purposes` are those of the requests that are timed. Of a ratio, `bad` says what its bad samples
    are. The threshold is the most that keeps an objective, or `at_least` the least.
    """

    unit: str
    other_causes: frozenset[OtherCause]
    samples: str = ""
    purposes: frozenset[str] = frozenset()
    bad: str = ""
    at_least: bool = False

    @property
    def needs_ledger(self) -> bool:
        """Whether a ledger has its part in each sample: where no money moves, there are none."""
        return OtherCause.LEDGER in self.other_causes


READS, WRITES, SETTLEMENTS = "reads", "writes", "settlements"

KINDS: dict[str, KindOfObjective] = {
    "read_latency": KindOfObjective(
        unit="ms",
        other_causes=frozenset({OtherCause.SLOW_WAY}),
        samples=READS,
        purposes=frozenset({"list", "show"}),
    ),
    "write_latency": KindOfObjective(
        unit="ms",
        other_causes=frozenset({OtherCause.LEDGER, OtherCause.SLOW_WAY}),
        samples=WRITES,
        purposes=frozenset({"create", "start"}),
    ),
    "settlement_time": KindOfObjective(unit="s", other_causes=frozenset({OtherCause.LEDGER}), samples=SETTLEMENTS),
    "success_ratio": KindOfObjective(unit="ratio", other_causes=frozenset(), bad="requests failed", at_least=True),
    "flaky_ratio": KindOfObjective(
        unit="ratio", other_causes=frozenset({OtherCause.LOST}), bad="checks needed a second attempt"
    ),
    "read_comparison": KindOfObjective(unit="x", other_causes=frozenset()),
}


def samples_of(kind: str) -> str:
    """Return the plural of what takes the time that a kind of objective is about, "" for any other kind."""
    return KINDS[kind].samples if kind in KINDS else ""


EVERY_SAMPLE = 1.0
"""The quantile of an objective that no single sample may miss: a time-out."""


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[objectives]]` table. A proved miss is a FAIL; with `gates = false` it is shown only.

    `threshold` is in the unit of its kind: the most or the least that keeps the objective (see `KindOfObjective`).
    `quantile` is for latencies and times. Of a comparison, `within_seconds` bounds the sampling, and a difference below
    `least_ms` is none: nobody notices it. Raises ValueError for values that make no objective.
    """

    name: str
    kind: Kind
    threshold: float
    quantile: float = 0.95
    gates: bool = True
    within_seconds: float = 10.0
    least_ms: float = 0.0

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an objective needs a name")
        if KINDS[self.kind].bad and not 0 < self.threshold < 1:
            raise ValueError(f"{self.name}: a ratio's threshold is between 0 and 1, both excluded")
        if not 0 < self.threshold < float("inf"):
            raise ValueError(f"{self.name}: the threshold has to be above 0")
        if not 0 < self.quantile <= EVERY_SAMPLE:
            raise ValueError(f"{self.name}: a quantile is above 0 and at most 1 (1: no sample may miss)")
        if not 0 < self.within_seconds <= 60:
            raise ValueError(f"{self.name}: within_seconds is above 0 and at most 60")
        if not 0 <= self.least_ms < float("inf"):
            raise ValueError(f"{self.name}: least_ms is at least 0")

    @property
    def unit(self) -> str:
        """What the threshold is counted in."""
        return KINDS[self.kind].unit
