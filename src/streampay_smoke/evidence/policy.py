"""What an environment does about verdicts, as its environment file states it and as decisions keep it."""

from typing import Literal

import msgspec

from streampay_smoke.evidence.bake import ERROR_BURN
from streampay_smoke.evidence.objectives import UNITS

Step = Literal["rollback", "hold"]

OBJECTIVE_KINDS = (*UNITS, ERROR_BURN)
"""Every kind of objective a verdict may call missed."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[policy]` of an environment file: what FAIL leads to, and when somebody is woken.

    `broken_promise` is what a check that the release failed leads to. A gating objective that was missed only holds,
    unless its kind is in `objectives_roll_back`. `page_after_inconclusive` is the number of INCONCLUSIVE runs in a row
    that pages somebody. Raises ValueError for values that make no policy.
    """

    broken_promise: Step = "rollback"
    objectives_roll_back: tuple[str, ...] = (ERROR_BURN,)
    page_after_inconclusive: int = 3

    def __post_init__(self) -> None:
        unknown = sorted(set(self.objectives_roll_back) - set(OBJECTIVE_KINDS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no kind of objective; use {', '.join(OBJECTIVE_KINDS)}")
        if self.page_after_inconclusive < 1:
            raise ValueError("page_after_inconclusive is at least 1: an answer that never comes has to wake somebody")
