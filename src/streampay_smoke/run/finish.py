"""The end of a run: judge the journal, publish the reports, say the answer."""

import sys
from pathlib import Path

from streampay_smoke.core import system_facts
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence import journal as journals
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Verdict
from streampay_smoke.publish.publish import publish
from streampay_smoke.publish.report import build_report
from streampay_smoke.publish.summary import console_block, paint_for
from streampay_smoke.publish.telling import tell
from streampay_smoke.run.announcing import announce_to_ci
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.seal import seal
from streampay_smoke.settings import load_evidence
from streampay_smoke.settings.reading import project_root


def finish(folder: RunFolder, *, supervised: bool, signing_key: SigningKey | None = None) -> Verdict:
    """Judge a run whose journal is closed; the verdict is on disk, and signed, before anything else is made of it.

    A supervisor builds the HTML report itself, past the run's deadline.
    """
    read = journals.read(folder.journal_path)
    verdict = judge(read)
    folder.write_verdict(verdict)
    unsigned = seal(folder, verdict, signing_key)
    published = publish(folder.path, read.entries, verdict)
    print(console_block(tell(read.entries, verdict), paint_for(sys.stdout, system_facts.variables())))
    print(f"evidence: {_shown(folder.path)}")
    for note in (*([unsigned] if unsigned else []), *published.notes):
        print(f"note: {note}", file=sys.stderr)
    if not supervised:
        announce_to_ci(folder)
        if load_evidence().report:
            report(folder)
    return verdict


def report(folder: RunFolder) -> None:
    """Build the HTML report and say where it is."""
    try:
        built = build_report(folder.path, node_report_dir=project_root() / "report")
    except OSError as error:
        print(f"note: the report could not be written: {error.strerror}", file=sys.stderr)
        return
    note = f" ({built.note})" if built.note else ""
    print(f"report: {_shown(built.path)}{note}")


def _shown(path: Path) -> Path:
    """Return a path as people type it, in the project's folder."""
    root = project_root()
    return path.relative_to(root) if path.is_relative_to(root) else path
