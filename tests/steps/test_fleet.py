"""A fleet behind one address: enough looks, and what they met."""

import random
from collections.abc import Iterator

import pytest
from step_parts import Witness

from streampay_smoke.acceptance.checks.fleet import SeveralReleases, every_replica_is, one_release_answers
from streampay_smoke.acceptance.observations.fleet import ROUNDS, sample_fleet, samples_needed
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import ReleaseSeen


@pytest.mark.parametrize(
    ("replicas", "miss", "number"), [(1, 0.001, 0), (2, 0.5, 1), (2, 0.001, 10), (3, 0.001, 18), (10, 0.01, 44)]
)
def test_the_number_of_looks_is_the_smallest_that_keeps_the_miss_probability(
    replicas: int, miss: float, number: int
) -> None:
    assert samples_needed(replicas, miss) == number
    if replicas > 1:
        assert (1 - 1 / replicas) ** number <= miss < (1 - 1 / replicas) ** (number - 1)


class Fleet:
    """Answers as one replica of several, chosen evenly; `heals_after` looks none is stale any more."""

    def __init__(self, replicas: int, seed: int = 1, heals_after: float = float("inf")) -> None:
        self._random = random.Random(seed)
        self._replicas = replicas
        self._heals_after = heals_after
        self.looks = 0

    def look(self) -> str:
        self.looks += 1
        stale = self.looks <= self._heals_after and self._random.randrange(self._replicas) == 0
        return "old" if stale else "new"


def sampled(fleet: Fleet, witness: Witness, *, replicas: int, expected: str = "new", miss: float = 0.01) -> set[str]:
    times: Iterator[float] = iter(range(1000))
    return set(
        sample_fleet(
            fleet.look,
            replicas=replicas,
            miss_probability=miss,
            expected=expected,
            within_seconds=600,
            record=witness.events.append,
            clock=lambda: next(times),
            sleep=lambda seconds: None,
        )
    )


def test_a_stale_replica_is_missed_no_more_often_than_stated(witness: Witness) -> None:
    missed = sum(sampled(Fleet(3, seed), Witness(), replicas=3, miss=0.05) == {"new"} for seed in range(2000))
    assert missed / 2000 <= 0.05


def test_one_replica_is_not_sampled(witness: Witness) -> None:
    fleet = Fleet(1)
    assert (sampled(fleet, witness, replicas=1), fleet.looks, witness.events) == (set(), 0, [])


def test_a_roll_out_that_ends_is_looked_at_anew(witness: Witness) -> None:
    assert sampled(Fleet(3, heals_after=10), witness, replicas=3) == {"new"}
    assert [event.release for event in witness.of(ReleaseSeen) if event.moment == "start"] == ["new"]


def test_rounds_are_few(witness: Witness) -> None:
    fleet = Fleet(3)
    assert "old" in sampled(fleet, witness, replicas=3)
    assert fleet.looks == ROUNDS * samples_needed(3, 0.01 / ROUNDS) + ROUNDS - 1


def test_without_an_expected_release_there_is_one_round(witness: Witness) -> None:
    fleet = Fleet(3)
    sampled(fleet, witness, replicas=3, expected="")
    assert fleet.looks == samples_needed(3, 0.01 / ROUNDS)


def test_every_replica_is_the_expected_release(witness: Witness) -> None:
    every_replica_is("new", ["new", "new"], witness.expect)
    witness.saw_held("all replicas that answer run the expected release")


@pytest.mark.parametrize("met", [["new", "old"], ["old"], ["new", ""]])
def test_a_replica_of_another_release_breaks_the_promise(witness: Witness, met: list[str]) -> None:
    with witness.breaks("all replicas that answer run the expected release", expected="new"):
        every_replica_is("new", met, witness.expect)


@pytest.mark.parametrize("met", [["new"], ["new", "new"], ["", ""]])
def test_one_release_answers(witness: Witness, met: list[str]) -> None:
    one_release_answers(met, "", witness.expect)
    witness.saw_held("all replicas that answer run the same release")


@pytest.mark.parametrize("met", [["new", "old"], ["new", ""]])
def test_several_releases_are_nobodys_fault_where_none_is_expected(witness: Witness, met: list[str]) -> None:
    with pytest.raises(SeveralReleases, match="expected one release in 2 looks") as caught:
        one_release_answers(met, "", witness.expect)
    assert caught.value.blame is Blame.HARNESS
    with witness.breaks("all replicas that answer run the same release", saw=" and "):
        one_release_answers(met, "new", witness.expect)
