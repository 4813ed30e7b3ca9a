"""Memory of a whole run and its sandbox, what processes share counted once, and counted for each of them."""

from collections.abc import Callable, Iterator

from speed_parts.gate import environment, play
from speed_parts.processes import Memory, memory_of_children
from speed_parts.rows import Row
from speed_parts.served import served_sandbox

MOST_MIB = 100.0
CLOSE_SECONDS = 5.0
REMARK = (
    "The target is about shared pages counted once (PSS): that is what a machine or a container has to have. Lanes are "
    "forked and share most of what they were born with; resident sizes added up (RSS) count it once more for each lane."
)


def rows(runs: int) -> Iterator[Row | str]:
    """Yield the most memory at once: of a rehearsal, and of a run with lanes beside its sandbox's process."""
    environment()  # compiles the modules, which is no part of a run
    yield from _rows("a rehearsal: instant ledgers, the sandbox in the run's own process", _rehearsal, runs)
    yield from _rows(f"ledgers of {CLOSE_SECONDS:g} s: lanes, and the sandbox's own process", _with_lanes, runs)
    yield REMARK


def _rehearsal() -> Memory:
    with memory_of_children() as memory:
        play({}, wanted="PASS")
    return memory


def _with_lanes() -> Memory:
    with memory_of_children() as memory, served_sandbox(CLOSE_SECONDS) as environ:
        play(environ, wanted="PASS")
    return memory


def _rows(what: str, measure: Callable[[], Memory], runs: int) -> Iterator[Row]:
    found = [measure() for _ in range(runs)]
    base, most = f"{MOST_MIB:.0f} MiB", (MOST_MIB,)
    shared, summed = tuple(each.pss_mib for each in found), tuple(each.rss_mib for each in found)
    yield Row(part="memory", what=f"{what}; PSS", seconds=shared, base=base, base_seconds=most, target=1.0, unit="MiB")
    yield Row(part="memory", what=f"{what}; RSS", seconds=summed, base=base, base_seconds=most, unit="MiB")
