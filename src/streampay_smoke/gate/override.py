"""Break-glass: a verdict that somebody answers for instead of the evidence. What the evidence says stays visible."""

from collections.abc import Sequence

from streampay_smoke.core.times import iso
from streampay_smoke.evidence.events import Overridden
from streampay_smoke.gate.history import OverrideAt, RunHistory
from streampay_smoke.gate.verdict import Override, VerdictStatus

REASON_CODE = "overridden"

TO = (VerdictStatus.PASS, VerdictStatus.INCONCLUSIVE)
"""The words a verdict can be overridden to."""

LONGEST_MS = 24 * 3600 * 1000


def refused_because(run: RunHistory, status: VerdictStatus, asked: OverrideAt, *, tampered: bool) -> str:
    """Return why the verdict `status` on a run cannot be overridden like this, "" when it can."""
    event = asked.event
    ended = run.finished or run.refused or run.interrupted or run.merged
    left_ms = event.until_ms - asked.at_ms
    reasons = (
        (status is VerdictStatus.SAFETY, "SAFETY is never overridden"),
        (tampered, "the journal was changed after it was written"),
        (ended is None, "the run has not ended"),
        (event.to not in TO, f"a verdict is overridden to {' or '.join(TO)} only"),
        (event.to == status, f"the verdict is {status} already"),
        (not (event.who.strip() and event.why.strip()), "who overrides it, and why, is not said"),
        (not 0 < left_ms <= LONGEST_MS, "an override ends in the future, and within 24 hours"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def override_in_force(
    run: RunHistory, status: VerdictStatus, *, tampered: bool
) -> tuple[Override | None, Sequence[str]]:
    """Return the override that counts, None for none, and a warning for each that does not. A run has one at most."""
    found: Override | None = None
    warnings: list[str] = []
    for asked in run.overrides:
        because = refused_because(run, status, asked, tampered=tampered)
        if found is not None:
            because = "a run is overridden once"
        if because:
            warnings.append(f"an override by {asked.event.who or 'nobody'} does not count: {because}")
        else:
            found = _override(asked.event, status)
    return found, warnings


def override_description(override: Override, text: str) -> str:
    """Return the message of an overridden verdict, the override first."""
    return f"OVERRIDDEN from {override.from_} by {override.who} until {override.until}: {text}"


def _override(event: Overridden, status: VerdictStatus) -> Override:
    return Override(who=event.who, why=event.why, until=iso(event.until_ms), from_=status, to=event.to)
