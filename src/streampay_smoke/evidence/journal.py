"""The journal: one append-only, hash-chained line of JSON for each event, flushed as it happens.

Where scenarios are played side by side, in lanes, their lines stand in the order of time, each with the number of its
lane. `read` returns them in the order of a run without lanes: all of a scenario together, in the order of the plan.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from streampay_smoke.core import times
from streampay_smoke.evidence.chain import ChainedLine, ChainRead, ChainWriter, read_chain
from streampay_smoke.evidence.events import (
    AnyEvent,
    Interrupted,
    RunFinished,
    RunPlanned,
    ScenarioFinished,
    ScenarioStarted,
)
from streampay_smoke.evidence.redaction import Redactor

JOURNAL: Final = "journal.jsonl"
"""The file of a run's folder that is its journal."""


class Entry(ChainedLine, frozen=True, kw_only=True):
    """A journal line. `lane` is the lane its scenario was played in, 0 for the process of the run itself."""

    event: AnyEvent
    lane: int = 0


JournalRead = ChainRead[Entry]
"""What could be read of a journal."""


class Journal(contextlib.AbstractContextManager["Journal"]):
    """Appends events to a file; safe to reopen after the writer was killed.

    `uninterrupted` gives the block in which a line is written: nothing raises within it but what the writing does.
    """

    def __init__(
        self,
        path: Path,
        redactor: Redactor,
        *,
        now_ms: Callable[[], int] = times.now_ms,
        uninterrupted: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._path = path
        self._redactor = redactor
        self._now_ms = now_ms
        self._uninterrupted = uninterrupted
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lines = ChainWriter(path, self._file)

    def append(self, event: AnyEvent, *, lane: int = 0, at_ms: int | None = None) -> None:
        """Write one event, redacted; raises OSError when it cannot be kept (evidence that is lost is no evidence).

        `at_ms` is when it happened, by default now.
        """
        with self._uninterrupted():
            fields: dict[str, Any] = {"lane": lane} if lane else {}
            happened_at_ms = self._now_ms() if at_ms is None else at_ms
            self._lines.append(happened_at_ms, {**fields, "event": self._redacted(event)})

    def _redacted(self, event: AnyEvent) -> dict[str, Any]:
        fields = msgspec.to_builtins(event)
        return {"event": fields.pop("event"), **self._redactor.value(fields)}

    def entries(self) -> tuple[Entry, ...]:
        """Read back what was written so far; raises OSError when the file is gone."""
        return read(self._path).entries

    def is_intact(self) -> bool:
        """Whether the file ends with what was written here: nobody removed, replaced or cut it meanwhile."""
        return self._lines.is_intact()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __exit__(self, *error: object) -> None:
        self.close()


def read(path: Path) -> JournalRead:
    """Read as much of a journal as can be trusted; raises OSError when there is no such file."""
    with path.open("rb") as lines:
        found = read_chain(lines, Entry)
    return replace(found, entries=tuple(in_order_of_scenarios(found.entries)))


def in_order_of_scenarios(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield entries in the order of a run without lanes: each scenario's together, and clean-up after them all."""
    first = next((at for at, entry in enumerate(entries) if entry.lane), len(entries))
    yield from entries[:first]
    planned = next((entry.event for entry in entries if isinstance(entry.event, RunPlanned)), None)
    chapters: dict[str, list[Entry]] = {scenario.id: [] for scenario in planned.expected} if planned else {}
    of_no_scenario: list[Entry] = []
    under_way: dict[int, list[Entry]] = {}
    for entry in entries[first:]:
        if isinstance(entry.event, ScenarioStarted):
            under_way[entry.lane] = chapters.setdefault(entry.event.id, [])
        elif isinstance(entry.event, RunFinished | Interrupted):
            under_way.clear()
        under_way.get(entry.lane, of_no_scenario).append(entry)
        if isinstance(entry.event, ScenarioFinished):
            under_way.pop(entry.lane, None)
    for chapter in chapters.values():
        yield from chapter
    yield from of_no_scenario
