"""How long a thread of this program was ready to run and had no CPU, as Linux counts it.

Counted are other work on the machine and the CPU limit of a container. Not counted are waits for another thread of the
program (Python's lock), and a virtual machine that itself does not run.
"""

import os

NS_PER_MS = 1_000_000
_FILE = "/proc/thread-self/schedstat"


def cpu_wait_ns() -> int | None:
    """Return for how many nanoseconds in all the calling thread has waited for a CPU; None where nobody counts.

    Read anew each time, which takes some 3 us: an open file would go on telling of the thread that opened it, also in a
    forked process.
    """
    try:
        file = os.open(_FILE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _, waited_ns, runs = os.read(file, 128).split()
        finally:
            os.close(file)
        return int(waited_ns) if int(runs) else None  # a kernel that does not count says that this thread never ran
    except (OSError, ValueError):
        return None


def cpu_wait_ms_since(began_ns: int | None) -> int | None:
    """Return for how many milliseconds the calling thread has waited since `cpu_wait_ns` said `began_ns` in it."""
    now_ns = cpu_wait_ns()
    return None if began_ns is None or now_ns is None else round((now_ns - began_ns) / NS_PER_MS)
