"""Where people read what a verdict's reason code means, and what to do about it."""

from streampay_smoke.evidence.events import RunRefused
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.publish.report_model import RunReport

PAGE = "docs/runbook.md"
"""The runbook in the project, for those who named no address of it (`SMOKE_RUNBOOK_URL`)."""


def section(run: RunReport) -> str:
    """Return the runbook's section about this run's reason code, as an address or a path; "" for a PASS."""
    verdict = run.verdict
    if verdict.verdict is VerdictStatus.PASS and not verdict.overrides:
        return ""
    return f"{_address(run) or PAGE}#{verdict.reason_code}"


def is_address(section: str) -> bool:
    """Whether a section can be opened from anywhere."""
    return section.startswith(("https://", "http://"))


def _address(run: RunReport) -> str:
    if run.started is not None:
        return run.started.settings.get("runbook_url", "")
    return next((entry.event.runbook_url for entry in run.entries if isinstance(entry.event, RunRefused)), "")
