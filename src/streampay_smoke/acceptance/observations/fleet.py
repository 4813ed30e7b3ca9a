"""A fleet behind one address: enough looks, each over a connection of its own, to meet every replica."""

import math
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from streampay_smoke.evidence.events import Recorder, ReleaseSeen, ReplicaSeen
from streampay_smoke.evidence.fleet import RELEASE, disagreements

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
"""Looks at a stream where an environment names one replica or none: a second one that lacks it is missed once in 32
runs."""


def looks_needed(replicas: int, miss_probability: float) -> int:
    """Return how many connections to ask over before every replica is likely to have answered."""
    return max(FEWEST_LOOKS, samples_needed(replicas, miss_probability))


def clock_set_to() -> float:
    """Return what this runner's clock is set to, against one that nobody sets: it stays the same unless it is moved."""
    return time.time() - time.monotonic()


def sample_fleet(
    look: Callable[[], Sequence[ReplicaSeen]],
    *,
    replicas: int,
    miss_probability: float,
    expected: str,
    within_seconds: float,
    record: Recorder,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    set_to: Callable[[], float] = clock_set_to,
) -> tuple[ReplicaSeen, ...]:
    """Return what enough looks met, () for a fleet of one, or of a number that nobody declares.

    A round that met another release than the `expected` one, or replicas that disagree, is repeated within
    `within_seconds`, at most ROUNDS rounds in all; each round is large enough that all together keep
    `miss_probability`. Only the last one counts. Clocks are told against this runner's as it was `set_to` at first.
    """
    first_set_to = set_to()

    def look_steadily() -> tuple[ReplicaSeen, ...]:
        seen = look()
        moved_seconds = set_to() - first_set_to
        return tuple(_later(each, moved_seconds) for each in seen)

    miss = miss_probability / ROUNDS
    number, most = samples_needed(replicas, miss), samples_needed(replicas, miss / max(1, replicas))
    ends_at = clock() + within_seconds
    met = _round(look_steadily, record, number, replicas=replicas, most=most)
    for _ in range(ROUNDS - 1):
        left_seconds = ends_at - clock()
        if left_seconds <= 0 or not _is_unsettled(met, expected):
            break
        sleep(min(within_seconds / (ROUNDS - 1), left_seconds))
        again = look_steadily()
        detail = "replicas disagreed, or another release was met: looking at the fleet anew"
        record(ReleaseSeen(moment="start", release=again[0].release, detail=detail))
        for seen in again:
            record(seen)
        met = _round(look_steadily, record, number, replicas=replicas, most=most)
    return met


def _later(seen: ReplicaSeen, seconds: float) -> ReplicaSeen:
    if seen.clock_low_seconds is None or seen.clock_high_seconds is None:
        return seen
    return replace(
        seen,
        clock_low_seconds=seen.clock_low_seconds + seconds,
        clock_high_seconds=seen.clock_high_seconds + seconds,
    )


def _is_unsettled(met: Sequence[ReplicaSeen], expected: str) -> bool:
    if any(found.about != RELEASE for found in disagreements(met)):
        return True
    return bool(expected) and not {each.release for each in met if each.fresh} <= {expected}


def _round(
    look: Callable[[], Sequence[ReplicaSeen]], record: Recorder, number: int, *, replicas: int, most: int
) -> tuple[ReplicaSeen, ...]:
    """Look so often; up to `most` times where replicas name themselves and not all of them were met yet."""
    met: list[ReplicaSeen] = []
    looks = 0
    while looks < number or (looks < most and 0 < len({each.replica for each in met} - {""}) < replicas):
        looks += 1
        seen = look()
        record(ReleaseSeen(moment="sample", release=seen[0].release))
        for each in seen:
            record(each)
        met += seen
    return tuple(met)
