"""`streampay-smoke history` as people use it: the overview, marks, and a bucket between two machines."""

import json
from pathlib import Path

import pytest
from history_parts import run_record

from streampay_smoke.cli import main
from streampay_smoke.history.store import HistoryStore

RUN = run_record(2, "FAIL", region="eu\x1b[2J")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMOKE_ARTIFACTS", str(tmp_path / "artifacts"))
    with HistoryStore.open(tmp_path / "artifacts" / "history.sqlite") as store:
        store.put([run_record(1), RUN, run_record(3, environment="production")])
    return tmp_path / "artifacts" / "history.sqlite"


def history(*arguments: str) -> int:
    return main(["history", *arguments])


def test_each_place_is_told_and_nothing_steers_the_terminal(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert history("mark", RUN.run_id, "false-alarm", "--why", "the ledger was late", "--who", "Ada") == 0
    assert history() == 0
    said = capsys.readouterr().out
    assert "staging, eu?[2J: 1 run\n" in said
    assert "production: 1 run\n" in said
    assert "false alarms     1 of 1 (100 %) of the runs that said FAIL, INCONCLUSIVE, SAFETY\n" in said
    assert f"    {RUN.run_id}: the ledger was late (Ada)\n" in said
    assert "promise_broken       v1  40.0 s  false-alarm\n" in said
    assert "reads: 800 ms (pass, promised 2000 ms; median before: not measured)\n" in said
    assert history("--env", "staging", "--region", "", "--json") == 0
    (place,) = json.loads(capsys.readouterr().out)
    assert (place["environment"], place["region"], place["trend"]) == ("staging", "", "P")
    assert history("--env", "nowhere") == 0
    assert capsys.readouterr().out == "no runs are known there\n"


def test_what_one_machine_exports_another_imports_twice(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert history("mark", RUN.run_id, "confirmed", "--why", "it was paid twice") == 0
    bucket = tmp_path / "bucket.jsonl"
    assert history("export", str(bucket)) == 0
    monkeypatch.setenv("SMOKE_HISTORY", str(tmp_path / "other.sqlite"))
    monkeypatch.setenv("SMOKE_ARTIFACTS", str(tmp_path / "elsewhere"))
    assert history("import", str(bucket)) == 0
    assert history("import", str(bucket), str(bucket)) == 0
    said = capsys.readouterr().out
    assert "imported: 4 lines, 4 of them new\n" in said
    assert "imported: 8 lines, 0 of them new\n" in said
    assert history("export") == 0
    assert capsys.readouterr().out.encode() == bucket.read_bytes()


def test_a_bad_line_is_named_and_nothing_is_imported(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket.jsonl"
    assert history("export", str(bucket)) == 0
    bucket.write_bytes(bucket.read_bytes() + b'{"kind": "run"}\n')
    file.unlink()
    assert history("import", str(bucket)) == 2
    assert f"{bucket}, line 4: Object missing required field" in capsys.readouterr().err
    with HistoryStore.open(file) as store:
        assert store.known() == frozenset()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mark", "another", "confirmed", "--why", "x"), "no run another is known"),
        (("mark", RUN.run_id, "confirmed", "--why", " "), "--why is empty"),
        (("import", "/nowhere/at/all"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    file: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert history(*arguments) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_history_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(b"no database" * 100)
    assert history() == 2
    assert "file is not a database" in capsys.readouterr().err


def test_a_run_ends_alike_where_its_record_cannot_be_kept(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = ["run", "--deadline", "soon", "--no-report"]
    assert main(refused) == 2
    well = capsys.readouterr()
    file.write_bytes(b"no database" * 100)
    assert main(refused) == 2
    badly = capsys.readouterr()
    assert "note:" not in well.err
    assert f"note: the history {file} cannot be used: file is not a database; the verdict does not" in badly.err
    assert badly.out.splitlines()[:5] == well.out.splitlines()[:5]
