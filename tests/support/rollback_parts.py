"""An engine and a wire for tests of the actuator, on a clock of their own: nothing here waits."""

from collections.abc import Callable
from pathlib import Path

from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.actuator import Actuator
from streampay_smoke.rollback.hook import HookFailed, Intent
from streampay_smoke.rollback.log import IntentLog, LogRead, read_log
from streampay_smoke.rollback.outcome import NotLive, RollbackOutcome
from streampay_smoke.rollback.verification import Verification
from streampay_smoke.rollback.wire import ObservedReleases

SILENT = "the connection was refused"


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Engine:
    """A deployment engine, its fleet, and the wire to it. What it does when asked is one of its own methods.

    `live` are the releases that answer; `applied` is every change it made, `keys` every key it was asked with.
    """

    def __init__(self, clock: Clock, *live: str, tells: bool = True) -> None:
        self.clock = clock
        self.live: tuple[str, ...] = live
        self.tells = tells
        self.keys: list[str] = []
        self.intents: list[Intent] = []
        self.applied: list[str] = []
        self.due: list[tuple[float, str]] = []
        self.sick: set[str] = set()
        self.behaves: Callable[[Intent], str] = self.at_once
        self.asked_what_is_live: Callable[[], str | None] = self._live

    def at_once(self, intent: Intent) -> str:
        self.live = (intent.target_release,)
        self.applied.append(intent.target_release)
        return "done"

    def does_nothing(self, intent: Intent) -> str:
        return "accepted"

    def later(self, seconds: float) -> Callable[[Intent], str]:
        def act(intent: Intent) -> str:
            self.due.append((self.clock() + seconds, intent.target_release))
            return "scheduled"

        return act

    def then_times_out(self, intent: Intent) -> str:
        self.at_once(intent)
        raise HookFailed("no answer within 5 s", next_step="see the engine")

    def is_down(self, intent: Intent) -> str:
        raise HookFailed("connection refused")

    def restores(self, release: str) -> Callable[[Intent], str]:
        def act(intent: Intent) -> str:
            self.live = (release,)
            self.applied.append(release)
            return "done"

        return act

    def recovers_after(self, refusals: int) -> Callable[[Intent], str]:
        def act(intent: Intent) -> str:
            if len(self.intents) <= refusals:
                return self.is_down(intent)
            return self.at_once(intent)

        return act

    # the hook

    def live_release(self) -> str | None:
        return self.asked_what_is_live()

    def _live(self) -> str | None:
        self._let_time_act()
        return self.live[0] if self.tells and self.live else None

    def roll_back(self, intent: Intent) -> str:
        self.intents.append(intent)
        if intent.key in self.keys:
            return "known key: nothing to do"
        answer = self.behaves(intent)
        self.keys.append(intent.key)
        return answer

    # the wire

    def look(self) -> ObservedReleases:
        self._let_time_act()
        return ObservedReleases(releases=self.live, looks=3, silence="" if self.live else SILENT)

    def peek(self) -> ObservedReleases:
        return self.look()

    # the proof

    def verify(self, target: str, *, within_seconds: float) -> Verification:
        self.clock.sleep(max(0.0, within_seconds - 1))
        self._let_time_act()
        if self.live != (target,):
            raise NotLive(f"{' and '.join(self.live) or 'nothing'} is live")
        if target in self.sick:
            raise NotLive(f"{target} is not ready", next_step="see its log")
        return Verification(promises=("it is live", "it is ready"))

    def _let_time_act(self) -> None:
        for at, release in list(self.due):
            if self.clock() >= at:
                self.due.remove((at, release))
                self.live = (release,)
                self.applied.append(release)


class Bench:
    """An environment under test; each call is a process of its own as far as the log is concerned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.engine = Engine(self.clock, "v1")

    def record(self, deploy: str = "d-1") -> RollbackOutcome:
        return self._act(lambda actuator: actuator.record(deploy))

    def deploy(self, release: str = "v2") -> None:
        self.engine.live = (release,)

    def roll_back(self, deploy: str = "d-1", failed: str = "") -> RollbackOutcome:
        return self._act(lambda actuator: actuator.roll_back(deploy, failed))

    def steps(self, deploy: str = "d-1") -> list[str]:
        return [type(line.step).__name__ for line in self.log.of(deploy).lines]

    @property
    def log(self) -> LogRead:
        return read_log(self.path)

    def _act(self, act: Callable[[Actuator], RollbackOutcome]) -> RollbackOutcome:
        with IntentLog.held(self.path, Redactor()) as log:
            actuator = Actuator(
                environment="staging",
                where="staging",
                log=log,
                hook=self.engine,
                wire=self.engine,
                verifier=self.engine,
                within_seconds=60,
                clock=self.clock,
                sleep=self.clock.sleep,
            )
            return act(actuator)
