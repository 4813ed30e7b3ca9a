"""Standard output and error without secrets, for everything that prints during a run."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TextIO

from streampay_smoke.evidence.redaction import Redactor


class RedactedStream(io.TextIOBase):
    """Passes text on, line by line, redacted."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor
        self._pending = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Write whole lines at once: a secret may arrive in pieces."""
        self._pending += text
        *lines, self._pending = self._pending.split("\n")
        for line in lines:
            self._stream.write(self._redactor.text(line) + "\n")
        return len(text)

    def flush(self) -> None:
        """Write what is left of a line."""
        self._stream.write(self._redactor.text(self._pending))
        self._pending = ""
        self._stream.flush()


@contextlib.contextmanager
def redacted_output(redactor: Redactor) -> Iterator[None]:
    """Redact standard output and error."""
    out, err = RedactedStream(sys.stdout, redactor), RedactedStream(sys.stderr, redactor)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
        finally:
            out.flush()
            err.flush()
