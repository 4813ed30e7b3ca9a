"""The short answers: `summary.md` for people and CI pages, and the block printed at the end of a run."""

import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TextIO

from streampay_smoke.publish import objectives, regions, runbook, wording
from streampay_smoke.publish.canary import canary_report
from streampay_smoke.publish.explanation import explanation
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport, ScenarioEnding, ScenarioReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.reported_problems import ReportedProblem, reported_problems

CONSOLE_LINES = 25
CONSOLE_COLUMNS = 110
WHY_COLUMNS = 150
WHY_LINES = 3
FEWEST_COLUMNS = 40

PROBLEMS_SHOWN = 12
"""Causes that are told one by one in `summary.md`; the rest is counted."""

ROWS_SHOWN = 30
"""Checks that have a row of their own in `summary.md`, beside one for each feature."""

LONGEST_TEXT = 4_000
"""Letters of one text in `summary.md`: GitHub drops a summary of more than 1 MiB whole, and GitLab a note."""

SMALL_RUN = 15
"""Checks of a run in which those that passed have a row too."""

_SIGNS = {
    ReportStatus.PASSED: "✅",
    ReportStatus.FAILED: "❌",
    ReportStatus.BROKEN: "⚠️",
    ReportStatus.BLOCKED: "⏸️",
    ReportStatus.SKIPPED: "⏭️",
}

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


def summary_md(run: RunReport) -> bytes:
    """Return the run as Markdown: the verdict first, then what went wrong, then what was checked."""
    verdict = run.verdict
    lines = [
        f"# {verdict.verdict}: {_markdown(wording.meaning(verdict))}",
        "",
        f"**Money: {_markdown(payment_summary(run).sentence)}**",
        "",
        *_regions(run),
        *_problems(run),
        *_disagreements(run),
        f"**Next: {_markdown(wording.next_step(verdict))}**{_runbook(run)}",
        "",
        *(line for warning in verdict.warnings for line in (f"Warning: {_markdown(warning)}", "")),
        f"Played against: {_markdown(wording.against(verdict))}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_markdown(value)} |" for name, value in _facts(run).items() if value),
        "",
        f"## Checks: {_counted(run)}",
        "",
        *_checks(run),
        *_canary(run),
        *_objectives(run),
    ]
    return ("\n".join(lines) + "\n").encode()


def _regions(run: RunReport) -> Iterable[str]:
    """Yield what each region says, and a matrix of features and regions; nothing for the verdict of one run."""
    matrix = regions.matrix(run)
    if not matrix.regions:
        return
    yield from ("## Regions", "", "| Region | Verdict | Why | Done there | Runs |", "|---|---|---|---|---|")
    for each in matrix.regions:
        cells = (each.region, str(each.verdict), each.message, each.action.lower(), regions.runs_of(each))
        yield f"| {' | '.join(map(_markdown, cells))} |"
    names = [_markdown(each.region) for each in matrix.regions]
    yield from ("", f"| Feature | {' | '.join(names)} |", f"|---|{'---|' * len(names)}")
    for row in matrix.rows:
        yield f"| {_markdown(row.feature)} | {' | '.join(map(_sign, row.cells))} |"
    yield ""


def _disagreements(run: RunReport) -> Iterable[str]:
    """Yield what replicas answered differently, both answers side by side; nothing where they agree."""
    found = run.verdict.fleet.disagreements if run.verdict.fleet else ()
    if not found:
        return
    yield from ("## Replicas that disagree", "", "| About | Most looks | Others |", "|---|---|---|")
    for each in found:
        cells = (each.subject, each.most.described, each.other.described)
        yield f"| {' | '.join(map(_markdown, cells))} |"
    yield ""


def _sign(cell: str) -> str:
    return f"{_SIGNS[ReportStatus(cell)]} {cell}" if cell != regions.NOT_PLAYED else cell


def _checks(run: RunReport) -> Iterable[str]:
    """Yield a table with a row for each feature, and one for each check that did not simply pass."""
    yield from ("| | Check | Result | Assertions | Took |", "|---|---|---|---|---|")
    left = ROWS_SHOWN
    for feature, scenarios in run.by_feature.items():
        held = sum(scenario.check.assertions for scenario in scenarios)
        took = wording.seconds(sum(scenario.duration_ms for scenario in scenarios))
        yield f"| | **{_markdown(feature)}** | {_of_feature(scenarios)} | {held} | {took} |"
        small = len(run.scenarios) <= SMALL_RUN
        own = _grouped(scenario for scenario in scenarios if small or _has_a_row(scenario))
        yield from map(_row, own[:left])
        if own[left:]:
            yield f"| | and {sum(map(len, own[left:]))} more | | | |"
        left = max(0, left - len(own))


