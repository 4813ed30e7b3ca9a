"""CDEvents 0.5.1 (cdevents.dev) as CloudEvents 1.0, one JSON document a line: the suite, its scenarios, its outputs."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from streampay_smoke import __version__
from streampay_smoke.core.files import replace_file
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate.verdict import VERDICT, Verdict, VerdictStatus, to_json
from streampay_smoke.publish.executor import executor
from streampay_smoke.publish.report_model import RunReport, ScenarioReport

SPEC_VERSION = "0.5.1"

SUITE_STARTED = "dev.cdevents.testsuiterun.started.0.3.0"
SUITE_FINISHED = "dev.cdevents.testsuiterun.finished.0.3.0"
CASE_FINISHED = "dev.cdevents.testcaserun.finished.0.3.0"
OUTPUT_PUBLISHED = "dev.cdevents.testoutput.published.0.3.0"

_SUITE_OUTCOMES = {VerdictStatus.PASS: "success", VerdictStatus.FAIL: "failure"}
"""Every other word is an error, and a run that was stopped is cancelled."""

_CASE_OUTCOMES = {"passed": "success", "failed": "failure"}

_SEVERITIES = {
    VerdictStatus.SAFETY: "critical",
    VerdictStatus.FAIL: "high",
    VerdictStatus.CONFIG: "medium",
    VerdictStatus.INCONCLUSIVE: "medium",
}

_SEVERITY_TAGS = {"blocker": "critical", "critical": "high", "normal": "medium", "minor": "low", "trivial": "low"}
"""Severity tags of the features, in CDEvents' words."""


def write_cdevents(path: Path, run: RunReport, environ: Mapping[str, str], reports: Mapping[str, str]) -> None:
    """Write the events of a run in the order they happened; see `cloud_events`."""
    replace_file(path, b"".join(msgspec.json.encode(event) + b"\n" for event in cloud_events(run, environ, reports)))


def cloud_events(run: RunReport, environ: Mapping[str, str], reports: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield each event in CloudEvents' structured mode; `reports` are those in the run's folder, with media types."""
    verdict = run.verdict
    place, suite_run = _environment(verdict), _run_id(verdict)
    began_at_ms, ended_at_ms = verdict.timings.started_at_ms, verdict.timings.ended_at_ms
    yield _event(run, SUITE_STARTED, suite_run, began_at_ms, place | {"trigger": _trigger(environ), **_suite()})
    for scenario in run.scenarios:
        if scenario.check.status != "excluded":
            at_ms = scenario.started_at_ms + scenario.duration_ms
            yield _event(run, CASE_FINISHED, _case_id(run, scenario), at_ms, place | _case(run, scenario))
    for name, media_type in {VERDICT: "application/json", **reports, JOURNAL: "application/jsonl"}.items():
        content = {"outputType": "log" if name == JOURNAL else "report", "format": media_type}
        yield _event(run, OUTPUT_PUBLISHED, f"{suite_run}/{name}", ended_at_ms, content)
    yield _event(
        run, SUITE_FINISHED, suite_run, ended_at_ms, place | _suite() | _answer(verdict), _custom_data(verdict)
    )


def outcome(verdict: Verdict) -> str:
    """Return the verdict in CDEvents' words: success, failure, cancel or error."""
    return "cancel" if verdict.reason_code == "terminated" else _SUITE_OUTCOMES.get(verdict.verdict, "error")


def _event(
    run: RunReport, kind: str, subject: str, at_ms: int, content: dict[str, Any], custom: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a CDEvent in the CloudEvent that carries it: its own context is the envelope's."""
    verdict = run.verdict
    context = {
        "specversion": SPEC_VERSION,
        "id": str(uuid5(NAMESPACE_URL, f"streampay-smoke/{verdict.run_id}/{kind}/{subject}")),
        "source": f"/streampay-smoke/{verdict.target.environment or 'unknown'}",
        "type": kind,
        "timestamp": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "chainId": verdict.trace_id or str(uuid5(NAMESPACE_URL, f"streampay-smoke/{verdict.run_id}")),
    }
    data = {"context": context, "subject": {"id": subject, "source": context["source"], "content": content}}
    if custom is not None:
        data |= {"customData": custom, "customDataContentType": "application/json"}
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": kind,
        "subject": subject,
        "time": context["timestamp"],
        "datacontenttype": "application/json",
        "data": data,
    }


def _environment(verdict: Verdict) -> dict[str, Any]:
    place = {"id": verdict.target.environment or "unknown"}
    if verdict.target.base_url:
        place["source"] = verdict.target.base_url
    return {"environment": place}


def _suite() -> dict[str, Any]:
    return {"testSuite": {"id": "streampay-smoke", "version": __version__, "name": "StreamPay deploy gate"}}


def _trigger(environ: Mapping[str, str]) -> dict[str, str]:
    build_url = executor(environ).build_url
    return {"type": "pipeline", "uri": build_url} if build_url else {"type": "manual"}


def _answer(verdict: Verdict) -> dict[str, str]:
    answer = {"outcome": outcome(verdict), "reason": verdict.reason_code}
    severity = _SEVERITIES.get(verdict.verdict)
    return answer | {"severity": severity} if severity else answer


def _custom_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.verdict,
        "action": verdict.action,
        "message": verdict.message,
        "attribution": verdict.attribution,
        "releases": verdict.target.releases_observed,
        "simulated": verdict.target.simulated or verdict.chain.simulated,
        "verdict_sha256": hashlib.sha256(to_json(verdict)).hexdigest(),
    }


def _case(run: RunReport, scenario: ScenarioReport) -> dict[str, Any]:
    check = scenario.check
    case: dict[str, Any] = {
        "outcome": _case_outcome(run, scenario),
        "testCase": {"id": check.id, "name": check.scenario, "type": "e2e"},
        "testSuiteRun": {"id": _run_id(run.verdict)},
    }
    if case["outcome"] != "success":
        case["reason"] = scenario.message
        case["severity"] = next((_SEVERITY_TAGS[tag] for tag in scenario.tags if tag in _SEVERITY_TAGS), "medium")
    return case


def _case_outcome(run: RunReport, scenario: ScenarioReport) -> str:
    check = scenario.check
    if check.status == "missing" and run.verdict.reason_code == "terminated":
        return "cancel"
    found = check.quarantined.found if check.quarantined else check.status
    return _CASE_OUTCOMES.get(found, "error")


def _case_id(run: RunReport, scenario: ScenarioReport) -> str:
    return f"{_run_id(run.verdict)}/{scenario.check.id}"


def _run_id(verdict: Verdict) -> str:
    """Return the run's id; a run that was refused before it had one still has events."""
    return verdict.run_id or "unknown"
