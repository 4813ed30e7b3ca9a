"""Kills the actuator at every point between two system calls that matter, and takes it up again.

Run as a process of one thread, so that a fork of it is a whole process: each attempt is one, and dies by SIGKILL. A
point is before, in the middle of and after each write to the intent log, before and after each fsync, lock and
request, and inside the request that asks the engine. The points are counted first, then visited one by one.

Reads one JSON document from standard input (`Exploration`) and writes one (`Explored`) to standard output.
"""

import fcntl
import http.client
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import jwt  # noqa: F401 - loaded before the forks: each would load it anew
import msgspec
import nacl.signing  # noqa: F401
from msgspec.structs import replace
from waits import HANG_SECONDS

from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.http.client import Client
from streampay_smoke.rollback import actuator, command, verification
from streampay_smoke.rollback import configuration as configurations
from streampay_smoke.rollback import log as logs
from streampay_smoke.rollback.configuration import Actuation
from streampay_smoke.rollback.hook import HookFailed, Intent
from streampay_smoke.rollback.log import IntentLog, TargetRecorded

NEVER = 0

SHORTEST = 20
"""An attempt that is taken up again has more points than this, whatever is left to do."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One way for an engine to be, and how the deploy went wrong.

    `kills` is how many attempts of a visit are killed before one is let through: the first at the point visited, the
    others where it comes. `records` visits the recording before the deploy instead of the rollback after it, `every`
    visits every n-th point only. `least` is how many attempts are killed at least, `exit_code` what the last one says.
    """

    name: str
    least: int
    faults: tuple[str, ...] = ()
    failed: str = "v2"
    dies_while_asking: bool = True
    records: bool = False
    kills: int = 1
    every: int = 1
    within_seconds: float = 5.0
    exit_code: int = 0


