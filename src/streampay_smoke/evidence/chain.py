"""Append-only lines of JSON, each with the digest of the line before it: no change to them goes unnoticed.

A line ends with a digest of its own, too: the last line has no other to vouch for it.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

FIRST_LINK = "0" * 64
"""What the first line names as its predecessor's digest."""

_SUM = b',"sum":"%b"}'
_SUM_LENGTH = len(_SUM % (b"0" * 64))


class ChainedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every line. `prev` is the SHA-256 of the line before it, without its newline.

    On disk a line ends with `sum`, the SHA-256 of the same line without it.
    """

    seq: int
    at_ms: int
    prev: str


L = TypeVar("L", bound=ChainedLine)


class ChainRead(msgspec.Struct, Generic[L], frozen=True, kw_only=True):
    """What could be read of a chain.

    `tampered_at` is the first line whose link does not hold (1-based, 0 for none); nothing after it is in
    `entries`. `truncated` says that the last line was cut off. `sha256` covers the lines in `entries`.
    """

    entries: tuple[L, ...]
    sha256: str
    truncated: bool = False
    tampered_at: int = 0


class ChainWriter:
    """Appends lines to an open file; safe to take up again after the writer before was killed.

    The file at `path` is open as `file` for appending, and nobody else writes to it: a half-written last line is cut
    off. Every line is handed to the system before `append` returns.
    """

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file
        self._seq, self._link = _resume(path)

    def append(self, at_ms: int, fields: Mapping[str, Any]) -> None:
        """Write one line; raises OSError when it cannot be kept (evidence that is lost is no evidence)."""
        line = _summed(msgspec.json.encode({"seq": self._seq, "at_ms": at_ms, "prev": self._link, **fields}))
        _write_all(self._file, line + b"\n")
        self._seq += 1
        self._link = hashlib.sha256(line).hexdigest()

    def is_intact(self) -> bool:
        """Whether the file ends with what was written here: nobody removed, replaced or cut it meanwhile."""
        return _resume(self._path) == (self._seq, self._link)


def read_chain(lines: Iterable[bytes], kind: type[L]) -> ChainRead[L]:
    """Read as many lines of a chain as can be trusted, such as those of a file opened for bytes."""
    decoder = msgspec.json.Decoder(kind)
    entries: list[L] = []
    digest = hashlib.sha256()
    link = FIRST_LINK
    for number, ended in enumerate(lines, start=1):
        line = ended.removesuffix(b"\n")
        if line == ended:
            return ChainRead(entries=tuple(entries), sha256=digest.hexdigest(), truncated=True)
        try:
            entry = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            entry = None
        if entry is None or entry.prev != link or entry.seq != number or not _is_whole(line):
            return ChainRead(entries=tuple(entries), sha256=digest.hexdigest(), tampered_at=number)
        entries.append(entry)
        digest.update(ended)
        link = hashlib.sha256(line).hexdigest()
    return ChainRead(entries=tuple(entries), sha256=digest.hexdigest())


def _summed(line: bytes) -> bytes:
    return line[:-1] + _SUM % hashlib.sha256(line).hexdigest().encode()


def _is_whole(line: bytes) -> bool:
    return _summed(line[:-_SUM_LENGTH] + b"}") == line


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
    last = whole[whole.rfind(b"\n", 0, -1) + 1 : -1]
    return whole.count(b"\n") + 1, hashlib.sha256(last).hexdigest()


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
