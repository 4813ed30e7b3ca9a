"""What a run made and has to bring to an end: the end is noted beside the making, whatever becomes of the run."""

from collections.abc import Callable, Iterator

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import Recorder, ResourceCreated, ResourceReleased

End = Callable[[], bool]
"""Brings one thing to an end; False, or any SmokeError, when it could not."""


class Housekeeping:
    """Synthetic data of one run. What is not brought to an end is counted as leaked in the verdict."""

    def __init__(self, record: Recorder) -> None:
        self._record = record
        self._unfinished: dict[tuple[str, str], End] = {}

    def made(self, kind: str, name: str, end: End) -> None:
        """Take note of something new and of how it ends."""
        self._unfinished[kind, name] = end
        self._record(ResourceCreated(kind=kind, id=name))

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

    def clean_up(self) -> None:
        """Bring everything that is left to an end."""
        for (kind, name), end in list(self._unfinished.items()):
            try:
                ended = end()
            except SmokeError:
                ended = False  # the exchange is in the journal, and the thing is counted as leaked
            if ended:
                self.finished(kind, name)
