"""What a run cost, in all and by feature."""

from collections.abc import Callable

from gate_stories import HELD, MONEY, READY, ended, planned, played, started
from msgspec.structs import replace

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.gate.cost import cost_of
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Cost, FeatureCost

Journaled = Callable[..., JournalRead]


def asked(peer: str = "service", stands_for: int = 1) -> events.Exchanged:
    return events.Exchanged(peer=peer, method="GET", target="/x", status=200, duration_ms=1, stands_for=stands_for)


def signed(fee: int, locked: int = 0, *, failed: bool = False) -> events.TransactionClosed:
    return events.TransactionClosed(
        tx_hash="ab" * 32, function="f", ledger=7, fee_stroops=fee, locked_stroops=locked, failed=failed
    )


def cost(journal: JournalRead) -> Cost:
    found = judge(journal).cost
    assert found is not None
    return found


def test_a_run_that_asked_nothing_cost_nothing(journaled: Journaled) -> None:
    found = cost(journaled(started(), planned(READY), played(READY, HELD), ended()))

    assert found == Cost(
        service_requests=0, ledger_requests=0, transactions=0, fees_stroops=0, most_locked_stroops=0, by_feature=()
    )


def test_everything_counts_where_it_happened(journaled: Journaled) -> None:
    story = journaled(
        started(),
        planned(READY, MONEY),
        asked(),
        played(READY, asked(), asked("ledger"), HELD),
        played(MONEY, asked(stands_for=60), signed(100, 500), signed(50, failed=True), signed(100, -500), HELD),
        asked("ledger"),
        events.Watched(source="reads", good=1, bad=0),
        events.Watched(source="counters", good=900, bad=0),
        events.PairSampled(candidate_first=True, candidate_us=1, stable_us=1, candidate_status=200, stable_status=200),
        ended(),
    )

    found = cost(story)

    assert (found.service_requests, found.ledger_requests) == (1 + 1 + 60 + 1 + 2, 2)
    assert (found.transactions, found.fees_stroops, found.most_locked_stroops) == (3, 250, 500)
    assert found.by_feature == (
        FeatureCost(
            feature=READY.feature,
            service_requests=1,
            ledger_requests=1,
            transactions=0,
            fees_stroops=0,
            most_locked_stroops=0,
        ),
        FeatureCost(
            feature=MONEY.feature,
            service_requests=60,
            ledger_requests=0,
            transactions=3,
            fees_stroops=250,
            most_locked_stroops=500,
        ),
        FeatureCost(
            feature="",
            service_requests=4,
            ledger_requests=1,
            transactions=0,
            fees_stroops=0,
            most_locked_stroops=0,
        ),
    )


def test_money_is_locked_together_as_time_tells_not_as_the_journal_is_ordered(journaled: Journaled) -> None:
    story = journaled(
        started(), planned(MONEY), played(MONEY, signed(1, 500), signed(1, -500), signed(1, 300)), ended()
    )
    assert cost_of(fold(story.entries), story.entries).most_locked_stroops == 500

    later = [
        replace(entry, at_ms=10**9)
        if isinstance(entry.event, events.TransactionClosed) and entry.event.locked_stroops < 0
        else entry
        for entry in story.entries
    ]
    assert cost_of(fold(later), later).most_locked_stroops == 800


def test_what_a_cut_off_scenario_left_to_the_clean_up_is_not_its_cost(journaled: Journaled) -> None:
    story = journaled(
        started(),
        planned(MONEY),
        events.ScenarioStarted(id=MONEY.id),
        asked(),
        events.CleanUpStarted(within_seconds=60),
        asked(),
        asked(),
    )

    assert {each.feature: each.service_requests for each in cost(story).by_feature} == {MONEY.feature: 1, "": 2}


def test_a_scenario_that_nobody_planned_costs_under_its_own_id(journaled: Journaled) -> None:
    found = cost(journaled(started(), planned(READY), played(MONEY, asked(), HELD), ended()))
    assert [each.feature for each in found.by_feature] == [MONEY.id]
