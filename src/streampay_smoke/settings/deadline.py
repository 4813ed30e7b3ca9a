"""How long a run may take where nobody says: long enough for the ledgers that its steps wait for."""

LEDGER_STEPS = 27
"""Steps of a whole smoke that wait for ledgers to close (tests/unit/run/test_deadline.py counts them)."""

SHORTEST_SECONDS = 120.0
_REQUESTS_SECONDS = 60.0
"""What a whole smoke may spend on everything but readiness and ledgers; it needs some 10 s."""

_LEDGERS_PER_STEP = 2
"""A step waits for one ledger; one that is missed, or closes late, is made up for by another."""


def derived_deadline_seconds(
    *, ready_within_seconds: float, seconds_per_ledger: float, ledger_steps: int = LEDGER_STEPS
) -> float:
    """Return the hard limit of a run whose steps wait `ledger_steps` times for a ledger to close."""
    ledgers_seconds = _LEDGERS_PER_STEP * ledger_steps * seconds_per_ledger
    return max(SHORTEST_SECONDS, ready_within_seconds + _REQUESTS_SECONDS + ledgers_seconds)
