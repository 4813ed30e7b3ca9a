"""What every fault of the sandbox is: a name, a story, how bad it is, whose it is, and the check that has to see it."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How bad a fault is for those whose money it is."""

    CATASTROPHIC = "catastrophic"
    """Money, access or the whole service: such a release must not stay live."""

    SERIOUS = "serious"
    """A promise is broken, and nobody loses money or privacy by it."""

    DISTURBANCE = "disturbance"
    """Nothing the release can help: it must never be rolled back for it."""


class Truth(StrEnum):
    """Whose fault it is: the word a right attribution says."""

    PRODUCT = "product"
    DEPENDENCY = "dependency"
    HARNESS = "harness"
    CONFIG = "config"
    SAFETY = "safety"
    NONE = "none"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way to be wrong.

    `story` says where it was seen or why it has to be expected: "measured" is StreamPay itself as probed, "release" a
    build of it that was really broken, "operations" what goes wrong around any deployment. `caught_by` is the beginning
    of the id of a check that has to be red, or of the reason code of a finding about the whole run; it is empty where
    the gate has to ride a disturbance out.
    """

    name: str
    story: str
    severity: Severity
    truth: Truth = Truth.PRODUCT
    caught_by: str = ""
