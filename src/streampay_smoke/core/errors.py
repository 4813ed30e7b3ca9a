"""What can go wrong in a run, and whose fault each kind is taken to be at first sight."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class Blame(StrEnum):
    """Who a failure is attributed to."""

    PRODUCT = "product"
    DEPENDENCY = "dependency"
    HARNESS = "harness"
    CONFIG = "config"
    SAFETY = "safety"


class SmokeError(Exception):
    """A failure with a name, a first attribution and a next step.

    `kind` is the stable name used by journals, verdicts and the runbook. `blame` is the attribution when no
    control probe says otherwise.
    """

    kind: ClassVar[str] = "harness_error"
    blame: ClassVar[Blame] = Blame.HARNESS

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


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
