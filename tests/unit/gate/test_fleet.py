"""Which replicas a run met, and how likely it is that it missed one."""

import itertools
import random

import pytest
from gate_stories import HELD, READY, ended, planned, played, started

from streampay_smoke.evidence.events import AnyEvent, ReleaseSeen, ReplicaSeen
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.gate.fleet import fleet_of, met_in_short, miss_probability, unreached
from streampay_smoke.gate.history import RunHistory, fold
from streampay_smoke.gate.releases import Sighting
from streampay_smoke.gate.verdict import Fleet

SEEN = ReleaseSeen(moment="start", release="v1")


def fleet(replicas: int, *seen: AnyEvent, first: AnyEvent = SEEN) -> Fleet | None:
    told = [started(replicas=replicas), planned(READY), first, *played(READY, HELD, *seen), ended()]
    return fleet_of(fold([Entry(seq=at, at_ms=at, prev="", event=event) for at, event in enumerate(told, 1)]))


def named(*names: str) -> list[ReplicaSeen]:
    return [ReplicaSeen(replica=name, release="v1") for name in names]


@pytest.mark.parametrize(("replicas", "looks"), [(2, 4), (3, 10), (5, 20), (12, 60)])
def test_the_bound_is_no_less_than_what_is_missed(replicas: int, looks: int) -> None:
    exact = sum(
        (-1) ** (k + 1) * len(list(itertools.combinations(range(replicas), k))) * (1 - k / replicas) ** looks
        for k in range(1, replicas)
    )
    assert exact <= miss_probability(replicas, looks) <= 1.0
    drawn = random.Random(7)
    missed = sum(len({drawn.randrange(replicas) for _ in range(looks)}) < replicas for _ in range(2000)) / 2000
    assert missed == pytest.approx(exact, abs=0.03)


def test_nothing_is_missed_of_one_and_all_can_be_of_many() -> None:
    assert (miss_probability(1, 0), miss_probability(5, 0), miss_probability(5, 1)) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("declared", "seen", "missed", "statement", "known"),
    [
        (3, named("a", "b", "c", "a"), 0.0, "all 3 declared answered in 4 looks", False),
        (3, named("a", "a", "b"), 1.0, "2 replicas answered in 3 looks over connections of their own, of 3", True),
        (1, named("a", "b"), 0.0, "2 replicas answered in 2 looks over connections of their own, and 1 is", True),
        (1, named("a"), 0.0, "the 1 declared answered", False),
        (1, [], 0.0, "one replica is declared", False),
        (2, named("", "", ""), 0.25, "one of 2 replicas was missed in 3 looks over connections of their own is", False),
        (2, [], 1.0, "is at most 1", False),
        (0, named("a", "b"), None, "2 replicas answered in 2 looks over connections of their own; how many", False),
        (0, named("", ""), None, "no replica named itself in 2 looks", False),
    ],
)
def test_what_was_met_is_stated(
    declared: int, seen: list[ReplicaSeen], missed: float | None, statement: str, known: bool
) -> None:
    found = fleet(declared, *seen)
    assert found is not None
    assert (found.declared, found.looks) == (declared or None, len(seen))
    assert found.miss_probability == missed
    assert statement in found.statement
    assert bool(unreached(found)) is known


def test_a_replica_that_was_not_reached_never_counts_as_reached() -> None:
    found = fleet(5, *named("a", "b"))
    assert found is not None
    assert met_in_short(found) == ("2 of 5 replicas",)
    assert "3 not reached, and not judged" in found.statement
    assert met_in_short(fleet(5, *named("", ""))) == ("one of 5 replicas missed with p <= 1",)
    assert not met_in_short(fleet(1))
    assert not met_in_short(fleet(0, *named("a")))


def test_the_second_answer_of_a_connection_is_no_look() -> None:
    second = ReplicaSeen(replica="b", fresh=False, keys="k")
    found = fleet(2, *named("a"), second)
    assert found is not None
    assert (found.looks, found.replicas) == (1, ("a", "b"))


def test_what_came_before_a_new_start_was_a_roll_out() -> None:
    found = fleet(2, ReplicaSeen(keys="old"), SEEN, ReplicaSeen(keys="new"))
    assert found is not None
    assert (found.looks, found.disagreements) == (1, ())
    both = fleet(2, ReplicaSeen(keys="old"), ReplicaSeen(keys="new"))
    assert both is not None
    assert [each.about for each in both.disagreements] == ["keys"]


def test_no_fleet_is_told_where_nothing_answered() -> None:
    assert fleet(5, first=ReplicaSeen()) is None
    assert (met_in_short(None), unreached(None)) == ((), ())


OWN = "over connections of their own"
NOT_DECLARED = "how many there are is not declared (service.replicas): whether one was missed is not known"


@pytest.mark.parametrize(
    ("declared", "seen", "statement"),
    [
        (1, named("a"), f"the 1 declared answered in 1 look {OWN}"),
        (2, named("a", "b"), f"all 2 declared answered in 2 looks {OWN}"),
        (3, named("a"), f"1 replica answered in 1 look {OWN}, of 3 that are declared: 2 not reached, and not judged"),
        (1, named("a", "b"), f"2 replicas answered in 2 looks {OWN}, and 1 is declared (service.replicas)"),
        (2, named("a", "b", "c"), f"3 replicas answered in 3 looks {OWN}, and 2 are declared (service.replicas)"),
        (1, named(""), "one replica is declared: whatever answered was it"),
        (2, named("", "", ""), f"the probability that one of 2 replicas was missed in 3 looks {OWN} is at most 0.25"),
        (0, named("a"), f"1 replica answered in 1 look {OWN}; {NOT_DECLARED}"),
        (0, named(""), f"no replica named itself in 1 look {OWN}; {NOT_DECLARED}"),
    ],
)
def test_the_statement_counts_in_words_that_fit(declared: int, seen: list[ReplicaSeen], statement: str) -> None:
    found = fleet(declared, *seen)
    assert found is not None
    assert found.statement == statement


def test_a_run_that_lost_its_first_line_declares_no_replicas() -> None:
    found = fleet_of(RunHistory(sightings=[Sighting(moment="start", release="v1")]))
    assert found is not None
    assert (found.declared, found.miss_probability) == (None, None)
