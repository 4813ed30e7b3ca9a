"""An in-toto test-result attestation: what a run vouches for, and when it vouches for nothing.

Statement v1 (in-toto.io/Statement/v1) with predicate test-result/v0.1. That predicate knows PASSED, WARNED and FAILED,
and no way to say "not known": a run without such an answer attests nothing.
"""

import hashlib
import re
from typing import Any

import msgspec

from streampay_smoke import __version__
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate.verdict import VERDICT, Check, Verdict, VerdictStatus, to_json

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_DIGESTS = (
    (re.compile(r"(?:.*@)?sha256:([0-9a-f]{64})"), "sha256"),
    (re.compile(r"([0-9a-f]{40})"), "gitCommit"),
)
"""Releases that name their content: an image's digest, a commit."""

RELEASE_DIGEST = "streampayReleaseSha256"
"""The digest of a release that only has a name: SHA-256 of that name. A name of our own, so that nobody takes it for
the digest of an artefact."""


class NothingToAttest(Exception):
    """This run vouches for nothing; the message says why."""


def attested(verdict: Verdict) -> bytes:
    """Return the statement about the release a run judged; raises NothingToAttest."""
    if verdict.verdict not in {VerdictStatus.PASS, VerdictStatus.FAIL}:
        raise NothingToAttest(f"{verdict.verdict} is no test result")
    if verdict.overrides:
        raise NothingToAttest("an override is a decision, not a test result")
    if verdict.target.simulated or verdict.chain.simulated:
        raise NothingToAttest("the service or the ledger was simulated")
    releases = verdict.target.releases_observed
    if len(releases) != 1:
        raise NothingToAttest(f"{len(releases)} releases answered: there is no one subject")
    warned = [check.id for check in verdict.checks if _warned(check)]
    passed = [check.id for check in verdict.checks if check.status == "passed" and not _warned(check)]
    failed = [check.id for check in verdict.checks if check.status == "failed"]
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": releases[0], "digest": digest_of(releases[0])}],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": "FAILED" if verdict.verdict is VerdictStatus.FAIL else "WARNED" if warned else "PASSED",
            "configuration": _configuration(verdict),
            "passedTests": passed,
            "warnedTests": warned,
            "failedTests": failed,
        },
    }
    return msgspec.json.encode(statement)


def digest_of(release: str) -> dict[str, str]:
    """Return the digest set of a release as it was observed on the wire."""
    for shape, algorithm in _DIGESTS:
        if found := shape.fullmatch(release):
            return {algorithm: found[1]}
    return {RELEASE_DIGEST: hashlib.sha256(release.encode()).hexdigest()}


def _warned(check: Check) -> bool:
    """Whether a check held, but not without a doubt: a request had to be sent again, or it stands under quarantine."""
    return check.quarantined is not None or (check.status == "passed" and check.flaky)


def _configuration(verdict: Verdict) -> list[dict[str, Any]]:
    return [
        {"name": "streampay-smoke", "annotations": {"version": __version__}},
        {"name": "environment", "annotations": {"name": verdict.target.environment, "region": verdict.target.region}},
        {"name": VERDICT, "digest": {"sha256": hashlib.sha256(to_json(verdict)).hexdigest()}},
        {"name": JOURNAL, "digest": {"sha256": verdict.evidence.journal_sha256}},
    ]
