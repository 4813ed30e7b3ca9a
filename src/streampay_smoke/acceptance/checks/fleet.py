"""What a fleet behind one address promises: all of it is one release, and its replicas agree."""

from collections.abc import Sequence
from typing import ClassVar

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import Blame, PromiseBroken, SmokeError
from streampay_smoke.evidence.events import ReplicaSeen
from streampay_smoke.evidence.fleet import CLOCK_SPREAD_SECONDS, OF_OTHER_CHECKS, disagreements


class SeveralReleases(SmokeError):
    """Replicas of several releases answer, and none was expected: nobody knows which one is judged."""

    kind: ClassVar[str] = "release_mixed"
    blame: ClassVar[Blame] = Blame.HARNESS


class ReplicasDisagree(PromiseBroken):
    """Replicas behind one address answer the same request differently: what users see depends on which they meet."""

    kind: ClassVar[str] = "replicas_disagree"


def replicas_agree(seen: Sequence[ReplicaSeen], expect: Expect) -> None:
    """Every replica that answered has the same time, publishes the same keys and states the same limits."""
    looks = sum(each.fresh for each in seen)
    found = [each for each in disagreements(seen) if each.about not in OF_OTHER_CHECKS]
    expect.raising(ReplicasDisagree)(
        "all replicas that answer agree on time, keys and limits",
        not found,
        expected=f"the same keys and limits, and clocks at most {CLOCK_SPREAD_SECONDS:g} s apart, in {looks} looks",
        observed="; ".join(each.described for each in found) or "the same",
    )


def one_release_answers(met: Sequence[str], expected: str, expect: Expect) -> None:
    """Every replica that answered names the same release; raises SeveralReleases where none is `expected`."""
    found = _named(met)
    expect = expect if expected else expect.raising(SeveralReleases)
    expect(
        "all replicas that answer run the same release",
        len(found) == 1,
        expected=f"one release in {len(met)} looks",
        observed=" and ".join(found),
    )


def every_replica_is(expected: str, met: Sequence[str], expect: Expect) -> None:
    """Every replica that answered is the expected release."""
    others = [name for name in _named(met) if name != expected]
    expect(
        "all replicas that answer run the expected release",
        not others,
        expected=f"{expected} in {len(met)} looks",
        observed=", ".join(others) or expected,
    )


def _named(met: Sequence[str]) -> list[str]:
    return sorted({release or "a release that does not name itself" for release in met})
