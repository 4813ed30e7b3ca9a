"""The report for people: one HTML file that loads nothing from anywhere, made from the templates beside this module."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from streampay_smoke.publish import again, canary, objectives, regions, runbook, samples, wording
from streampay_smoke.publish.explanation import explanation
from streampay_smoke.publish.journey import journey
from streampay_smoke.publish.payment import payment_summary
from streampay_smoke.publish.report_model import RunReport, ScenarioEnding, ScenarioReport
from streampay_smoke.publish.report_status import RED, ReportStatus
from streampay_smoke.publish.reported_problems import ReportedProblem, reported_problems
from streampay_smoke.publish.step_events import StepEvent

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).with_name("templates")

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""No script, no image, no font, no request: the browser itself keeps the report from loading anything."""

_ENDING_WORDS = {
    ScenarioEnding.EXCLUDED: "excluded here",
    ScenarioEnding.INTERRUPTED: "interrupted",
    ScenarioEnding.DID_NOT_RUN: "did not run",
}


def html_report(run: RunReport) -> bytes:
    """Return the whole report as one HTML document."""
    verdict = run.verdict
    return render(
        "report.html.j2",
        run=run,
        verdict=verdict,
        policy=CONTENT_POLICY,
        title=f"{verdict.verdict} · StreamPay deploy gate",
        payment=payment_summary(run),
        outcomes={outcome: run.count(outcome) for outcome in ReportStatus if run.count(outcome)},
        kinds={"service": wording.service(verdict), "ledger": wording.ledger(verdict)},
        facts=_facts(run),
        problems=reported_problems(run),
        journey=journey(run),
        matrix=regions.matrix(run),
        objectives=list(
            zip(objectives.objective_reports(verdict), map(samples.sentence, verdict.objectives), strict=True)
        ),
        objectives_counted=objectives.counted(verdict),
        canary=canary.canary_report(run),
        canary_width=canary.WIDTH,
        pictures=samples.pictures(run),
        picture_width=samples.WIDTH,
        command=again.command(run),
        explorer=again.explorer_links(run),
        runbook=runbook.section(run),
        runbook_is_address=runbook.is_address(runbook.section(run)),
        suite=f"streampay-smoke {run.started.suite_version}" if run.started else "streampay-smoke",
    ).encode()


def render(template: str, **values: object) -> str:
    """Return a template filled in; every value in it is escaped, and a name it does not know is an error."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "jinja2.Environment":
    import jinja2  # no verdict waits for the templates

    from streampay_smoke.publish.compiled_templates import compiled_templates

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        bytecode_cache=compiled_templates(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": _short,
        "runs_of": regions.runs_of,
        "folded": _folded,
        "explained": explanation,
        "any_red": _any_red,
        "anchor": _anchor,
        "ending": _ending,
        "measured": _measured,
        "blamed": _blamed,
        "origin": _origin,
        "seconds": wording.seconds,
        "kind_class": {
            wording.REAL: "real",
            wording.SIMULATED: "simulated",
            wording.NOT_REACHED: "skipped",
        }.__getitem__,
    }
    environment.globals |= {"wording": wording, "RED": RED, "ReportStatus": ReportStatus}
    return environment


def _facts(run: RunReport) -> dict[str, str]:
    """Return what was judged, by name; what is not known is left out."""
    verdict = run.verdict
    target, chain, cleanup = verdict.target, verdict.chain, verdict.cleanup
    ledgers = f", ledgers {chain.ledger_start} to {chain.ledger_end}" if chain.ledger_start is not None else ""
    facts = {
        "Environment": ", ".join(part for part in (target.environment, target.region) if part),
        "Release": wording.release(verdict),
        "Deployment": target.base_url,
        "Replicas": wording.replicas(verdict),
        "Network": f"{chain.network}{ledgers}",
        "Contract": chain.contract_id,
        "Settlement": wording.settlement(verdict),
        "Synthetic data": f"{cleanup.created} made, {cleanup.deleted} brought to an end, {cleanup.leaked} left behind",
        "Cost": wording.cost(verdict),
        "When": f"{_clock(verdict.timings.started_at_ms)}, took {wording.seconds(verdict.timings.total_ms)}",
        "Since the last green run": run.since_green,
        "Run": verdict.run_id,
        "Read from": ", ".join(f"{name} {folder}" for name, folder in target.read_from.items()),
    }
    return {name: value for name, value in facts.items() if value}


def _short(text: str) -> Markup:
    """Return text in which long names take little room; a copy of them is whole."""
    parts = []
    end = 0
    for found in wording.LONG_NAMES.finditer(text):
        parts += [
            escape(text[end : found.start()]),
            Markup('<span class="long" title="{0}">{0}</span>').format(found[0]),
        ]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def _any_red(scenarios: Sequence[ScenarioReport]) -> bool:
    return any(scenario.outcome in RED for scenario in scenarios)


MOST_EXCHANGES = 3
"""Requests in a row that were answered, and are shown one by one; more of them are folded."""


def _folded(step_events: Sequence[StepEvent]) -> list[list[StepEvent]]:
    """Return the events of a step in their order: many answered requests in a row together, each other one alone."""
    groups: list[list[StepEvent]] = []
    for answered, found in groupby(step_events, lambda each: each.is_exchange and each.outcome is ReportStatus.PASSED):
        run = list(found)
        groups += [run] if answered and len(run) > MOST_EXCHANGES else [[each] for each in run]
    return groups


def _ending(scenario: ScenarioReport) -> str:
    return _ENDING_WORDS.get(scenario.ending, str(scenario.outcome))


def _blamed(problem: ReportedProblem) -> str:
    scenario = problem.scenario
    who = str(scenario.ending) if scenario and scenario.is_unfinished else wording.who(problem.attribution)
    return ", ".join(part for part in (problem.concern, who) if part)


def _measured(scenario: ScenarioReport) -> str:
    if scenario.ending in {ScenarioEnding.EXCLUDED, ScenarioEnding.DID_NOT_RUN}:
        return ""
    assertions = scenario.check.assertions
    counted = f"{wording.assertions(assertions)} · " if assertions else ""
    return f"{counted}{wording.seconds(scenario.duration_ms)}"


def _origin(scenario: ScenarioReport) -> str:
    tags = " ".join(f"@{tag}" for tag in scenario.tags if not tag.startswith("allure."))
    return " · ".join(part for part in (scenario.location, tags) if part)


def _anchor(scenario: ScenarioReport) -> str:
    return f"check-{scenario.check.id}"


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
