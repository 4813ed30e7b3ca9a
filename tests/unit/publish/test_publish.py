from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streampay_smoke.publish.publish import REPORTS, Report, publish
from streampay_smoke.publish.report_model import RunReport


def test_every_run_leaves_every_report_whole(any_run: Any, tmp_path: Path) -> None:
    published = publish(tmp_path, any_run.report, environ={})
    assert published.notes == ()
    assert {path.relative_to(tmp_path).as_posix() for path in published.written} == {
        "junit/streampay-smoke.xml",
        "ctrf.json",
        "summary.md",
        "cdevents.jsonl",
        "allure-results",
        "report.html",
    }
    assert all(path.exists() for path in published.written)
    assert not list(tmp_path.rglob(".*"))


def test_publishing_again_replaces_what_was_there(sample: Callable[[str], Any], tmp_path: Path) -> None:
    passing, failing = sample("passing"), sample("failing")
    publish(tmp_path, passing.report, environ={})
    publish(tmp_path, failing.report, environ={})
    assert len(list((tmp_path / "allure-results").glob("*-result.json"))) == 3
    assert (tmp_path / "summary.md").read_text().startswith("# FAIL")


def test_a_publisher_that_fails_is_a_note_and_stops_nobody(sample: Callable[[str], Any], tmp_path: Path) -> None:
    def broken(path: Path, run: RunReport, environ: Mapping[str, str]) -> None:
        raise RuntimeError("no room")

    run = sample("passing")
    published = publish(tmp_path, run.report, environ={}, reports={"first.txt": Report(write=broken), **REPORTS})
    assert published.notes == ("first.txt could not be written: RuntimeError: no room",)
    assert len(published.written) == len(REPORTS)
    assert not (tmp_path / "first.txt").exists()


def test_a_report_whose_place_is_taken_is_a_note(sample: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "junit").write_text("a file")
    run = sample("passing")
    published = publish(tmp_path, run.report, environ={})
    assert [note.split(" could")[0] for note in published.notes] == ["junit/streampay-smoke.xml"]
    assert (tmp_path / "ctrf.json").exists()
