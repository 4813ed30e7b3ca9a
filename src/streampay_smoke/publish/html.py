"""The report without Node: one HTML file that loads nothing from anywhere."""

from collections.abc import Iterable
from datetime import UTC, datetime

from streampay_smoke.publish import objectives, wording
from streampay_smoke.publish.html_style import STYLE
from streampay_smoke.publish.markup import Markup, element, joined
from streampay_smoke.publish.report_model import RunReport, ScenarioEnding, ScenarioReport, StepReport
from streampay_smoke.publish.report_status import RED, ReportStatus
from streampay_smoke.publish.reported_problems import ReportedProblem, reported_problems
from streampay_smoke.publish.step_events import StepEvent

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""No script, no image, no font, no request: the browser itself keeps the report from loading anything."""

_KIND_CLASSES = {wording.REAL: "real", wording.SIMULATED: "simulated", wording.NOT_REACHED: "skipped"}
_ENDING_WORDS = {
    ScenarioEnding.EXCLUDED: "excluded here",
    ScenarioEnding.INTERRUPTED: "interrupted",
    ScenarioEnding.DID_NOT_RUN: "did not run",
}


def html_report(run: RunReport) -> bytes:
    """Return the whole report as one HTML document."""
    verdict = run.verdict
    title = f"{verdict.verdict} · StreamPay deploy gate"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=CONTENT_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    main = element("main", _banner(run), _facts(run), *_problems(run), *_features(run), *_objectives(run), _footer(run))
    page = element("html", head, element("body", main), lang="en")
    return f"<!doctype html>\n{page}\n".encode()


def _banner(run: RunReport) -> Markup:
    verdict = run.verdict
    return element(
        "header",
        element("p", "StreamPay deploy gate", class_="over"),
        element("h1", str(verdict.verdict)),
        element("p", wording.meaning(verdict), class_="meaning"),
        element("p", wording.reason(verdict), class_="message"),
        element("p", element("strong", "Next: "), wording.next_step(verdict), class_="next"),
        *(element("p", element("strong", "Warning: "), warning, class_="next") for warning in verdict.warnings),
        element("p", *_badges(run), class_="badges"),
        class_=f"banner {verdict.verdict.lower()}",
    )


def _badges(run: RunReport) -> Iterable[Markup]:
    for name, kind in (("service", wording.service(run.verdict)), ("ledger", wording.ledger(run.verdict))):
        yield element("span", f"{name}: {kind}", class_=f"badge {_KIND_CLASSES[kind]}")
    for outcome in ReportStatus:
        if run.count(outcome):
            yield element("span", f"{run.count(outcome)} {outcome}", class_=f"badge {outcome}")


def _facts(run: RunReport) -> Markup:
    verdict = run.verdict
    target, chain, cleanup = verdict.target, verdict.chain, verdict.cleanup
    ledgers = f", ledgers {chain.ledger_start} to {chain.ledger_end}" if chain.ledger_start is not None else ""
    facts = {
        "Environment": ", ".join(part for part in (target.environment, target.region) if part),
        "Deployment": target.base_url,
        "Release": wording.release(verdict),
        "Network": f"{chain.network}{ledgers}",
        "Contract": chain.contract_id,
        "Settlement": wording.settlement(verdict),
        "Synthetic data": f"{cleanup.created} made, {cleanup.deleted} brought to an end, {cleanup.leaked} left behind",
        "When": f"{_clock(verdict.timings.started_at_ms)}, took {wording.seconds(verdict.timings.total_ms)}",
    }
    rows = [joined(element("dt", name), element("dd", value)) for name, value in facts.items() if value]
    return element("dl", *rows, class_="facts")


def _problems(run: RunReport) -> Iterable[Markup]:
    """Yield what went wrong, before anything else is told."""
    found = reported_problems(run)
    if not found:
        return
    items = [
        element(
            "li",
            _title(problem),
            " ",
            element("span", _blamed(problem), class_=f"badge {problem.outcome}"),
            element("p", problem.text),
            *([element("p", f"{problem.beside}.")] if problem.beside else []),
        )
        for problem in found
    ]
    yield element("section", element("h2", "What went wrong"), element("ol", *items), class_="problems")


def _title(problem: ReportedProblem) -> Markup:
    if problem.scenario is None:
        return element("strong", problem.title)
    return element("a", problem.title, href=f"#{_anchor(problem.scenario)}")


def _blamed(problem: ReportedProblem) -> str:
    scenario = problem.scenario
    who = str(scenario.ending) if scenario and scenario.is_unfinished else wording.who(problem.attribution)
    return ", ".join(part for part in (problem.concern, who) if part)


def _objectives(run: RunReport) -> Iterable[Markup]:
    if not run.verdict.objectives:
        return
    items = [
        element(
            "li",
            element("span", each.decision, class_=f"badge {each.outcome}"),
            " ",
            element("strong", each.name),
            element("p", f"{each.measured}. {each.certainty}", class_="description"),
        )
        for each in objectives.objective_reports(run.verdict)
    ]
    heading = element("h2", "Objectives", element("small", objectives.counted(run.verdict)))
    yield element("section", heading, element("ul", *items), class_="objectives")


def _features(run: RunReport) -> Iterable[Markup]:
    for feature, scenarios in run.by_feature.items():
        passed = sum(scenario.outcome is ReportStatus.PASSED for scenario in scenarios)
        description = next((scenario.description for scenario in scenarios if scenario.description), "")
        yield element(
            "section",
            element("h2", feature, element("small", f"{passed} of {len(scenarios)} passed")),
            element("p", description, class_="description") if description else Markup(""),
            *map(_scenario, scenarios),
        )


def _scenario(scenario: ScenarioReport) -> Markup:
    outcome = _ENDING_WORDS.get(scenario.ending, str(scenario.outcome))
    summary = element(
        "summary",
        element("span", outcome, class_=f"badge {scenario.outcome}"),
        element("span", scenario.check.scenario, class_="name"),
        element("span", _measured(scenario), class_="took"),
    )
    return element(
        "details",
        summary,
        element("div", _error(scenario), _steps(scenario.steps), _origin(scenario), class_="inside"),
        id=_anchor(scenario),
        class_=f"scenario {scenario.outcome}",
        open="" if scenario.outcome in RED else None,
    )


def _measured(scenario: ScenarioReport) -> str:
    if scenario.ending in {ScenarioEnding.EXCLUDED, ScenarioEnding.DID_NOT_RUN}:
        return ""
    assertions = scenario.check.assertions
    counted = f"{wording.assertions(assertions)} · " if assertions else ""
    return f"{counted}{wording.seconds(scenario.duration_ms)}"


def _error(scenario: ScenarioReport) -> Markup:
    if scenario.outcome is ReportStatus.PASSED:
        return Markup("")
    if scenario.outcome is ReportStatus.SKIPPED:
        return element("p", wording.left_out(scenario.check, excluded="Left out here"), class_="reason")
    if scenario.outcome is ReportStatus.BLOCKED:
        return element("p", scenario.message, class_="reason")
    failure = scenario.failure
    facts = {
        "Attributed to": wording.who(scenario.check.attribution),
        "Kind": failure.kind if failure else scenario.check.rule,
        "At": scenario.failed_step.text if scenario.failed_step else "",
        "Next": failure.next_step if failure else "",
    }
    return element(
        "div",
        element("p", failure.message if failure else scenario.message, class_="what"),
        element(
            "dl",
            *(joined(element("dt", name), element("dd", value)) for name, value in facts.items() if value),
        ),
        class_=f"error {scenario.outcome}",
    )


def _steps(steps: Iterable[StepReport]) -> Markup:
    told = [_step(step) for step in steps]
    return element("ol", *told, class_="steps") if told else Markup("")


def _step(step: StepReport) -> Markup:
    took = step.note or wording.seconds(step.duration_ms)
    head = joined(
        element("span", class_=f"mark {step.outcome}", title=str(step.outcome)),
        element("span", step.text, class_="name"),
        element("span", took, class_="took"),
    )
    if not step.step_events:
        return element("li", element("div", head, class_="line"))
    return element(
        "li",
        element(
            "details",
            element("summary", head),
            element("ul", *map(_step_event, step.step_events), class_="step_events"),
            open="" if step.outcome in RED else None,
        ),
    )


def _step_event(step_event: StepEvent) -> Markup:
    mark = element("span", class_=f"mark {step_event.outcome}", title=str(step_event.outcome))
    facts = Markup("")
    if step_event.facts:
        rows = [joined(element("dt", name), element("dd", value)) for name, value in step_event.facts]
        facts = element("dl", *rows)
    if not step_event.bodies:
        return element("li", mark, element("span", step_event.words), facts)
    bodies = [joined(element("h4", name), element("pre", text)) for name, text in step_event.bodies]
    return element(
        "li", element("details", element("summary", mark, element("span", step_event.words)), facts, *bodies)
    )


def _origin(scenario: ScenarioReport) -> Markup:
    tags = " ".join(f"@{tag}" for tag in scenario.tags if not tag.startswith("allure."))
    origin = " · ".join(part for part in (scenario.location, tags) if part)
    return element("p", origin, class_="origin") if origin else Markup("")


def _footer(run: RunReport) -> Markup:
    verdict = run.verdict
    suite = f"streampay-smoke {run.started.suite_version}" if run.started else "streampay-smoke"
    lines = (
        f"Run {verdict.run_id or 'without an id'} · {suite} · exit code {verdict.exit_code} ({verdict.reason_code})",
        f"Computed from a journal with SHA-256 {verdict.evidence.journal_sha256}",
    )
    return element("footer", *(element("p", line) for line in lines))


def _anchor(scenario: ScenarioReport) -> str:
    return f"check-{scenario.check.id}"


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