def _grouped(scenarios: Iterable[ScenarioReport]) -> list[list[ScenarioReport]]:
    """Return the checks of each row: those that are left out for one reason share theirs."""
    rows: dict[str, list[ScenarioReport]] = {}
    for scenario in scenarios:
        shared = scenario.outcome is ReportStatus.SKIPPED and not scenario.is_unfinished
        rows.setdefault(_result(scenario) if shared else scenario.check.id, []).append(scenario)
    return list(rows.values())


def _has_a_row(scenario: ScenarioReport) -> bool:
    if scenario.outcome is ReportStatus.PASSED:
        return scenario.check.flaky or scenario.check.quarantined is not None
    return scenario.outcome is not ReportStatus.BLOCKED


def _of_feature(scenarios: Sequence[ScenarioReport]) -> str:
    outcomes = [scenario.outcome for scenario in scenarios]
    blocked = f", {outcomes.count(ReportStatus.BLOCKED)} blocked" if ReportStatus.BLOCKED in outcomes else ""
    return f"{outcomes.count(ReportStatus.PASSED)} of {len(outcomes)} passed{blocked}"


def _facts(run: RunReport) -> dict[str, str]:
    verdict = run.verdict
    target, chain, cleanup = verdict.target, verdict.chain, verdict.cleanup
    return {
        "Environment": ", ".join(part for part in (target.environment, target.region) if part),
        "Deployment": target.base_url,
        "Release": wording.release(verdict),
        "Replicas": wording.replicas(verdict),
        "Network": chain.network,
        "Contract": chain.contract_id,
        "Settlement": wording.settlement(verdict),
        "Synthetic data": f"{cleanup.created} made, {cleanup.deleted} brought to an end, {cleanup.leaked} left behind",
        "Cost": wording.cost(verdict),
        "Took": wording.seconds(verdict.timings.total_ms),
        "Since the last green run": run.since_green,
        "Run": verdict.run_id,
        "Reason code": verdict.reason_code,
    }


def _counted(run: RunReport) -> str:
    return ", ".join(f"{run.count(outcome)} {outcome}" for outcome in ReportStatus if run.count(outcome))


def _result(scenario: ScenarioReport) -> str:
    """Return a check's result in a few words: the outcome, and whose it is or why it is none."""
    if scenario.is_unfinished:
        return str(scenario.ending)
    if scenario.outcome is ReportStatus.SKIPPED:
        return wording.left_out(scenario.check, excluded="excluded")
    if scenario.outcome is ReportStatus.PASSED:
        quarantined = scenario.check.quarantined
        passed = "passed, flaky" if scenario.check.flaky else "passed"
        return f"{passed}, quarantined until {quarantined.until}" if quarantined else passed
    return f"{scenario.outcome}: {wording.who(scenario.check.attribution)}"


def _row(scenarios: Sequence[ScenarioReport]) -> str:
    first = scenarios[0]
    names = _markdown("; ".join(scenario.check.scenario for scenario in scenarios))
    assertions = sum(scenario.check.assertions for scenario in scenarios)
    took = wording.seconds(first.duration_ms) if first.ending is ScenarioEnding.FINISHED and len(scenarios) == 1 else ""
    return f"| {_SIGNS[first.outcome]} | {names} | {_markdown(_result(first))} | {assertions} | {took} |"


def _canary(run: RunReport) -> Iterable[str]:
    """Yield the times of candidate and stable release side by side; nothing where they were not compared."""
    report = canary_report(run)
    if report is None:
        return
    yield from ("", "## Candidate and stable release", "", "| | |", "|---|---|")
    yield from (f"| {name} | {_markdown(value)} |" for name, value in report.facts.items())
    yield from ("", "| | Side | Median | p90 | Slowest | Distribution |", "|---|---|---|---|---|---|")
    for each in report.distributions:
        scale = f"{each.from_ms:.1f} to {each.to_ms:.1f} ms"
        for side in (each.candidate, each.stable):
            times = " | ".join(f"{value:.1f} ms" for value in (side.median_ms, side.p90_ms, side.slowest_ms))
            yield f"| {each.what} | {side.name} | {times} | `{side.bars}` {scale} |"


def _objectives(run: RunReport) -> Iterable[str]:
    if not run.verdict.objectives:
        return
    yield from ("", f"## Objectives: {objectives.counted(run.verdict)}", "")
    yield from ("| | Objective | Result | Measured |", "|---|---|---|---|")
    for each in objectives.objective_reports(run.verdict):
        cells = (each.name, each.decision, each.measured)
        yield f"| {_SIGNS[each.outcome]} | {' | '.join(map(_markdown, cells))} |"


