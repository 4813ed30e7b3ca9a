"""The short answers: `summary.md` for people and CI pages, and the block printed at the end of a run."""

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import TextIO

from streampay_smoke.publish import objectives, words
from streampay_smoke.publish.outcomes import Outcome
from streampay_smoke.publish.telling import Ending, RunTold, ScenarioTold

CONSOLE_LINES = 25
CONSOLE_COLUMNS = 110
WHY_COLUMNS = 150
WHY_LINES = 3

_UNHAPPY = frozenset({Outcome.FAILED, Outcome.BROKEN})
_SIGNS = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.BROKEN: "⚠️", Outcome.SKIPPED: "⏭️"}

Paint = Callable[[str, str], str]
"""Takes a text and the name of a tone (a key of TONES); returns the text, coloured or plain."""

TONES = {
    "passed": "32",
    "failed": "31",
    "broken": "33",
    "skipped": "2",
    "PASS": "1;32",
    "FAIL": "1;31",
    "SAFETY": "1;31",
    "INCONCLUSIVE": "1;33",
    "CONFIG": "1;33",
}
"""ANSI codes of outcomes and verdicts."""


def summary_md(run: RunTold) -> bytes:
    """Return the run as Markdown: the verdict first, then the checks, then what went wrong."""
    verdict = run.verdict
    lines = [
        f"# {verdict.verdict}: {_markdown(words.meaning(verdict))}",
        "",
        _markdown(words.reason(verdict)),
        "",
        f"**Next: {_markdown(words.next_step(verdict))}**",
        "",
        *(line for warning in verdict.warnings for line in (f"Warning: {_markdown(warning)}", "")),
        f"Played against: {_markdown(words.against(verdict))}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_markdown(value)} |" for name, value in _facts(run).items() if value),
        "",
        f"## Checks: {_counted(run)}",
        "",
        "| | Check | Result | Assertions | Took |",
        "|---|---|---|---|---|",
    ]
    for feature, scenarios in run.by_feature.items():
        lines.append(f"| | **{_markdown(feature)}** | | | |")
        lines += map(_row, scenarios)
    lines += _objectives(run)
    lines += _troubles(run)
    return ("\n".join(lines) + "\n").encode()


def _facts(run: RunTold) -> dict[str, str]:
    verdict = run.verdict
    target, chain, cleanup = verdict.target, verdict.chain, verdict.cleanup
    return {
        "Environment": ", ".join(part for part in (target.environment, target.region) if part),
        "Deployment": target.base_url,
        "Release": words.release(verdict),
        "Network": chain.network,
        "Contract": chain.contract_id,
        "Settlement": words.settlement(verdict),
        "Synthetic data": f"{cleanup.created} made, {cleanup.deleted} brought to an end, {cleanup.leaked} left behind",
        "Took": words.seconds(verdict.timings.total_ms),
        "Run": verdict.run_id,
        "Reason code": verdict.reason_code,
    }


def _counted(run: RunTold) -> str:
    return ", ".join(f"{run.count(outcome)} {outcome}" for outcome in Outcome if run.count(outcome))


def _result(scenario: ScenarioTold) -> str:
    """Return a check's result in a few words: the outcome, and whose it is or why it is none."""
    if scenario.is_unfinished:
        return str(scenario.ending)
    if scenario.outcome is Outcome.SKIPPED:
        return words.left_out(scenario.check, excluded="excluded")
    if scenario.outcome is Outcome.PASSED:
        mark = scenario.check.quarantined
        passed = "passed, flaky" if scenario.check.flaky else "passed"
        return f"{passed}, quarantined until {mark.until}" if mark else passed
    return f"{scenario.outcome}: {words.who(scenario.check.attribution)}"


def _row(scenario: ScenarioTold) -> str:
    check = scenario.check
    took = words.seconds(scenario.duration_ms) if scenario.ending is Ending.FINISHED else ""
    sign = _SIGNS[scenario.outcome]
    return f"| {sign} | {_markdown(check.scenario)} | {_markdown(_result(scenario))} | {check.assertions} | {took} |"


def _objectives(run: RunTold) -> Iterable[str]:
    if not run.verdict.objectives:
        return
    yield from ("", f"## Objectives: {objectives.counted(run.verdict)}", "")
    yield from ("| | Objective | Result | Measured | How sure |", "|---|---|---|---|---|")
    for each in objectives.told(run.verdict):
        cells = (each.name, each.decision, each.measured, each.certainty)
        yield f"| {_SIGNS[each.outcome]} | {' | '.join(map(_markdown, cells))} |"


