"""The signals that ask a command to end: it finishes what it owes, and exits with 128 and the signal's number."""

import signal


def ending_signals() -> frozenset[signal.Signals]:
    """Return SIGTERM, SIGINT and SIGHUP (a terminal or ssh session that went away).

    SIGHUP is left out where it is ignored: whoever starts a command with nohup wants it to go on.
    """
    hangup = set() if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else {signal.SIGHUP}
    return frozenset({signal.SIGTERM, signal.SIGINT, *hangup})
