"""What is measured: one row for each, with what it is compared with."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was measured some times, and the base it is compared with, measured beside it.

    What is measured is seconds, or MiB where `unit` says so. `target` is the most that the ratio to the base may be,
    None where there is no target. `most` is the generous limit of the same ratio by which a regression is found, None
    where it is not looked at.
    """

    part: str
    what: str
    seconds: tuple[float, ...]
    base: str
    base_seconds: tuple[float, ...]
    target: float | None = None
    most: float | None = None
    note: str = ""
    unit: str = "s"

    @property
    def median(self) -> float:
        """The median of what was measured, in seconds."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """The median in medians of the base."""
        return self.median / statistics.median(self.base_seconds)

    @property
    def met(self) -> bool | None:
        """Whether the target is met, None without one."""
        return None if self.target is None else self.ratio <= self.target

    @property
    def least_ratio(self) -> float:
        """The least in the least of the base: other work on the machine only adds to what is measured."""
        return min(self.seconds) / min(self.base_seconds)

    @property
    def grew(self) -> bool:
        """Whether this is a regression beyond the generous limit, by the least that was measured."""
        return self.most is not None and self.least_ratio > self.most


def only_rows(found: Iterable[Row | str]) -> list[Row]:
    """Return the rows among rows and remarks."""
    return [each for each in found if isinstance(each, Row)]


def section(found: Sequence[Row | str]) -> str:
    """Return the rows as a table, and the remarks below it."""
    remarks = [each for each in found if isinstance(each, str)]
    return "\n\n".join([table(only_rows(found)), *remarks])


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| | Median | Slowest | Runs | Ratio | to | Target | Met |",
        "|---|---:|---:|---:|---:|---|---:|---|",
    ]
    for row in rows:
        target = "" if row.target is None else f"{row.target:.2f}"
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        note = f" ({row.note})" if row.note else ""
        lines.append(
            f"| {row.what}{note} | {_shown(row, row.median)} | {_shown(row, max(row.seconds))} | {len(row.seconds)} "
            f"| {row.ratio:.2f} | {row.base} | {target} | {met} |"
        )
    return "\n".join(lines)


def _shown(row: Row, value: float) -> str:
    if row.unit != "s":
        return f"{value:.0f} {row.unit}"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"
