"""How fast each network is followed, and the clock it is followed by."""

import time
from collections.abc import Callable

import msgspec


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Where seconds come from: Unix seconds of this machine, a steady count, and a way to let them pass."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A network's rhythm, in seconds.

    A transaction is first asked for after `first_poll`, then every `shortest`, growing to `longest`. It stays valid
    for `valid`, so a caller never waits much longer than that. A wait for the next ledger ends after `ledger_wait`
    at the latest. Failed requests that may be repeated are repeated for `retry`.
    """

    first_poll: float
    shortest: float
    longest: float
    valid: int
    ledger_wait: float
    retry: float

    def next_after(self, interval: float) -> float:
        """Return the pause that follows one of `interval`."""
        return min(interval * 1.5, self.longest)


PACES = {
    # A simulated ledger may have closed before the first question, so asking at once wastes nothing.
    "sandbox": Pace(first_poll=0.0, shortest=0.02, longest=0.25, valid=20, ledger_wait=6.0, retry=2.0),
    "local": Pace(first_poll=0.25, shortest=0.25, longest=0.25, valid=30, ledger_wait=6.0, retry=5.0),
    "futurenet": Pace(first_poll=1.0, shortest=1.0, longest=1.0, valid=60, ledger_wait=15.0, retry=10.0),
    "testnet": Pace(first_poll=1.0, shortest=1.0, longest=1.0, valid=60, ledger_wait=15.0, retry=10.0),
}
"""Cadence by network name: ledgers of about 1 s on a local quickstart, 5 s on testnet and futurenet."""
