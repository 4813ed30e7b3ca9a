"""The status of a check or a step in every report, and how the verdict's and behave's statuses map to it."""

from enum import StrEnum
from typing import Self

from streampay_smoke.gate.verdict import Check


class ReportStatus(StrEnum):
    """Failed is the release's fault; broken is anybody else's, or no answer at all.

    Blocked is what could not be played because of a cause that is told elsewhere: no pass, and no failure of its own.
    """

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    BLOCKED = "blocked"
    SKIPPED = "skipped"

    @classmethod
    def of_check(cls, check: Check) -> Self:
        """Return the outcome of a verdict's check; a status nobody foresaw is broken, never a pass."""
        if check.is_blocked and check.status != "passed":
            return cls("blocked")
        return cls(_OF_CHECK.get(check.status, "broken"))

    @classmethod
    def of_step(cls, behave_status: str, unhappy: Self) -> Self:
        """Return the outcome of a step; one that did not pass is what its scenario is."""
        return cls(_OF_STEP.get(behave_status, unhappy))


RED = frozenset({ReportStatus.FAILED, ReportStatus.BROKEN})
"""What somebody has to look at."""

_OF_CHECK = {
    "passed": "passed",
    "failed": "failed",
    "broken": "broken",
    "missing": "broken",
    "excluded": "skipped",
    "quarantined": "skipped",
    "skipped": "skipped",
}
_OF_STEP = {"passed": "passed", "skipped": "skipped", "untested": "skipped"}
