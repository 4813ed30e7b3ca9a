"""One line at the end of a terminal that says what goes on, below everything that is printed for good."""

import os
import stat
import sys
import threading
from collections.abc import Mapping
from typing import TextIO

_CLEAR = "\r\033[K"
_USUAL_COLUMNS = 80


class LiveLine:
    """Shows one line, and takes it away before anything else is printed. Methods may be called from any thread."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._lock = threading.RLock()  # a signal may come while the main thread holds it, and print something
        self._shown = ""
        self._within_line = False

    def show(self, text: str) -> None:
        """Show this text in place of the one before, cut to the terminal; not within somebody else's line."""
        with self._lock:
            text = cut(text, self._columns() - 1)
            if self._within_line or text == self._shown:
                return
            self._terminal.write(_CLEAR + text)
            self._terminal.flush()
            self._shown = text

    def clear(self) -> None:
        """Take the line away."""
        with self._lock:
            self._clear()

    def pass_on(self, output: str, stream: TextIO) -> None:
        """Print what somebody else printed, above the line."""
        if not output:
            return
        with self._lock:
            self._clear()
            stream.write(output)
            stream.flush()
            self._within_line = not output.endswith("\n")

    def _clear(self) -> None:
        if self._shown:
            self._terminal.write(_CLEAR)
            self._terminal.flush()
            self._shown = ""

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._terminal.fileno()).columns or _USUAL_COLUMNS
        except OSError:
            return _USUAL_COLUMNS


def live_line(stream: TextIO, environ: Mapping[str, str]) -> LiveLine | None:
    """Return the live line of a terminal; None where nobody watches, or the terminal cannot take a line back.

    Nor where standard output is a pipe: what reads it (`tee`) may print to the same terminal, into the line. It has no
    colour, so that NO_COLOR says nothing about it.
    """
    takes_lines_back = stream.isatty() and environ.get("TERM", "dumb") != "dumb"
    return LiveLine(stream) if takes_lines_back and not _is_pipe(sys.stdout) else None


def _is_pipe(stream: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # none, or closed
        return False


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` letters."""
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."[: max(0, most)]
