"""What a check is about, the gravest first: the headline of a run is its gravest cause.

The tables below are the one place that says so; tags only select. They are keyed by the beginning of a scenario's id.
Tests hold that each scenario of the suite is in the first one, and that each row is about a scenario of the suite.
"""

from collections.abc import Collection
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
    "access/": Concern.ACCESS,
    "access/a-user-cannot-mark-their-own-stream-as-settled": Concern.MONEY,
    "api_v2_access/": Concern.ACCESS,
    "events/": Concern.ACCESS,
    "events/live-events-report-the-start-of-a-stream-within-seconds": Concern.OPERABILITY,
    "ledger/": Concern.MONEY,
    "ledger/the-ledger-network-is-healthy": Concern.AVAILABILITY,
    "operations/": Concern.OPERABILITY,
    "operations/the-service-answers-every-liveness-request": Concern.AVAILABILITY,
    "readiness/": Concern.AVAILABILITY,
    "records/": Concern.MONEY,
    "records_cancelled/": Concern.MONEY,
    "settlement/": Concern.MONEY,
    "settlement_keys/": Concern.MONEY,
    "streams/a-page-of-streams-contains-no-personal-data": Concern.ACCESS,
    "streams/a-caller-with-": Concern.ACCESS,
    "streams/a-second-user-cannot-list-or-read-the-streams": Concern.ACCESS,
    "streams/a-user-lists-all-their-streams": Concern.CONTRACT,
    "throttling/a-new-caller-is-not-throttled": Concern.AVAILABILITY,
    "throttling/only-the-caller-who-exceeds-the-read-limit": Concern.OPERABILITY,
    "throttling_evasion/": Concern.ACCESS,
    "webhooks/": Concern.ACCESS,
    "webapp/": Concern.ACCESS,
    "webapp/the-cors-preflight-allows-the-web-app-to-write": Concern.CONTRACT,
}

WITHOUT_LEDGER = (
    "access/",
    "api_v2_access/",
    "events/live-events-are-refused",
    "operations/the-metrics",
    "operations/the-service-answers",
    "streams/",
    "throttling/",
    "throttling_evasion/",
    "webapp/",
    "webhooks/",
)
"""Scenarios that a broken ledger cannot fail by itself. It can fail all others: a new one accuses nobody wrongly."""

PROVES_SETTLEMENT = ("settlement/",)
"""Scenarios that may only pass when a settlement was proved."""

MONEY_TAG = "money"
"""Asks for such a proof in a suite with scenarios of its own: a tag can ask for more evidence, never for less."""


def needs_ledger(scenario_id: str) -> bool:
    """Whether a broken ledger can fail a scenario by itself."""
    return not scenario_id.startswith(WITHOUT_LEDGER)


def proves_settlement(scenario_id: str, tags: Collection[str]) -> bool:
    """Whether a scenario may only pass when a settlement was proved."""
    return scenario_id.startswith(PROVES_SETTLEMENT) or MONEY_TAG in tags


def always_gates(scenario_id: str, tags: Collection[str]) -> bool:
    """Whether a scenario cannot be quarantined: readiness, and whatever proves a settlement."""
    return scenario_id.startswith("readiness/") or proves_settlement(scenario_id, tags)


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
