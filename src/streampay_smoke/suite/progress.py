"""Sees from outside how far a run is: a step that holds the interpreter cannot be interrupted from within."""

import time
from pathlib import Path
from typing import Any

import msgspec

GRACE_SECONDS = 0.7
"""How much longer than its budget a step may take before it counts as stuck: its own process is asked first."""


class Progress:
    """Reads a growing journal and knows the step that is under way, and whether the release is being watched."""

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._read = 0
        self._due_at_ms: float | None = None
        self.bake_seconds = 0.0

    def step_is_stuck(self) -> bool:
        """Return whether a step is over its budget and nothing was written about it."""
        self._catch_up()
        return self._due_at_ms is not None and time.time() * 1000 > self._due_at_ms

    def _catch_up(self) -> None:
        with self._path.open("rb") as journal:
            journal.seek(self._read)
            whole, _, _ = journal.read().rpartition(b"\n")
        if not whole:
            return
        self._read += len(whole) + 1
        for line in whole.split(b"\n"):
            self._observe(msgspec.json.decode(line))

    def _observe(self, entry: dict[str, Any]) -> None:
        event = entry["event"]
        match event["event"]:
            case "step_started":
                budget_seconds = event.get("budget_seconds", 0.0)
                due = entry["at_ms"] + (budget_seconds + GRACE_SECONDS) * 1000
                self._due_at_ms = due if budget_seconds else None
            case "step_overran" | "step_finished" | "scenario_finished":
                self._due_at_ms = None
            case "bake_started":
                self.bake_seconds = event["seconds"]
