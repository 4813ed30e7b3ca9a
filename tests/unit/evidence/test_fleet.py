"""Where replicas disagree: by what each of them answered, and by nothing else."""

import pytest

from streampay_smoke.evidence.events import ReplicaSeen
from streampay_smoke.evidence.fleet import CLOCK_SPREAD_SECONDS, ReplicaAnswer, disagreements


def clock(low: float, high: float, **facts: str) -> ReplicaSeen:
    return ReplicaSeen(clock_low_seconds=low, clock_high_seconds=high, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "about"),
    [
        ([], []),
        ([ReplicaSeen(keys="a"), ReplicaSeen(keys="a"), ReplicaSeen()], []),
        ([ReplicaSeen(keys="a"), ReplicaSeen(keys="b")], ["keys"]),
        ([ReplicaSeen(release="v1"), ReplicaSeen(release="v2")], ["release"]),
        # Limits are those of one request, data is that of one stream.
        ([ReplicaSeen(asked="GET /a", limits="60"), ReplicaSeen(asked="GET /b", limits="30")], []),
        ([ReplicaSeen(asked="GET /a", limits="60"), ReplicaSeen(asked="GET /a", limits="30")], ["limits"]),
        ([ReplicaSeen(about="stream 1", data="draft"), ReplicaSeen(about="stream 2", data="ended")], []),
        ([ReplicaSeen(about="stream 1", data="draft"), ReplicaSeen(about="stream 1", data="status 404")], ["data"]),
        # A second apart, and slow answers, which tell little of a clock.
        ([clock(-0.2, 0.9), clock(0.8, 1.9)], []),
        ([clock(-0.2, 0.9), clock(2.0, 12.0)], []),
        ([clock(-30.0, 1.0), clock(-0.2, 0.9)], []),
        ([clock(0.0, 1.0), clock(1.0 + CLOCK_SPREAD_SECONDS, 2.0 + CLOCK_SPREAD_SECONDS)], []),
        ([clock(0.0, 1.0), clock(1.1 + CLOCK_SPREAD_SECONDS, 2.1 + CLOCK_SPREAD_SECONDS)], ["clock"]),
        ([clock(-90.0, -89.0), clock(0.0, 1.0)], ["clock"]),
    ],
)
def test_what_replicas_disagree_about(seen: list[ReplicaSeen], about: list[str]) -> None:
    assert [found.about for found in disagreements(seen)] == about


def test_the_usual_answer_stands_beside_the_rarest() -> None:
    seen = [ReplicaSeen(replica=name, keys=keys) for name, keys in [("a", "1"), ("b", "1"), ("a", "1"), ("c", "2")]]
    (found,) = disagreements(seen)
    assert found.most == ReplicaAnswer(said="1", looks=3, replicas=("a", "b"))
    assert found.other == ReplicaAnswer(said="2", looks=1, replicas=("c",))
    assert found.described == "keys: a, b: 1 (3 looks) | c: 2 (1 look)"


def test_replicas_without_a_name_are_told_as_that() -> None:
    (found,) = disagreements([ReplicaSeen(about="stream 1", data="draft"), ReplicaSeen(about="stream 1", data="gone")])
    assert found.described.startswith("data of stream 1: a replica that does not name itself: draft (1 look) | ")


def test_a_clock_is_told_by_how_far_it_is_off() -> None:
    (found,) = disagreements(
        [clock(0.0, 1.0, replica="a"), clock(0.1, 1.0, replica="b"), clock(89.5, 90.5, replica="c")]
    )
    assert (found.most.replicas, found.other.replicas) == (("a", "b"), ("c",))
    assert (found.most.said, found.other.said) == ("+1 s from this runner's", "+90 s from this runner's")
