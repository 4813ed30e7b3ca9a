"""How many journeys a canary takes, and how it plays them on two releases of the sandbox."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampay_sandbox.fleet import CANDIDATE, STABLE, Fleet
from streampay_smoke import settings as configuration
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import GuardRefused
from streampay_smoke.evidence.events import (
    AnyEvent,
    CanaryEnded,
    CanaryPaired,
    CanaryStarted,
    Exchanged,
    ResourceCreated,
    ResourceReleased,
    ServiceSeen,
)
from streampay_smoke.gate.canary import STEPS_OF_A_KIND, compared, fewest_pairs
from streampay_smoke.gate.history import fold
from streampay_smoke.run.canary import JOURNEY, JOURNEY_OF_READS, CanaryComparison, plan_journeys

FEWEST = fewest_pairs(writes=True)


def test_a_journey_has_the_steps_of_each_kind_that_its_plan_and_its_judge_count_on() -> None:
    reads, writes = ([step for step in JOURNEY if step.writes == kind] for kind in (False, True))
    assert min(map(len, (reads, writes, JOURNEY_OF_READS))) == STEPS_OF_A_KIND
    assert not any(step.writes for step in JOURNEY_OF_READS)


def test_each_side_asked_by_itself_needs_no_more_journeys_than_are_asked_for() -> None:
    plan = plan_journeys(7, 0.0, fewest_pairs=FEWEST, hit_probability=0.99)
    assert (plan.journeys, plan.hit_probability) == (7, 1.0)


@pytest.mark.parametrize("weight", [5.0, 20.0, 50.0])
def test_a_weighted_address_is_asked_until_enough_pairs_are_likely(weight: float) -> None:
    plan = plan_journeys(5, weight, fewest_pairs=FEWEST, hit_probability=0.99)
    assert plan.hit_probability >= 0.99
    draw, share = random.Random(1), weight / 100
    enough = 0
    for _ in range(400):
        blocks = ((draw.random() < share, draw.random() < share) for _ in range(3 * plan.journeys))
        enough += sum(one != other for one, other in blocks) >= FEWEST
    assert enough / 400 >= 0.97
    fewer = plan_journeys(5, weight, fewest_pairs=FEWEST, hit_probability=0.99, most=plan.journeys // 2)
    assert fewer.journeys == plan.journeys // 2
    assert fewer.hit_probability < 0.9, "what the spend cap cuts is said"


def test_the_probability_is_the_binomial_one() -> None:
    plan = plan_journeys(5, 50.0, fewest_pairs=1, hit_probability=0.5)
    assert plan.hit_probability == pytest.approx(1 - math.pow(0.5, 15), abs=1e-4)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(STABLE, replicas=1) as running:
        running.start(CANDIDATE, replicas=1)
        yield running


class Played:
    """A comparison in this process, and what it recorded."""

    def __init__(self, fleet: Fleet, environ: dict[str, str]) -> None:
        self.events: list[AnyEvent] = []
        settings = configuration.load(environ={**fleet.environ(), **environ}, root=Path(__file__).parents[3])
        self.run_context = RunContext(
            settings, record=self.events.append, learn_secret=lambda secret: None, run_id="r1"
        )
        self.comparison = CanaryComparison(self.run_context, seconds=60, seed=3)

    def play(self) -> list[AnyEvent]:
        evidence = list(self.comparison.play())
        self.run_context.clean_up()
        self.run_context.close()
        return evidence


def test_both_releases_are_asked_the_same_in_an_order_by_coin(fleet: Fleet) -> None:
    played = Played(fleet, {**fleet.canary_environ(by_weight=False), "SMOKE_CANARY_JOURNEYS": "5"})
    begun, *pairs, ended = played.play()
    assert isinstance(begun, CanaryStarted)
    assert (begun.candidate, begun.at_candidate, begun.at_stable, begun.seed) == ("v2", "v2", "v1", 3)
    assert isinstance(ended, CanaryEnded)
    assert (ended.at_candidate, ended.at_stable) == ("v2", "v1")
    firsts = []
    for pair in pairs:
        assert isinstance(pair, CanaryPaired)
        assert {(each.asked, each.release) for each in (pair.first, pair.second)} == {
            ("candidate", "v2"),
            ("stable", "v1"),
        }
        assert not pair.first.failed + pair.second.failed
        assert min(pair.first.microseconds, pair.second.microseconds) > 0
        firsts.append(pair.first.asked)
    assert len(pairs) >= 30
    assert 0.2 < firsts.count("candidate") / len(firsts) < 0.8
    made = {event.id for event in played.events if isinstance(event, ResourceCreated)}
    ended_ids = {event.id for event in played.events if isinstance(event, ResourceReleased)}
    assert made == ended_ids
    assert len(made) >= 10
    peers = {event.peer for event in played.events if isinstance(event, Exchanged)}
    assert peers <= {"candidate", "stable", "ledger"}, "no sample of the scenarios' objectives"
    assert {event.release for event in played.events if isinstance(event, ServiceSeen)} == {"v2"}


def test_a_weighted_address_tells_who_answered_by_release(fleet: Fleet) -> None:
    fleet.engine.shift({STABLE: 50, CANDIDATE: 50})
    try:
        weighted = {"SMOKE_CANARY_WEIGHT": "50", **fleet.canary_environ(by_weight=True)}
        played = Played(fleet, {**weighted, "SMOKE_CANARY_JOURNEYS": "5"})
        begun, *pairs, _ = played.play()
    finally:
        fleet.engine.promote(STABLE)
    assert isinstance(begun, CanaryStarted)
    assert (begun.at_candidate, begun.at_stable, begun.candidate) == ("", "", CANDIDATE)
    assert begun.hit_probability >= 0.99
    answers = [each for pair in pairs if isinstance(pair, CanaryPaired) for each in (pair.first, pair.second)]
    assert {each.release for each in answers} == {STABLE, CANDIDATE}
    assert all(each.opened_connection and not each.asked for each in answers)
    history = fold([])
    history.canary, history.canary_pairs = begun, [pair for pair in pairs if isinstance(pair, CanaryPaired)]
    assert len(compared(history).pairs) >= FEWEST


def test_a_host_leads_to_a_release(fleet: Fleet) -> None:
    ways = {"SMOKE_BASE_HEADER": "Host: v2.localhost", "SMOKE_BASELINE_HEADER": "Host: v1.localhost"}
    played = Played(fleet, {**ways, "SMOKE_CANARY_JOURNEYS": "5"})
    begun, *_ = played.play()
    assert isinstance(begun, CanaryStarted)
    assert (begun.candidate, begun.at_stable) == ("v2", "v1"), "by its own word, where nobody expects a release"


def test_a_side_that_is_not_there_ends_the_comparison(fleet: Fleet) -> None:
    gone = {"SMOKE_BASELINE_URL": "http://127.0.0.1:9", "SMOKE_CANARY_JOURNEYS": "5"}
    begun, ended = Played(fleet, gone).play()
    assert isinstance(begun, CanaryStarted)
    assert isinstance(ended, CanaryEnded)
    assert "the stable could not be asked" in ended.reason


def test_nothing_is_written_past_the_spend_cap(fleet: Fleet) -> None:
    played = Played(fleet, {**fleet.canary_environ(by_weight=False), "SMOKE_CANARY_JOURNEYS": "5"})
    played.run_context.spend_cap.commit("before", 0, played.run_context.settings.facts.money.max_stroops - 10_000_000)
    with pytest.raises(GuardRefused):
        list(played.comparison.play())
    made = sum(isinstance(event, ResourceCreated) for event in played.events)
    played.run_context.clean_up()
    played.run_context.close()
    assert made == 1
