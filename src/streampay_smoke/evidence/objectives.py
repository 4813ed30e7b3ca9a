"""Service level objectives as an environment file states them, and as the journal keeps them."""

from typing import Literal

import msgspec

Kind = Literal["read_latency", "write_latency", "settlement_time", "success_ratio", "flaky_ratio", "read_comparison"]

UNITS: dict[str, str] = {
    "read_latency": "ms",
    "write_latency": "ms",
    "settlement_time": "s",
    "success_ratio": "ratio",
    "flaky_ratio": "ratio",
    "read_comparison": "x",
}
"""What the threshold of each kind is counted in; x is "times as slow as the stable release"."""

RATIO_KINDS = frozenset({"success_ratio", "flaky_ratio"})

EVERY_SAMPLE = 1.0
"""The quantile of an objective that no single sample may miss: a time-out."""


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[objectives]]` table. A proved miss is a FAIL; with `gates = false` it is shown only.

    `threshold` is in the unit of `UNITS`: the most (latency, time, flaky ratio, comparison) or the least (success
    ratio) that keeps the objective. `quantile` is for latencies and times. Of a comparison, `within_seconds` bounds
    the sampling, and a difference below `least_ms` is none: nobody notices it. Raises ValueError for values that make
    no objective.
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
        if self.kind in RATIO_KINDS and not 0 < self.threshold < 1:
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
        return UNITS[self.kind]