class Exploration(msgspec.Struct, frozen=True, kw_only=True):
    environ: dict[str, str]
    root: str
    engine_url: str
    scenario: Scenario
    settle_seconds: float


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Where attempts were killed, and what came of the one that was not."""

    killed: tuple[str, ...]
    exit_code: int
    live: str
    applied: int
    asked: int
    steps: tuple[str, ...]
    damaged: bool


class Explored(msgspec.Struct, frozen=True, kw_only=True):
    visits: tuple[Visit, ...]


class Fate:
    """Counts the points of this process, and kills it at one of them."""

    def __init__(self, dies_at: int = NEVER, report: int = -1) -> None:
        self.passed: list[str] = []
        self._dies_at = dies_at
        self._report = report

    def point(self, where: str) -> None:
        self.passed.append(where)
        if len(self.passed) == self._dies_at:
            if self._report >= 0:
                WRITE(self._report, where.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    @property
    def dies_next(self) -> bool:
        return len(self.passed) + 1 == self._dies_at


WRITE, FSYNC, FLOCK = os.write, os.fsync, fcntl.flock


class EngineHook:
    """The engine of the fleet, asked in this process so that it can die in the middle of a request."""

    def __init__(self, url: str, fate: Fate, *, dies_while_asking: bool) -> None:
        self._address = urlsplit(url).netloc
        self._fate = fate
        self._dies_while_asking = dies_while_asking

    def live_release(self) -> str | None:
        self._fate.point("before the engine is asked what is live")
        return str(self._ask("GET", "/state")["live"])

    def roll_back(self, intent: Intent) -> str:
        self._fate.point("before the engine is asked")
        given = urlencode({"release": intent.target_release, "key": intent.key})
        said = self._ask("POST", f"/roll-back?{given}", dies=self._dies_while_asking)
        self._fate.point("after the engine answered")
        return str(said["said"])

    def _ask(self, method: str, path: str, *, dies: bool = False) -> dict[str, object]:
        connection = http.client.HTTPConnection(self._address, timeout=HANG_SECONDS)
        try:
            connection.request(method, path)
            if dies:
                self._fate.point("while the engine is at work")
            answer = connection.getresponse()
            document: dict[str, object] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise HookFailed(f"no answer: {type(problem).__name__}") from problem
        finally:
            connection.close()
        if answer.status != 200:
            raise HookFailed(str(document))
        return document


def instrument(fate: Fate) -> None:
    """Put a point around everything this process does to the disk and to the network."""

    def write(file: int, data: bytes) -> int:
        fate.point("before a line is written")
        if fate.dies_next:
            WRITE(file, data[: len(data) // 2])
        fate.point("in the middle of a line")
        written = WRITE(file, data)
        fate.point("after a line was written")
        return written

    def around(name: str, call: Callable[..., None]) -> Callable[..., None]:
        def called(*arguments: int) -> None:
            fate.point(f"before {name}")
            call(*arguments)
            fate.point(f"after {name}")

        return called

    request = Client.request

    def sent(client: Client, method: str, url: str, **given: object) -> object:
        fate.point(f"before {method} {url}")
        reply = request(client, method, url, **given)  # type: ignore[arg-type]
        fate.point(f"after {method} {url}")
        return reply

    os.write, os.fsync = write, around("fsync", FSYNC)  # type: ignore[assignment]
    fcntl.flock = around("flock", FLOCK)
    Client.request = sent  # type: ignore[method-assign,assignment]


def forked(work: Callable[[], int]) -> int:
    """Do the work in a process of its own; return its exit code, below 0 for the signal that ended it."""
    process = os.fork()
    if process == 0:
        code = 99
        try:
            code = work()
        except BaseException:  # noqa: BLE001 - a fork must never come back
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


class Explorer:
    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._scenario = exploration.scenario
        self._engine = EngineHook(exploration.engine_url, Fate(), dies_while_asking=False)
        self._deploys = 0
        actuator.SETTLE_SECONDS, actuator.PEEK_SECONDS = exploration.settle_seconds, 0.02
        verification.LEAST_SECONDS = 0.1
        os.environ.update(exploration.environ)
        os.chdir(exploration.root)
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - what a rollback says is not asked

    def explore(self) -> Explored:
        return Explored(visits=tuple(self._visits(len(self._counted()))))

    def _visits(self, points: int) -> Iterator[Visit]:
        for at in range(1, points + 1, self._scenario.every):
            others = ((at * 7 + number * 11) % SHORTEST + 1 for number in range(1, self._scenario.kills))
            yield self._visited([at, *others])

    def _counted(self) -> list[str]:
        deploy = self._deployed()
        reading, writing = os.pipe()

        def count() -> int:
            fate = Fate()
            self._attempt(deploy, fate)
            WRITE(writing, json.dumps(fate.passed).encode())
            return 0

        forked(count)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            points: list[str] = json.loads(told.read())
        return points

    def _visited(self, points: Sequence[int]) -> Visit:
        deploy = self._deployed()
        killed = tuple(where for at in points if (where := self._killed(deploy, at)))
        code = forked(lambda: self._attempt(deploy, Fate()))
        if self._scenario.records and code == 0:
            self._engine._ask("POST", f"/promote?release={self._scenario.failed}")
            code = forked(lambda: self._run(deploy))
        return self._seen(deploy, killed, code)

    def _killed(self, deploy: str, at: int) -> str:
        """Let an attempt die at a point; return where that was, "" where it got to its end before."""
        reading, writing = os.pipe()
        forked(lambda: self._attempt(deploy, Fate(at, writing)))
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            return told.read().decode()

    def _deployed(self) -> str:
        """Begin anew: v1 is live and recorded (unless the recording is explored), then the failed release is."""
        self._deploys += 1
        deploy = f"{self._scenario.name}-{self._deploys}"
        self._log(deploy).unlink(missing_ok=True)
        self._engine._ask("POST", "/promote?release=v1")
        if not self._scenario.records:
            with IntentLog.held(self._log(deploy), Redactor()) as log:
                log.append(TargetRecorded(deploy=deploy, release="v1", engine_release="v1", looks=1))
            self._engine._ask("POST", f"/promote?release={self._scenario.failed}")
        return deploy

    def _attempt(self, deploy: str, fate: Fate) -> int:
        instrument(fate)
        hook = EngineHook(self._exploration.engine_url, fate, dies_while_asking=self._scenario.dies_while_asking)
        given = ("--record",) if self._scenario.records else ("--failed", self._scenario.failed)
        return self._run(deploy, *given, hook=hook)

    def _run(self, deploy: str, *given: str, hook: EngineHook | None = None) -> int:
        """Run the command as it is, with the hook of this process in the place of the file's."""
        os.environ["SMOKE_ROLLBACK_LOG"] = str(self._log(deploy))
        made = configurations.actuation

        def actuation(*arguments: object) -> Actuation:
            settings = made(*arguments)  # type: ignore[arg-type]
            return replace(settings, hook=hook or self._engine, within_seconds=self._scenario.within_seconds)

        setattr(command, "actuation", actuation)  # noqa: B010 - in this process only
        return command.main(["--deploy", deploy, *given])

    def _seen(self, deploy: str, killed: tuple[str, ...], code: int) -> Visit:
        state = self._engine._ask("GET", "/state")
        path = self._log(deploy)
        try:
            history = logs.read_log(path).of(deploy)
            steps, damaged = tuple(type(line.step).__name__ for line in history.lines), False
            key = history.intended.key if history.intended else ""
        except logs.LogDamaged:
            steps, damaged, key = (), True, ""
        return Visit(
            killed=killed,
            exit_code=code,
            live=str(state["live"]),
            applied=sum(applied["key"] == key for applied in state["applied"]),  # type: ignore[attr-defined]
            asked=list(state["asked"]).count(key),  # type: ignore[call-overload]
            steps=steps,
            damaged=damaged,
        )

    def _log(self, deploy: str) -> Path:
        return Path(self._exploration.root) / "logs" / f"{deploy}.jsonl"


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Exploration)
    answer = sys.stdout.buffer
    answer.write(msgspec.json.encode(Explorer(asked).explore()))
    answer.flush()
