"""Which release was judged: every answer of a run must come from one release, and from the expected one."""

from collections.abc import Sequence

import msgspec

from streampay_smoke.core.errors import Blame

START = "start"
ANSWER = "answer"
END = "end"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A release, "" where none was named, and when it was seen: "start", "answer", "sample" or "end".

    Sightings begin with a start: what answered before was a roll-out, and waited out.
    """

    moment: str
    release: str


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Why the releases that answered are no ground for a PASS."""

    blame: Blame
    reason_code: str
    text: str


def mismatch(expected: str, sightings: Sequence[Sighting]) -> Mismatch | None:
    """Return what is wrong with the releases of a run, None when nothing is.

    Where a release is expected, another one is the product's: it was not (or not everywhere, or not to the end)
    deployed. Where none is expected, nobody knows which of two releases was judged.
    """
    if not sightings:
        return None
    named = [sighting.release for sighting in sightings if sighting.release]
    others = list(dict.fromkeys(release for release in named if release != expected))
    last = sightings[-1]
    changed = last.moment == END and bool(last.release) and bool(named) and last.release != named[0]
    if not expected:
        return _undecided(named, changed=changed)
    if others:
        return Mismatch(
            blame=Blame.PRODUCT,
            reason_code=_code(named, expected, changed=changed),
            text=f"{', '.join(others)} answered where {expected} was expected",
        )
    if not named or (last.moment == END and not last.release):
        return Mismatch(
            blame=Blame.HARNESS,
            reason_code="release_unconfirmed",
            text=f"{expected} was expected, and what answered{' at the end' if named else ''} did not name its release",
        )
    return None


def _code(named: Sequence[str], expected: str, *, changed: bool) -> str:
    if expected not in named:
        return "release_unexpected"
    return "release_changed" if changed else "release_mixed"


def _undecided(named: Sequence[str], *, changed: bool) -> Mismatch | None:
    several = list(dict.fromkeys(named))
    if len(several) <= 1:
        return None
    return Mismatch(
        blame=Blame.HARNESS,
        reason_code="release_changed" if changed else "release_mixed",
        text=f"{' and '.join(several)} answered in one run: nobody knows which was judged",
    )
