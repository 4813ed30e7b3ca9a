"""Looks at the machine that the gate runs on, and at the folders it reads and writes."""

import contextlib
import importlib.metadata
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from streampay_smoke.history.store import HistoryStore, HistoryUnusable
from streampay_smoke.operations.doctor.look import DoctorCheck, DoctorLook, ok, problem, warning
from streampay_smoke.publish.report import allure_missing_because
from streampay_smoke.run.pins import PinnedScenario
from streampay_smoke.runner import manifest
from streampay_smoke.runner.plan import all_scenarios
from streampay_smoke.runner.quarantine import FILE, read_quarantine, today
from streampay_smoke.settings import EvidenceSettings
from streampay_smoke.settings.folders import (
    FEATURES,
    folders_description,
    history_file,
    project_root,
    read_from,
    suite_root,
)

DISTRIBUTION = "streampay-smoke"
OLDEST_PYTHON = (3, 11)

FEWEST_BYTES = 50_000_000
"""A run leaves about 5 MB, 20 MB with Allure's report; below this it may lose its evidence half-way."""

FEW_BYTES = 1_000_000_000


def _python(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    version = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield ok("Python", version)
    else:  # pragma: no cover - the package does not install there
        yield problem("Python", f"{version} is too old", "install Python 3.11 or newer")


def _installed(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    yield packages(importlib.metadata.requires(DISTRIBUTION) or [])


def packages(required: Sequence[str]) -> DoctorCheck:
    """Return the look at the packages that a distribution requires."""
    names = [match[0] for line in required if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))]
    missing = []
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version(name)
            continue
        missing.append(name)
    if missing:
        return problem("packages", f"not installed: {', '.join(missing)}", "run scripts/smoke.sh: it installs them")
    return ok("packages", f"{len(names)} of {len(names)} are installed")


def _allure(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    missing = allure_missing_because(project_root() / "report")
    if missing:
        text = f"{missing}; report.html is made without it"
        yield warning("Allure reporter", text, "install Node, then npm ci in report/")
    else:
        yield ok("Allure reporter", "Allure 3 builds the report")


def _folders(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    yield ok("folders", folders_description(read_from()))


def _artifacts(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    folder = evidence.artifacts
    yield writable("artifacts", folder, "set SMOKE_ARTIFACTS to a writable folder")
    with contextlib.suppress(OSError):  # said above
        yield disk(folder, shutil.disk_usage(_nearest(folder)).free)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there: a doctor makes none."""
    return next((above for above in (folder, *folder.parents) if above.exists()), folder)


def writable(name: str, folder: Path, next_step: str) -> DoctorCheck:
    """Return the look at a folder that is written to, or is going to be made."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            pass
    except OSError as error:
        return problem(name, f"{folder} cannot be written: {error.strerror}", next_step)
    return ok(name, f"{folder} can be written")


def disk(folder: Path, free_bytes: int) -> DoctorCheck:
    """Return the look at the space that is left for evidence."""
    text, next_step = f"{free_bytes / 1e9:.1f} GB are free at {folder}", "free space, or set SMOKE_ARTIFACTS elsewhere"
    if free_bytes < FEWEST_BYTES:
        return problem("disk", text, next_step)
    return warning("disk", text, next_step) if free_bytes < FEW_BYTES else ok("disk", text)


def _history(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    file = history_file(evidence.history, evidence.artifacts)
    if not file.exists():
        yield writable("history", file.parent, "set SMOKE_HISTORY to a file that can be written")
        return
    try:
        with HistoryStore.open(file) as store:
            yield ok("history", f"{file} knows {len(store.known())} runs")
    except HistoryUnusable as error:  # no verdict depends on it
        yield warning("history", str(error), error.next_step)


def _suite(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    root = suite_root(project_root())
    pins = manifest.accepted(root / FEATURES, root / manifest.INI)
    scenarios = sum(isinstance(pin, PinnedScenario) for pin in pins.values())
    yield ok("suite", f"{scenarios} scenarios and {len(pins) - scenarios} files, unchanged since they were accepted")


def _quarantine(evidence: EvidenceSettings) -> Iterator[DoctorCheck]:
    root = project_root()
    read = read_quarantine(root, lambda: all_scenarios(suite_root(root) / FEATURES), today=today())
    if read is None:
        yield ok("quarantine", f"there is no {FILE}: every check gates")
        return
    for trouble in read.problems:
        yield problem("quarantine", trouble, f"correct {FILE}")
    for entry in read.entries:
        text = f"{entry.id} until {entry.until} ({entry.owner}, {entry.ticket})"
        if entry.until < read.today:
            yield warning("quarantine", f"over: {text}", f"remove the entry from {FILE}: the check gates again")
        else:
            yield warning("quarantine", f"does not gate: {text}", "mend the check before its day is over")


MACHINE: tuple[DoctorLook[EvidenceSettings], ...] = (
    DoctorLook("Python", _python),
    DoctorLook("packages", _installed),
    DoctorLook("Allure reporter", _allure),
    DoctorLook("folders", _folders),
    DoctorLook("artifacts", _artifacts),
    DoctorLook("history", _history),
    DoctorLook("suite", _suite),
    DoctorLook("quarantine", _quarantine),
)
"""What does not depend on settings that can be wrong."""
