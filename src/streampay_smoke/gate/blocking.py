"""Which checks could not be played because of a cause that another check met first: only the cause is red.

A blocked check never passes, and the verdict is what its cause says.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.evidence.events import Failure
from streampay_smoke.gate.verdict import Check

BLOCKED = "blocked"
RED = frozenset({"failed", "broken"})

HOST_CAUSES = frozenset({"refused", "dns", "unreachable", "tls"})
"""Causes of silence that are those of a whole host, whatever is asked of it."""

CALLER_KINDS = frozenset({"throttled"})
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
        of_the_caller = self.failure is not None and self.failure.kind in CALLER_KINDS
        return self.at_precondition or self.met_server_errors_only or of_the_caller

    @property
    def met_server_errors_only(self) -> bool:
        """Whether the service answered with errors of its own only, whatever was asked."""
        return self.failure is not None and self.failure.met_server_errors_only

    @property
    def headline(self) -> str:
        """What happened, why it is attributed as it is, and what to do next."""
        hint = _QUERY.sub("", self.check.hint)
        if self.failure is None or not self.met_server_errors_only or self.failure.kind != PromiseBroken.kind:
            return hint
        if self.failure.asked in hint:
            return hint
        return f"{self.failure.asked} answered {self.failure.statuses[-1]}: {hint}"

    @property
    def signature(self) -> tuple[str, str, str, str]:
        """What is the same in equal failures."""
        kind, message = (self.failure.kind, self.failure.message) if self.failure else ("", self.check.hint)
        return self.check.attribution, self.check.rule, kind, _VARIABLE.sub("#", message)


def with_blocked(examined: Sequence[Examined]) -> list[Examined]:
    """Return the checks, those marked that a cause kept from being played which an earlier one met."""
    red: list[Examined] = []
    marked: list[Examined] = []
    for each in examined:
        cause = next((other for other in red if _is_same_cause(other, each)), None)
        if each.check.status in RED and cause is not None:
            marked.append(replace(each, check=_blocked(each, cause)))
        else:
            red += [each] if each.check.status in RED else []
            marked.append(each)
    return marked


def _is_same_cause(cause: Examined, other: Examined) -> bool:
    met, failure = cause.failure, other.failure
    if met is None or failure is None:
        return False
    if failure.first_in:
        return failure.first_in in {cause.check.id, met.first_in}
    if met.cause in HOST_CAUSES or met.kind in CALLER_KINDS:
        same = (met.kind, met.cause, cause.check.attribution)
        return same == (failure.kind, failure.cause, other.check.attribution)
    if met.met_server_errors_only and failure.met_server_errors_only:
        return _VARIABLE.sub("#", met.asked) == _VARIABLE.sub("#", failure.asked)
    return other.at_precondition and cause.signature == other.signature


def _blocked(examined: Examined, cause: Examined) -> Check:
    assert cause.failure is not None
    return replace(
        examined.check,
        concern=examined.about,
        status=BLOCKED,
        attribution=cause.check.attribution,
        rule=BLOCKED,
        blocked_by=cause.check.id,
        hint=f"not played: {cause.failure.message} (first met by: {cause.check.scenario})",
    )
