"""What can go wrong in a run, and whose fault each kind is taken to be at first sight."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Self

import msgspec

from streampay_smoke.core.http_statuses import CLIENT_ERROR, GONE, OK, SERVER_ERROR


class Blame(StrEnum):
    """Who a failure is attributed to."""

    PRODUCT = "product"
    DEPENDENCY = "dependency"
    HARNESS = "harness"
    CONFIG = "config"
    SAFETY = "safety"


class UnfitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is the failure itself, and the request it was to; `status` is 0 for no answer at all.

    `shown` tells answers of one status apart: two that are alike show the same. `is_page` says that a page, or the way
    to one, stands where the service should answer, `is_data` that it is JSON. `entitled` says that who asked has a
    right to what they asked for; another should have been refused.
    """

    asked: str
    status: int = 0
    shown: str = ""
    is_page: bool = False
    is_data: bool = False
    entitled: bool = True

    @property
    def came(self) -> bool:
        """Whether there is an answer."""
        return self.status > 0

    @property
    def is_server_error(self) -> bool:
        """Whether the service answered with an error of its own."""
        return self.status >= SERVER_ERROR

    @property
    def refuses_otherwise(self) -> bool:
        """Whether it refuses who should be refused, in another way than was promised."""
        return not self.entitled and CLIENT_ERROR <= self.status < SERVER_ERROR

    @property
    def shows_nothing(self) -> bool:
        """Whether it says nothing of what was asked for: no success with JSON, and not that it is gone either."""
        return self.came and self.status not in GONE and not (self.status == OK and self.is_data)

    def is_like(self, other: "UnfitAnswer") -> bool:
        """Whether both are the same answer, whoever asked."""
        return (self.status, self.shown) == (other.status, other.shown)


class SmokeError(Exception):
    """A failure with a name, a first attribution and a next step.

    `kind` is the stable name used by journals, verdicts and the runbook. `blame` is the attribution when no
    control probe says otherwise. `unfit` is the answer that it is about, where it is about one.
    """

    kind: ClassVar[str] = "harness_error"
    blame: ClassVar[Blame] = Blame.HARNESS
    unfit: UnfitAnswer | None = None

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step

    def about(self, unfit: UnfitAnswer | None) -> Self:
        """Return this error with the answer that it is about."""
        self.unfit = unfit
        return self


class PromiseBroken(SmokeError, AssertionError):
    """StreamPay did not do what it promises: behave calls such a step failed, and any other an error."""

    kind = "promise_broken"
    blame = Blame.PRODUCT


class ServiceUnavailable(SmokeError):
    """The deployment gave no answer: refused, reset, timed out, or a gateway answered for it."""

    kind = "service_unavailable"
    blame = Blame.PRODUCT


class CredentialRefused(SmokeError):
    """The deployment refused a credential the operator supplied: the credential may simply be old."""

    kind = "credential_refused"
    blame = Blame.CONFIG


class FixtureMissing(SmokeError):
    """The environment lacks something a scenario needs before it can prove anything."""

    kind = "fixture_missing"
    blame = Blame.HARNESS


class SettingsInvalid(SmokeError):
    """The settings are incomplete or contradictory; nothing was judged. `parts` are its problems where it has many."""

    kind = "settings_invalid"
    blame = Blame.CONFIG

    def __init__(self, message: str, *, next_step: str = "", parts: Sequence["SettingsInvalid"] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.parts = tuple(parts)


class GuardRefused(SmokeError):
    """Something pointed at real money, or at a network nobody vouched for."""

    kind = "guard_refused"
    blame = Blame.SAFETY