def _problems(run: RunReport) -> Iterable[str]:
    found = reported_problems(run)
    if not found or run.verdict.overrides:  # an override says what somebody answers for, its causes what was seen
        yield from (_markdown(wording.reason(run.verdict)), "")
    if not found:
        return
    yield from ("## What went wrong", "")
    for number, problem in enumerate(found[:PROBLEMS_SHOWN], start=1):
        concern = f"{problem.concern}; " if problem.concern else ""
        yield f"{number}. **{_markdown(problem.title)}** ({_markdown(concern + wording.who(problem.attribution))})"
        yield from (f"   {line}" for line in _parts(problem))
        if problem.beside:
            yield f"   - {_markdown(problem.beside)}"
    if found[PROBLEMS_SHOWN:]:
        yield f"\nAnd {len(found[PROBLEMS_SHOWN:])} more: see report.html."
    yield ""


def _parts(problem: ReportedProblem) -> Iterable[str]:
    """Yield a problem in words: what was expected and seen where an assertion failed, else its text."""
    why = explanation(problem)
    if not why.expected:
        yield _markdown(problem.text)
        return
    meaning = f" {_markdown(why.meaning)}" if why.meaning else ""
    yield f"{_markdown(why.what)}: expected {_markdown(why.expected)}, seen {_markdown(why.seen)}.{meaning}"
    if why.next_step:
        yield f"Next: {_markdown(why.next_step)}"


def _runbook(run: RunReport) -> str:
    """Return the reason code with the runbook's section about it; "" for a PASS."""
    at, code = runbook.section(run), _markdown(run.verdict.reason_code)
    if not at:
        return ""
    return f" Reason code [{code}]({at})." if runbook.is_address(at) else f" Reason code {code}: `{at}`."


_MARKDOWN_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "`": "\\`", "*": "\\*", "_": "\\_", "[": "\\[", "]": "\\]"}
)


def _markdown(text: str) -> str:
    """Return text on one line that Markdown shows as it is: evidence must not turn into links, tags or cells."""
    cut = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    return " ".join(cut.replace("\\", "\\\\").translate(_MARKDOWN_ESCAPES).split())


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
    code = f"{verdict.reason_code}, see {at}" if at else ""
    paid, cost = payment_summary(run).sentence, wording.cost(verdict)
    return [
        f"{paint(status, status)}  {_cut(wording.meaning(verdict), columns - len(status) - 2)}",
        *(_explained(run, columns) if told else _why(wording.shortened(wording.reason(verdict)), columns, 1)),
        f"On:   {_cut(wording.against(verdict), columns - 6)}",
        f"Paid: {_cut(paid, columns - 6)}",
        *([f"Cost: {_cut(cost, columns - 6)}"] if cost and told else []),
        *([f"Code: {code}"] if code and told else []),
        f"Next: {wording.next_step(verdict)}{f' Reason code {code}.' if code and not told else ''}",
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
        *([f"      Next: {_cut(why.next_step, len(why.next_step))}"] if why.next_step else []),
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
    return [*_wrapped("Why:  ", said, columns, most_lines), f"      {_STEP.strip()} {_cut(step, len(step))}"]


def _console_checks(run: RunReport, paint: Paint, width: Width, room: int) -> list[str]:
    """Return the checks: under their features, or features that passed whole in one line, or the red ones only."""
    by_feature = run.by_feature
    whole = [
        line for name, scenarios in by_feature.items() for line in [name, *_console_lines(scenarios, paint, width)]
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
    return [*_console_lines(shown, paint, width), f"  {more}{_counted(run)} in all"]


def _console_feature(name: str, scenarios: tuple[ScenarioReport, ...], paint: Paint, width: Width) -> list[str]:
    others = [scenario for scenario in scenarios if scenario.outcome not in {ReportStatus.PASSED, ReportStatus.BLOCKED}]
    return [_cut(f"{name}: {_of_feature(scenarios)}", width.check), *_console_lines(others, paint, width)]


def _console_lines(scenarios: Iterable[ScenarioReport], paint: Paint, width: Width) -> list[str]:
    return [_console_line(scenario, paint, width) for scenario in scenarios]


def _console_line(scenario: ScenarioReport, paint: Paint, width: Width) -> str:
    result = (
        ""
        if scenario.outcome is ReportStatus.PASSED
        else f" ({_result(scenario).removeprefix(f'{scenario.outcome}: ')})"
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


_STEP = " Next: "
"""How a reason says what to do next, at its end."""

_CUT_OFF = " ..."

_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


def _cut(text: str, columns: int) -> str:
    """Return text on one line of a terminal, without what a terminal would obey."""
    line = " ".join(text.translate(_CONTROL).split())
    return line if len(line) <= columns else line[: columns - 3].rstrip() + "..."
