"""Standard output and error without secrets, for everything that prints during a run."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from streampay_smoke.core.standard_streams import StreamInFront
from streampay_smoke.evidence.redaction import Redactor


class RedactedStream(StreamInFront):
    """Passes text on, redacted, no line before it is whole."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        super().__init__(stream)
        self._redactor = redactor
        self._pending = ""

    def write(self, text: str) -> int:
        """Write whole lines, and those that came together at once: a secret may arrive in pieces, and be of several."""
        lines, newline, self._pending = (self._pending + text).rpartition("\n")
        if newline:
            self._stream.write(self._redactor.text(lines) + newline)
        return len(text)

    def flush(self) -> None:
        """Write what is left of a line."""
        self._stream.write(self._redactor.text(self._pending))
        self._pending = ""
        super().flush()


class OutlastingStream(io.TextIOBase):
    """Passes text on while somebody takes it: a reader who went away, or a full disk, ends the words, not the run."""

    def __init__(self, stream: TextIO | None) -> None:
        """Stand before a stream; None for one that was closed before Python started."""
        self._stream = stream
        self._encoding = stream.encoding if stream else "utf-8"
        self._isatty = stream.isatty() if stream else False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._encoding

    @property
    def buffer(self) -> BinaryIO:
        """What takes bytes: those who write an answer there are told when it is lost."""
        return self._taken().buffer

    def isatty(self) -> bool:
        """Whether a person watches."""
        return self._isatty

    def fileno(self) -> int:
        """Return the descriptor behind; raises OSError where there is none any more."""
        return self._taken().fileno()

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        self._attempt(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand over what was written."""
        self._attempt(lambda stream: stream.flush())

    def _taken(self) -> TextIO:
        if self._stream is None:
            raise BrokenPipeError("nobody takes the output")
        return self._stream

    def _attempt(self, do: Callable[[TextIO], object]) -> None:
        if self._stream is None:
            return
        try:
            do(self._stream)
        except OSError:
            # Python writes what is left in its buffer once more at exit, and would change the exit code over it.
            with Path(os.devnull).open("wb") as nowhere, contextlib.suppress(OSError):
                os.dup2(nowhere.fileno(), self._stream.fileno())
            self._stream = None


@contextlib.contextmanager
def outlasting_output() -> Iterator[None]:
    """Let nothing that becomes of standard output and error change what a command does and how it ends."""
    out, err = OutlastingStream(sys.stdout), OutlastingStream(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
        finally:
            out.flush()
            err.flush()


@contextlib.contextmanager
def redacted_output(redactor: Redactor | None = None) -> Iterator[Redactor]:
    """Redact standard output and error with a redactor, one of its own where none is given; gives that one."""
    redactor = redactor or Redactor()
    out, err = RedactedStream(sys.stdout, redactor), RedactedStream(sys.stderr, redactor)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield redactor
        finally:
            out.flush()
            err.flush()
