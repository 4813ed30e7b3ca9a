"""Tells the CI system about a run that has ended: once, by the process that was asked for the run."""

import sys

import msgspec

from streampay_smoke.core import system_facts
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import from_json
from streampay_smoke.publish.github import announce
from streampay_smoke.publish.telling import tell
from streampay_smoke.run.folder import RunFolder


def announce_to_ci(folder: RunFolder) -> None:
    """Print annotations and write outputs and summary where a CI system reads them; trouble there is a note."""
    try:
        verdict = from_json(folder.verdict_path.read_bytes())
        run = tell(journals.read(folder.journal_path).entries, verdict)
        for line in announce(run, system_facts.variables()):
            print(Redactor().text(line))
    except (OSError, msgspec.DecodeError) as error:
        print(f"note: the CI system could not be told: {error}", file=sys.stderr)
