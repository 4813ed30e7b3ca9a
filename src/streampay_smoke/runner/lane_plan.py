"""Which scenarios are played side by side, by a table: no scenario's text says what it shares with others."""

from collections.abc import Mapping, Sequence

import msgspec

from streampay_smoke.evidence.events import ExpectedScenario
from streampay_smoke.settings import Settings


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """Scenarios that are played one after the other, beside those of other lanes.

    `plays` are their ids, or what ids begin with; the longest beginning counts. `needs` are the properties of the run
    context that every lane shares, and that are opened once before there are lanes. One lane `signs`: it alone has the
    payer's account, whose sequence numbers and whose spend cap no other process knows.
    """

    name: str
    plays: tuple[str, ...]
    needs: tuple[str, ...] = ("readiness", "credential", "ledger")
    signs: bool = False


LANES = (
    # Whatever nobody has named is played here: after what signs, and beside nothing that it could need.
    Lane(name="contract", plays=("ledger/", ""), needs=("ledger",), signs=True),
    # Keys are tried on a stream that their own lane has settled.
    Lane(name="payment", plays=("settlement/a-settled-stream-", "settlement_keys/")),
    Lane(name="records", plays=("records/",)),
    Lane(name="cancelled streams, late payment", plays=("records_cancelled/", "settlement/a-settlement-refused-")),
    # What is tried on a draft stays in one lane: each lane makes a draft of its own, and creations are limited.
    Lane(name="access", plays=("access/", "api_v2_access/"), needs=("readiness", "credential")),
    Lane(
        name="events, operations, pages and sign-ins that are refused",
        plays=(
            *("events/", "webhooks/", "operations/the-service-answers-", "operations/the-index-"),
            *("access/the-", "access/a-sign-in-"),
        ),
    ),
    Lane(name="repeated payment", plays=("settlement/a-repeated-settlement-", "streams/", "webapp/")),
)
"""The lanes, the one that waits for the most ledgers first."""

ALONE = (
    "readiness/",  # played before all others: what is not ready explains all that follows
    "streams/a-user-lists-all-their-streams-page-by-page",  # a list that grows meanwhile may show one twice
    "throttling/",  # uses up a limit that may count for others
    "throttling_evasion/",
    "operations/the-metrics-",  # may count what others ask
)
"""What is played beside nothing else: ids of scenarios, or what they begin with."""


def lanes_of(expected: Sequence[ExpectedScenario], settings: Settings) -> dict[str, int]:
    """Return the lane of each scenario by its id, 1 for the first one; none for what is played alone.

    Empty where there is no more than one lane: then everything is played in turn.
    """
    found: dict[Lane, list[str]] = {}
    for scenario in expected:
        lane = lane_of(scenario.id)
        if lane is not None:
            found.setdefault(lane, []).append(scenario.id)
    most = 1 if settings.embedded or settings.recipient_seed else settings.lanes
    if min(most, len(found)) < 2:
        return {}
    numbers = {lane: at % most + 1 for at, lane in enumerate(sorted(found, key=LANES.index))}
    return {scenario_id: numbers[lane] for lane, ids in found.items() for scenario_id in ids}


def lane_of(scenario_id: str) -> Lane | None:
    """Return the lane a scenario is played in, None for one that is played alone."""
    beginnings: dict[str, Lane | None] = {start: lane for lane in LANES for start in lane.plays}
    beginnings |= dict.fromkeys(ALONE)
    return beginnings[max((start for start in beginnings if scenario_id.startswith(start)), key=len)]


def shared_by(assigned: Mapping[str, int], expected: Sequence[ExpectedScenario], settings: Settings) -> tuple[str, ...]:
    """Return the properties of the run context that lanes share, in the order they are opened in."""
    needed = set()
    for scenario in expected:
        lane = lane_of(scenario.id) if scenario.id in assigned else None
        needed |= set(lane.needs) if lane else set()
        needed |= {"second_credential"} if lane and "second-user" in scenario.tags else set()
    if settings.settlement_proof == "service" and not any(lane_of(name) is LANES[0] for name in assigned):
        needed -= {"ledger"}
    return tuple(need for need in ("readiness", "credential", "second_credential", "ledger") if need in needed)
