"""One folder for each run, with a verdict in it from the first moment on."""

import os
import secrets
from pathlib import Path
from typing import Self

import msgspec

from streampay_smoke.core import times
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.files import replace_file
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.journal import JOURNAL
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VERDICT, Verdict, to_json

RUN_FOLDER = "run_folder"
"""Userdata of behave by which a supervisor names the folder it has made for this run."""

COMPARISON_ONLY = "comparison_only"
"""Userdata of behave by which a supervisor asks for no scenarios: candidate and stable release are compared alone."""

ENVELOPE = "verdict.dsse.json"
"""The signed verdict."""

ATTESTATION = "test-result.dsse.json"
"""The signed in-toto statement about the release."""


class RunFolder(msgspec.Struct, frozen=True, kw_only=True):
    """`artifacts/<run id>/`. Until the run ends, its verdict is that nothing has been proved."""

    run_id: str
    path: Path

    @classmethod
    def create(cls, artifacts: Path) -> Self:
        """Make a new folder and point `latest` at it; raises SettingsInvalid when that cannot be done."""
        run_id = f"{times.stamp(times.now_ms())}-{secrets.token_hex(3)}"
        folder = cls(run_id=run_id, path=artifacts / run_id)
        try:
            folder.path.mkdir(parents=True)
            folder.journal_path.touch(mode=0o600)
            folder.write_verdict(folder.judged())
            _point(artifacts / "latest", run_id)
        except OSError as error:
            raise SettingsInvalid(
                f"the artifacts folder {artifacts} cannot be written: {error.strerror}",
                next_step="set SMOKE_ARTIFACTS to a writable folder: a run without evidence proves nothing",
            ) from error
        return folder

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Return the folder another process made for this run."""
        return cls(run_id=path.name, path=path)

    @property
    def journal_path(self) -> Path:
        """Where the evidence is."""
        return self.path / JOURNAL

    @property
    def verdict_path(self) -> Path:
        """Where the verdict is."""
        return self.path / VERDICT

    @property
    def envelope_path(self) -> Path:
        """Where the signed verdict is, when there is one."""
        return self.path / ENVELOPE

    @property
    def attestation_path(self) -> Path:
        """Where the attestation is, when there is one."""
        return self.path / ATTESTATION

    def judged(self) -> Verdict:
        """Return the verdict on the journal as it is now."""
        return judge(journals.read(self.journal_path))

    def write_verdict(self, verdict: Verdict) -> None:
        """Replace `verdict.json` in one step."""
        replace_file(self.verdict_path, to_json(verdict))


def _point(link: Path, target: str) -> None:
    part = link.with_name(f".latest.{os.getpid()}")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)
