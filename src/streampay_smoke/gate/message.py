"""What a verdict says: one line for engines, which is built so that its limit never cuts off whose fault it is,
and one paragraph for people.
"""

from streampay_smoke.core.errors import Blame
from streampay_smoke.gate.verdict import MESSAGE_LIMIT, MESSAGE_LONG_LIMIT, Action, Word

WHO = {
    Blame.PRODUCT.value: "the release",
    Blame.DEPENDENCY.value: "a dependency",
    Blame.HARNESS.value: "the test suite or its machine",
    Blame.CONFIG.value: "the configuration",
    Blame.SAFETY.value: "the guard of real money",
}
"""Attributions in words."""

NEXT = {
    Word.FAIL: "roll back",
    Word.INCONCLUSIVE: "hold, run again",
    Word.CONFIG: "mend, run again",
    Word.SAFETY: "hold, page",
}
"""The next step of every word that is not PASS, as short as it can be said."""

_SCENARIO_LENGTH = 36
"""A scenario's name is cut here where the line is too long: what happened is worth more."""


def line(word: Word, attribution: str, action: Action, simulated: str, *, scenario: str, text: str) -> str:
    """Return word, whose fault, what was simulated, where, what, and the next step, in MESSAGE_LIMIT characters.

    `simulated` is "" or a note such as "simulated ledger". What happened is shortened first, then the scenario.
    """
    blame = f" [{attribution}]" if attribution != "none" else ""
    head = f"{word}{blame}{f' ({simulated})' if simulated else ''}: "
    tail = f" -> {_next(word, action)}" if word is not Word.PASS else ""
    room = MESSAGE_LIMIT - len(head) - len(tail)
    what = text.removeprefix(f"{scenario}: ") if scenario else text
    where = f"{scenario}: " if scenario else ""
    if len(_one_line(where + what)) > room and len(scenario) > _SCENARIO_LENGTH:
        where = f"{_cut(scenario, _SCENARIO_LENGTH)}: "
    return f"{head}{_cut(_one_line(where + what), room)}{tail}"


def paragraph(word: Word, attribution: str, action: Action, *, text: str) -> str:
    """Return what happened, whose fault it is and the next step, in MESSAGE_LONG_LIMIT characters."""
    told = _one_line(text)
    if word is Word.PASS or attribution == "none":
        return _cut(told, MESSAGE_LONG_LIMIT)
    tail = f" Attributed to {WHO.get(attribution, attribution)}."
    if "Next: " not in told:
        tail += f" Next: {_next(word, action)}."
    if not told.endswith((".", "!", "?", "…")):
        told += "."
    return f"{_cut(told, MESSAGE_LONG_LIMIT - len(tail))}{tail}"


def _next(word: Word, action: Action) -> str:
    """Return the next step. Not every FAIL is rolled back: a policy may hold, and a part of the suite always does."""
    return "hold" if word is Word.FAIL and action is Action.HOLD else NEXT[word]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
