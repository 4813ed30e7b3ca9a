"""What is known of runs before one: the file and the folders together, and each alone where the other is gone."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from fleet_parts import ROOT, environment_in
from history_parts import run_record
from msgspec.structs import replace

from streampay_smoke.evidence.chain import ChainRead
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus, to_json
from streampay_smoke.history.store import HistoryStore
from streampay_smoke.run.earlier_runs import EarlierRuns, missing_in
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.whole_suite import accepted_smoke


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    environment_in(tmp_path)
    (tmp_path / "features").mkdir()
    shutil.copy(ROOT / "features" / "manifest.jsonl", tmp_path / "features")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "artifacts"


def ended(artifacts: Path, name: str, word: str, *, old: bool = True) -> None:
    """Leave the folder of a run of the whole suite in staging."""
    blank = judge(ChainRead(entries=(), sha256=""))
    verdict = replace(
        blank,
        verdict=VerdictStatus(word),
        target=replace(blank.target, environment="staging"),
        evidence=replace(blank.evidence, expected_ids=tuple(sorted(accepted_smoke()))),
    )
    (artifacts / name).mkdir(parents=True)
    (artifacts / name / "journal.jsonl").touch()
    (artifacts / name / "verdict.json").write_bytes(to_json(verdict))
    if old:
        os.utime(artifacts / name / "journal.jsonl", (0, 0))


def before(artifacts: Path) -> EarlierRuns:
    return EarlierRuns(RunFolder(run_id="20260101T000009Z-abc", path=artifacts / "20260101T000009Z-abc"), None)


def kept(artifacts: Path, *verdicts: str) -> None:
    with HistoryStore.open(artifacts / "history.sqlite") as store:
        store.put([run_record(number, verdict) for number, verdict in enumerate(verdicts, start=1)])


def test_a_row_goes_over_folders_and_over_what_only_the_file_knows(artifacts: Path) -> None:
    kept(artifacts, "PASS", "INCONCLUSIVE", "INCONCLUSIVE")
    ended(artifacts, "20260101T000004Z-abc", "INCONCLUSIVE")
    ended(artifacts, "20260101T000003Z-abc", "PASS")  # the file's record of a run wins over its folder
    earlier = before(artifacts)
    assert (earlier.inconclusive_before("staging", ""), earlier.notes) == (3, [])


def test_an_answer_that_only_the_file_knows_ends_a_row_and_is_told(artifacts: Path) -> None:
    kept(artifacts, "INCONCLUSIVE", "PASS")
    for number in (1, 3):
        ended(artifacts, f"20260101T00000{number}Z-zzz", "INCONCLUSIVE")
    earlier = before(artifacts)
    assert earlier.inconclusive_before("staging", "") == 1
    (note,) = earlier.notes
    assert "1 runs before this one were INCONCLUSIVE in a row, not 2 as their folders say" in note


def test_a_file_that_cannot_be_used_is_one_note_and_the_folders_answer(artifacts: Path) -> None:
    for number in (1, 2):
        ended(artifacts, f"20260101T00000{number}Z-zzz", "INCONCLUSIVE")
    (artifacts / "history.sqlite").write_bytes(b"no database" * 100)
    earlier = before(artifacts)
    assert earlier.inconclusive_before("staging", "") == 2
    assert earlier.record(run_record(9)) == ""
    (note,) = earlier.notes
    assert "cannot be used" in note
    assert "the verdict does not depend on it" in note


def test_a_python_without_sqlite_is_a_note_too(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(artifacts, "INCONCLUSIVE")
    ended(artifacts, "20260101T000001Z-zzz", "INCONCLUSIVE")
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    earlier = before(artifacts)
    assert earlier.inconclusive_before("staging", "") == 1
    assert earlier.record(run_record(9)) == ""
    assert "this Python has no sqlite3" in earlier.notes[0]


def test_without_a_file_none_is_made_to_count_and_one_to_record(artifacts: Path) -> None:
    earlier = before(artifacts)
    assert earlier.inconclusive_before("staging", "") == 0
    assert not artifacts.exists()
    assert earlier.record(run_record(9, releases=("v2",))).startswith("No earlier green run")
    assert before(artifacts).record(run_record(9)).startswith("No earlier green run"), "a run is not its own past"


def test_the_end_of_a_run_takes_in_what_killed_runs_left(artifacts: Path) -> None:
    ended(artifacts, "20260101T000001Z-green", "PASS")
    ended(artifacts, "20260101T000002Z-played", "INCONCLUSIVE", old=False)
    (artifacts / "20260101T000003Z-empty").mkdir()
    earlier = before(artifacts)
    assert earlier.record(run_record(9)).startswith("20260101T000001Z-green: ")
    with HistoryStore.open(artifacts / "history.sqlite") as store:
        assert store.known() == {"20260101T000001Z-green", run_record(9).run_id}
        assert missing_in(store, artifacts) == []
