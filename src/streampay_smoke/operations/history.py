"""`streampay-smoke history`: what earlier runs said, read from the history's file; marks, export and import."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from streampay_smoke.core import times
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.files import replace_file
from streampay_smoke.history.record import Line, RunMark, RunRecord, lines_in, to_line
from streampay_smoke.history.statistics import ALARMS, ObjectiveTrend, PlaceOverview, overviews
from streampay_smoke.history.store import HistoryStore
from streampay_smoke.publish.wording import counted, seconds
from streampay_smoke.run.earlier_runs import missing_in
from streampay_smoke.settings import EvidenceSettings
from streampay_smoke.settings.folders import history_file

STREAM = "-"
"""Stands for standard input or output where a file is named."""

RUNS_SHOWN = 10

_RELEASE_COLUMNS = 24


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are looked at: "" and None for all of them; `last` for so many of each place."""

    environment: str = ""
    region: str | None = None
    last: int = 50

    def holds(self, run: RunRecord) -> bool:
        """Whether a run is one of them."""
        here = not self.environment or run.environment == self.environment
        return here and (self.region is None or run.region == self.region)


def opened(evidence: EvidenceSettings) -> HistoryStore:
    """Return the history, with every run taken in that ended here and is not in it; raises HistoryUnusable."""
    store = HistoryStore.open(history_file(evidence.history, evidence.artifacts))
    try:
        store.put(missing_in(store, evidence.artifacts))
    except BaseException:
        store.close()
        raise
    return store


def listed(store: HistoryStore, selected: Selected, *, as_json: bool) -> Iterator[str]:
    """Yield the lines of the overview of each environment and region, and of its last runs."""
    runs = _last_of_each(store.runs(), selected)
    marks = list(store.marks())
    found = overviews(runs, marks)
    if as_json:
        yield msgspec.json.format(msgspec.json.encode(found)).decode()
        return
    if not found:
        yield "no runs are known" + (" there" if selected.environment or selected.region is not None else " yet")
    for place in found:
        here = [run for run in runs if (run.environment, run.region) == (place.environment, place.region)]
        yield from _place_lines(place)
        yield from _run_lines(here[:RUNS_SHOWN], marks)
        yield ""


def mark(store: HistoryStore, run_id: str, *, said: str, why: str, who: str) -> RunMark:
    """Keep what a person says of a run, and return it; raises SettingsInvalid for a run nobody knows."""
    if run_id not in store.known():
        raise SettingsInvalid(
            f"no run {_shown(run_id)} is known",
            next_step="take the run id from verdict.json or `streampay-smoke history`",
        )
    if not why.strip():
        raise SettingsInvalid("--why is empty", next_step="say in a sentence what made it so")
    line = msgspec.convert(
        {"kind": "mark", "run_id": run_id, "mark": said, "why": why.strip(), "who": who, "at_ms": times.now_ms()},
        RunMark,
    )
    store.put([line])
    return line


def export(store: HistoryStore, file: str) -> int:
    """Write every record and mark as a line of JSON, the oldest first; return how many there are. Raises OSError."""
    lines: list[Line] = [*sorted(store.runs(), key=lambda run: run.run_id), *store.marks()]
    content = "".join(f"{to_line(line)}\n" for line in lines)
    if file == STREAM:
        sys.stdout.write(content)
        sys.stdout.flush()
    else:
        replace_file(Path(file).absolute(), content.encode())
    return len(lines)


def take_in(store: HistoryStore, files: Sequence[str]) -> tuple[int, int]:
    """Keep the lines of these files, all or none; return how many there are, and how many of them were new.

    Raises SettingsInvalid, which names the file and number of each line that is none.
    """
    lines = [line for file in files for line in lines_in(_lines_of(file), "standard input" if file == STREAM else file)]
    return len(lines), store.put(lines)


def _lines_of(file: str) -> list[bytes]:
    try:
        return (sys.stdin.buffer.read() if file == STREAM else Path(file).read_bytes()).splitlines()
    except OSError as error:
        raise SettingsInvalid(
            f"{file} cannot be read: {error.strerror}", next_step="name a file that `history export` wrote, or -"
        ) from error


def _last_of_each(newest_first: Iterable[RunRecord], selected: Selected) -> list[RunRecord]:
    left: dict[tuple[str, str], int] = {}
    runs: list[RunRecord] = []
    for run in newest_first:
        place = (run.environment, run.region)
        if selected.holds(run) and left.setdefault(place, selected.last) > 0:
            left[place] -= 1
            runs.append(run)
    return runs


def _place_lines(place: PlaceOverview) -> Iterator[str]:
    name = _shown(place.environment or "no environment") + (f", {_shown(place.region)}" if place.region else "")
    yield f"{name}: {counted(place.runs, 'run')}"
    verdicts = ", ".join(f"{number} {status}" for status, number in place.verdicts.items())
    yield f"  verdicts         {place.trend} (newest on the right): {verdicts}"
    if place.compared_runs:
        yield (
            f"  flake rate       {_share(place.flaky_runs, place.compared_runs)} of the runs of releases that were "
            "played again said no where another said PASS"
        )
    for scenario, number in place.flaky_scenarios.items():
        yield f"    {number} x {_shown(scenario)}"
    if place.alarms:
        yield (
            f"  false alarms     {_share(len(place.false_alarms), place.alarms)} of the runs that said "
            f"{', '.join(sorted(ALARMS))}"
        )
    for said in place.false_alarms:
        yield f"    {said.run_id}: {_shown(said.why)}{f' ({_shown(said.who)})' if said.who else ''}"
    if place.median_verdict_ms is not None and place.p95_verdict_ms is not None:
        within = f"95 % within {seconds(place.p95_verdict_ms)}"
        yield f"  time to verdict  {seconds(place.median_verdict_ms)} (median of whole suites), {within}"
    if place.inconclusive_in_a_row:
        yield f"  INCONCLUSIVE     {place.inconclusive_in_a_row} in a row"
    for objective in place.objectives:
        if objective.newest is not None:
            yield f"  objective        {_objective(objective)}"
    yield f"  since green      {_shown(place.since_green)}"


def _objective(objective: ObjectiveTrend) -> str:
    newest, before = (
        "not measured" if value is None else _amount(value, objective.unit)
        for value in (objective.newest, objective.median_before)
    )
    promised = f"promised {_amount(objective.threshold, objective.unit)}"
    return f"{_shown(objective.name)}: {newest} ({objective.decision}, {promised}; median before: {before})"


def _amount(value: float, unit: str) -> str:
    return f"{100 * value:.4g} %" if unit == "ratio" else f"{round(value, 3):g} {unit}".rstrip()


def _run_lines(runs: Iterable[RunRecord], marks: Iterable[RunMark]) -> Iterator[str]:
    said = {mark.run_id: mark.mark for mark in marks}
    for run in runs:
        release = _shown(" and ".join(run.releases) or "no release")[:_RELEASE_COLUMNS]
        part = "" if run.whole_suite else "  part of the suite"
        marked = f"  {said[run.run_id]}" if run.run_id in said else ""
        took = seconds(run.duration_ms)
        yield f"  {run.run_id}  {run.verdict:<12} {_shown(run.reason_code):<20} {release}  {took}{part}{marked}"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)"


def _shown(text: str) -> str:
    """Return a text as a terminal may show it: another machine wrote it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
