"""What a check is about, the gravest first: the headline of a run is its gravest cause.

The table below is keyed by the beginning of a scenario's id. A test holds that each scenario of the suite is in it.
"""

from enum import StrEnum


class Concern(StrEnum):
    """What is at stake, in the order of gravity."""

    SAFETY = "safety"
    MONEY = "money"
    ACCESS = "privacy and access"
    AVAILABILITY = "availability"
    CONTRACT = "contract of the API"
    OPERABILITY = "operability"


RANK = {concern: rank for rank, concern in enumerate(Concern)}
"""0 is the gravest."""

OTHERWISE = Concern.CONTRACT
"""What a scenario is about that the table does not know."""

CONCERNS: dict[str, Concern] = {
    "api_v2_access/": Concern.ACCESS,
    "chain/": Concern.MONEY,
    "chain/the-network-is-healthy": Concern.AVAILABILITY,
    "doors/": Concern.ACCESS,
    "doors/only-the-ledger-says-that-a-stream-is-settled": Concern.MONEY,
    "events/": Concern.ACCESS,
    "events/a-start-is-told-live": Concern.OPERABILITY,
    "operations/": Concern.OPERABILITY,
    "operations/the-service-answers-every-time": Concern.AVAILABILITY,
    "readiness/": Concern.AVAILABILITY,
    "settlement/": Concern.MONEY,
    "statements/": Concern.MONEY,
    "streams/a-caller-with-": Concern.ACCESS,
    "streams/a-signed-in-user-sees-their-streams": Concern.CONTRACT,
    "streams/another-user-sees-none-of-them": Concern.ACCESS,
    "throttling_evasion/": Concern.ACCESS,
    "throttling/a-caller-in-a-rush": Concern.OPERABILITY,
    "throttling/a-caller-nobody-has-seen-before": Concern.AVAILABILITY,
    "webhooks/": Concern.ACCESS,
    "webapp/": Concern.ACCESS,
    "webapp/the-app-s-pages-may-write": Concern.CONTRACT,
}


def known_concern(scenario_id: str) -> Concern | None:
    """Return what a scenario is about, None for one that is not in the table. The longest beginning counts."""
    beginnings = [beginning for beginning in CONCERNS if scenario_id.startswith(beginning)]
    return CONCERNS[max(beginnings, key=len)] if beginnings else None


def concern_of(scenario_id: str) -> Concern:
    """Return what a scenario is about."""
    return known_concern(scenario_id) or OTHERWISE


def rank_of(concern: str) -> int:
    """Return the rank of a concern as a journal or a verdict has it; one that is unknown comes last."""
    return next((rank for each, rank in RANK.items() if each == concern), len(RANK))
