"""What Allure remembers of earlier runs of an environment, beside the runs' folders: one JSON line for each run.

Allure changes its history file in place. It gets a copy, so that runs beside each other and an Allure that is killed
lose nothing, and a line that cannot be read is left out instead of ending the report.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core.files import replace_file

FOLDER = "allure-history"

FILE = "history.jsonl"
"""The copy's name, as `report/allurerc.json` has it."""

MOST_RUNS = 20

RUN_ID = "streampayRunId"
"""A field of ours in each line: a report that is built again is no other run."""

_Point = dict[str, Any]


def history_path(run_dir: Path, environment: str, region: str) -> Path:
    """Return where the history of an environment and region is kept."""
    name = "-".join(part for part in (environment, region) if part) or "unknown"
    return run_dir.parent / FOLDER / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.jsonl"


def write_copy(history: Path, place: Path, run_id: str) -> None:
    """Write the earlier runs, the newest MOST_RUNS but one, into FILE in a folder."""
    points = [point for point in _points(history) if point.get(RUN_ID) != run_id]
    replace_file(place / FILE, _lines(points[-(MOST_RUNS - 1) :]))


def keep(history: Path, place: Path, run_id: str) -> None:
    """Add the run that Allure wrote last into FILE. Raises OSError where nothing can be written."""
    written = list(_points(place / FILE))
    if not written or RUN_ID in written[-1]:  # Allure wrote none
        return
    with _alone(history):
        others = [point for point in _points(history) if point.get(RUN_ID) != run_id]
        replace_file(history, _lines([*others, {**written[-1], RUN_ID: run_id}][-MOST_RUNS:]))


def _points(path: Path) -> Iterator[_Point]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=_Point)
        except msgspec.DecodeError:
            continue


def _lines(points: list[_Point]) -> bytes:
    return b"".join(msgspec.json.encode(point) + b"\n" for point in points)


@contextmanager
def _alone(history: Path) -> Iterator[None]:
    """Hold the lock of a history: the kernel gives it back, however its holder ends."""
    history.parent.mkdir(parents=True, exist_ok=True)
    with history.with_suffix(".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
