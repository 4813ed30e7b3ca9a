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

Wait = Callable[[float], bool]
"""Waits so many seconds for another run; False, at once, where there is no time to."""

KEPT_SECONDS = 300.0
"""How long a token may be used again."""

FIRST_LOOK_SECONDS = 0.1
LONGEST_LOOK_SECONDS = 2.0
"""How long to wait between two looks whether the run before has signed in: that one may wait for a limit itself."""

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
    def turn(self, base_url: str, address: str, wait: Wait) -> Iterator[None]:
        """Wait until no other run is signing this user in: what that one keeps is found then.

        Where `wait` says that there is no time, go on without. A process that ends, however it does, gives its turn up.
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
                    _lock(lock, wait)
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


def _lock(lock: int, wait: Wait) -> None:
    """Lock an open file, or leave it where there is no time to wait."""
    seconds = FIRST_LOOK_SECONDS
    while not _locked(lock) and wait(seconds):
        seconds = min(2 * seconds, LONGEST_LOOK_SECONDS)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
