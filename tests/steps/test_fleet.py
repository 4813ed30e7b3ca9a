"""A fleet behind one address: enough looks, and what they met."""

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from step_parts import Witness

from streampay_smoke.acceptance.checks.fleet import (
    ReplicasDisagree,
    SeveralReleases,
    every_replica_is,
    one_release_answers,
    replicas_agree,
)
from streampay_smoke.acceptance.observations.fleet import ROUNDS, sample_fleet, samples_needed
from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence.events import ReleaseSeen, ReplicaSeen

Look = Callable[[], tuple[ReplicaSeen, ...]]


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

    def look(self) -> tuple[ReplicaSeen, ...]:
        self.looks += 1
        stale = self.looks <= self._heals_after and self._random.randrange(self._replicas) == 0
        return (ReplicaSeen(release="old" if stale else "new"),)


def seen_by(look: Look, witness: Witness, *, replicas: int, expected: str, miss: float) -> tuple[ReplicaSeen, ...]:
    times: Iterator[float] = iter(range(1000))
    return sample_fleet(
        look,
        replicas=replicas,
        miss_probability=miss,
        expected=expected,
        within_seconds=600,
        record=witness.events.append,
        clock=lambda: next(times),
        sleep=lambda seconds: None,
    )


def sampled(fleet: Fleet, witness: Witness, *, replicas: int, expected: str = "new", miss: float = 0.01) -> set[str]:
    met = seen_by(fleet.look, witness, replicas=replicas, expected=expected, miss=miss)
    return {each.release for each in met}


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


def named(*names: str, keys: str = "") -> Look:
    """Return looks that meet replicas of these names in turn, for ever."""
    in_turn = itertools.cycle(names)
    return lambda: (ReplicaSeen(replica=next(in_turn), release="new", keys=keys),)


@pytest.mark.parametrize(("names", "most"), [(("a", "b", "c"), False), (("a", "b"), True), (("a",), True), ((), False)])
def test_replicas_that_name_themselves_are_looked_for_longer(
    names: tuple[str, ...], most: bool, witness: Witness
) -> None:
    met = seen_by(named(*names or ("",)), witness, replicas=3, expected="new", miss=0.03)
    assert len(met) == samples_needed(3, 0.03 / ROUNDS / 3 if most else 0.03 / ROUNDS)
    assert witness.of(ReplicaSeen) == list(met)


@pytest.mark.parametrize("heals", [True, False])
def test_replicas_that_disagree_are_looked_at_anew(heals: bool, witness: Witness) -> None:
    healed: list[str] = []

    def look() -> tuple[ReplicaSeen, ...]:
        healed.append("")
        return (ReplicaSeen(release="new", keys="one" if heals and len(healed) > 10 else f"k{len(healed) % 2}"),)

    met = seen_by(look, witness, replicas=2, expected="new", miss=0.01)
    again = [event for event in witness.of(ReleaseSeen) if event.moment == "start"]
    if heals:
        replicas_agree(met, witness.expect)
        assert len(again) == 1
    else:
        with pytest.raises(ReplicasDisagree, match=r"keys: .*: k[01] .* \| .*: k[01] "):
            replicas_agree(met, witness.expect)
        assert len(again) == ROUNDS - 1


@pytest.mark.parametrize(
    "odd",
    [
        {"keys": "key b"},
        {"limits": "30"},
        {"clock_low_seconds": 90.0, "clock_high_seconds": 91.0},
    ],
)
def test_both_answers_are_told_side_by_side(odd: dict[str, object], witness: Witness) -> None:
    usual = {"keys": "key a", "limits": "60", "clock_low_seconds": -0.5, "clock_high_seconds": 0.5}
    seen = [ReplicaSeen(replica=name, **usual) for name in "abc"]  # type: ignore[arg-type]
    replicas_agree(seen, witness.expect)
    with pytest.raises(ReplicasDisagree, match=r"a, b, c: .* \(3 looks\) \| d: .* \(1 look\)") as caught:
        replicas_agree([*seen, ReplicaSeen(replica="d", **{**usual, **odd})], witness.expect)  # type: ignore[arg-type]
    assert (caught.value.kind, caught.value.blame) == ("replicas_disagree", Blame.PRODUCT)


def test_a_runner_whose_clock_is_moved_accuses_no_replica(witness: Witness) -> None:
    runner = itertools.accumulate(itertools.chain([0.0] * 6, [90.0], itertools.repeat(0.0)))
    moved: list[float] = []

    def set_to() -> float:
        moved.append(next(runner))
        return moved[-1]

    def look() -> tuple[ReplicaSeen, ...]:
        ahead_seconds = -90.0 if len(moved) >= 6 else 0.0  # the clock of the runner is what moved
        return (ReplicaSeen(release="new", clock_low_seconds=ahead_seconds, clock_high_seconds=ahead_seconds + 1),)

    times: Iterator[float] = iter(range(1000))
    met = sample_fleet(
        look,
        replicas=2,
        miss_probability=0.001,
        expected="new",
        within_seconds=600,
        record=witness.events.append,
        clock=lambda: next(times),
        sleep=lambda seconds: None,
        set_to=set_to,
    )
    assert {each.clock_low_seconds for each in met} == {0.0}
    replicas_agree(met, witness.expect)


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
