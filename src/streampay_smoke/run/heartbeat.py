"""A line every few seconds while a run is played, for whoever watches it or reads its log: what is waited for."""

import sys
import time
from collections.abc import Callable

from streampay_smoke.run.progress import RunProgress

EVERY_SECONDS = 5.0

_MOST_LETTERS = 160


class Heartbeat:
    """Says how far a run is. Nothing for a run that is over sooner."""

    def __init__(
        self,
        progress: RunProgress,
        *,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        self._progress = progress
        self._clock = clock
        self._say = say
        self._began_seconds = self._next_seconds = clock()
        self._next_seconds += EVERY_SECONDS

    def look(self) -> None:
        """Say a line where it is time for one."""
        now_seconds = self._clock()
        if now_seconds < self._next_seconds:
            return
        self._next_seconds = now_seconds + EVERY_SECONDS
        line = f"... {now_seconds - self._began_seconds:.0f} s: {self._progress.description}"
        self._say(line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 3]}...")
