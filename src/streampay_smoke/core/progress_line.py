"""Says how far something long is: one live line on a terminal that can take one back, in a log a line now and then.

It goes to standard error, so that it is in nothing that machines read.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TextIO

from streampay_smoke.core.live_line import LiveLine, cut, live_line
from streampay_smoke.core.standard_streams import StreamInFront
from streampay_smoke.core.system_facts import variables

EVERY_SECONDS = 4.5
"""How long a log goes without a line at most, beside what it takes to notice it: no five seconds are silent."""

LIVE_EVERY_SECONDS = 0.25

_MOST_LETTERS = 160


class ProgressText(Protocol):
    """Says how far something is that began so many seconds ago."""

    def __call__(self, seconds: float, /, *, is_live: bool) -> str:
        """Return one line of text, for a terminal that is cut to its width or for a log."""


class ProgressLine:
    """Says how far something is: at each `look`, or while its block is open. Nothing in a log where it is over sooner.

    Within its block it says it from a thread of its own, and what this process prints stands above a live line.
    """

    def __init__(
        self,
        text: ProgressText,
        *,
        live: LiveLine | None,
        every_seconds: float = EVERY_SECONDS,
        at_once: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show `text` on the live line; where there is none, on standard error as it is now, there `at_once` too."""
        self._text = text
        self._live = live
        self._log = sys.stderr
        self._every_seconds = every_seconds
        self._clock = clock
        self._began_seconds = clock()
        self._last_seconds = self._began_seconds - (every_seconds if at_once else 0.0)
        self._lock = threading.RLock()  # a signal may come while the main thread holds it, and print something
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._redirections = contextlib.ExitStack()

    def look(self) -> None:
        """Bring the live line up to date, or say a line where it is time for one."""
        now_seconds = self._clock()
        seconds = now_seconds - self._began_seconds
        if self._live is not None:
            self._live.show(self._text(seconds, is_live=True))
        elif now_seconds >= self._last_seconds + self._every_seconds:
            line = cut(f"... {self._text(seconds, is_live=False)}", _MOST_LETTERS)
            self.pass_on(f"{line}\n", self._log)
            self._log.flush()

    def pass_on(self, text: str, stream: TextIO) -> None:
        """Print a text for good, above the live line; no other line of a log is due then."""
        with self._lock:
            self._last_seconds = self._clock()
            if self._live is not None and stream.isatty():
                self._live.pass_on(text, stream)
            else:
                stream.write(text)

    def __enter__(self) -> "ProgressLine":
        self._redirections.enter_context(contextlib.redirect_stdout(_Above(self, sys.stdout)))
        self._redirections.enter_context(contextlib.redirect_stderr(_Above(self, sys.stderr)))
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._redirections.close()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Say nothing, and have no thread, while this block is open: a process that is forked has none either."""
        begun = self._thread is not None
        self._end()
        try:
            yield
        finally:
            if begun:
                self._begin()

    def _begin(self) -> None:
        self.look()
        self._over.clear()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)
        self._thread.start()

    def _end(self) -> None:
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None
        if self._live is not None:
            self._live.clear()

    def _tell(self) -> None:
        while not self._over.wait(min(LIVE_EVERY_SECONDS, self._every_seconds)):
            self.look()


class _Above(StreamInFront):
    """Passes text on to a stream, above the live line."""

    def __init__(self, line: ProgressLine, stream: TextIO) -> None:
        super().__init__(stream)
        self._line = line

    def write(self, text: str) -> int:
        """Write a text above the line."""
        self._line.pass_on(text, self._stream)
        return len(text)


class Count:
    """How much of something long is done: so many of `total` (0 for unknown), of what, and what is done now.

    It is a `ProgressText`; whoever does it brings its fields up to date. What is done all `at_once` has no pace.
    """

    def __init__(self, what: str, total: int = 0, *, at_once: bool = False) -> None:
        self.what = what
        self.total = total
        self._at_once = at_once
        self.done = 0
        self.doing = ""

    def __call__(self, seconds: float, /, *, is_live: bool) -> str:
        """Return how many are done, how long the rest takes at this pace, how long it took, and what is done now."""
        parts = [f"{seconds:.0f} s"]
        if self.total:
            has_pace = self.done and not self._at_once
            left = f", about {seconds / self.done * (self.total - self.done):.0f} s left" if has_pace else ""
            parts = [f"{self.done} of {self.total} {self.what}{left}", f"{seconds:.0f} s"]
        elif self.done:
            parts = [f"{self.done} {self.what}", *parts]
        if self.doing:
            parts.append(self.doing)
        return (" | " if is_live else "; ").join(parts)


def counted(count: Count) -> ProgressLine:
    """Return a line that says how far this is, and how far it comes."""
    return ProgressLine(count, live=live_line(sys.stderr, variables()), at_once=True)


def told_while(what: str, *, most_seconds: float = 0.0, every_seconds: float = EVERY_SECONDS) -> ProgressLine:
    """Return a line that says what goes on, and since when; `most_seconds` is how long it may take, 0 for unknown."""
    most = f" of at most {most_seconds:.0f}" if most_seconds else ""

    def text(seconds: float, /, *, is_live: bool) -> str:
        del is_live
        return f"{seconds:.0f} s{most}: {what}"

    return ProgressLine(text, live=live_line(sys.stderr, variables()), every_seconds=every_seconds)
