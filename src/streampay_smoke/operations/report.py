"""`streampay-smoke report`: make the pages of a run again from its journal."""

import sys
from pathlib import Path

from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate.verdict import EXIT_CODES, VerdictStatus
from streampay_smoke.publish.publish import PAGE
from streampay_smoke.publish.report import build_report
from streampay_smoke.settings.folders import project_root


def rebuild_report(folder: Path) -> int:
    """Build the HTML reports of a run's folder and print where they are; return the exit code."""
    run_folder = folder.resolve()
    if not (run_folder / JOURNAL).is_file():
        print(f"{folder} is not the folder of a run: it has no {JOURNAL}", file=sys.stderr)
        return EXIT_CODES[VerdictStatus.CONFIG]
    built = build_report(run_folder, node_report_dir=project_root() / "report")
    print(run_folder / PAGE)
    print(f"{built.path}{f' (a copy: {built.note})' if built.note else ''}")
    return 0
