"""The signals that ask a command to end: it finishes what it owes, and exits with 128 and the signal's number."""

import contextlib
import functools
import signal
from collections.abc import Iterator
from types import FrameType


@functools.cache
def ending_signals() -> frozenset[signal.Signals]:
    """Return SIGTERM, SIGINT and SIGHUP (a terminal or ssh session that went away).

    SIGHUP is left out where it was ignored at the first call: who starts a command with nohup wants it to go on.
    """
    hangup = set() if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else {signal.SIGHUP}
    return frozenset({signal.SIGTERM, signal.SIGINT, *hangup})


@contextlib.contextmanager
def ending_signals_disregarded() -> Iterator[None]:
    """Let no ending signal stop this block; programs that it starts still end by them, for handlers do not go along.

    After it each of them raises KeyboardInterrupt, whatever it did before.
    """
    for number in ending_signals():
        signal.signal(number, _disregard)
    try:
        yield
    finally:
        for number in ending_signals():
            signal.signal(number, signal.default_int_handler)


def _disregard(number: int, frame: FrameType | None) -> None:
    del number, frame
