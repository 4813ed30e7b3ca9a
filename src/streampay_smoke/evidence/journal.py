"""The journal: one append-only, hash-chained line of JSON for each event, flushed as it happens."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from streampay_smoke.core import times
from streampay_smoke.evidence.chain import ChainedLine, ChainRead, ChainWriter, read_chain
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.redaction import Redactor


class Entry(ChainedLine, frozen=True, kw_only=True):
    """A journal line."""

    event: AnyEvent


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

    def append(self, event: AnyEvent) -> None:
        """Write one event, redacted; raises OSError when it cannot be kept (evidence that is lost is no evidence)."""
        with self._uninterrupted():
            self._lines.append(self._now_ms(), {"event": self._redacted(event)})

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
    return read_chain(path.read_bytes(), Entry)
