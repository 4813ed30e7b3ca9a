"""How long a run may take where nobody says: long enough for the ledgers that its steps wait for."""

from streampay_smoke.core.networks import LEDGERS_PER_STEP

LEDGER_STEPS = 36
"""No fewer than the steps of a whole smoke that wait for ledgers to close (tests/unit/run/test_deadline.py)."""

SHORTEST_SECONDS = 120.0
_REQUESTS_SECONDS = 60.0
"""What a whole smoke may spend on everything but readiness and ledgers; it needs some 10 s."""

CLEAN_UP_MOST_SECONDS = 60.0
"""How much later than its deadline a run may end: what it made on the deployment is ended in this time."""

_CLEAN_UP_LEAST_SECONDS = 5.0
_REQUESTS_OF_ONE_SECONDS = 2.0
"""What it takes to look at one stream, to end it, and to look again, on a slow deployment."""


def derived_deadline_seconds(
    *, ready_within_seconds: float, seconds_per_ledger: float, ledger_steps: int = LEDGER_STEPS
) -> float:
    """Return the hard limit of a run whose steps wait `ledger_steps` times for a ledger to close."""
    ledgers_seconds = LEDGERS_PER_STEP * ledger_steps * seconds_per_ledger
    return max(SHORTEST_SECONDS, ready_within_seconds + _REQUESTS_SECONDS + ledgers_seconds)


def clean_up_seconds(unfinished: int, *, seconds_per_ledger: float) -> float:
    """Return how long a run may take to end so many things, each of which may wait for the ledger."""
    each_seconds = _REQUESTS_OF_ONE_SECONDS + LEDGERS_PER_STEP * seconds_per_ledger
    return min(CLEAN_UP_MOST_SECONDS, _CLEAN_UP_LEAST_SECONDS + unfinished * each_seconds)
