"""How many runs in a row were INCONCLUSIVE: the only count that a page is decided by."""

from collections.abc import Iterable

from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.history.record import RunRecord

_SAYS_NOTHING = (VerdictStatus.CONFIG,)
"""Words that neither go on with a row of INCONCLUSIVE answers nor end it."""


def inconclusive_in_a_row(newest_first: Iterable[RunRecord | None], environment: str, region: str) -> int:
    """Return how many of these runs were INCONCLUSIVE before another answer ends the row.

    A run whose answer cannot be read is None, and counts: an answer that is lost is no answer. Runs of another
    environment, those that somebody made of a part of the suite, and those that a signal ended, are passed over.
    """
    row = 0
    for run in newest_first:
        if run is None:
            row += 1
            continue
        elsewhere = bool(run.environment) and (run.environment, run.region) != (environment, region)
        if elsewhere or run.whole_suite is False or run.ended_by_signal or run.verdict in _SAYS_NOTHING:
            continue
        if run.verdict is not VerdictStatus.INCONCLUSIVE:
            break
        row += 1
    return row
