"""Time on the ledger: the clock a network is followed by, and how long it may take before it stands still.

Which wait counts when, from the shortest to the longest:

- `Pace.ledger_wait` (core/networks.py, one for each network): a look for what a ledger that is due must show.
- `MOVES_WITHIN_SECONDS` (here, the same for all networks): whether a network closes any ledger at all.
- `ledger_step_seconds` (an environment file, by default settings/shared.toml): the whole of a step that waits for
  ledgers; a step that goes on past it is stopped.
- `LEDGERS_PER_STEP` (settings/deadline.py) limits no wait: it is what the deadline of a run reckons with for each step.
"""

import time
from collections.abc import Callable

import msgspec

SLOWEST_LEDGER_SECONDS = 10.0
"""A ledger that takes longer than two of testnet's 5 s is late."""

STANDS_STILL_SECONDS = SLOWEST_LEDGER_SECONDS + 2.0
"""No new ledger for so long, the requests that ask for it included, is standing still."""

MOVES_WITHIN_SECONDS = 3 * SLOWEST_LEDGER_SECONDS
"""How long a step waits for a ledger to close: a network that closes none in that time does not move."""

LAG_LEDGERS = 4
"""How many ledgers an RPC may be behind another one of its network."""

INDEX_LAG_LEDGERS = 12
"""How many ledgers the service's index may be behind: a minute of testnet's."""

UNCONFIRMED_LEDGERS = 2
"""After so many more ledgers a transaction that was sent is in one, as a rule."""

LEDGERS_UNTIL_DROPPED = 2
"""A transaction unknown this many ledgers after its time bounds was never applied and never will be."""

CLOCK_SKEW_SECONDS = 60
"""Difference between two clocks (the ledger's, the service's, ours) beyond which time bounds stop working."""


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Where seconds come from: Unix seconds of this machine, a steady count, and a way to let them pass."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
