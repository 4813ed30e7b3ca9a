from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from streampay_smoke.publish.junit import junit_xml

# What Jenkins' schema of JUnit reports lets an element have.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": set(),
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def parsed(run: Any) -> ET.Element:
    return ET.fromstring(junit_xml(run.report))


def case(root: ET.Element, name: str) -> ET.Element:
    (found,) = [element for element in root.iter("testcase") if element.get("name") == name]
    return found


def test_every_run_is_junit_as_ci_systems_read_it(any_run: Any) -> None:
    root = parsed(any_run)
    for element in root.iter():
        assert set(element.keys()) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())


def test_the_counts_are_those_of_the_cases(any_run: Any) -> None:
    root = parsed(any_run)
    counts = {"tests": "testcase", "failures": "failure", "errors": "error"}
    for suite in [root, *root.iter("testsuite")]:
        for count, tag in (counts if suite is root else counts | {"skipped": "skipped"}).items():
            assert int(suite.get(count, "")) == len(list(suite.iter(tag)))


def test_a_pass_has_neither_failure_nor_error(sample: Callable[[str], Any]) -> None:
    root = parsed(sample("passing"))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "0", "0")


def test_a_run_that_is_no_pass_is_red(any_run: Any) -> None:
    root = parsed(any_run)
    red = int(root.get("failures", "")) + int(root.get("errors", ""))
    assert (red > 0) == (any_run.verdict.verdict != "PASS")


@pytest.mark.parametrize(
    ("run", "name", "tag", "kind"),
    [
        ("failing", 'A caller with <junk> & "more" is refused', "failure", "promise_broken"),
        ("ledger_down", "The recipient is paid exactly once", "error", "chain_unavailable"),
        ("killed", 'A caller with <junk> & "more" is refused', "error", "not-run"),
        ("hook_failed", "The recipient is paid exactly once", "error", "harness_error"),
        ("refused", "The run was refused before any scenario", "error", "guard_refused"),
    ],
)
def test_failures_are_the_releases_and_errors_everybody_elses(
    sample: Callable[[str], Any], run: str, name: str, tag: str, kind: str
) -> None:
    report = case(parsed(sample(run)), name).find(tag)
    assert report is not None
    assert report.get("type") == kind
    assert report.text is not None
    assert report.text.startswith("Attributed to ")


def test_an_exclusion_is_skipped_with_its_reason(sample: Callable[[str], Any]) -> None:
    report = case(parsed(sample("excluded")), "The recipient is paid exactly once").find("skipped")
    assert report is not None
    assert "read-only" in (report.text or "")


def test_the_suites_carry_run_verdict_and_release(sample: Callable[[str], Any]) -> None:
    for suite in parsed(sample("failing")).iter("testsuite"):
        properties = {item.get("name"): item.get("value") for item in suite.iter("property")}
        assert properties["run_id"] == "20261123T190000Z-abc123"
        assert properties["verdict"] == "FAIL"
        assert properties["release"] == "r-42"
        assert properties["service"] == "simulated"


def test_characters_xml_has_no_place_for_are_replaced(sample: Callable[[str], Any]) -> None:
    run = sample("failing")
    check = msgspec.structs.replace(run.verdict.checks[1], hint="bad \x00\x1b[31m \ud800 ]]> bytes")
    verdict = msgspec.structs.replace(run.verdict, checks=(check,))
    root = parsed(msgspec.structs.replace(run, verdict=verdict))
    (report,) = root.iter("failure")
    assert report.get("message") == "bad \ufffd\ufffd[31m \ufffd ]]> bytes"
