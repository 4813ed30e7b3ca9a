"""A fleet behind one address: enough looks, each over a connection of its own, to meet a replica left behind."""

import math
import time
from collections.abc import Callable

from streampay_smoke.evidence.events import Recorder, ReleaseSeen

ROUNDS = 3
"""How often a fleet is looked at before a stale replica counts: a roll-out ends, a forgotten replica stays."""


def samples_needed(replicas: int, miss_probability: float) -> int:
    """Return the smallest n with (1 - 1/N)^n <= miss: then one stale replica of N is missed no more often than that.

    The balancer is taken to choose evenly and independently; one that favours replicas needs a higher `replicas`.
    One replica needs no samples: whatever answers is it.
    """
    if replicas <= 1:
        return 0
    return math.ceil(math.log(miss_probability) / math.log1p(-1 / replicas))


FEWEST_LOOKS = 5
"""Looks at a stream where an environment names one replica: a second one that lacks it is missed once in 32 runs."""


def looks_needed(replicas: int, miss_probability: float) -> int:
    """Return how many connections to ask over before every replica is likely to have answered."""
    return max(FEWEST_LOOKS, samples_needed(replicas, miss_probability))


def sample_fleet(
    look: Callable[[], str],
    *,
    replicas: int,
    miss_probability: float,
    expected: str,
    within_seconds: float,
    record: Recorder,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Return the releases that enough looks met, () for a fleet of one.

    Where a release is `expected`, a round that met another one is repeated within `within_seconds`, at most ROUNDS
    rounds in all; each round is large enough that all together keep `miss_probability`. Only the last one counts.
    """
    number = samples_needed(replicas, miss_probability / ROUNDS)
    ends_at = clock() + within_seconds
    met = _round(look, number, record)
    for _ in range(ROUNDS - 1):
        left_seconds = ends_at - clock()
        if not expected or set(met) <= {expected} or left_seconds <= 0:
            break
        sleep(min(within_seconds / (ROUNDS - 1), left_seconds))
        record(ReleaseSeen(moment="start", release=look(), detail="another release was met: looking at the fleet anew"))
        met = _round(look, number, record)
    return met


def _round(look: Callable[[], str], number: int, record: Recorder) -> tuple[str, ...]:
    met = []
    for _ in range(number):
        met.append(look())
        record(ReleaseSeen(moment="sample", release=met[-1]))
    return tuple(met)
