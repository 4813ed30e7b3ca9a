"""What a history says of one environment and region: trend, flake rate, false alarms, time to verdict."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.history.changes import last_green, since_green
from streampay_smoke.history.record import FALSE_ALARM, RunMark, RunRecord
from streampay_smoke.history.row import inconclusive_in_a_row

TREND = 20
"""Runs whose verdicts are shown as letters."""

ALARMS = frozenset({VerdictStatus.FAIL, VerdictStatus.INCONCLUSIVE, VerdictStatus.SAFETY})
"""Verdicts that stop a release and that on-call has to look at."""

_SCENARIOS_NAMED = 5
_RED = frozenset({"failed", "broken", "missing"})


class ObjectiveTrend(msgspec.Struct, frozen=True, kw_only=True):
    """An objective of the newest run, and the median of its estimates in the runs before; None where there is none."""

    name: str
    unit: str
    threshold: float
    decision: str
    newest: float | None
    median_before: float | None


class PlaceOverview(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one environment and region.

    `trend` has the first letters of the newest verdicts, the newest last. Two runs of the whole suite disagree where
    one release was PASS and was FAIL or INCONCLUSIVE too: `flaky_runs` are the latter, `compared_runs` all runs of
    releases that were played more than once. `flaky_scenarios` both passed and did not for one release, or needed a
    request to be sent again. Times are those of whole runs from start to verdict, None where there is none.
    """

    environment: str
    region: str
    runs: int
    verdicts: dict[str, int]
    trend: str
    flaky_runs: int
    compared_runs: int
    flaky_scenarios: dict[str, int]
    alarms: int
    false_alarms: tuple[RunMark, ...]
    median_verdict_ms: int | None
    p95_verdict_ms: int | None
    inconclusive_in_a_row: int
    last_green: str
    since_green: str
    objectives: tuple[ObjectiveTrend, ...]


def overviews(newest_first: Sequence[RunRecord], marks: Iterable[RunMark]) -> list[PlaceOverview]:
    """Return one overview for each environment and region, the one that was judged last first."""
    counted = {mark.run_id: mark for mark in marks}
    places: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for run in newest_first:
        places[run.environment, run.region].append(run)
    return [_overview(environment, region, runs, counted) for (environment, region), runs in places.items()]


def _overview(environment: str, region: str, runs: Sequence[RunRecord], marks: dict[str, RunMark]) -> PlaceOverview:
    whole = [run for run in runs if run.whole_suite]
    alarms = [run for run in runs if run.verdict in ALARMS]
    said = [marks[run.run_id] for run in alarms if run.run_id in marks]
    times_ms = sorted(run.duration_ms for run in whole)
    green = last_green(runs[1:], environment, region)
    flaky, compared = _disagreeing(whole)
    return PlaceOverview(
        environment=environment,
        region=region,
        runs=len(runs),
        verdicts=dict(Counter(str(run.verdict) for run in runs)),
        trend="".join(str(run.verdict)[0] for run in reversed(runs[:TREND])),
        flaky_runs=flaky,
        compared_runs=compared,
        flaky_scenarios=_flaky_scenarios(runs),
        alarms=len(alarms),
        false_alarms=tuple(mark for mark in said if mark.mark == FALSE_ALARM),
        median_verdict_ms=round(median(times_ms)) if times_ms else None,
        p95_verdict_ms=times_ms[math.ceil(0.95 * len(times_ms)) - 1] if times_ms else None,
        inconclusive_in_a_row=inconclusive_in_a_row(runs, environment, region),
        last_green=green.run_id if green else "",
        since_green=since_green(green, runs[0]),
        objectives=_objectives(whole or runs),
    )


def _by_release(runs: Iterable[RunRecord]) -> list[list[RunRecord]]:
    releases: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for run in runs:
        if run.releases:
            releases[run.releases].append(run)
    return [group for group in releases.values() if len(group) > 1]


def _disagreeing(whole: Iterable[RunRecord]) -> tuple[int, int]:
    """Return how many runs contradict a PASS of the same release, and how many runs could have been contradicted."""
    groups = _by_release(run for run in whole if run.verdict is not VerdictStatus.CONFIG)
    passed = [group for group in groups if any(run.is_green for run in group)]
    return sum(run.verdict in ALARMS for group in passed for run in group), sum(map(len, groups))


def _flaky_scenarios(runs: Sequence[RunRecord]) -> dict[str, int]:
    """Return the scenarios that flake most, with the number of runs they did in."""
    flaked: Counter[str] = Counter(check.scenario for run in runs for check in run.checks if check.flaky)
    for group in _by_release(runs):
        passed = {check.id for run in group for check in run.checks if check.status == "passed"}
        flaked.update(
            check.scenario for run in group for check in run.checks if check.status in _RED and check.id in passed
        )
    return dict(flaked.most_common(_SCENARIOS_NAMED))


def _objectives(runs: Sequence[RunRecord]) -> tuple[ObjectiveTrend, ...]:
    measured = next((run for run in runs if run.objectives), None)
    if measured is None:
        return ()
    before: dict[str, list[float]] = defaultdict(list)
    for run in runs[runs.index(measured) + 1 :]:
        for objective in run.objectives:
            if objective.estimate is not None:
                before[objective.name].append(objective.estimate)
    return tuple(
        ObjectiveTrend(
            name=objective.name,
            unit=objective.unit,
            threshold=objective.threshold,
            decision=objective.decision,
            newest=objective.estimate,
            median_before=median(before[objective.name]) if before[objective.name] else None,
        )
        for objective in measured.objectives
    )
