"""Quarantine: checks that run and are shown, but do not gate until their day is over. SAFETY always gates."""

from collections.abc import Iterator

from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import QuarantineEntry, QuarantineRead
from streampay_smoke.gate.verdict import Check, Quarantined

QUARANTINED = "quarantined"
"""The status of a check that did not pass and does not gate."""

_RAN = frozenset({"passed", "failed", "broken"})
"""A check that left no evidence is missing, quarantined or not."""


def in_force(read: QuarantineRead | None) -> dict[str, QuarantineEntry]:
    """Return the entries whose last day is not over, by scenario id. ISO days compare as text."""
    if read is None:
        return {}
    return {entry.id: entry for entry in read.entries if read.today <= entry.until}


def lapsed(read: QuarantineRead | None) -> Iterator[str]:
    """Yield a warning for each entry that is past its day: its check gates again."""
    for entry in read.entries if read else ():
        if entry.until < read.today:  # type: ignore[union-attr]
            yield f"the quarantine of {entry.id} ended on {entry.until}: it gates again ({entry.owner}, {entry.ticket})"


def quarantined(check: Check, entry: QuarantineEntry | None) -> Check:
    """Return the check as the quarantine has it: what it found is kept, and does not gate unless it is SAFETY."""
    if entry is None or check.status not in _RAN:
        return check
    quarantined = Quarantined(
        owner=entry.owner, ticket=entry.ticket, until=entry.until, reason=entry.reason, found=check.status
    )
    if check.status == "passed" or check.attribution == Blame.SAFETY:
        return replace(check, quarantined=quarantined)
    hint = f"Quarantined until {entry.until} by {entry.owner} ({entry.ticket}); it {check.status}: {check.hint}"
    return replace(check, quarantined=quarantined, status=QUARANTINED, hint=hint)