def _troubles(run: RunTold) -> Iterable[str]:
    unhappy = [scenario for scenario in run.scenarios if scenario.outcome in _UNHAPPY]
    if unhappy:
        yield from ("", "## What went wrong")
    for scenario in unhappy:
        yield from ("", f"### {_markdown(scenario.check.scenario)}", "")
        yield f"- {_markdown(scenario.message)}"
        yield f"- Attributed to: {_markdown(words.who(scenario.check.attribution))}"
        if scenario.failed_step is not None:
            yield f"- At the step: {_markdown(scenario.failed_step.text)}"


_MARKDOWN_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "`": "\\`", "*": "\\*", "_": "\\_", "[": "\\[", "]": "\\]"}
)


def _markdown(text: str) -> str:
    """Return text on one line that Markdown shows as it is: evidence must not turn into links, tags or cells."""
    return " ".join(text.replace("\\", "\\\\").translate(_MARKDOWN_ESCAPES).split())


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


def console_block(run: RunTold, paint: Paint) -> str:
    """Return the end of a run for a terminal: at most CONSOLE_LINES lines, a line for each check where they fit."""
    verdict = run.verdict
    foot = [
        "",
        f"{paint(str(verdict.verdict), verdict.verdict)}  {_cut(words.meaning(verdict), WHY_COLUMNS)}",
        *_wrapped("Why:  ", words.reason(verdict)),
        f"On:   {_cut(words.against(verdict), WHY_COLUMNS)}",
        *([f"Paid: {_cut(words.settlement(verdict), WHY_COLUMNS)}"] if words.settlement(verdict) else []),
        f"Next: {words.next_step(verdict)}",
        *(f"Note: {_cut(warning, WHY_COLUMNS)}" for warning in verdict.warnings[:3]),
    ]
    return "\n".join([*_console_checks(run, paint, CONSOLE_LINES - len(foot)), *foot]) + "\n"


def _console_checks(run: RunTold, paint: Paint, room: int) -> list[str]:
    """Return the checks: under their features, or features that passed whole in one line, or the unhappy ones only."""
    by_feature = run.by_feature
    whole = [line for name, scenarios in by_feature.items() for line in [name, *_console_lines(scenarios, paint)]]
    if len(whole) <= room:
        return whole
    folded = [line for name, scenarios in by_feature.items() for line in _console_feature(name, scenarios, paint)]
    if len(folded) <= room:
        return folded
    unhappy = [scenario for scenario in run.scenarios if scenario.outcome in _UNHAPPY]
    shown = unhappy[: room - 1]
    return [*_console_lines(shown, paint), f"  and {len(run.scenarios) - len(shown)} more: {_counted(run)} in all"]


def _console_feature(name: str, scenarios: tuple[ScenarioTold, ...], paint: Paint) -> list[str]:
    others = [scenario for scenario in scenarios if scenario.outcome is not Outcome.PASSED]
    passed = len(scenarios) - len(others)
    return [_cut(f"{name}: {passed} of {len(scenarios)} passed", CONSOLE_COLUMNS), *_console_lines(others, paint)]


def _console_lines(scenarios: Iterable[ScenarioTold], paint: Paint) -> list[str]:
    return [_console_line(scenario, paint) for scenario in scenarios]


def _console_line(scenario: ScenarioTold, paint: Paint) -> str:
    result = (
        "" if scenario.outcome is Outcome.PASSED else f" ({_result(scenario).removeprefix(f'{scenario.outcome}: ')})"
    )
    took = f"  {words.seconds(scenario.duration_ms)}" if scenario.ending is Ending.FINISHED else ""
    text = _cut(f"{scenario.check.scenario}{result}", CONSOLE_COLUMNS - 12 - len(took))
    return f"  {paint(f'{scenario.outcome:<8}', scenario.outcome)} {text}{took}"


def _wrapped(label: str, text: str) -> list[str]:
    """Return text under a label on at most WHY_LINES lines."""
    line = _cut(text, 10 * WHY_COLUMNS)
    return textwrap.wrap(
        f"{label}{line}",
        width=WHY_COLUMNS,
        subsequent_indent=" " * len(label),
        max_lines=WHY_LINES,
        placeholder=" ...",
        break_on_hyphens=False,
    )


_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


def _cut(text: str, columns: int) -> str:
    """Return text on one line of a terminal, without what a terminal would obey."""
    line = " ".join(text.translate(_CONTROL).split())
    return line if len(line) <= columns else line[: columns - 3].rstrip() + "..."
