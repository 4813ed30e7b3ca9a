"""The reports of a run that ended: the page for people, and Allure 3's where Node and it are there.

`allure-report/index.html` is there in any case: without Allure it is the page for people. Never changes the verdict.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.core.files import replace_file, replacing_folder
from streampay_smoke.evidence import journal
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate import policy
from streampay_smoke.gate.verdict import VERDICT, from_json
from streampay_smoke.publish.allure import report_name
from streampay_smoke.publish.allure_history import history_path, keep, write_copy
from streampay_smoke.publish.html import html_report
from streampay_smoke.publish.offline import NotOffline, made_offline
from streampay_smoke.publish.publish import ALLURE_RESULTS, PAGE
from streampay_smoke.publish.report_model import RunReport, report_of

ALLURE_TIMEOUT_SECONDS = 60.0

REPORT_FOLDER = "allure-report"

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables Allure gets. Everything else, secrets above all, stays here."""

_SHOWN_CHARACTERS = 400


class ReportKind(StrEnum):
    """Which program made the page."""

    ALLURE = "allure"
    BUILT_IN = "built-in"


class ReportBuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in `allure-report/`; `note` says why it is not Allure's, or is empty."""

    kind: ReportKind
    path: Path
    note: str


class AllureFailed(Exception):
    """Allure is not there, or made no page that can be used."""


def build_report(
    run_dir: Path,
    *,
    node_report_dir: Path,
    environ: Mapping[str, str] | None = None,
    timeout_seconds: float = ALLURE_TIMEOUT_SECONDS,
) -> ReportBuilt:
    """Make `report.html` and `allure-report/index.html` in a run's folder from its journal, verdict and decision.

    `node_report_dir` holds Allure's configuration and `node_modules`. Raises OSError when the run's folder cannot be
    read or written, and msgspec.DecodeError or ValidationError when its verdict is none.
    """
    environ = system_facts.variables() if environ is None else environ
    verdict = from_json((run_dir / VERDICT).read_bytes())
    decision = policy.written_at(run_dir / policy.FILE)
    run = report_of(
        journal.read(run_dir / JOURNAL).entries,
        verdict,
        decision=policy.decision_description(decision) if decision else "",
    )
    plain = html_report(run)
    replace_file(run_dir / PAGE, plain)
    kind, note = ReportKind.ALLURE, ""
    try:
        page = _allure_page(run_dir, run, node_report_dir, environ, timeout_seconds)
    except AllureFailed as failed:
        kind, note, page = ReportKind.BUILT_IN, str(failed), plain
    path = run_dir / REPORT_FOLDER / "index.html"
    with replacing_folder(path.parent) as part:
        (part / path.name).write_bytes(page)
    return ReportBuilt(kind=kind, path=path, note=note)


def allure_missing_because(node_report_dir: Path, environ: Mapping[str, str] | None = None) -> str:
    """Return why Allure cannot make the report here, "" when it can."""
    environ = system_facts.variables() if environ is None else environ
    if shutil.which("node", path=environ.get("PATH", os.defpath)) is None:
        return "Node is not installed"
    if not node_report_dir.is_dir():
        return "Allure comes with a checkout of the project only"
    if not (node_report_dir / "node_modules" / ".bin" / "allure").exists():
        return f"Allure is not installed; run `npm ci` in {node_report_dir.name}/ for its report"
    return ""


def _allure_page(
    run_dir: Path, run: RunReport, node_report_dir: Path, environ: Mapping[str, str], timeout_seconds: float
) -> bytes:
    results = run_dir / ALLURE_RESULTS
    allure = node_report_dir / "node_modules" / ".bin" / "allure"
    if missing := allure_missing_because(node_report_dir, environ):
        raise AllureFailed(missing)
    if not results.is_dir():
        raise AllureFailed(f"there is no {results.name} folder")
    # Allure writes beside an old report instead of over it, so it always gets a place of its own.
    with tempfile.TemporaryDirectory(prefix="streampay-smoke-report-") as place:
        output, target = Path(place) / "report", run.verdict.target
        history = history_path(run_dir, target.environment, target.region)
        write_copy(history, Path(place), run.verdict.run_id)
        command = [
            *(str(allure), "generate", str(results.resolve())),
            *("--config", str((node_report_dir / "allurerc.json").resolve())),
            *("--output", str(output), "--cwd", place, "--name", report_name(run.verdict)),
        ]
        _run(command, place, {name: environ[name] for name in PASSED_ON if name in environ}, timeout_seconds)
        if run.verdict.checks:  # a run that was refused before its first check tells nothing of any
            with contextlib.suppress(OSError):  # a report without its history is better than none
                keep(history, Path(place), run.verdict.run_id)
        try:
            return made_offline((output / "index.html").read_text(encoding="utf-8"), run).encode()
        except (OSError, UnicodeDecodeError) as error:
            raise AllureFailed(f"Allure left no readable page: {type(error).__name__}") from error
        except NotOffline as error:
            raise AllureFailed(str(error)) from error


def _run(command: list[str], place: str, environ: dict[str, str], timeout_seconds: float) -> None:
    """Run Allure in its own process group, so that a timeout ends all of it."""
    try:
        process = subprocess.Popen(
            command,
            cwd=place,
            env={**environ, "HOME": place, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise AllureFailed(f"Allure could not be started: {error.strerror}") from error
    try:
        output, _ = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise AllureFailed(f"Allure took longer than {timeout_seconds:g} s") from error
    finally:
        _end(process)
    if process.returncode != 0:
        words = " ".join(output.decode(errors="replace").split())[-_SHOWN_CHARACTERS:]
        raise AllureFailed(f"Allure ended with exit code {process.returncode}: {words}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of Allure's process group and collect it."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
