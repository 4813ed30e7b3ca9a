"""A problem explained to readers: what was promised, what was expected and seen, what it means, what to do."""

import re

import msgspec

from streampay_smoke.publish.report_model import ScenarioReport
from streampay_smoke.publish.reported_problems import ReportedProblem

_WHERE = re.compile(r"^ \(at: .*?\)\. ")
"""The step, as a check's hint names it behind what failed (`gate/checks.py`)."""

_NEXT = " Next: "


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """`expected` and `seen` are "" where no assertion failed, `meaning` and `next_step` where nobody knows more."""

    what: str
    expected: str = ""
    seen: str = ""
    meaning: str = ""
    next_step: str = ""


def explanation(problem: ReportedProblem) -> Explanation:
    """Return a problem in parts; where nothing failed in a check, its text stands for itself."""
    return explained(problem.text, problem.scenario)


def explained(text: str, scenario: ScenarioReport | None) -> Explanation:
    """Return what is said of a scenario in parts; what is said of none stands for itself."""
    check = scenario.broken_check if scenario else None
    failure = scenario.failure if scenario else None
    if failure is None or failure.message not in text:
        what, _, step = text.partition(_NEXT)
        return Explanation(what=what, next_step=step)
    behind = text.partition(failure.message)[2]
    meaning, _, step = _WHERE.sub("", behind).strip().partition(_NEXT)
    facts = dict(check.facts) if check else {}
    return Explanation(
        what=check.words if check else failure.message,
        expected=facts.get("expected", ""),
        seen=facts.get("seen", ""),
        meaning=meaning,
        next_step=step,
    )
