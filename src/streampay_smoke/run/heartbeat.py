"""Says what goes on for whoever watches: one live line on a terminal, in a log a line every few seconds.

It goes to standard error, so that it is in nothing that machines read.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from streampay_smoke.core.system_facts import variables
from streampay_smoke.run.live_line import LiveLine, cut, live_line
from streampay_smoke.run.progress import LaneWait, ProgressView, RunProgress

EVERY_SECONDS = 5.0
LIVE_EVERY_SECONDS = 0.25

_MOST_LETTERS = 160

Say = Callable[[str], None]


def _to_log(line: str) -> None:
    print(cut(line, _MOST_LETTERS), file=sys.stderr, flush=True)


class Heartbeat:
    """Says how far a run is. Nothing in the log of a run that is over sooner."""

    def __init__(
        self,
        progress: RunProgress,
        *,
        live: LiveLine | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Say = _to_log,
    ) -> None:
        self._progress = progress
        self._live = live
        self._clock = clock
        self._say = say
        self._began_seconds = self._next_seconds = clock()
        self._next_seconds += EVERY_SECONDS

    def look(self) -> None:
        """Bring the live line up to date, or say a line where it is time for one."""
        now_seconds = self._clock()
        seconds = now_seconds - self._began_seconds
        if self._live is not None:
            self._live.show(live_text(self._progress.view(), seconds, self._progress.left_seconds))
        elif now_seconds >= self._next_seconds:
            self._next_seconds = now_seconds + EVERY_SECONDS
            self._say(cut(log_text(self._progress.view(), seconds), _MOST_LETTERS))


def log_text(view: ProgressView, seconds: float) -> str:
    """Return how far a run is, as a line of a log."""
    parts = _phase(view)
    if view.expected:
        parts.append(f"{view.done} of {view.expected} scenarios done")
    waits: dict[str, str] = {}
    for wait in view.waits:
        waits.setdefault(wait.what, f"{wait.what} ({_how_long(wait)})")
    if waits:
        parts.append(f"waiting for {', '.join(waits.values())}")
    return f"... {seconds:.0f} s: {'; '.join(parts)}"


def live_text(view: ProgressView, seconds: float, left_seconds: float) -> str:
    """Return how far a run is, what it waits for and which features are done, the most telling first."""
    parts = [f"{seconds:.0f} s of {seconds + max(0.0, left_seconds):.0f}", *_phase(view)]
    if view.expected:
        features = f"{len(view.features_done)} of {view.features} features"
        parts.append(f"done: {view.done} of {view.expected} scenarios, {features}")
    if view.waits:
        longest = view.waits[0]
        others = f", {len(view.waits) - 1} more" if len(view.waits) > 1 else ""
        parts.append(f"waits {_how_long(longest)}{others}: {longest.what}")
    if view.features_done:
        parts.append(", ".join(view.features_done))
    return " | ".join(parts)


def _phase(view: ProgressView) -> list[str]:
    if not view.phase:
        return []
    return [view.phase + (f" (at most {view.phase_seconds:.0f} s)" if view.phase_seconds else "")]


def _how_long(wait: LaneWait) -> str:
    return f"{wait.seconds:.0f} s" + (f" of {wait.step_seconds:.0f}" if wait.step_seconds else "")


@contextlib.contextmanager
def told_while(
    what: str, *, most_seconds: float = 0.0, prints: bool = False, every_seconds: float = EVERY_SECONDS
) -> Iterator[None]:
    """Say what goes on, and since when, until the block ends; `most_seconds` is how long it may take, 0 for unknown.

    What `prints` by itself gets no live line, which it would print into.
    """
    live = None if prints else live_line(sys.stderr, variables())
    over, began_seconds = threading.Event(), time.monotonic()

    def tell() -> None:
        while not over.wait(LIVE_EVERY_SECONDS if live else every_seconds):
            seconds = time.monotonic() - began_seconds
            most = f" of at most {most_seconds:.0f}" if most_seconds else ""
            line = f"{seconds:.0f} s{most}: {what}"
            live.show(line) if live else _to_log(f"... {line}")

    telling = threading.Thread(target=tell, name="heartbeat", daemon=True)
    telling.start()
    try:
        yield
    finally:
        over.set()
        telling.join()
        if live:
            live.clear()
