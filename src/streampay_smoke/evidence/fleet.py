"""Where the replicas behind one address disagree, by what each of them answered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from streampay_smoke.evidence.events import ReplicaSeen

T = TypeVar("T")

CLOCK_SPREAD_SECONDS = 5.0
"""How far the clocks of two replicas may be apart. Machines that keep time by NTP are within a tenth of a second; what
a stream owes, and until when a token is good, differs by no more than this between requests that follow each other."""


RELEASE, CLOCK, KEYS, LIMITS, DATA = "release", "clock", "keys", "limits", "data"
"""What replicas may disagree about."""

OF_OTHER_CHECKS = frozenset({RELEASE, DATA})
"""What checks of their own decide; any other disagreement breaks the promise that replicas agree."""


class ReplicaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What `replicas` (their names, none where nothing tells them apart) answered alike, in so many looks."""

    said: str
    looks: int
    replicas: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        """The answer and who gave it, in words."""
        who = ", ".join(self.replicas) or "a replica that does not name itself"
        return f"{who}: {self.said} ({self.looks} {'look' if self.looks == 1 else 'looks'})"


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two answers of replicas that should be the same: `most` is what most looks got, `other` is not.

    `about` is "release", "clock", "keys", "limits" or "data", `of` which limits or data.
    """

    about: str
    most: ReplicaAnswer
    other: ReplicaAnswer
    of: str = ""

    @property
    def described(self) -> str:
        """Both answers side by side, in words."""
        return f"{self.subject}: {self.most.described} | {self.other.described}"

    @property
    def subject(self) -> str:
        """What the answers are about, in words."""
        return f"{self.about} of {self.of}" if self.of else self.about


def disagreements(seen: Sequence[ReplicaSeen]) -> tuple[Disagreement, ...]:
    """Return what replicas answered differently, at most one pair for each thing they should agree on."""
    return tuple(_found(seen))


def _found(seen: Sequence[ReplicaSeen]) -> Iterator[Disagreement]:
    yield from _about(RELEASE, seen, lambda each: each.release)
    yield from _about_clocks(seen)
    yield from _about(KEYS, seen, lambda each: each.keys)
    for asked in dict.fromkeys(each.asked for each in seen):
        yield from _about(LIMITS, [each for each in seen if each.asked == asked], lambda each: each.limits, asked)
    for about in dict.fromkeys(each.about for each in seen if each.about):
        yield from _about(DATA, [each for each in seen if each.about == about], lambda each: each.data, about)


def _about(
    about: str, seen: Sequence[ReplicaSeen], said: Callable[[ReplicaSeen], str], of: str = ""
) -> Iterator[Disagreement]:
    by_answer: dict[str, list[ReplicaSeen]] = {}
    for each in seen:
        if said(each):
            by_answer.setdefault(said(each), []).append(each)
    yield from _pair(about, by_answer, str, of)


def _about_clocks(seen: Sequence[ReplicaSeen]) -> Iterator[Disagreement]:
    """Yield the clocks that are the furthest apart, where that is more than they may be.

    A slow answer tells little of a clock: what it leaves open is no disagreement.
    """
    told = [
        (each.clock_low_seconds, each.clock_high_seconds, each)
        for each in seen
        if each.clock_low_seconds is not None and each.clock_high_seconds is not None
    ]
    if not told:
        return
    earliest_high = min(high for _, high, _ in told)
    latest_low = max(low for low, _, _ in told)
    if latest_low - earliest_high <= CLOCK_SPREAD_SECONDS:
        return
    middle = (earliest_high + latest_low) / 2
    sides: dict[bool, list[ReplicaSeen]] = {}
    for low, high, each in told:
        if high <= middle or low >= middle:
            sides.setdefault(low >= middle, []).append(each)
    yield from _pair(CLOCK, sides, lambda ahead: f"{latest_low if ahead else earliest_high:+.0f} s from this runner's")


def _pair(
    about: str, by_answer: Mapping[T, Sequence[ReplicaSeen]], in_words: Callable[[T], str], of: str = ""
) -> Iterator[Disagreement]:
    """Yield the most and the least common answer, where there are two at least."""
    if len(by_answer) < 2:
        return
    answers = sorted(
        (
            ReplicaAnswer(
                said=in_words(answer),
                looks=len(each),
                replicas=tuple(sorted({one.replica for one in each if one.replica})),
            )
            for answer, each in by_answer.items()
        ),
        key=lambda answer: (-answer.looks, answer.said),
    )
    yield Disagreement(about=about, of=of, most=answers[0], other=answers[-1])
