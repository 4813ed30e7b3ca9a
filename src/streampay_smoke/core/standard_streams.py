"""Standard input, output and error that were closed before this process started (`>&-`).

Their numbers would go to whatever is opened next: a socket, a pipe, a journal; and what is printed would go into it.
"""

import contextlib
import os
import sys


def open_standard_streams() -> None:
    """Open each of the descriptors 0 to 2 that is closed on the null device, so that what is printed goes nowhere."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(opened := os.open(os.devnull, os.O_RDWR), descriptor, inheritable=True)
            if opened != descriptor:
                os.close(opened)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                setattr(sys, name, os.fdopen(descriptor, "w", encoding="utf-8", closefd=False))
