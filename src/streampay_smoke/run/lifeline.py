"""A supervised run does not outlive its supervisor: nobody would vouch for its answer, and it would go on by itself.

The supervisor holds one end of a pipe and writes nothing into it. However it ends, killed or not, the system closes
that end, and the run sees it.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

LIFELINE = "lifeline"
"""Userdata by which a supervisor names the end of the pipe that it hands down."""


@contextlib.contextmanager
def held() -> Iterator[int]:
    """Hold a lifeline, and give the number of the end to hand down to the run."""
    handed_down, kept = os.pipe()
    try:
        yield handed_down
    finally:
        os.close(handed_down)
        os.close(kept)


def follow(handed_down: int, gone: Callable[[], None]) -> None:
    """Call `gone` once nobody holds the other end, from a thread of its own."""

    def wait() -> None:
        with contextlib.suppress(OSError):  # an end that cannot be read is one that nobody holds
            while os.read(handed_down, 1):
                pass
        gone()

    threading.Thread(target=wait, name=LIFELINE, daemon=True).start()
