"""Sign-ins that runs on one machine share: a deployment takes few of them a minute, and on-call repeats a run.

A token is kept for a few minutes in a file that only its owner can read, never among a run's evidence. What cannot be
kept or read is signed in for anew.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

KEPT_SECONDS = 300.0
"""How long a token may be used again."""

TURN_SECONDS = 5.0
"""How long a run waits for another one that is signing the same user in: a sign-in takes less, but for a limit."""

_LOOK_SECONDS = 0.05
_LOCK = ".lock"
_ONLY_ITS_OWNER = 0o600
_OTHERS = 0o077


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    kept_at: float


def folder_of_user(system: Mapping[str, str]) -> Path | None:
    """Return the folder of a user's kept sign-ins, by their environment variables; None where they have no home."""
    cache = system.get("XDG_CACHE_HOME", "") or (f"{system['HOME']}/.cache" if system.get("HOME") else "")
    return Path(cache) / "streampay-smoke" / "sign-ins" if cache.startswith("/") else None


class KeptSignIns:
    """Tokens by deployment and user, in a folder; without one nothing is kept."""

    def __init__(self, folder: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def find(self, base_url: str, address: str) -> str:
        """Return the token that was kept, "" for none."""
        if self._folder is None:
            return ""
        self._forget_old(self._folder)
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return _decoded(self._folder / _name(base_url, address)).token
        return ""

    @contextlib.contextmanager
    def turn(self, base_url: str, address: str) -> Iterator[None]:
        """Wait until no other run is signing this user in, for TURN_SECONDS at most: what that one keeps is found.

        The system gives the turn back when a process ends, however it does.
        """
        with contextlib.ExitStack() as stack:
            if self._folder is not None:
                with contextlib.suppress(OSError):
                    self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                    lock = os.open(
                        self._folder / f".{_name(base_url, address)}{_LOCK}",
                        os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC,
                        _ONLY_ITS_OWNER,
                    )
                    stack.callback(os.close, lock)
                    os.utime(lock)
                    _lock_within(lock, TURN_SECONDS)
            yield

    def keep(self, base_url: str, address: str, token: str) -> None:
        """Keep a token, where the folder can be written."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old(self._folder)
            new = self._folder / f".{secrets.token_hex(8)}"
            kept = msgspec.json.encode(_Kept(token=token, kept_at=self._clock()))
            with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _ONLY_ITS_OWNER), "wb") as file:
                file.write(kept)
            new.replace(self._folder / _name(base_url, address))

    def _forget_old(self, folder: Path) -> None:
        """Remove what is too old, or is no token that was kept here."""
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                try:
                    kept_at = path.stat().st_mtime if path.suffix == _LOCK else _decoded(path).kept_at
                    age_seconds = self._clock() - kept_at
                except (OSError, msgspec.MsgspecError):
                    age_seconds = KEPT_SECONDS
                if not 0 <= age_seconds < KEPT_SECONDS:
                    path.unlink(missing_ok=True)


def _lock_within(lock: int, seconds: float) -> None:
    """Lock an open file; without the lock after so many seconds."""
    ends_at = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends_at:
                return
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _name(base_url: str, address: str) -> str:
    return hashlib.sha256(f"{base_url} {address}".encode()).hexdigest()


def _decoded(path: Path) -> _Kept:
    """Return what a file keeps; raises OSError or MsgspecError for one that keeps no sign-in."""
    return msgspec.json.decode(_read(path), type=_Kept)


def _read(path: Path) -> bytes:
    """Return a file of this user's own that nobody else can read; raises OSError for any other."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_mode & _OTHERS or found.st_uid != os.geteuid():
            raise OSError("others can read or write it")
        return file.read()
