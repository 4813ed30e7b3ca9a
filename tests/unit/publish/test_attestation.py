"""What a run vouches for, and when it vouches for nothing."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streampay_smoke.gate.verdict import Override, Verdict, VerdictStatus, to_json
from streampay_smoke.publish.attestation import NothingToAttest, attested, digest_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def real(verdict: Verdict, **target: Any) -> Verdict:
    return msgspec.structs.replace(
        verdict,
        target=msgspec.structs.replace(verdict.target, simulated=False, **target),
        chain=msgspec.structs.replace(verdict.chain, simulated=False),
    )


def statement(verdict: Verdict) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(attested(verdict))
    return content


def test_a_pass_attests_the_release_that_answered_and_every_check(sample: Callable[[str], Any]) -> None:
    verdict = real(sample("passing").verdict)
    report = statement(verdict)
    assert report["subject"] == [{"name": "r-42", "digest": digest_of("r-42")}]
    assert report["predicate"]["result"] == "PASSED"
    assert report["predicate"]["passedTests"] == [check.id for check in verdict.checks]
    sums = {item["name"]: item["digest"]["sha256"] for item in report["predicate"]["configuration"] if "digest" in item}
    assert sums == {
        "verdict.json": hashlib.sha256(to_json(verdict)).hexdigest(),
        "journal.jsonl": verdict.evidence.journal_sha256,
    }


def test_a_fail_names_the_checks_that_failed(sample: Callable[[str], Any]) -> None:
    predicate = statement(real(sample("failing").verdict))["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["failedTests"] == ["user_lists_streams/a-caller-with-junk-is-refused"]
    assert len(predicate["passedTests"]) == 2


def test_a_flaky_check_is_a_warning(sample: Callable[[str], Any]) -> None:
    verdict = real(sample("passing").verdict)
    first, *others = verdict.checks
    flaky = msgspec.structs.replace(verdict, checks=(msgspec.structs.replace(first, flaky=True), *others))
    predicate = statement(flaky)["predicate"]
    assert (predicate["result"], predicate["warnedTests"]) == ("WARNED", [first.id])
    assert first.id not in predicate["passedTests"]


@pytest.mark.parametrize("name", ["ledger_down", "killed", "refused", "hook_failed", "after_all_failed", "empty"])
def test_without_an_answer_nothing_is_attested(sample: Callable[[str], Any], name: str) -> None:
    with pytest.raises(NothingToAttest, match="no test result"):
        attested(real(sample(name).verdict))


@pytest.mark.parametrize("status", [VerdictStatus.INCONCLUSIVE, VerdictStatus.CONFIG, VerdictStatus.SAFETY])
def test_only_pass_and_fail_are_test_results(sample: Callable[[str], Any], status: VerdictStatus) -> None:
    with pytest.raises(NothingToAttest):
        attested(msgspec.structs.replace(real(sample("passing").verdict), verdict=status))


def test_a_simulation_is_never_attested(sample: Callable[[str], Any]) -> None:
    verdict = sample("passing").verdict
    assert verdict.target.simulated
    with pytest.raises(NothingToAttest, match="simulated"):
        attested(verdict)
    chain = msgspec.structs.replace(real(verdict).chain, simulated=True)
    with pytest.raises(NothingToAttest, match="simulated"):
        attested(msgspec.structs.replace(real(verdict), chain=chain))


@pytest.mark.parametrize("releases", [(), ("r1", "r2")])
def test_without_one_release_there_is_no_subject(sample: Callable[[str], Any], releases: tuple[str, ...]) -> None:
    with pytest.raises(NothingToAttest, match="releases answered"):
        attested(real(sample("passing").verdict, releases_observed=releases))


def test_an_override_is_not_attested(sample: Callable[[str], Any]) -> None:
    override = Override(who="ana", why="drill", until="2027-01-01T00:00:00Z", from_="FAIL", to="PASS")
    with pytest.raises(NothingToAttest, match="override"):
        attested(msgspec.structs.replace(real(sample("passing").verdict), overrides=(override,)))


@pytest.mark.parametrize(
    ("release", "digest"),
    [
        (f"sha256:{'ab' * 32}", {"sha256": "ab" * 32}),
        (f"registry.example/pay@sha256:{'ab' * 32}", {"sha256": "ab" * 32}),
        (COMMIT, {"gitCommit": COMMIT}),
        ("r-42", {"streampayReleaseSha256": hashlib.sha256(b"r-42").hexdigest()}),
    ],
)
def test_a_release_is_identified_by_its_content_where_it_names_it(release: str, digest: dict[str, str]) -> None:
    assert digest_of(release) == digest
