"""What a run prints on a terminal at its end: the verdict, what it rests on, and what to do next.

Evidence is printed on one line, without what a terminal would obey.
"""

import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TextIO

from streampay_smoke.publish import regions, runbook, wording
from streampay_smoke.publish.explanation import explanation
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport, ScenarioEnding, ScenarioReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.reported_problems import reported_problems

CONSOLE_LINES = 25
CONSOLE_COLUMNS = 110
WHY_COLUMNS = 150
WHY_LINES = 3
FEWEST_COLUMNS = 40

_STEP = " Next: "
"""How a reason says what to do next, at its end."""

_CUT_OFF = " ..."

Paint = Callable[[str, str], str]
"""Takes a text and the name of a tone (a key of TONES); returns the text, coloured or plain."""

TONES = {
    "passed": "32",
    "failed": "31",
    "broken": "33",
    "blocked": "2",
    "skipped": "2",
    "PASS": "1;32",
    "FAIL": "1;31",
    "SAFETY": "1;31",
    "INCONCLUSIVE": "1;33",
    "CONFIG": "1;33",
}
"""ANSI codes of outcomes and verdicts."""


def paint_for(stream: TextIO, environ: Mapping[str, str]) -> Paint:
    """Return how to colour text for this stream: not at all with NO_COLOR set, TERM=dumb or no terminal."""
    coloured = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return _coloured if coloured else plain


def plain(text: str, tone: str) -> str:
    """Return the text without colour."""
    del tone
    return text


def _coloured(text: str, tone: str) -> str:
    return f"\033[{TONES[tone]}m{text}\033[0m"


class Width(NamedTuple):
    """How many columns there are for a check's line, and for a sentence."""

    check: int = CONSOLE_COLUMNS
    sentence: int = WHY_COLUMNS


def width_of(stream: TextIO) -> Width:
    """Return the width of the terminal behind a stream; where there is none, that of a CI log."""
    if not stream.isatty():
        return Width()
    columns = max(shutil.get_terminal_size((CONSOLE_COLUMNS, 0)).columns, FEWEST_COLUMNS)
    return Width(check=columns, sentence=columns)


def console_block(run: RunReport, paint: Paint, width: Width = Width()) -> str:  # noqa: B008 - it cannot be changed
    """Return the end of a run for a terminal: at most CONSOLE_LINES lines, a line for each check where they fit.

    What to do next is never cut.
    """
    foot = ["", *_answer(run, paint, width, told=True)]
    foot += [f"Note: {_cut(warning, width.sentence - 6)}" for warning in run.verdict.warnings[:3]]
    return "\n".join([*_console_checks(run, paint, width, CONSOLE_LINES - len(foot)), *foot]) + "\n"


def console_regions(run: RunReport, paint: Paint, width: Width = Width()) -> str:  # noqa: B008 - it cannot be changed
    """Return a merged verdict in a line for each region, and five for all of them."""
    lines = [_cut_right(line, width.check) for line in regions.region_lines(run.verdict)]
    return "\n".join(lines) + "\n\n" + console_answer(run, paint, width)


def _cut_right(line: str, columns: int) -> str:
    return line if len(line) <= columns else line[: columns - 3].rstrip() + "..."


def console_answer(run: RunReport, paint: Paint, width: Width = Width()) -> str:  # noqa: B008 - it cannot be changed
    """Return a verdict in five lines: what it is, why, on what, what was paid, what to do and where to read more."""
    return "\n".join(_answer(run, paint, width, told=False)) + "\n"


def _answer(run: RunReport, paint: Paint, width: Width, *, told: bool) -> list[str]:
    """Return the answer of a run in five lines, or in all that is known where it is told whole."""
    verdict, columns = run.verdict, width.sentence
    status, at = str(verdict.verdict), runbook.section(run)
    code = wording.on_one_line(f"{verdict.reason_code}, see {at}") if at else ""
    next_step = wording.on_one_line(wording.next_step(verdict))
    paid, cost = payment_summary(run).sentence, wording.cost(verdict)
    return [
        f"{paint(status, status)}  {_cut(wording.meaning(verdict), columns - len(status) - 2)}",
        *(_explained(run, columns) if told else _why(wording.shortened(wording.reason(verdict)), columns, 1)),
        f"On:   {_cut(wording.against(verdict), columns - 6)}",
        f"Paid: {_cut(paid, columns - 6)}",
        *([f"Cost: {_cut(cost, columns - 6)}"] if cost and told else []),
        *([f"Code: {code}"] if code and told else []),
        f"Next: {next_step}{f' Reason code {code}.' if code and not told else ''}",
    ]


