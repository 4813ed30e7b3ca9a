"""Merging runs that were made elsewhere: what is verified, judged again, and refused."""

import base64
import datetime
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sample_runs import SCRIPTS, START_MS, STARTED, Script

from streampay_smoke.cli import main
from streampay_smoke.core.signing import PublicKey, SigningKey
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import Verdict, VerdictStatus, from_json
from streampay_smoke.operations.merge import Artifact, MergeEvidence, Trust, read_evidence
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.seal import seal

SEED = base64.b64encode(b"k" * 32).decode()
KEY = SigningKey.given(SEED, variable="KEY")
OTHER_KEY = SigningKey.given(base64.b64encode(b"o" * 32).decode(), variable="KEY")

Played = Callable[..., Path]


@pytest.fixture(name="played")
def _played(tmp_path: Path) -> Played:
    """Leave the folder of a run as it ended."""

    def play(region: str, story: str = "passing", *, signed: bool = False, ended: bool = True, age_ms: int = 0) -> Path:
        folder = RunFolder.create(tmp_path / region)
        script: Script = SCRIPTS[story]()
        started = msgspec.structs.replace(
            STARTED, run_id=folder.run_id, region=region, signed_by=KEY.public.id if signed else ""
        )
        times = iter([entry.at_ms - age_ms for entry in script.entries])
        with Journal(folder.journal_path, Redactor(), now_ms=lambda: next(times)) as journal:
            for entry in script.entries:
                journal.append(started if entry.event == STARTED else entry.event)
        if ended:
            seal(folder, folder.judged(), KEY if signed else None)
            folder.write_verdict(folder.judged())
        return folder.path

    return play


def read(*paths: Path, keys: tuple[PublicKey, ...] = (), later_ms: int = 60_000) -> MergeEvidence:
    artifacts = [Artifact(path=path) for path in paths]
    return read_evidence(artifacts, Trust(now_ms=START_MS + later_ms, keys=keys))


def kinds(evidence: MergeEvidence) -> list[str]:
    return [each.kind for each in evidence.refused]


def test_a_run_counts_with_the_verdict_that_its_journal_gives(played: Played) -> None:
    evidence = read(played("eu"), played("us", "failing") / "verdict.json")

    assert [(run.region, run.verdict["verdict"]) for run in evidence.runs] == [
        ("eu", VerdictStatus.PASS),
        ("us", VerdictStatus.FAIL),
    ]
    assert kinds(evidence) == []


def test_a_journal_that_was_changed_does_not_count(played: Played) -> None:
    folder = played("us", "failing")
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"200 with 3 streams", b"401 with 0 streams"))
    evidence = read(folder)

    assert kinds(evidence) == ["journal_forged"]
    assert (evidence.runs, evidence.refused[0].region) == ((), "us")


def test_a_verdict_that_its_journal_does_not_prove_does_not_count(played: Played) -> None:
    good, bad = played("eu"), played("us", "failing")
    verdict = json.loads((good / "verdict.json").read_bytes())
    own = json.loads((bad / "verdict.json").read_bytes())
    verdict["evidence"]["journal_sha256"] = own["evidence"]["journal_sha256"]
    (bad / "verdict.json").write_text(json.dumps(verdict))

    assert kinds(read(good, bad)) == ["verdict_forged"]


def test_a_verdict_of_another_journal_does_not_count(played: Played) -> None:
    one, other = played("eu"), played("us")
    (other / "verdict.json").write_bytes((one / "verdict.json").read_bytes())

    assert kinds(read(other)) == ["verdict_forged"]


def test_only_what_a_given_key_signed_counts_where_keys_are_given(played: Played) -> None:
    signed, unsigned = played("eu", signed=True), played("us")

    assert kinds(read(signed, keys=(OTHER_KEY.public, KEY.public))) == []
    assert kinds(read(signed, unsigned, keys=(KEY.public,))) == ["not_signed"]
    assert kinds(read(signed, keys=(OTHER_KEY.public,))) == ["not_signed"]


@pytest.mark.parametrize(
    ("later_ms", "kind"), [(3_000_000, []), (3_700_000, ["run_stale"]), (-400_000, ["run_in_the_future"])]
)
def test_a_run_counts_for_a_while_only(played: Played, later_ms: int, kind: list[str]) -> None:
    assert kinds(read(played("eu"), later_ms=later_ms)) == kind


def test_what_is_no_run_does_not_count(played: Played, tmp_path: Path) -> None:
    folder = played("eu")
    (folder / "journal.jsonl").unlink()
    unnamed = played("", "passing")

    assert kinds(read(folder, tmp_path / "nothing", unnamed)) == [
        "journal_missing",
        "verdict_unreadable",
        "region_unnamed",
    ]


@pytest.mark.parametrize("story", ["passing", "failing"])
def test_a_run_that_was_killed_with_its_supervisor_proves_nothing(played: Played, story: str) -> None:
    killed = played("eu", story, ended=False)
    journal = killed / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))  # it never finished
    for keys in ((), (KEY.public,)):  # nobody was left to sign it
        evidence = read(killed, keys=keys)

        assert kinds(evidence) == []
        assert [run.verdict["verdict"] for run in evidence.runs] == [VerdictStatus.INCONCLUSIVE]


