"""The parent-death pipe: a supervised run does not outlive its supervisor, which alone would vouch for its answer.

The supervisor holds one end of a pipe and writes nothing into it. However it ends, killed or not, the system closes
that end, and the run sees it.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

PARENT_DEATH_PIPE = "parent_death_pipe"
"""Userdata by which a supervisor names the end of the pipe that it hands down."""


@contextlib.contextmanager
def parent_death_pipe() -> Iterator[int]:
    """Hold a pipe for the time of a run, and give the descriptor of the end to hand down."""
    handed_down, kept = os.pipe()
    try:
        yield handed_down
    finally:
        os.close(handed_down)
        os.close(kept)


def watch_parent(handed_down: int, gone: Callable[[], None]) -> None:
    """Call `gone` once nobody holds the other end, from a thread of its own."""

    def wait() -> None:
        with contextlib.suppress(OSError):  # an end that cannot be read is one that nobody holds
            while os.read(handed_down, 1):
                pass
        gone()

    threading.Thread(target=wait, name=PARENT_DEATH_PIPE, daemon=True).start()
