"""Candidates beside a stable release: those that are worse, and what makes neither of them worse than the other."""

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.fleet import canary_fleet
from streampay_sandbox.proxy import DisturbingProxy, Forward
from streampay_selftest.case import Case, Condition
from streampay_selftest.conditions import NewBehaviour
from streampay_selftest.proxy_behaviours import everywhere, noisy
from streampay_selftest.run_setup import RunSetup


def canary(
    *faults: str,
    stable_faults: tuple[str, ...] = (),
    weight: int = 0,
    claimed_weight: int = 0,
    network: NewBehaviour | None = None,
) -> Condition:
    """Let a candidate with these faults be compared with a stable release.

    Both stand behind one address. A header leads to each of them, or by `weight` percent of the traffic, which the gate
    is told to be `claimed_weight` where that differs. `network` disturbs the way to both.
    """

    def change(setup: RunSetup) -> None:
        fleet = setup.stack.enter_context(canary_fleet(faults=faults, stable_faults=stable_faults, weight=weight))
        told = claimed_weight or weight
        setup.command = ("canary",)
        setup.environ |= fleet.environ() | fleet.canary_environ(by_weight=bool(told))
        if told:
            setup.environ["SMOKE_CANARY_WEIGHT"] = str(told)
        if network is not None:
            proxy = DisturbingProxy(fleet.base_url, behaviour=network())
            setup.environ["SMOKE_BASE_URL"] = setup.stack.enter_context(proxy).url

    return change


CANARIES = (
    Case(
        name="canary: reads of the candidate are slower",
        story="release: reads take 150 ms longer than before, far below what any objective allows",
        severity=Severity.SERIOUS,
        caught_by="canary_worse",
        conditions=(canary("reads-slower"),),
    ),
    Case(
        name="canary: writes of the candidate are slower",
        story="release: writes take 150 ms longer than before, far below what any objective allows",
        severity=Severity.SERIOUS,
        caught_by="canary_worse",
        conditions=(canary("writes-slower"),),
    ),
    Case(
        name="canary: requests of the candidate fail at times",
        story="release: each third request about streams is answered with 500",
        severity=Severity.CATASTROPHIC,
        caught_by="canary_worse",
        conditions=(canary("requests-fail-at-times"),),
    ),
    Case(
        name="canary: a weighted address hides a slow candidate",
        story="incident X6: the candidate gets a share of the traffic, and most answers are the stable release's",
        severity=Severity.SERIOUS,
        caught_by="canary_worse",
        conditions=(canary("reads-slower", weight=30),),
    ),
    Case(
        name="canary: both releases are slow",
        story="operations: the way to both is 100 ms longer than usual",
        severity=Severity.DISTURBANCE,
        truth=Truth.NONE,
        conditions=(canary(network=lambda: everywhere(Forward(seconds=0.1))),),
    ),
    Case(
        name="canary: both releases fail",
        story="operations: what both stand on fails each third request",
        severity=Severity.DISTURBANCE,
        truth=Truth.DEPENDENCY,
        or_else=(Truth.HARNESS,),
        conditions=(canary("requests-fail-at-times", stable_faults=("requests-fail-at-times",)),),
    ),
    Case(
        name="canary: a noisy network",
        story="incidents L1 to L4: latencies spread widely, and single answers are many times as slow as the next",
        severity=Severity.DISTURBANCE,
        truth=Truth.NONE,
        or_else=(Truth.HARNESS,),
        conditions=(canary(network=lambda: noisy(0.02, 0.8)),),
    ),
    Case(
        name="canary: the candidate gets no traffic",
        story="incident X6: the candidate was to get 30 % of the traffic, and every answer is the stable release's",
        severity=Severity.DISTURBANCE,
        truth=Truth.HARNESS,
        conditions=(canary("requests-fail-at-times", claimed_weight=30),),
    ),
)
