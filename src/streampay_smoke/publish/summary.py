"""`summary.md`: a run as Markdown, for people and the pages of a CI system."""

from collections.abc import Iterable, Sequence

from streampay_smoke.publish import objectives, regions, runbook, wording
from streampay_smoke.publish.canary import canary_report
from streampay_smoke.publish.explanation import explanation
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport, ScenarioEnding, ScenarioReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.reported_problems import ReportedProblem, reported_problems

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
        f"## Checks: {wording.outcomes(run)}",
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
        yield f"| | **{_markdown(feature)}** | {wording.passed_of(scenarios)} | {held} | {took} |"
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
        rows.setdefault(wording.result(scenario) if shared else scenario.check.id, []).append(scenario)
    return list(rows.values())


def _has_a_row(scenario: ScenarioReport) -> bool:
    if scenario.outcome is ReportStatus.PASSED:
        return scenario.check.flaky or scenario.check.quarantined is not None
    return scenario.outcome is not ReportStatus.BLOCKED


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


def _row(scenarios: Sequence[ScenarioReport]) -> str:
    first = scenarios[0]
    names = _markdown("; ".join(scenario.check.scenario for scenario in scenarios))
    assertions = sum(scenario.check.assertions for scenario in scenarios)
    took = wording.seconds(first.duration_ms) if first.ending is ScenarioEnding.FINISHED and len(scenarios) == 1 else ""
    return f"| {_SIGNS[first.outcome]} | {names} | {_markdown(wording.result(first))} | {assertions} | {took} |"


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
