"""The journal: one append-only, hash-chained line of JSON for each event, flushed as it happens."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.redaction import Redactor

FIRST_LINK = "0" * 64
"""What the first line names as its predecessor's digest."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A journal line. `prev` is the SHA-256 of the line before it, without its newline."""

    seq: int
    at_ms: int
    prev: str
    event: AnyEvent


class JournalRead(msgspec.Struct, frozen=True, kw_only=True):
    """What could be read of a journal.

    `tampered_at` is the first line whose chain does not hold (1-based, 0 for none); nothing after it is in
    `entries`. `truncated` says that the last line was cut off. `sha256` covers the lines in `entries`.
    """

    entries: tuple[Entry, ...]
    sha256: str
    truncated: bool = False
    tampered_at: int = 0


class Journal:
    """Appends events to a file; safe to reopen after the writer was killed."""

    def __init__(self, path: Path, redactor: Redactor, *, now_ms: Callable[[], int] | None = None) -> None:
        self._redactor = redactor
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self._seq, self._link = _resume(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, event: AnyEvent) -> None:
        """Write one event, redacted; raises OSError when it cannot be kept (evidence that is lost is no evidence)."""
        line = msgspec.json.encode(
            {"seq": self._seq, "at_ms": self._now_ms(), "prev": self._link, "event": self._redacted(event)}
        )
        _write_all(self._file, line + b"\n")
        self._seq += 1
        self._link = hashlib.sha256(line).hexdigest()

    def _redacted(self, event: AnyEvent) -> dict[str, Any]:
        fields = msgspec.to_builtins(event)
        return {"event": fields.pop("event"), **self._redactor.value(fields)}

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> JournalRead:
    """Read as much of a journal as can be trusted; raises OSError when there is no such file."""
    decoder = msgspec.json.Decoder(Entry)
    entries: list[Entry] = []
    digest = hashlib.sha256()
    link = FIRST_LINK
    *lines, rest = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            entry = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            entry = None
        if entry is None or entry.prev != link or entry.seq != number:
            return JournalRead(entries=tuple(entries), sha256=digest.hexdigest(), tampered_at=number)
        entries.append(entry)
        digest.update(line + b"\n")
        link = hashlib.sha256(line).hexdigest()
    return JournalRead(entries=tuple(entries), sha256=digest.hexdigest(), truncated=bool(rest))


def _resume(path: Path) -> tuple[int, str]:
    """Return the next sequence number and link of `path`, cutting off a half-written last line."""
    if not path.exists():
        return 1, FIRST_LINK
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    if not whole:
        return 1, FIRST_LINK
    lines = whole.splitlines()
    return len(lines) + 1, hashlib.sha256(lines[-1]).hexdigest()


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
