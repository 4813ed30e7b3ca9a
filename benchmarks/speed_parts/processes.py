"""What the processes that this one started use of the machine: the most memory at once, and CPU time."""

import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

EVERY_SECONDS = 0.3


class Memory:
    """The most that all child processes had at once, in MiB: as it is shared out between them, and added up.

    `pss_mib` counts a page once, however many processes share it; `rss_mib` counts it for each of them.
    """

    def __init__(self) -> None:
        self.pss_mib = 0.0
        self.rss_mib = 0.0

    def look(self) -> None:
        """Look at every process once."""
        found = [_memory(pid) for pid in _descendants(os.getpid())]
        self.pss_mib = max(self.pss_mib, sum(each.get("Pss:", 0.0) for each in found))
        self.rss_mib = max(self.rss_mib, sum(each.get("Rss:", 0.0) for each in found))


@contextlib.contextmanager
def memory_of_children() -> Iterator[Memory]:
    """Watch the memory of all processes that this one starts, and theirs, until the block ends."""
    memory, over = Memory(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_SECONDS):
            memory.look()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield memory
    finally:
        over.set()
        watching.join()


def cpu_seconds_of_children() -> float:
    """Return the CPU time of all child processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _descendants(pid: int) -> Iterator[int]:
    text = ""
    with contextlib.suppress(OSError):  # a process may end while it is looked at
        text = " ".join(children.read_text() for children in Path(f"/proc/{pid}/task").glob("*/children"))
    for child in map(int, text.split()):
        yield child
        yield from _descendants(child)


def _memory(pid: int) -> dict[str, float]:
    with contextlib.suppress(OSError):
        lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
        return {words[0]: int(words[1]) / 1024 for words in lines if words[0] in {"Pss:", "Rss:"}}
    return {}
