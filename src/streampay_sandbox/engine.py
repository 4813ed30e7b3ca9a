"""A deployment engine of the sandbox: it knows weights and one live release, and misbehaves in named ways."""

import threading
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from streampay_smoke.core.errors import SettingsInvalid

LATE_SECONDS = 1.0


class EngineFault(StrEnum):
    """Ways in which an engine goes wrong when it is asked to roll back."""

    DOES_NOTHING = "does-nothing"
    """It accepts, and nothing happens."""

    LATE = "late"
    """It accepts, and acts `late_seconds` later."""

    NO_ANSWER = "no-answer"
    """It acts, and hangs up without an answer."""

    FORGETS_KEYS = "forgets-keys"
    """It acts each time it is asked, whatever the key."""

    WRONG_RELEASE = "wrong-release"
    """It makes another release live than the one it was asked for."""

    DOWN = "down"
    """It answers nothing but 503."""


class AppliedRollback(msgspec.Struct, frozen=True, kw_only=True):
    """A rollback that was really made: the release that became live, and the key it was asked with."""

    release: str
    key: str


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine knows. `asked` is every key in the order it came, `applied` every change that was made."""

    weights: dict[str, int]
    live: str
    asked: tuple[str, ...]
    applied: tuple[AppliedRollback, ...]


class DeploymentEngine:
    """Decides where traffic goes. Safe to use from several threads."""

    def __init__(self, live: str) -> None:
        self.faults: frozenset[EngineFault] = frozenset()
        self.late_seconds = LATE_SECONDS
        self._lock = threading.RLock()
        self._weights = {live: 100}
        self._live = live
        self._asked: list[str] = []
        self._applied: list[AppliedRollback] = []
        self._credit: dict[str, int] = {}
        self._late: list[threading.Timer] = []

    def state(self) -> EngineState:
        """Return what the engine knows now."""
        with self._lock:
            return EngineState(
                weights=dict(self._weights), live=self._live, asked=tuple(self._asked), applied=tuple(self._applied)
            )

    def add(self, release: str) -> None:
        """Learn of a release, at no traffic."""
        with self._lock:
            self._weights.setdefault(release, 0)

    def shift(self, weights: Mapping[str, int]) -> None:
        """Share the traffic; raises SettingsInvalid for a release nobody started and for weights that are none."""
        with self._lock:
            for release, weight in weights.items():
                self._known(release)
                if weight < 0:
                    raise SettingsInvalid(f"the weight of {release} is {weight}", next_step="use 0 or more")
            if not sum(weights.values()):
                raise SettingsInvalid("no release would get any traffic", next_step="give one of them a weight")
            self._weights = {**dict.fromkeys(self._weights, 0), **weights}

    def promote(self, release: str) -> None:
        """Send everything to a release, which becomes the live one."""
        with self._lock:
            self.shift({self._known(release): 100})
            self._live = release

    def roll_back(self, release: str, key: str) -> str:
        """Make a release the live one, once for each key; return what the engine says."""
        with self._lock:
            self._asked.append(key)
            known = key in self._asked[:-1] and EngineFault.FORGETS_KEYS not in self.faults
            self._known(release)
            if known:
                return "asked before with this key"
            if EngineFault.DOES_NOTHING in self.faults:
                return f"{release} will be live"
            if EngineFault.LATE in self.faults:
                later = threading.Timer(self.late_seconds, self._apply, (release, key))
                later.daemon = True
                later.start()
                self._late.append(later)
                return f"{release} will be live in {self.late_seconds:g} s"
            if EngineFault.WRONG_RELEASE in self.faults:
                release = next(other for other in self._weights if other not in {release, self._live})
            self._apply(release, key)
            return f"{release} is live"

    def next_release(self) -> str:
        """Return the release the next request goes to: smooth weighted round-robin, so that nothing is left to luck."""
        with self._lock:
            for release, weight in self._weights.items():
                self._credit[release] = self._credit.get(release, 0) + weight
            chosen = max(self._weights, key=lambda release: self._credit[release])
            self._credit[chosen] -= sum(self._weights.values())
            return chosen

    def misbehave(self, *faults: str) -> None:
        """Go wrong in these ways from now on, and in no others; raises ValueError for a name that is none."""
        self.faults = frozenset(map(EngineFault, faults))

    def stop(self) -> None:
        """Forget what was still to be done."""
        for later in self._late:
            later.cancel()

    def _apply(self, release: str, key: str) -> None:
        with self._lock:
            self.promote(release)
            self._applied.append(AppliedRollback(release=release, key=key))

    def _known(self, release: str) -> str:
        if release not in self._weights:
            raise SettingsInvalid(
                f"no release {release} was started", next_step=f"use one of {', '.join(self._weights)}"
            )
        return release
