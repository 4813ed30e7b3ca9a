"""What an environment does about verdicts, as its environment file states it and as decisions keep it."""

from typing import Literal

import msgspec

from streampay_smoke.evidence.bake import ERROR_BURN
from streampay_smoke.evidence.canary import CANARY_KINDS
from streampay_smoke.evidence.objectives import KINDS

Step = Literal["rollback", "hold"]

STATUSES = ("PASS", "FAIL", "INCONCLUSIVE", "CONFIG", "SAFETY")
"""Every status a verdict may have."""

OBJECTIVE_KINDS = (*KINDS, ERROR_BURN, *CANARY_KINDS)
"""Every kind of objective a verdict may call missed."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[policy]` of an environment file: what FAIL leads to, and when somebody is woken.

    `broken_promise` is what a check that the release failed leads to. A gating objective that was missed only holds,
    unless its kind is in `objectives_roll_back`. `page_after_inconclusive` is the number of INCONCLUSIVE runs in a row
    that pages somebody. `notify` are the verdicts people are told of. Raises ValueError for values that make no policy.
    """

    broken_promise: Step = "rollback"
    objectives_roll_back: tuple[str, ...] = (ERROR_BURN, *CANARY_KINDS)
    page_after_inconclusive: int = 3
    notify: tuple[str, ...] = ("FAIL", "INCONCLUSIVE", "CONFIG", "SAFETY")

    def __post_init__(self) -> None:
        unknown = sorted(set(self.objectives_roll_back) - set(OBJECTIVE_KINDS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no kind of objective; use {', '.join(OBJECTIVE_KINDS)}")
        unheard = sorted(set(self.notify) - set(STATUSES))
        if unheard:
            raise ValueError(f"notify names {unheard[0]!r}, and no verdict is that; use {', '.join(STATUSES)}")
        if self.page_after_inconclusive < 1:
            raise ValueError("page_after_inconclusive is at least 1: an answer that never comes has to wake somebody")
