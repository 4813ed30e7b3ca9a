"""What a verdict says: one line for engines, which is built so that its limit never cuts off whose fault it is,
and one paragraph for people.
"""

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from streampay_smoke.core.errors import Blame
from streampay_smoke.gate.concerns import Concern
from streampay_smoke.gate.verdict import MESSAGE_LIMIT, MESSAGE_LONG_LIMIT, Action, Check, VerdictStatus

WHO = {
    Blame.PRODUCT.value: "the release",
    Blame.DEPENDENCY.value: "a dependency",
    Blame.HARNESS.value: "the test suite or its machine",
    Blame.CONFIG.value: "the configuration",
    Blame.SAFETY.value: "the guard of real money",
}
"""Attributions in words."""

NEXT = {
    VerdictStatus.FAIL: "roll back",
    VerdictStatus.INCONCLUSIVE: "hold, run again",
    VerdictStatus.CONFIG: "mend, run again",
    VerdictStatus.SAFETY: "hold, page",
}
"""The next step of every status that is not PASS, as short as it can be said."""

_SCENARIO_LENGTH = 36
"""A scenario's name is cut here where the line is too long: what happened is worth more."""

_REQUEST_ID = re.compile(r" \(request (?:id )?[\w-]+\)")
"""Which request it was is told where there is room."""


class HasChecks(Protocol):
    """A reason against PASS with the checks it turned red, and those it blocked."""

    @property
    def checks(self) -> tuple[str, ...]:
        """The ids of red checks."""

    @property
    def blocked(self) -> tuple[str, ...]:
        """The ids of blocked ones."""


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What there is beside the headline: more red checks, checks it blocks, and how many of each are about money."""

    more: int = 0
    more_about_money: int = 0
    blocked: int = 0
    blocked_about_money: int = 0

    @classmethod
    def of(cls, reasons: Sequence[HasChecks], checks: Sequence[Check]) -> "Beside":
        """Return what there is beside the first of these reasons."""
        red = [red_id for reason in reasons for red_id in reason.checks]
        others = red[1:] if reasons and reasons[0].checks else red
        blocked = reasons[0].blocked if reasons else ()
        money = {check.id for check in checks if check.concern == Concern.MONEY}
        return cls(
            more=len(others),
            more_about_money=sum(each in money for each in others),
            blocked=len(blocked),
            blocked_about_money=sum(each in money for each in blocked),
        )

    def in_short(self) -> str:
        """Return e.g. " (+3 red, 1 of money; 27 blocked)", "" for nothing."""
        counted = (
            (self.more, self.more_about_money, f"+{self.more} red"),
            (self.blocked, self.blocked_about_money, f"{self.blocked} blocked"),
        )
        shown = "; ".join(f"{what}{f', {money} of money' if money else ''}" for count, money, what in counted if count)
        return f" ({shown})" if shown else ""

    def description(self) -> str:
        """Return the same in sentences, "" for nothing."""
        counted = (
            (self.blocked, self.blocked_about_money, "check", "blocked by it"),
            (self.more, self.more_about_money, "more check", "red"),
        )
        return "".join(
            f" {count} {noun}{' is' if count == 1 else 's are'} {what}{f', {money} about money' if money else ''}."
            for count, money, noun, what in counted
            if count
        )


ALONE = Beside()
"""A headline with nothing beside it."""


def line(
    status: VerdictStatus,
    attribution: str,
    action: Action,
    simulated: str,
    *,
    scenario: str,
    text: str,
    beside: Beside = ALONE,
) -> str:
    """Return status, whose fault, what was simulated, where, what, and the next step, in MESSAGE_LIMIT characters.

    `simulated` is "" or a note such as "simulated ledger". What happened is shortened first, then the scenario.
    """
    blame = f" [{attribution}]" if attribution != "none" else ""
    head = f"{status}{blame}{f' ({simulated})' if simulated else ''}: "
    tail = beside.in_short() + (f" -> {_next(status, action)}" if status is not VerdictStatus.PASS else "")
    room = MESSAGE_LIMIT - len(head) - len(tail)
    what = _REQUEST_ID.sub("", text.removeprefix(f"{scenario}: ") if scenario else text)
    where = f"{scenario}: " if scenario else ""
    if len(_one_line(where + what)) > room and len(scenario) > _SCENARIO_LENGTH:
        where = f"{_cut(scenario, _SCENARIO_LENGTH)}: "
    return f"{head}{_cut(_one_line(where + what), room)}{tail}"


def paragraph(status: VerdictStatus, attribution: str, action: Action, *, text: str, beside: Beside = ALONE) -> str:
    """Return what happened, whose fault it is and the next step, in MESSAGE_LONG_LIMIT characters."""
    shown = _one_line(text)
    if status is VerdictStatus.PASS or attribution == "none":
        return _cut(shown, MESSAGE_LONG_LIMIT)
    tail = f"{beside.description()} Attributed to {WHO.get(attribution, attribution)}."
    if "Next: " not in shown:
        tail += f" Next: {_next(status, action)}."
    if not shown.endswith((".", "!", "?", "…")):
        shown += "."
    return f"{_cut(shown, MESSAGE_LONG_LIMIT - len(tail))}{tail}"


def _next(status: VerdictStatus, action: Action) -> str:
    """Return the next step. Not every FAIL is rolled back: a policy may hold, and a part of the suite always does."""
    return "hold" if status is VerdictStatus.FAIL and action is Action.HOLD else NEXT[status]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
