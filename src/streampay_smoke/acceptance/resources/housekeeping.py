"""What a run made and has to bring to an end: the end is noted beside the making, whatever becomes of the run."""

import contextlib
import time
from collections.abc import Callable, Iterator

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.core.side_by_side import as_they_end
from streampay_smoke.evidence.events import Recorder, ResourceCreated, ResourceReleased

End = Callable[[], bool]
"""Brings one thing to an end; False, or any SmokeError, when it could not."""

_AGAIN_SECONDS = 0.5


class Housekeeping:
    """Synthetic data of one run. What is not brought to an end is counted as leaked in the verdict."""

    def __init__(self, record: Recorder, *, at_once: int = 1) -> None:
        """Note what is made; so many things at a time end beside each other, of those that may."""
        self._record = record
        self._at_once = at_once
        self._beside: set[tuple[str, str]] = set()
        self._unfinished: dict[tuple[str, str], End] = {}
        self.unconfirmed: set[str] = set()
        """The kinds of which one more may have been made: the answer to its making was never heard."""

    def made(self, kind: str, name: str, end: End, *, beside_others: bool = False) -> None:
        """Take note of something new and of how it ends: in a thread of its own where that is `beside_others`."""
        self._unfinished[kind, name] = end
        if beside_others:
            self._beside.add((kind, name))
        self._record(ResourceCreated(kind=kind, id=name))

    @contextlib.contextmanager
    def making(self, kind: str, *, refused: Callable[[Exception], bool]) -> Iterator[None]:
        """Take note of what is being made in a block, which calls `made`.

        It stays unconfirmed where the block raises, be it because its time is over, and not what is a refusal.
        """
        self.unconfirmed.add(kind)
        try:
            yield
        except Exception as error:
            if refused(error):
                self.unconfirmed.discard(kind)
            raise
        self.unconfirmed.discard(kind)

    def __len__(self) -> int:
        """Return how many things are to be brought to an end, and how many kinds to be searched for."""
        return len(self._unfinished) + len(self.unconfirmed)

    def has(self, kind: str, name: str) -> bool:
        """Whether this is something unfinished."""
        return (kind, name) in self._unfinished

    def names(self, kind: str) -> Iterator[str]:
        """Yield what of this kind is unfinished."""
        return (name for found, name in self._unfinished if found == kind)

    def finished(self, kind: str, name: str) -> None:
        """Take note that something came to its proper end; nothing happens for what is not of this run."""
        if self._unfinished.pop((kind, name), None) is not None:
            self._record(ResourceReleased(kind=kind, id=name))

    def clean_up(self, *, again_within_seconds: float = 0.0) -> None:
        """Bring everything that is left to an end.

        What does not end is tried again for so long: a request that was cut off may still be under way at the service.
        """
        ends_at = time.monotonic() + again_within_seconds
        self._end_each()
        while self._unfinished and time.monotonic() < ends_at:
            time.sleep(_AGAIN_SECONDS)
            self._end_each()

    def _end_each(self) -> None:
        """End one thing after the other, and then what may end beside others: an end may wait for a ledger."""
        beside = [made for made in self._unfinished if made in self._beside] if self._at_once > 1 else []
        for made in [made for made in self._unfinished if made not in beside]:
            self._note_end(made, self._unfinished[made])
        calls = [self._unfinished[made] for made in beside]
        for at, ended in as_they_end(calls, self._record, at_once=self._at_once):
            self._note_end(beside[at], ended)

    def _note_end(self, made: tuple[str, str], end: End) -> None:
        try:
            ended = end()
        except SmokeError:
            ended = False  # the exchange is in the journal, and the thing is counted as leaked
        if ended:
            self.finished(*made)
