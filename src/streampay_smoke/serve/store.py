"""One folder for each attempt, one file of record in it: on disk before anything happens, whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.serve.attempts import RunAttempt

RECORD = "attempt.json"


class Store:
    """The attempts below `<state>/attempts/`. One service at a time: the folder is locked until `close()`."""

    def __init__(self, state: Path) -> None:
        self._attempts = state / "attempts"
        try:
            self._attempts.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SettingsInvalid(
                f"the state folder {state} cannot be written: {error.strerror}",
                next_step="name a writable folder that outlives this process: --state-dir FOLDER",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SettingsInvalid(
                f"another service works in {state}", next_step="stop it first, or name another --state-dir"
            ) from error

    def close(self) -> None:
        """Let another service have the folder."""
        os.close(self._lock)

    def folder(self, attempt: RunAttempt) -> Path:
        """Return where an attempt keeps its record, its output and its artifacts."""
        return self._attempts / attempt.id

    def keep(self, attempt: RunAttempt) -> None:
        """Write an attempt down, and return once the disk has it; raises OSError."""
        folder = self.folder(attempt)
        folder.mkdir(mode=0o700, exist_ok=True)
        part = folder / f".{RECORD}"
        with part.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(attempt), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / RECORD)
        for changed in (folder, self._attempts):
            _sync(changed)

    def read(self) -> tuple[RunAttempt, ...]:
        """Return every attempt, oldest first; raises SettingsInvalid for a record that cannot be read."""
        return tuple(sorted(self._records(), key=lambda attempt: (attempt.asked_at_ms, attempt.number)))

    def forget(self, attempt: RunAttempt) -> None:
        """Remove an attempt and everything it left; raises OSError."""
        shutil.rmtree(self.folder(attempt))

    def _records(self) -> Iterator[RunAttempt]:
        for folder in self._attempts.iterdir():
            record = folder / RECORD
            if not record.exists():  # killed before the first record was whole: nobody was told of this attempt
                shutil.rmtree(folder)
                continue
            try:
                yield msgspec.json.decode(record.read_bytes(), type=RunAttempt)
            except (OSError, msgspec.DecodeError) as error:
                raise SettingsInvalid(
                    f"{record} cannot be read: {error}",
                    next_step="move that folder away: its deploy is then judged anew when it is asked for",
                ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
