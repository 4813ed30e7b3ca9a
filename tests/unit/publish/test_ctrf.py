import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from official import package_file

from streampay_smoke.publish.ctrf import ctrf_json


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Draft7Validator:
    schema = json.loads(package_file("ctrf/dist/ctrf-schema-0.0.json").read_text())
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def parsed(run: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ctrf_json(run.report))
    return document


def test_every_run_keeps_to_the_official_schema(any_run: Any, official: jsonschema_rs.Draft7Validator) -> None:
    assert [str(error) for error in official.iter_errors(parsed(any_run))] == []


def test_the_official_schema_would_notice_a_wrong_report(
    sample: Callable[[str], Any], official: jsonschema_rs.Draft7Validator
) -> None:
    document = parsed(sample("passing"))
    document["results"]["tests"][0]["status"] = "fine"
    assert not official.is_valid(document)


def test_the_summary_counts_the_tests(any_run: Any) -> None:
    results = parsed(any_run)["results"]
    statuses = [test["status"] for test in results["tests"]]
    summary = results["summary"]
    assert summary["tests"] == len(statuses) > 0
    for status in ("passed", "failed", "skipped", "pending", "other"):
        assert summary[status] == statuses.count(status)


def test_a_run_that_is_no_pass_has_failed_tests_for_those_who_read_no_further(any_run: Any) -> None:
    assert (parsed(any_run)["results"]["summary"]["failed"] > 0) == (any_run.verdict.verdict != "PASS")


def test_a_test_says_whose_fault_it_is_and_where_it_is_written(sample: Callable[[str], Any]) -> None:
    test = parsed(sample("failing"))["results"]["tests"][1]
    assert test["labels"] == {"attribution": "product", "region": "eu-1", "build": "r-42"}
    assert (test["filePath"], test["line"]) == ("features/user_lists_streams.feature", 21)
    assert "saw 200 with 3 streams" in test["message"]
    assert [step["status"] for step in test["steps"]] == ["passed", "passed", "failed", "passed"]


def test_a_broken_test_keeps_its_own_word_beside_ctrfs(sample: Callable[[str], Any]) -> None:
    tests = parsed(sample("killed"))["results"]["tests"]
    assert [(test["status"], test["rawStatus"]) for test in tests[1:]] == [
        ("failed", "missing"),
        ("skipped", "missing"),
    ]
    assert tests[2]["extra"]["blocked_by"] == "run"


def test_a_passed_test_has_no_message(sample: Callable[[str], Any]) -> None:
    assert "message" not in parsed(sample("passing"))["results"]["tests"][0]


def test_the_environment_says_what_was_simulated(sample: Callable[[str], Any]) -> None:
    environment = parsed(sample("passing"))["results"]["environment"]
    assert environment["appVersion"] == "r-42"
    assert environment["extra"]["service_simulated"] is True
    assert environment["extra"]["ledger_simulated"] is True
