"""What a doctor says of one thing, and how looks are made: tables of them, and none keeps the next from being made."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

import msgspec

from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.gate.verdict import EXIT_CODES, GRAVITY, STATUS_WITHOUT_RUN, VerdictStatus

T = TypeVar("T")


class DoctorState(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


class DoctorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. `verdict` is the verdict a run would come to for a problem."""

    name: str
    state: DoctorState
    text: str
    next_step: str = ""
    verdict: VerdictStatus = VerdictStatus.PASS


class DoctorLook(NamedTuple, Generic[T]):
    """One look at a T: yields what it saw, or nothing; a SmokeError is a problem of `name`."""

    name: str
    at: Callable[[T], Iterator[DoctorCheck]]


def look_at(what: T, looks: Sequence[DoctorLook[T]]) -> Iterator[DoctorCheck]:
    """Make all of these looks, whatever one of them meets."""
    for look in looks:
        try:
            yield from look.at(what)
        except SmokeError as error:
            yield from problems_of(look.name, error)


def ok(name: str, text: str) -> DoctorCheck:
    """Return a look at what is well."""
    return DoctorCheck(name=name, state=DoctorState.OK, text=text)


def warning(name: str, text: str, next_step: str) -> DoctorCheck:
    """Return a look at what may be wrong, or will be."""
    return DoctorCheck(name=name, state=DoctorState.WARNING, text=text, next_step=next_step)


def problem(name: str, text: str, next_step: str, verdict: VerdictStatus = VerdictStatus.CONFIG) -> DoctorCheck:
    """Return a look at what would keep a run from its verdict."""
    return DoctorCheck(name=name, state=DoctorState.PROBLEM, text=text, next_step=next_step, verdict=verdict)


def problems_of(name: str, error: SmokeError) -> Iterator[DoctorCheck]:
    """Yield the looks at something that raised: one for each problem of settings that were refused together."""
    parts = error.parts if isinstance(error, SettingsInvalid) else ()
    for part in parts or (error,):
        yield problem(name, str(part), part.next_step, STATUS_WITHOUT_RUN[part.blame])


def skipped(names: Sequence[str], because: str) -> Iterator[DoctorCheck]:
    """Yield what could not be looked at."""
    for name in names:
        yield DoctorCheck(name=name, state=DoctorState.SKIPPED, text=because)


def exit_code(checks: Sequence[DoctorCheck]) -> int:
    """Return 0 for no problem, 4 for safety, 2 for settings, 3 for what cannot be reached; the gravest wins."""
    found = {check.verdict for check in checks if check.state is DoctorState.PROBLEM}
    return next((EXIT_CODES[verdict] for verdict in GRAVITY if verdict in found), 0)


def table(checks: Sequence[DoctorCheck]) -> str:
    """Return the looks as lines for a terminal, each with its next step below."""
    width = max(len(check.name) for check in checks)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{check.state:<8} {check.name:<{width}}  {' '.join(check.text.split())}")
        if check.next_step and check.state is not DoctorState.OK:
            lines.append(f"{'':<8} {'':<{width}}  Next: {check.next_step}")
    counts = ", ".join(
        f"{count} {state}" for state in DoctorState if (count := sum(check.state is state for check in checks))
    )
    return "\n".join([*lines, "", f"doctor: {counts}"])
