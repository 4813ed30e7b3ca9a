"""Which checks could not be played because of a cause that another check met first: only the cause is red.

A blocked check never passes, and the verdict is what its cause says.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame, PromiseBroken, UnfitAnswer
from streampay_smoke.evidence.events import Failure
from streampay_smoke.gate.attribution import THROTTLED
from streampay_smoke.gate.concerns import rank_of
from streampay_smoke.gate.verdict import Check

BLOCKED = "blocked"
RED = frozenset({"failed", "broken"})

HOST_CAUSES = frozenset({"refused", "dns", "unreachable", "tls"})
"""Causes of silence that are those of a whole host, whatever is asked of it."""

CALLER_KINDS = frozenset({THROTTLED})
"""Failures that are those of a caller, whatever it asks for."""

_VARIABLE = re.compile(r"\b(?:stream|smoke)-[\w-]+|\b(?=\w*\d)[0-9a-f]{6,}\b|\d+\.\d+|\?\S*")
"""What differs between two failures of one cause: ids, hashes, times and queries."""

_QUERY = re.compile(r"(?<=\w)\?[^\s,;)]+=[^\s,;)]*")


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A check, why it is no pass (None for a pass and for one that never ran), and where it failed.

    `at_precondition` says that it failed before it did what it is about, which is `about` a concern.
    """

    check: Check
    failure: Failure | None = None
    at_precondition: bool = False
    about: str = ""

    @property
    def stands_for_itself(self) -> bool:
        """Whether the name of the check says nothing of the failure: it did not come to what it is about."""
        if self.failure is None:
            return self.at_precondition
        refused = self.unfit is not None and self.unfit.entitled and self.unfit.came
        of_the_caller = self.failure.kind in CALLER_KINDS
        return self.at_precondition or self.server_error is not None or refused or of_the_caller

    @property
    def unfit(self) -> UnfitAnswer | None:
        """The answer that is the failure itself, if one is."""
        return self.failure.unfit if self.failure is not None else None

    @property
    def server_error(self) -> UnfitAnswer | None:
        """The answer in which the service told of an error of its own, where that is the failure."""
        if self.unfit is not None and self.unfit.is_server_error:
            return self.unfit
        if self.failure is None or not self.failure.met_server_errors_only or not self.failure.asked:
            return None
        return UnfitAnswer(asked=self.failure.asked, status=self.failure.statuses[-1])

    @property
    def headline(self) -> str:
        """What happened, why it is attributed as it is, and what to do next."""
        hint = _QUERY.sub("", self.check.hint)
        error = self.server_error
        if error is None or self.failure is None or self.failure.kind != PromiseBroken.kind:
            return hint
        asked = error.asked.partition("?")[0]
        return hint if asked in hint else f"{asked} answered {error.status}: {hint}"

    @property
    def signature(self) -> tuple[str, str, str, str]:
        """What is the same in equal failures."""
        kind, message = (self.failure.kind, self.failure.message) if self.failure else ("", self.check.hint)
        return self.check.attribution, self.check.rule, kind, _VARIABLE.sub("#", message)


def with_blocked(examined: Sequence[Examined]) -> list[Examined]:
    """Return the checks, those marked that a cause kept from being played which another one met."""
    red: list[Examined] = []
    marked = list(examined)
    causes: dict[str, Examined] = {}
    for place in sorted(range(len(examined)), key=lambda place: _directness(examined[place])):
        each = examined[place]
        if each.check.status not in RED:
            continue
        first_in = each.failure.first_in if each.failure is not None else ""
        cause = causes.get(first_in) or next((other for other in red if _is_same_cause(other, each)), None)
        if cause is None:
            red.append(each)
        else:
            causes[each.check.id] = cause
            marked[place] = replace(each, check=_blocked(each, cause))
    return marked


def _directness(examined: Examined) -> tuple[int, int, bool]:
    """Return what checks are looked at by: first who was not given what they have a right to, gravest first.

    What others need comes before what does not. That a stranger was not refused follows from nobody being served.
    """
    unfit = examined.unfit
    if unfit is not None and unfit.came and not unfit.entitled:
        return 2, 0, False
    if unfit is None or not unfit.came or examined.failure is None or examined.failure.first_in:
        return 1, 0, False
    return 0, rank_of(examined.check.concern), not examined.at_precondition


def _is_same_cause(cause: Examined, other: Examined) -> bool:
    met, failure = cause.failure, other.failure
    if met is None or failure is None:
        return False
    if failure.first_in:
        return failure.first_in in {cause.check.id, met.first_in}
    if met.cause in HOST_CAUSES or met.kind in CALLER_KINDS:
        same = (met.kind, met.cause, cause.check.attribution)
        return same == (failure.kind, failure.cause, other.check.attribution)
    if cause.server_error is not None and other.server_error is not None:
        return _alike(cause.server_error.asked, other.server_error.asked)
    if met.unfit is not None and failure.unfit is not None and _is_same_answer(cause, met.unfit, other, failure.unfit):
        return True
    return other.at_precondition and cause.signature == other.signature


def _is_same_answer(cause: Examined, met: UnfitAnswer, other: Examined, failed: UnfitAnswer) -> bool:
    """Whether two requests failed for one reason: the service answers them alike, whoever asks, or not at all."""
    same_page = met.is_page and failed.is_page and met.is_like(failed)
    if not same_page and not _alike(met.asked, failed.asked):
        return False
    alike = met.is_like(failed) and cause.check.attribution == other.check.attribution
    if not met.came or not failed.came:
        return alike
    if not failed.entitled:
        return alike and met.entitled and cause.check.attribution == Blame.PRODUCT
    return met.entitled and (alike or cause.signature == other.signature)


def _alike(asked: str, other: str) -> bool:
    return _VARIABLE.sub("#", asked.partition("?")[0]) == _VARIABLE.sub("#", other.partition("?")[0])


def _blocked(examined: Examined, cause: Examined) -> Check:
    assert cause.failure is not None
    played = examined.unfit is not None and not examined.unfit.entitled
    what = "not judged, for everybody is answered alike" if played else "not played"
    return replace(
        examined.check,
        concern=examined.about,
        status=BLOCKED,
        attribution=cause.check.attribution,
        rule=BLOCKED,
        blocked_by=cause.check.id,
        hint=f"{what}: {cause.failure.message} (first met by: {cause.check.scenario})",
    )
