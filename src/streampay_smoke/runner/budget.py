"""How long a step may take, and what it means when it takes longer."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from streampay_smoke.core.errors import Blame, SmokeError, UnfitAnswer
from streampay_smoke.evidence.pending import Pending
from streampay_smoke.settings.environment import EnvironmentFacts

_BUDGET = "streampay_smoke_budget"

Step = TypeVar("Step", bound=Callable[..., Any])

BUDGETS: dict[str, Callable[[EnvironmentFacts], float]] = {
    "step": lambda facts: facts.step_seconds,
    # A step of several requests, each of which the rate limit may hold up.
    "journey": lambda facts: 2 * facts.step_seconds,
    "readiness": lambda facts: facts.service.ready_within_seconds + facts.step_seconds,
    "ledger": lambda facts: facts.ledger_step_seconds,
}
"""Budgets by name, in seconds, from what an environment says of itself."""


def takes(budget: str) -> Callable[[Step], Step]:
    """Give a step function another budget than "step"; raises KeyError for a name that is not in BUDGETS."""
    of_environment = BUDGETS[budget]

    def mark(step: Step) -> Step:
        setattr(step, _BUDGET, of_environment)
        return step

    return mark


def budget_seconds(step: Callable[..., Any], facts: EnvironmentFacts) -> float:
    """Return how long a step function may take at an environment."""
    of_environment: Callable[[EnvironmentFacts], float] = getattr(step, _BUDGET, BUDGETS["step"])
    return of_environment(facts)


def waits_for_ledgers(step: Callable[..., Any]) -> bool:
    """Whether a step function has the budget of those that wait for ledgers to close."""
    return getattr(step, _BUDGET, None) is BUDGETS["ledger"]


class StepTimeout(SmokeError):
    """A step took longer than its budget, and no peer that owes it an answer explains that: the suite's own trouble."""

    kind = "step_timeout"
    next_step_of: ClassVar[str] = "see where the step spends its time, or give it another budget in its step file"

    @classmethod
    def at(cls, pending: Pending) -> "StepTimeout":
        """Return the error for a step that is over its budget.

        It is the service's or the ledger's when that owes it an answer and took most of its time.
        """
        slow = pending.spent_on_peer_seconds > pending.budget_seconds / 2
        kind = _BY_PEER.get(pending.peer, StepTimeout) if slow else StepTimeout
        return kind(
            f"the step took longer than its {pending.budget_seconds:g} s, {pending.described_wait()}",
            next_step=kind.next_step_of,
        ).about(UnfitAnswer(asked=pending.asked) if kind is ServiceHangs else None)


class ServiceHangs(StepTimeout):
    """The step was waiting for the service's answer."""

    blame = Blame.PRODUCT
    next_step_of = "see what the service was waiting for: its database, the ledger, its key store"


class LedgerHangs(StepTimeout):
    """The step was waiting for the ledger's answer."""

    blame = Blame.DEPENDENCY
    next_step_of = "check the RPC of this network, then run again: this says nothing of the release"


_BY_PEER: dict[str, type[StepTimeout]] = {"service": ServiceHangs, "ledger": LedgerHangs}
