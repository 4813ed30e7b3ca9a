"""Standard input, output and error: opened where they were closed, and what may stand in front of one of them."""

import contextlib
import io
import os
import sys
from typing import TextIO


def open_standard_streams() -> None:
    """Open each of the descriptors 0 to 2 that is closed on the null device, so that what is printed goes nowhere.

    One may have been closed before this process started (`>&-`). Its number would go to whatever is opened next: a
    socket, a pipe, a journal; and what is printed would go into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(opened := os.open(os.devnull, os.O_RDWR), descriptor, inheritable=True)
            if opened != descriptor:
                os.close(opened)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                setattr(sys, name, os.fdopen(descriptor, "w", encoding="utf-8", closefd=False))


class StreamInFront(io.TextIOBase):
    """Stands in front of a stream, and looks like it to whoever asks; what is written is up to the class."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor behind; raises OSError where there is none."""
        return self._stream.fileno()

    def flush(self) -> None:
        """Hand over what was written."""
        self._stream.flush()
