"""Break-glass: writes an override into the journal of a run that ended, or of a merge, and judges it again."""

import datetime
from pathlib import Path

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import Overridden
from streampay_smoke.evidence.journal import Journal
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.history import OverrideAt, fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.override import refused_because
from streampay_smoke.gate.verdict import Verdict
from streampay_smoke.operations.merge import conclude_merged
from streampay_smoke.run.conclude import conclude
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import load_evidence
from streampay_smoke.settings.reading import read as read_settings
from streampay_smoke.settings.variables import SIGNING_KEY


class OverrideRefused(SettingsInvalid):
    """The verdict stands: it cannot be overridden, or not like this."""

    kind = "override_refused"

    def __init__(self, message: str, *, next_step: str, verdict: Verdict) -> None:
        super().__init__(message, next_step=next_step)
        self.verdict = verdict


def override(run_folder: Path, *, to: str, who: str, why: str, until: str, now_ms: int) -> int:
    """Override the verdict on a run until an ISO time with a zone, and conclude the run anew; return its exit code.

    Raises SettingsInvalid for a folder without a journal or a time that is none, and OverrideRefused where
    `streampay_smoke.gate.override` does not allow it; then nothing is written.
    """
    folder = RunFolder.existing(run_folder.resolve())
    try:
        read = journals.read(folder.journal_path)
    except OSError as error:
        raise SettingsInvalid(
            f"{run_folder} is not the folder of a run: journal.jsonl: {error.strerror}",
            next_step="name the folder of the run, artifacts/<run id>",
        ) from error
    key = _key_at_hand()
    event = Overridden(who=who, why=why, until_ms=_moment_ms(until), to=to)
    run, verdict = fold(read.entries), judge(read)
    because = "a run is overridden once" if run.overrides else ""
    because = because or refused_because(
        run, verdict.verdict, OverrideAt(at_ms=now_ms, event=event), tampered=bool(read.tampered_at)
    )
    if because:
        raise OverrideRefused(
            f"{verdict.verdict} stands for run {folder.run_id}: {because}",
            next_step="see to the cause the verdict names, and run again",
            verdict=verdict,
        )
    redactor = Redactor()
    with Journal(folder.journal_path, redactor, now_ms=lambda: now_ms) as journal:
        journal.append(event)
    if run.merged is not None:
        return conclude_merged(folder, load_evidence(), signing_key=key)
    return conclude(folder, redactor=redactor, signing_key=key, evidence=load_evidence())


def _key_at_hand() -> SigningKey | None:
    """Return the key that is set here: an override by somebody without it leaves a verdict unsigned."""
    given = read_settings().secret(SIGNING_KEY)
    return SigningKey.given(given.reveal(), variable=SIGNING_KEY) if given else None


def _moment_ms(text: str) -> int:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SettingsInvalid(
            f"--until {text!r} is no time with a zone",
            next_step="write it like 2026-12-31T18:00:00Z; an override lasts 24 hours at most",
        )
    return round(moment.timestamp() * 1000)