def test_a_run_that_passed_is_not_passed_off_as_one_that_was_killed(played: Played) -> None:
    folder = played("eu")
    verdict = json.loads((folder / "verdict.json").read_bytes())
    verdict["evidence"]["journal_sha256"] = hashlib.sha256(b"").hexdigest()
    (folder / "verdict.json").write_text(json.dumps(verdict))

    assert kinds(read(folder, keys=(KEY.public,))) == ["verdict_forged"]


def test_safety_counts_even_where_its_evidence_is_too_old(played: Played) -> None:
    evidence = read(played("eu", "refused"), later_ms=9_000_000)

    assert kinds(evidence) == ["run_stale"]
    assert [run.verdict["verdict"] for run in evidence.runs] == [VerdictStatus.SAFETY]


def merged(capsys: pytest.CaptureFixture[str], artifacts: Path, *arguments: object) -> tuple[int, Verdict, str]:
    code = main(["merge", *map(str, arguments), "--max-age", "99999999999"])
    path = artifacts / "latest" / "verdict.json"
    return code, from_json(path.read_bytes()), capsys.readouterr().out


def test_the_command_leaves_a_verdict_a_decision_and_a_matrix(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMOKE_ARTIFACTS", str(tmp_path / "merged"))
    monkeypatch.setenv("SMOKE_SIGNING_KEY", SEED)
    # The stories happen at a fixed time, which another machine's clock may not have reached.
    monkeypatch.setattr("streampay_smoke.operations.merge.now_ms", lambda: START_MS + 60_000)
    eu, us = played("eu", signed=True), played("us", "failing", signed=True)
    code, verdict, said = merged(capsys, tmp_path / "merged", eu, us, "--expect", "eu", "us")
    folder = (tmp_path / "merged" / "latest").resolve()

    assert (code, verdict.reason_code) == (1, "region_failed")
    assert KEY.public.verify((folder / "verdict.dsse.json").read_bytes(), "application/vnd.streampay.gate-verdict+json")
    assert json.loads((folder / "decision.json").read_bytes())["regions"]["eu"] == "hold"
    assert "us failed" in said
    assert "Next: Roll back us, and promote no other region." in said
    page, summary = (folder / "report.html").read_text(), (folder / "summary.md").read_text()
    assert "Features by region" in page
    assert '<th scope="row">Authenticated user lists streams</th><td><span class="badge passed">passed' in page
    assert "| Feature | eu | us |" in summary
    assert "| Authenticated user lists streams | ✅ passed | ❌ failed |" in summary

    code, verdict, _ = merged(capsys, tmp_path / "merged", eu, folder, "--expect", "eu")
    assert (code, verdict.reason_code) == (3, "artifact_refused")
    assert "merged_already" in verdict.message

    code, verdict, _ = merged(capsys, tmp_path / "merged", eu, "--expect", "eu")
    assert (code, verdict.verdict) == (0, VerdictStatus.PASS)


def test_a_merge_is_judged_reported_and_overridden_like_a_run(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMOKE_ARTIFACTS", str(tmp_path / "merged"))
    monkeypatch.setenv("SMOKE_SIGNING_KEY", SEED)
    monkeypatch.setattr("streampay_smoke.operations.merge.now_ms", lambda: START_MS + 60_000)
    eu, us = played("eu", signed=True), played("us", "failing", signed=True)
    _, first, _ = merged(capsys, tmp_path / "merged", eu, us, "--expect", "eu", "us")
    folder = (tmp_path / "merged" / "latest").resolve()
    key = tmp_path / "gate.pub"
    key.write_text(base64.b64encode(KEY.public.raw).decode())

    assert main(["judge", str(folder), "--verify", str(key)]) == 1
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert "Features by region" in (folder / "report.html").read_text()

    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    asked = ["override", str(folder), "--to", "PASS", "--who", "Ann", "--why", "known", "--until", later.isoformat()]
    capsys.readouterr()
    assert main(asked) == 0
    said = capsys.readouterr().out
    overridden = from_json((folder / "verdict.json").read_bytes())
    assert (overridden.reason_code, overridden.regions[1].verdict) == ("overridden", first.regions[1].verdict)
    assert "OVERRIDDEN from FAIL by Ann" in said
    assert "OVERRIDDEN from FAIL by Ann" in (folder / "summary.md").read_text()
    assert json.loads((folder / "decision.json").read_bytes())["regions"] == {"eu": "promote", "us": "promote"}
    assert main(["judge", str(folder), "--verify", str(key)]) == 0

    assert main(asked) == 2  # a run is overridden once
    code, verdict, _ = merged(capsys, tmp_path / "merged", eu, folder, "--expect", "eu", "us")
    assert (code, "merged_already" in verdict.message) == (3, True)
