"""What is live, as users meet it: the release that the address itself names, over fresh connections."""

import contextlib
import time
from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec

from streampay_smoke.acceptance.observations.fleet import ROUNDS, samples_needed
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.evidence.events import Recorder
from streampay_smoke.rollback.configuration import Actuation
from streampay_smoke.service.cutover import Cutover
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.release import header_of

REQUEST_SECONDS = 10.0
"""Limit of one request of a rollback."""

LOOK_SECONDS = 10.0
"""How long a look at the whole fleet may take: one that hangs must not keep a rollback waiting."""

THROTTLE_SECONDS = 5.0

_LONGEST = 200


class ObservedReleases(msgspec.Struct, frozen=True, kw_only=True):
    """What some looks met: the releases that were told, each once, and how often the wire was asked.

    `silence` is the last reason why a look told nothing, "" for none. `simulated` says that a sandbox answered.
    """

    releases: tuple[str, ...]
    looks: int
    silence: str = ""
    simulated: bool = False

    @property
    def description(self) -> str:
        """One line."""
        if self.releases:
            return f"{' and '.join(self.releases)} in {self.looks} {'look' if self.looks == 1 else 'looks'}"
        return f"no release ({self.silence})"


class RollbackSituation(StrEnum):
    """What may be done, by what is live."""

    FAILED_LIVE = "the failed release is live"
    TARGET_LIVE = "only the previous release is live"
    OTHER_LIVE = "another release is live"
    UNKNOWN = "nobody can say what is live"


def rollback_situation(seen: ObservedReleases, engine_release: str, *, failed: str, target: str) -> RollbackSituation:
    """Return where things stand, by the wire and by the engine's own word ("" where it has none).

    Another release beside the failed one is another release: whoever deployed it is at work. One replica of the failed
    one is enough to go on. The previous release is live only where users meet it, and nobody speaks of another: an
    engine calls it the live one all through a canary.
    """
    releases = {*seen.releases, *([engine_release] if engine_release else [])}
    if releases - {failed, target}:
        return RollbackSituation.OTHER_LIVE
    if failed in releases:
        return RollbackSituation.FAILED_LIVE
    return RollbackSituation.TARGET_LIVE if seen.releases else RollbackSituation.UNKNOWN


class Wire:
    """Looks at one environment. Nothing here changes anything."""

    def __init__(self, settings: Actuation, *, record: Recorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._record = record
        self._clock = clock
        self._header = header_of(settings.facts.service.release_told_by)

    @contextlib.contextmanager
    def deployment(
        self, *, learn_secret: Callable[[str], None], release_expected: str = "", cutover_seconds: float = 0.0
    ) -> Iterator[Deployment]:
        """Give the deployment over connections of its own; silence of a cutover is waited out as long as said."""
        settings = self._settings
        with Deployment.at(
            settings.base_url,
            dialect=settings.dialect,
            record=self._record,
            timeout_seconds=REQUEST_SECONDS,
            throttle_seconds=THROTTLE_SECONDS,
            learn_secret=learn_secret,
            release_told_by=settings.facts.service.release_told_by,
            release_expected=release_expected,
            cutover=Cutover(cutover_seconds, self._record),
            ledger_url=settings.ledger_rpc_url,
        ) as deployment:
            yield deployment

    def look(self) -> ObservedReleases:
        """Look often enough to meet every replica, as far as LOOK_SECONDS allow; raises SettingsInvalid for a sandbox
        that answers for a deployment.
        """
        service = self._settings.facts.service
        number = max(1, samples_needed(service.replicas, service.replica_miss_probability / ROUNDS))
        return self._look(number)

    def peek(self) -> ObservedReleases:
        """Look once."""
        return self._look(1)

    def _look(self, number: int) -> ObservedReleases:
        ends_at = self._clock() + LOOK_SECONDS
        releases: list[str] = []
        silence, simulated, looks = "", False, 0
        while looks < number and (looks == 0 or self._clock() < ends_at):
            looks += 1
            release, why, is_simulated = self._read_release()
            simulated = simulated or is_simulated
            if release:
                releases.append(release)
            else:
                silence = why
        if simulated and not self._settings.facts.service.simulated:
            raise SettingsInvalid(
                f"a sandbox answers at {self._settings.base_url}, and {self._settings.where} is none",
                next_step="correct SMOKE_BASE_URL: it is not the deployment",
            )
        return ObservedReleases(
            releases=tuple(dict.fromkeys(releases)), looks=looks, silence=silence, simulated=simulated
        )

    def _read_release(self) -> tuple[str, str, bool]:
        """Return the release one connection tells, "" and why not, and whether it is a sandbox's.

        A release that is too broken to say that it is ready still tells its name in the header it stamps.
        """
        with self.deployment(learn_secret=lambda secret: None) as deployment:
            try:
                readiness = deployment.readiness()
            except SettingsInvalid:
                raise
            except SmokeError as problem:
                return "", str(problem), False
            if readiness.genuine and readiness.release:
                return _on_one_line(readiness.release), "", readiness.simulated
            release = deployment.last_headers.get(self._header, "") if self._header else ""
            return (
                _on_one_line(release),
                readiness.not_genuine_because or "it does not name its release",
                readiness.simulated,
            )


def _on_one_line(release: str) -> str:
    """Return a release as it may be shown and handed on: a broken one may call itself anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in release)[:_LONGEST]
