"""How a rollback can end, and what is said of it."""

from enum import IntEnum
from typing import ClassVar

import msgspec

from streampay_smoke.core.errors import Blame, SmokeError


class RollbackEnding(IntEnum):
    """The exit codes of `streampay-smoke rollback`. They are not those of a verdict: 1 asks for a person, at once."""

    VERIFIED = 0
    NOT_VERIFIED = 1
    USAGE = 2
    NO_PREVIOUS = 3
    REFUSED = 5


Fact = tuple[str, str]
"""A short label and what there is to say under it."""


class RollbackOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One ending, in words: a headline, facts beside it by a short label, and what to do next."""

    ending: RollbackEnding
    headline: str
    facts: tuple[Fact, ...] = ()
    next_step: str = ""


class NoPreviousRelease(SmokeError):
    """There is nothing to put back: no release was recorded before this deploy, or only the one that failed."""

    kind = "no_previous_release"
    blame: ClassVar[Blame] = Blame.CONFIG


class RollbackRefused(SmokeError):
    """What is live is not what was to be rolled back, so that a rollback could remove a good release."""

    kind = "rollback_refused"
    blame: ClassVar[Blame] = Blame.CONFIG


class NotLive(SmokeError):
    """The previous release did not become the live one, on every replica, in time."""

    kind = "not_live"
    blame: ClassVar[Blame] = Blame.HARNESS
