"""The intent log: what is about to be done to an environment, written down and on the disk before it is done.

One file for each environment, beside no run: append-only lines of JSON, hash-chained, each fsynced. Whoever holds it
holds the environment's only right to roll back; the kernel takes it back from a process that dies.
"""

import contextlib
import fcntl
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from streampay_smoke.core import times
from streampay_smoke.core.errors import Blame, SettingsInvalid, SmokeError
from streampay_smoke.evidence.chain import ChainedLine, ChainWriter, read_chain
from streampay_smoke.evidence.redaction import Redactor


class LogStep(msgspec.Struct, frozen=True, kw_only=True, tag_field="step"):
    """Base of what the log holds; `deploy` is the deployment system's own id of a deploy."""

    deploy: str


class TargetRecorded(LogStep, frozen=True, kw_only=True, tag="target_recorded"):
    """Before a deploy: the release that was live, and so the one to put back. "" when nothing was: a first deploy.

    `engine_release` is the engine's own word, "" where it gave none; `looks` is how often the wire was asked.
    """

    release: str
    engine_release: str
    looks: int
    because: str = ""


class RollbackIntended(LogStep, frozen=True, kw_only=True, tag="intended"):
    """A rollback begins: which release failed, which is put back, the key the engine is asked with, what was seen.

    `hidden` says that only the target was met although another release failed, as in a small canary: then what is live
    proves nothing, and only an engine that accepts is an end of it.
    """

    failed_release: str
    target_release: str
    key: str
    seen: str
    hidden: bool = False


class EngineAsked(LogStep, frozen=True, kw_only=True, tag="asked"):
    """The engine is about to be asked; whether it was, only the engine and the wire know until the next line."""

    attempt: int


class EngineAccepted(LogStep, frozen=True, kw_only=True, tag="accepted"):
    """The engine accepted, in its own words. Nothing is proved by that."""

    said: str


class EngineNotAccepted(LogStep, frozen=True, kw_only=True, tag="not_accepted"):
    """The engine could not be asked, or refused; it may have acted all the same."""

    why: str


class RollbackProved(LogStep, frozen=True, kw_only=True, tag="proved"):
    """The previous release is live and healthy: what was promised and kept, and what is to be known beside it."""

    release: str
    promises: tuple[str, ...]
    notes: tuple[str, ...] = ()


class RollbackNotProved(LogStep, frozen=True, kw_only=True, tag="not_proved"):
    """The previous release could not be shown to be live and healthy."""

    why: str


class RollbackDeclined(LogStep, frozen=True, kw_only=True, tag="refused"):
    """A rollback was asked for and nothing was done."""

    why: str


AnyLogStep = (
    TargetRecorded
    | RollbackIntended
    | EngineAsked
    | EngineAccepted
    | EngineNotAccepted
    | RollbackProved
    | RollbackNotProved
    | RollbackDeclined
)


class LogLine(ChainedLine, frozen=True, kw_only=True):
    """A line of the log."""

    step: AnyLogStep


class LogDamaged(SettingsInvalid):
    """The log was changed after it was written: what it says is no ground to act on."""

    kind = "intent_log_damaged"


class RollbackUnderWay(SmokeError):
    """Somebody else holds the log, and with it the environment."""

    kind = "rollback_under_way"
    blame: ClassVar[Blame] = Blame.CONFIG


class DeployHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of one deploy, in order."""

    deploy: str
    lines: tuple[LogLine, ...] = ()

    @property
    def recorded(self) -> TargetRecorded | None:
        """The rollback target: the first record that names a release, else the first one at all."""
        line = self._record
        return line.step if line is not None and isinstance(line.step, TargetRecorded) else None

    @property
    def recorded_at_ms(self) -> int:
        """When that was, in Unix milliseconds; 0 for never."""
        return self._record.at_ms if self._record is not None else 0

    @property
    def intended(self) -> RollbackIntended | None:
        """The rollback that was begun; a deploy is rolled back once."""
        return next((step for step in self._steps if isinstance(step, RollbackIntended)), None)

    @property
    def asked(self) -> int:
        """How often the engine was, or was about to be, asked."""
        return sum(isinstance(step, EngineAsked) for step in self._steps)

    @property
    def accepted(self) -> bool:
        """Whether the engine ever accepted."""
        return any(isinstance(step, EngineAccepted) for step in self._steps)

    @property
    def proved(self) -> RollbackProved | None:
        """The proof that the previous release was put back."""
        return next((step for step in self._steps if isinstance(step, RollbackProved)), None)

    @property
    def last(self) -> LogLine | None:
        """The newest line."""
        return self.lines[-1] if self.lines else None

    @property
    def _record(self) -> LogLine | None:
        lines = [line for line in self.lines if isinstance(line.step, TargetRecorded)]
        named = (line for line in lines if isinstance(line.step, TargetRecorded) and line.step.release)
        return next(named, lines[0] if lines else None)

    @property
    def _steps(self) -> Sequence[AnyLogStep]:
        return [line.step for line in self.lines]


class LogRead(msgspec.Struct, frozen=True, kw_only=True):
    """The whole log; `deploys` are in the order in which the log first speaks of them."""

    deploys: dict[str, DeployHistory]

    def of(self, deploy: str) -> DeployHistory:
        """Return the history of a deploy, an empty one where there is none."""
        return self.deploys.get(deploy, DeployHistory(deploy=deploy))

    @property
    def newest(self) -> str:
        """The deploy that was recorded last, "" for none."""
        recorded = [deploy for deploy, history in self.deploys.items() if history.recorded is not None]
        return recorded[-1] if recorded else ""


class IntentLog:
    """The log of one environment, held. `steps` are its own, in order; use `held`."""

    def __init__(self, path: Path, file: int, redactor: Redactor, now_ms: Callable[[], int]) -> None:
        self.path = path
        self._file = file
        self._redactor = redactor
        self._now_ms = now_ms
        read_log(path)  # before anything is cut off or added
        self._lines = ChainWriter(path, file)

    @classmethod
    @contextlib.contextmanager
    def held(cls, path: Path, redactor: Redactor, *, now_ms: Callable[[], int] = times.now_ms) -> Iterator[Self]:
        """Hold the log until the end of the block, making it first where there is none.

        Raises RollbackUnderWay when somebody else holds it, LogDamaged, and SettingsInvalid where it cannot be written.
        """
        try:
            new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _lock(path, file)
            if new:
                _sync_folder(path.parent)
            yield cls(path, file, redactor, now_ms)
        finally:
            os.close(file)

    def append(self, step: AnyLogStep) -> None:
        """Write a step, redacted, and return once it is on the disk; raises SettingsInvalid when that cannot be."""
        fields = self._redactor.value(msgspec.to_builtins(step))
        try:
            self._lines.append(self._now_ms(), {"step": fields})
            os.fsync(self._file)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def read(self) -> LogRead:
        """Return what the log says now."""
        return read_log(self.path)


def read_log(path: Path) -> LogRead:
    """Read a log without holding it, an empty one where there is none; raises LogDamaged or SettingsInvalid."""
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise _unusable(path, error) from error
    read = read_chain(io.BytesIO(content), LogLine)
    if read.tampered_at:
        raise LogDamaged(
            f"line {read.tampered_at} of {path} is not what was written: nothing is rolled back on its word",
            next_step="roll back by hand to the release the lines before it name, then move the file away",
        )
    deploys: dict[str, DeployHistory] = {}
    for line in read.entries:
        name = line.step.deploy
        before = deploys.get(name, DeployHistory(deploy=name))
        deploys[name] = DeployHistory(deploy=name, lines=(*before.lines, line))
    return LogRead(deploys=deploys)


def _lock(path: Path, file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RollbackUnderWay(
            f"another rollback holds {path}: two at once could undo each other",
            next_step="wait for it, then look with --status",
        ) from error
    except OSError as error:
        raise _unusable(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Put a new file's name on the disk, not only its content."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(path: Path, error: OSError) -> SettingsInvalid:
    return SettingsInvalid(
        f"the intent log {path} cannot be used: {error.strerror}",
        next_step="set SMOKE_ROLLBACK_LOG to a file on a local disk that this user can write",
    )
