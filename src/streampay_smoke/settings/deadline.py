"""How long a run may take where nobody says: long enough for the ledgers and the answers that its steps wait for."""

LEDGERS_PER_STEP = 2
"""A step waits for one ledger; one that is missed, or closes late, is made up for by another."""

LEDGER_STEPS = 36
"""No fewer than the steps of a whole smoke that wait for ledgers to close (tests/unit/run/test_deadline.py)."""

STEPS = 400
"""No fewer than the steps of a whole smoke (tests/unit/run/test_deadline.py)."""

QUICKEST_LEDGERS = 7
"""How many ledgers a whole smoke waits for at least, played side by side ([docs/speed.md](../../docs/speed.md))."""

MOST_ROUND_TRIP_SECONDS = 0.5
"""An answer that takes longer, however near, is slow by itself: no deadline waits for it."""

_ANSWERS_PER_STEP = 2
"""A step waits for one answer, as a rule; what some need more, and others wait for, is made up for by another."""

SHORTEST_SECONDS = 120.0
_REQUESTS_SECONDS = 60.0
"""What a whole smoke may spend on everything but readiness and ledgers; it needs some 10 s."""

UNMEASURED_SECONDS_PER_LEDGER = 5.0
"""How far apart ledgers are, at least, where nobody could measure it: testnet's."""

CLEAN_UP_MOST_SECONDS = 90.0
"""How much later than its deadline, or than a signal that ends it, a run may end: in this time what it made on the
deployment is ended. A run has up to 11 streams at once, which a deployment that takes one write for each ledger of 6 s
ends one after the other, the last settlement before them."""

_CLEAN_UP_LEAST_SECONDS = 5.0
_UNDER_WAY_LEAST_SECONDS = 15.0
_REQUESTS_OF_ONE_SECONDS = 2.0
"""What it takes to look at one stream, to end it, and to look again, on a slow deployment."""


def derived_deadline_seconds(
    *,
    ready_within_seconds: float,
    seconds_per_ledger: float,
    ledger_steps: int = LEDGER_STEPS,
    steps: int = STEPS,
    round_trip_seconds: float = 0.0,
) -> float:
    """Return the hard limit of a run of `steps` steps, `ledger_steps` of which wait for a ledger to close.

    `round_trip_seconds` is how long the quickest answer takes to this runner.
    """
    ledgers_seconds = LEDGERS_PER_STEP * ledger_steps * seconds_per_ledger
    answers_seconds = _ANSWERS_PER_STEP * steps * min(round_trip_seconds, MOST_ROUND_TRIP_SECONDS)
    return max(SHORTEST_SECONDS, ready_within_seconds + _REQUESTS_SECONDS + ledgers_seconds + answers_seconds)


def quickest_seconds(*, seconds_per_ledger: float, round_trip_seconds: float) -> float:
    """Return what a whole smoke takes at least: half of its steps are played beside the others."""
    return QUICKEST_LEDGERS * seconds_per_ledger + STEPS / 2 * min(round_trip_seconds, MOST_ROUND_TRIP_SECONDS)


def under_way_seconds(seconds_per_ledger: float) -> float:
    """Return how long a request that nobody waits for any more may be under way at a service, which asks the ledger."""
    return max(_UNDER_WAY_LEAST_SECONDS, _CLEAN_UP_LEAST_SECONDS + LEDGERS_PER_STEP * seconds_per_ledger)


def clean_up_seconds(
    unfinished: int, *, seconds_per_ledger: float, cut_off: bool = False, writers_a_slot: float = 1.0
) -> float:
    """Return how long a run, or a lane, may take to end so many things, each of which may wait for the ledger.

    `cut_off`: what was asked for last may be under way, and has to come to its end first. `writers_a_slot`: how many
    lanes share one write at a time.
    """
    each_seconds = _REQUESTS_OF_ONE_SECONDS + LEDGERS_PER_STEP * seconds_per_ledger * writers_a_slot
    first_seconds = under_way_seconds(seconds_per_ledger) if cut_off and unfinished else 0.0
    return min(CLEAN_UP_MOST_SECONDS, _CLEAN_UP_LEAST_SECONDS + first_seconds + unfinished * each_seconds)