def _explained(run: RunReport, columns: int) -> list[str]:
    """Return why: what was promised, expected and seen, and what it means; a verdict's own paragraph where no check
    broke, or where somebody answers for another status.
    """
    problem = next(iter(reported_problems(run)), None)
    why = explanation(problem) if problem and not run.verdict.overrides else None
    if problem is None or why is None or not why.expected:
        return _why(wording.reason(run.verdict), columns, WHY_LINES)
    rest = " ".join(part for part in (why.meaning, _sentence(problem.beside), _also(run)) if part)
    return [
        *_wrapped("Why:  ", f"{problem.title}: {why.what}", columns, 1),
        *_wrapped("      expected ", why.expected, columns, 1),
        *_wrapped("      seen     ", why.seen, columns, 1),
        *_wrapped("      ", rest, columns, 1),
        *([f"      Next: {wording.on_one_line(why.next_step)}"] if why.next_step else []),
    ]


def _also(run: RunReport) -> str:
    """Return how many causes there are beside the first, "" for none."""
    more = len(reported_problems(run)) - 1
    return f"{wording.counted(more, 'more cause')}: see the report." if more > 0 else ""


def _sentence(text: str) -> str:
    return f"{text}." if text else ""


def _why(text: str, columns: int, most_lines: int) -> list[str]:
    """Return a reason on so many lines; one that says what to do next, and is too long, says that on a line more."""
    lines = _wrapped("Why:  ", text, columns, most_lines)
    said, _, step = text.rpartition(_STEP)
    if most_lines == 1 or not said or not lines[-1].endswith(_CUT_OFF):
        return lines
    return [*_wrapped("Why:  ", said, columns, most_lines), f"      {_STEP.strip()} {wording.on_one_line(step)}"]


def _console_checks(run: RunReport, paint: Paint, width: Width, room: int) -> list[str]:
    """Return the checks: under their features, or features that passed whole in one line, or the red ones only."""
    by_feature = run.by_feature
    whole = [
        line
        for name, scenarios in by_feature.items()
        for line in [_cut(name, width.check), *_console_lines(scenarios, paint, width)]
    ]
    if len(whole) <= room and not run.count(ReportStatus.BLOCKED):
        return whole
    folded = [
        line for name, scenarios in by_feature.items() for line in _console_feature(name, scenarios, paint, width)
    ]
    if len(folded) <= room:
        return folded
    shown = run.red[: room - 1]
    more = f"and {len(run.scenarios) - len(shown)} more: " if shown else ""
    return [*_console_lines(shown, paint, width), f"  {more}{wording.outcomes(run)} in all"]


def _console_feature(name: str, scenarios: tuple[ScenarioReport, ...], paint: Paint, width: Width) -> list[str]:
    others = [scenario for scenario in scenarios if scenario.outcome not in {ReportStatus.PASSED, ReportStatus.BLOCKED}]
    return [_cut(f"{name}: {wording.passed_of(scenarios)}", width.check), *_console_lines(others, paint, width)]


def _console_lines(scenarios: Iterable[ScenarioReport], paint: Paint, width: Width) -> list[str]:
    return [_console_line(scenario, paint, width) for scenario in scenarios]


def _console_line(scenario: ScenarioReport, paint: Paint, width: Width) -> str:
    result = (
        ""
        if scenario.outcome is ReportStatus.PASSED
        else f" ({wording.result(scenario).removeprefix(f'{scenario.outcome}: ')})"
    )
    took = f"  {wording.seconds(scenario.duration_ms)}" if scenario.ending is ScenarioEnding.FINISHED else ""
    text = _cut(f"{scenario.check.scenario}{result}", width.check - 12 - len(took))
    return f"  {paint(f'{scenario.outcome:<8}', scenario.outcome)} {text}{took}"


def _wrapped(label: str, text: str, columns: int, most_lines: int) -> list[str]:
    """Return text under a label on at most so many lines."""
    line = _cut(text, 10 * WHY_COLUMNS)
    return textwrap.wrap(
        f"{label}{line}",
        width=columns,
        subsequent_indent=" " * len(label),
        max_lines=most_lines,
        placeholder=_CUT_OFF,
        break_on_hyphens=False,
    )


def _cut(text: str, columns: int) -> str:
    """Return text on one line of a terminal, without what a terminal would obey."""
    line = wording.on_one_line(text)
    return line if len(line) <= columns else line[: columns - 3].rstrip() + "..."
