"""A run that ends before it begins still leaves a folder that says why."""

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import RunRefused
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import Verdict
from streampay_smoke.run.failures import failure_of
from streampay_smoke.run.finish import finish
from streampay_smoke.run.folder import RunFolder


def refuse(folder: RunFolder, error: SmokeError) -> Verdict:
    """Write the refusal down and return its verdict."""
    with Journal(folder.journal_path, Redactor()) as journal:
        journal.append(RunRefused(failure=failure_of(error)))
    return finish(folder, supervised=True)
