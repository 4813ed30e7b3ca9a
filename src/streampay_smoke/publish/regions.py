"""A merged verdict as a matrix: a column for each region, a row for each feature, and the worst result in each cell."""

from collections.abc import Iterable, Sequence

import msgspec

from streampay_smoke.gate.regions import region_of
from streampay_smoke.gate.verdict import RUN, RegionRun, RegionVerdict, Verdict
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.wording import on_one_line

_WORST_FIRST = (
    ReportStatus.FAILED,
    ReportStatus.BROKEN,
    ReportStatus.BLOCKED,
    ReportStatus.PASSED,
    ReportStatus.SKIPPED,
)

NOT_PLAYED = "not played"
"""The cell of a region that says nothing of a feature."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A feature, and what each region says of it: an outcome, or NOT_PLAYED."""

    feature: str
    cells: tuple[str, ...]


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """The regions of a merged verdict, in their order, and a row for each feature."""

    regions: tuple[RegionVerdict, ...]
    rows: tuple[Row, ...]


def matrix(run: RunReport) -> Matrix:
    """Return the matrix of a merged verdict; without regions for that of one run."""
    regions = run.verdict.regions
    if not regions:
        return Matrix(regions=(), rows=())
    rows = (
        Row(feature=feature, cells=tuple(_cell(scenarios, region.region) for region in regions))
        for feature, scenarios in run.by_feature.items()
        if any(scenario.check.id != RUN for scenario in scenarios)
    )
    return Matrix(regions=regions, rows=tuple(rows))


def _cell(scenarios: Iterable[ScenarioReport], region: str) -> str:
    """Return the worst outcome in a region, over all its vantage points."""
    own = {scenario.outcome for scenario in scenarios if region_of(scenario.check).partition("@")[0] == region}
    return next((str(outcome) for outcome in _WORST_FIRST if outcome in own), NOT_PLAYED)


def runs_of(region: RegionVerdict) -> str:
    """Return the runs that count for a region, with their vantage points and how long they took."""
    return ", ".join(map(_run, region.runs)) or "none"


def _run(run: RegionRun) -> str:
    seconds = f", {run.total_ms / 1000:.0f} s" if run.total_ms else ""
    return f"{run.run_id}{f' from {run.vantage}' if run.vantage else ''}{seconds}"


def region_lines(verdict: Verdict) -> Sequence[str]:
    """Return a line for each region for a terminal: its name, what it says, and why."""
    wide = max((len(region.region) for region in verdict.regions), default=0)
    return [
        f"  {region.region:<{wide}}  {_why(region.message, region.verdict)}  ({region.action.lower()})"
        for region in verdict.regions
    ]


def _why(message: str, status: str) -> str:
    line = on_one_line(message)
    return line if line.startswith(status) else f"{status}: {line}"
