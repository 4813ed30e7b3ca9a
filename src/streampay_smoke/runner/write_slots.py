"""How many writes a run has at a deployment at once, across its lanes.

A service may have one account on the ledger, and an account one transaction in a ledger: of writes sent at once each
then waits for the one before, and the last of them past the time a user waits. So lanes send no more at once than the
environment says the deployment takes. A slot is a lock on a byte of a file, which the system gives back whatever
becomes of who held it.
"""

import contextlib
import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

_LOOK_SECONDS = 0.02
_TELL_SECONDS = 5.0


class WriteSlots:
    """The slots of one run; made before it is forked.

    The system tells processes apart and not their threads: which slots this one holds is kept beside the locks.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the run is
        self._taking = threading.Lock()
        self._held: set[int] = set()

    @contextlib.contextmanager
    def slot(self, waited: Callable[[float], None]) -> Iterator[None]:
        """Hold a slot for a block; `waited` is told, every few seconds and in the end, how much longer it took."""
        began_seconds = time.monotonic()
        taken = self._take()
        while taken is None:
            time.sleep(_LOOK_SECONDS)
            taken = self._take()
            seconds = time.monotonic() - began_seconds
            if taken is not None or seconds >= _TELL_SECONDS:
                waited(seconds)
                began_seconds += seconds
        try:
            yield
        finally:
            with self._taking:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, taken)
                self._held.discard(taken)

    def _take(self) -> int | None:
        """Lock a byte that nobody has locked, and return its place; None where all are."""
        with self._taking:
            for place in set(range(self._number)) - self._held:
                with contextlib.suppress(BlockingIOError, PermissionError):
                    fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place, os.SEEK_SET)
                    self._held.add(place)
                    return place
        return None
