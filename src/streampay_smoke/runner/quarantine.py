"""Reads `quarantine.toml`: which checks do not gate for now, and who answers for that. No file, no quarantine."""

import datetime
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from streampay_smoke.evidence.events import ExpectedScenario, QuarantineEntry, QuarantineRead
from streampay_smoke.gate.concerns import always_gates

FILE = "quarantine.toml"

LONGEST_DAYS = 30
"""A check that is wrong for longer is mended or removed."""

_TEXTS = ("id", "owner", "ticket")
_KEYS = frozenset({*_TEXTS, "until", "reason"})


def read_quarantine(
    root: Path, scenarios: Callable[[], Mapping[str, ExpectedScenario]], *, today: datetime.date
) -> QuarantineRead | None:
    """Return the quarantine of the project at `root`, None when it has none.

    `scenarios` returns all there are, by id, selected or not; it is called where there is an entry. An entry with a
    defect is a problem and not an entry: a run with problems judges nothing.
    """
    path = root / FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return QuarantineRead(today=today.isoformat(), entries=(), problems=(f"{FILE} cannot be read: {error}",))
    given = document.get("quarantine", [])
    problems = [f"{FILE}: {name!r} is no key; write [[quarantine]]" for name in document if name != "quarantine"]
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        problems.append(f"{FILE}: quarantine is no list of tables; write [[quarantine]]")
        given = []
    entries: list[QuarantineEntry] = []
    known = scenarios() if given else {}
    for number, entry in enumerate(given, start=1):
        taken = {other.id for other in entries}
        found = [f"{FILE}, entry {number}: {text}" for text in _defects(entry, known, taken, today)]
        problems += found
        if not found:
            entries.append(_entry(entry))
    return QuarantineRead(today=today.isoformat(), entries=tuple(entries), problems=tuple(problems))


def today() -> datetime.date:
    """Return the day it is, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


def _defects(
    entry: Mapping[str, Any], scenarios: Mapping[str, ExpectedScenario], taken: set[str], today: datetime.date
) -> Iterator[str]:
    for name in entry:
        if name not in _KEYS:
            yield f"{name!r} is no key; use {', '.join(sorted(_KEYS))}"
    for name in _TEXTS:
        if not (isinstance(entry.get(name), str) and entry[name].strip()):
            yield f"it has no {name}; every entry names its {', '.join(_TEXTS)} and until"
    if not isinstance(entry.get("reason", ""), str):
        yield "its reason is no text"
    until = entry.get("until")
    if type(until) is not datetime.date:
        yield "until is no date; write until = 2026-12-31"
    elif until > today + datetime.timedelta(days=LONGEST_DAYS):
        yield f"until is {until}, more than {LONGEST_DAYS} days ahead; mend the check, or remove it"
    scenario_id = entry.get("id")
    if not isinstance(scenario_id, str) or not scenario_id.strip():
        return
    scenario = scenarios.get(scenario_id)
    if scenario is None:
        yield f"there is no scenario {scenario_id!r}; ids are in verdict.json, checks[].id"
    elif always_gates(scenario.id, scenario.tags):
        yield f"{scenario_id} cannot be quarantined: settlement and readiness always gate"
    if scenario_id in taken:
        yield f"{scenario_id} has another entry"


def _entry(entry: Mapping[str, Any]) -> QuarantineEntry:
    return QuarantineEntry(
        id=entry["id"],
        owner=entry["owner"].strip(),
        ticket=entry["ticket"].strip(),
        until=entry["until"].isoformat(),
        reason=entry.get("reason", "").strip(),
    )
