"""The four words every report uses for a check or a step, and how the verdict's and behave's words map to them."""

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """Failed is the release's fault; broken is anybody else's, or no answer at all."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    SKIPPED = "skipped"

    @classmethod
    def of(cls, check_status: str) -> Self:
        """Return the outcome of a verdict's check; a status nobody foresaw is broken, never a pass."""
        return cls(_OF_CHECK.get(check_status, "broken"))

    @classmethod
    def of_step(cls, behave_status: str, unhappy: Self) -> Self:
        """Return the outcome of a step; one that did not pass is what its scenario is."""
        return cls(_OF_STEP.get(behave_status, unhappy))


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
