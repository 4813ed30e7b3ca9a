"""Writes every report of a run. One that fails is a note, and never stops the others or changes the verdict."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.core.files import replace_file
from streampay_smoke.publish.allure import write_allure_results
from streampay_smoke.publish.cdevents import write_cdevents
from streampay_smoke.publish.ctrf import ctrf_json
from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.junit import junit_xml
from streampay_smoke.publish.report_model import RunReport
from streampay_smoke.publish.summary import summary_md

ALLURE_RESULTS = "allure-results"

PAGE = "report.html"
"""The report for people."""

Publisher = Callable[[Path, RunReport, Mapping[str, str]], None]
"""Writes one report to a path, from a run's story and the environment variables (for the CI's name)."""


def _file(render: Callable[[RunReport], bytes]) -> Publisher:
    def publish_file(path: Path, run: RunReport, environ: Mapping[str, str]) -> None:
        del environ
        replace_file(path, render(run))

    return publish_file


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report of a run. `media_type` is for CDEvents, which tell of no report that has none.

    A merged verdict has those `of_merges` only: the others tell moments and steps, which the regions' own runs have.
    """

    write: Publisher
    of_merges: bool = False
    media_type: str = ""


def _cdevents(path: Path, run: RunReport, environ: Mapping[str, str]) -> None:
    reports = {name: report.media_type for name, report in REPORTS.items() if report.media_type}
    write_cdevents(path, run, environ, reports)


REPORTS: dict[str, Report] = {
    "junit/streampay-smoke.xml": Report(write=_file(junit_xml), of_merges=True, media_type="application/xml"),
    "ctrf.json": Report(write=_file(ctrf_json), of_merges=True, media_type="application/json"),
    "summary.md": Report(write=_file(summary_md), of_merges=True, media_type="text/markdown"),
    "cdevents.jsonl": Report(write=_cdevents),
    ALLURE_RESULTS: Report(write=write_allure_results),
    PAGE: Report(write=_file(html_report), of_merges=True),
}
"""Every report, by its place in the run's folder."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and a note for each report that could not be."""

    written: tuple[Path, ...]
    notes: tuple[str, ...]


def publish(
    run_dir: Path,
    run: RunReport,
    *,
    environ: Mapping[str, str] | None = None,
    reports: Mapping[str, Report] = REPORTS,
) -> Published:
    """Write the reports into the run's folder, each whole or not at all."""
    environ = system_facts.variables() if environ is None else environ
    written: list[Path] = []
    notes: list[str] = []
    for name, report in reports.items():
        path = run_dir / name
        try:
            report.write(path, run, environ)
        except Exception as error:  # noqa: BLE001 - whatever a report trips over, the verdict and the others stand
            notes.append(f"{name} could not be written: {type(error).__name__}: {error}")
        else:
            written.append(path)
    return Published(written=tuple(written), notes=tuple(notes))
