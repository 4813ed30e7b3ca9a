"""CTRF JSON (ctrf.io): the common test report format."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from streampay_smoke import __version__
from streampay_smoke.publish.report_model import RunReport, ScenarioReport, StepReport
from streampay_smoke.publish.report_status import ReportStatus
from streampay_smoke.publish.step_events import StepEvent

SPEC_VERSION = "0.0.0"

_STATUS = {
    ReportStatus.PASSED: "passed",
    ReportStatus.FAILED: "failed",
    # Consumers look at `failed` alone: what is broken or never ran must not slip past them as "other".
    ReportStatus.BROKEN: "failed",
    # What it waits for is a failed test of its own.
    ReportStatus.BLOCKED: "skipped",
    ReportStatus.SKIPPED: "skipped",
}


def ctrf_json(run: RunReport) -> bytes:
    """Return the run as CTRF; durations and times are milliseconds."""
    verdict = run.verdict
    document = {
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "reportId": str(uuid5(NAMESPACE_URL, f"streampay-smoke/{verdict.run_id}")),
        "generatedBy": "streampay-smoke",
        "results": {
            "tool": {"name": "streampay-smoke", "version": __version__},
            "summary": {
                "tests": len(run.scenarios),
                "passed": run.count(ReportStatus.PASSED),
                "failed": run.count(ReportStatus.FAILED) + run.count(ReportStatus.BROKEN),
                "skipped": run.count(ReportStatus.SKIPPED) + run.count(ReportStatus.BLOCKED),
                "pending": 0,
                "other": 0,
                "suites": len(run.by_feature),
                "start": verdict.timings.started_at_ms,
                "stop": verdict.timings.ended_at_ms,
                "extra": {
                    "verdict": verdict.verdict,
                    "message": verdict.message,
                    "action": verdict.action,
                    "objectives": list(verdict.objectives),
                    "causes": list(verdict.causes),
                },
            },
            "tests": [_test(scenario, run) for scenario in run.scenarios],
            "environment": _environment(run),
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _environment(run: RunReport) -> dict[str, Any]:
    target, chain = run.verdict.target, run.verdict.chain
    return {
        "reportName": "StreamPay deploy gate",
        "appName": "StreamPay",
        "appVersion": ", ".join(target.releases_observed),
        "testEnvironment": target.environment,
        "extra": {
            "run_id": run.verdict.run_id,
            "region": target.region,
            "base_url": target.base_url,
            "release_expected": target.release_expected,
            "network": chain.network,
            "service_simulated": target.simulated,
            "ledger_simulated": chain.simulated,
        },
    }


def _test(scenario: ScenarioReport, run: RunReport) -> dict[str, Any]:
    check = scenario.check
    report: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_URL, f"streampay-smoke/{run.verdict.run_id}/{check.id}")),
        "testId": check.id,
        "name": check.scenario,
        "status": _STATUS[scenario.outcome],
        "rawStatus": check.status,
        "duration": scenario.duration_ms,
        "start": scenario.started_at_ms,
        "stop": scenario.started_at_ms + scenario.duration_ms,
        "suite": [check.feature],
        "type": "smoke",
        "tags": list(scenario.tags),
        "labels": _labels(scenario, run),
        "retries": max(len(check.attempts) - 1, 0),
        "flaky": check.flaky,
        "steps": [_step(step) for step in scenario.steps],
        "extra": {"assertions": check.assertions, "concern": check.concern, "blocked_by": check.blocked_by},
    }
    if scenario.message:
        report["message"] = scenario.message
    file, _, line = scenario.location.rpartition(":")
    if file and line.isdecimal():
        report |= {"filePath": file, "line": int(line)}
    return report


def _labels(scenario: ScenarioReport, run: RunReport) -> dict[str, str]:
    target = run.verdict.target
    return {
        "attribution": scenario.check.attribution,
        "region": target.region,
        "build": ", ".join(target.releases_observed),
    }


def _step(step: StepReport) -> dict[str, Any]:
    checks = [step_event for step_event in step.step_events if not step_event.is_exchange]
    return {
        "name": step.text,
        "status": _STATUS[step.outcome],
        "extra": {"duration_ms": step.duration_ms, "note": step.note, "told": [_line(check) for check in checks]},
    }


def _line(step_event: StepEvent) -> dict[str, Any]:
    return {"words": step_event.words, "status": _STATUS[step_event.outcome], **dict(step_event.facts)}
