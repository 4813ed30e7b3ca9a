"""What a fleet behind one address promises: all of it is one release."""

from collections.abc import Sequence
from typing import ClassVar

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import Blame, SmokeError


class SeveralReleases(SmokeError):
    """Replicas of several releases answer, and none was expected: nobody knows which one is judged."""

    kind: ClassVar[str] = "release_mixed"
    blame: ClassVar[Blame] = Blame.HARNESS


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
