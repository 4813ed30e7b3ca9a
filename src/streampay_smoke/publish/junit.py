"""JUnit XML: a failure is the release's fault, an error anybody else's or no answer at all."""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from streampay_smoke.publish import wording
from streampay_smoke.publish.report_model import RunReport, ScenarioReport
from streampay_smoke.publish.report_status import ReportStatus

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(run: RunReport) -> bytes:
    """Return one `testsuites` document with a suite for each feature; times are seconds."""
    root = ET.Element("testsuites", _counts(run.scenarios) | {"name": "streampay-smoke"})
    del root.attrib["skipped"]  # Jenkins' schema counts them in each suite only
    root.set("time", _time(run.verdict.timings.total_ms))
    for feature, scenarios in run.by_feature.items():
        suite = ET.SubElement(root, "testsuite", {"name": _text(feature)} | _counts(scenarios))
        started_at_ms = min(scenario.started_at_ms for scenario in scenarios)
        suite.set("timestamp", datetime.fromtimestamp(started_at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        suite.set("time", _time(sum(scenario.duration_ms for scenario in scenarios)))
        suite.set("hostname", _text(run.verdict.target.region or "unknown"))
        properties = ET.SubElement(suite, "properties")
        for name, value in _properties(run).items():
            ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
        for scenario in scenarios:
            suite.append(_case(scenario))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _properties(run: RunReport) -> dict[str, str]:
    verdict = run.verdict
    return {
        "run_id": verdict.run_id,
        "verdict": verdict.verdict,
        "reason_code": verdict.reason_code,
        "release": ", ".join(verdict.target.releases_observed) or verdict.target.release_expected,
        "release_expected": verdict.target.release_expected,
        "environment": verdict.target.environment,
        "service": wording.service(verdict),
        "ledger": wording.ledger(verdict),
        **({"override": wording.meaning(verdict)} if verdict.overrides else {}),
        **({"warnings": "; ".join(verdict.warnings)} if verdict.warnings else {}),
    }


def _counts(scenarios: tuple[ScenarioReport, ...]) -> dict[str, str]:
    outcomes = [scenario.outcome for scenario in scenarios]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(ReportStatus.FAILED)),
        "errors": str(outcomes.count(ReportStatus.BROKEN)),
        "skipped": str(outcomes.count(ReportStatus.SKIPPED) + outcomes.count(ReportStatus.BLOCKED)),
    }


_VERDICT_TAGS = {
    ReportStatus.FAILED: "failure",
    ReportStatus.BROKEN: "error",
    ReportStatus.BLOCKED: "skipped",  # what it waits for is a failure or an error of its own
    ReportStatus.SKIPPED: "skipped",
}


def _case(scenario: ScenarioReport) -> ET.Element:
    check = scenario.check
    names = {"name": check.scenario, "classname": check.feature}
    case = ET.Element("testcase", {name: _text(value) for name, value in names.items()})
    case.set("time", _time(scenario.duration_ms))
    tag = _VERDICT_TAGS.get(scenario.outcome)
    if tag is not None:
        element = ET.SubElement(case, tag)
        if tag == "skipped":
            element.text = _text(scenario.message)
        else:
            element.set("message", _text(scenario.message))
            element.set("type", scenario.failure.kind if scenario.failure else check.rule or check.attribution)
            element.text = _text(f"Attributed to {wording.who(check.attribution)}.\n{scenario.message}")
    if scenario.steps:
        ET.SubElement(case, "system-out").text = _text("\n".join(_lines(scenario)))
    return case


def _lines(scenario: ScenarioReport) -> list[str]:
    return [
        f"{step.text} ... {step.note or step.outcome} ({wording.seconds(step.duration_ms)})" for step in scenario.steps
    ]


def _time(duration_ms: int) -> str:
    return f"{duration_ms // 1000}.{duration_ms % 1000:03d}"


def _text(text: str) -> str:
    """Return `text` without the characters XML has no place for."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
