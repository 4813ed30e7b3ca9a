"""CDEvents 0.5.1: names, outcomes and required fields, as the specification's schemas have them.

No registry packages those schemas, so their rules stand here as tables; the CloudEvents envelope is checked with the
official library in test_official_schemas.py.
"""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.publish.cdevents import cloud_events, outcome
from streampay_smoke.publish.publish import publish

CONTEXT = {"specversion", "id", "source", "type", "timestamp", "chainId"}
CONTENT = {
    "dev.cdevents.testsuiterun.started.0.3.0": ({"environment"}, {"trigger", "testSuite"}),
    "dev.cdevents.testcaserun.finished.0.3.0": (
        {"environment", "outcome"},
        {"testCase", "testSuiteRun", "reason", "severity"},
    ),
    "dev.cdevents.testsuiterun.finished.0.3.0": ({"environment", "outcome"}, {"testSuite", "reason", "severity"}),
    "dev.cdevents.testoutput.published.0.3.0": ({"outputType", "format"}, {"uri", "testCaseRun"}),
}
"""Required and optional fields of each type's content."""

ONE_OF = {
    "outcome": {"success", "failure", "cancel", "error"},
    "severity": {"low", "medium", "high", "critical"},
    "outputType": {"report", "video", "image", "log", "other"},
}
KNOWN = {
    "environment": {"id", "source"},
    "testSuite": {"id", "version", "name", "uri"},
    "testCase": {"id", "version", "name", "type", "uri"},
    "testSuiteRun": {"id", "source"},
    "trigger": {"type", "uri"},
}


def events_of(run: Any, environ: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return [
        json.loads(msgspec.json.encode(event))
        for event in cloud_events(run.report, environ or {}, {"ctrf.json": "application/json"})
    ]


def test_every_event_keeps_to_the_rules_of_its_type(any_run: Any) -> None:
    for event in events_of(any_run):
        data = event["data"]
        assert set(data) <= {"context", "subject", "customData", "customDataContentType"}
        assert set(data["context"]) == CONTEXT
        assert all(data["context"].values())
        assert datetime.fromisoformat(data["context"]["timestamp"]).tzinfo is not None
        assert set(data["subject"]) == {"id", "source", "content"}
        content = data["subject"]["content"]
        required, optional = CONTENT[event["type"]]
        assert required <= set(content) <= required | optional
        for field, value in content.items():
            if field in ONE_OF:
                assert value in ONE_OF[field]
            elif isinstance(value, dict):
                assert set(value) <= KNOWN[field]
                assert value.get("id", "-")


def test_the_envelope_copies_the_events_own_context(any_run: Any) -> None:
    for event in events_of(any_run):
        context = event["data"]["context"]
        copied = {"id": "id", "source": "source", "type": "type", "time": "timestamp"}
        assert {name: event[name] for name in copied} == {name: context[of] for name, of in copied.items()}
        assert event["specversion"] == "1.0"
        assert event["subject"] == event["data"]["subject"]["id"]


def test_a_run_is_started_and_finished_once_and_all_belongs_together(any_run: Any) -> None:
    events = events_of(any_run)
    kinds = [event["type"].split(".")[2:4] for event in events]
    assert kinds[0] == ["testsuiterun", "started"]
    assert kinds[-1] == ["testsuiterun", "finished"]
    assert kinds.count(["testsuiterun", "started"]) == kinds.count(["testsuiterun", "finished"]) == 1
    assert len({event["data"]["context"]["chainId"] for event in events}) == 1
    assert len({event["id"] for event in events}) == len(events)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("passing", "success"),
        ("failing", "failure"),
        ("ledger_down", "error"),
        ("refused", "error"),
        ("hook_failed", "error"),
        ("killed", "cancel"),
        ("empty", "error"),
    ],
)
def test_the_verdict_is_the_suites_outcome(sample: Callable[[str], Any], name: str, answer: str) -> None:
    assert events_of(sample(name))[-1]["data"]["subject"]["content"]["outcome"] == answer


@pytest.mark.parametrize("status", VerdictStatus)
def test_no_word_but_pass_is_a_success(sample: Callable[[str], Any], status: VerdictStatus) -> None:
    verdict = msgspec.structs.replace(sample("passing").verdict, verdict=status)
    assert (outcome(verdict) == "success") == (status is VerdictStatus.PASS)


def test_each_scenario_has_its_own_outcome(sample: Callable[[str], Any]) -> None:
    cases = [
        event["data"]["subject"]["content"] for event in events_of(sample("failing")) if "testcaserun" in event["type"]
    ]
    assert [case["outcome"] for case in cases] == ["success", "failure", "success"]
    assert cases[1]["severity"] == "critical"
    assert "saw 200 with 3 streams" in cases[1]["reason"]
    assert all(case["testSuiteRun"] == {"id": "20261123T190000Z-abc123"} for case in cases)


def test_what_was_left_out_or_stopped_is_no_success(sample: Callable[[str], Any]) -> None:
    left_out = [event for event in events_of(sample("excluded")) if "testcaserun" in event["type"]]
    assert len(left_out) == 2
    stopped = [
        event["data"]["subject"]["content"] for event in events_of(sample("killed")) if "testcase" in event["type"]
    ]
    assert [case["outcome"] for case in stopped][-2:] == ["cancel", "cancel"]


def test_the_pipeline_that_asked_is_named(sample: Callable[[str], Any]) -> None:
    ci = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}
    started = events_of(sample("passing"), {"GITHUB_ACTIONS": "true", **ci})[0]
    assert started["data"]["subject"]["content"]["trigger"]["type"] == "pipeline"
    assert "a/b" in started["data"]["subject"]["content"]["trigger"]["uri"]
    assert events_of(sample("passing"))[0]["data"]["subject"]["content"]["trigger"] == {"type": "manual"}


def test_the_file_has_one_event_a_line(sample: Callable[[str], Any], tmp_path: Path) -> None:
    publish(tmp_path, sample("passing").report, environ={})
    lines = (tmp_path / "cdevents.jsonl").read_text().splitlines()
    told = [event["subject"] for event in map(json.loads, lines) if "testoutput" in event["type"]]
    outputs = ["verdict.json", "junit/streampay-smoke.xml", "ctrf.json", "summary.md", "journal.jsonl"]
    assert [subject.split("/", 1)[1] for subject in told] == outputs
    assert json.loads(lines[-1])["data"]["customData"]["verdict"] == "PASS"
