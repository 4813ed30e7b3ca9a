"""Starts `streampay-smoke run` for an attempt, keeps its time, and reads the verdict it left."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from streampay_smoke.gate.verdict import (
    EXIT_CODES,
    SIGNAL_EXIT_CODES,
    VERDICT,
    Action,
    Verdict,
    VerdictStatus,
    written_at,
)
from streampay_smoke.serve.attempts import RunOrder
from streampay_smoke.settings.deadline import CLEAN_UP_MOST_SECONDS

RUN: Final = (sys.executable, "-m", "streampay_smoke", "run")

REPORT_SECONDS: Final = 30.0
"""How much longer than its deadline and its clean-up a run may take to start and to build its report."""

GRACE_SECONDS: Final = 10.0
"""How long a run that is told to end may write its verdict before it is killed."""

LOOK_SECONDS: Final = 0.2
"""How often a run that an earlier service started is looked at."""

_OWN = "SMOKE_SERVE_"


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to: its verdict's word and reasons, or in words why there is no verdict to act on.

    `held` says that the word is FAIL and rolls nothing back: the policy holds for it.
    """

    verdict: VerdictStatus
    reason_code: str
    message: str
    run_id: str = ""
    held: bool = False


class RunProcesses:
    """Plays attempts, each in a folder of its own. `command` is what is started; `limit_seconds` when it is ended.

    A run that ends because the service does has `clean_up_seconds` to end its streams.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        limit_seconds: float,
        command: Sequence[str] = RUN,
        grace_seconds: float = GRACE_SECONDS,
        clean_up_seconds: float = CLEAN_UP_MOST_SECONDS,
    ) -> None:
        self._environ = {name: value for name, value in environ.items() if not name.startswith(_OWN)}
        self._command = tuple(command)
        self._limit_seconds = limit_seconds
        self._overtime_grace_seconds = grace_seconds
        self._clean_up_seconds = clean_up_seconds
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Have every run end now; each still leaves a verdict."""
        self._closing.set()

    @property
    def _grace_seconds(self) -> float:
        """How long a run that is told to end has: one that is over its time has had that for its clean-up."""
        return self._overtime_grace_seconds + (self._clean_up_seconds if self._closing.is_set() else 0.0)

    async def play(self, order: RunOrder, folder: Path, started: Callable[[int], None]) -> RunAnswer:
        """Start a run and return its answer; `started` is told its process group.

        Raises OSError when it cannot be started.
        """
        alive = _lock(folder)
        try:
            with (folder / "output.log").open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    env={**self._environ, **_variables(order, folder)},
                    pass_fds=(alive,),
                    start_new_session=True,
                )
        finally:
            os.close(alive)  # the run itself holds the lock now, for as long as it lives
        started(process.pid)
        ended = asyncio.ensure_future(process.wait())
        closing = asyncio.ensure_future(self._closing.wait())
        await asyncio.wait({ended, closing}, timeout=self._limit_seconds, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not ended.done():
            _signal(process.pid, signal.SIGTERM)
            await asyncio.wait({ended}, timeout=self._grace_seconds)
            _signal(process.pid, signal.SIGKILL)  # whatever of its group is left
        return answer_of(order, folder, exit_code=await ended)

    async def adopt(self, order: RunOrder, folder: Path, process: int) -> RunAnswer:
        """Wait for a run that an earlier service started, and return its answer; its exit code nobody knows.

        Who holds the lock is alive: a process number alone may be somebody else's by now.
        """
        if not await self._unlocked(folder, self._limit_seconds, or_closing=True):
            for number in (signal.SIGTERM, signal.SIGKILL):
                if process and _locked(folder):
                    _signal(process, number)
                    await self._unlocked(folder, self._grace_seconds)
        return answer_of(order, folder, exit_code=None)

    async def _unlocked(self, folder: Path, seconds: float, *, or_closing: bool = False) -> bool:
        """Wait until nobody holds the lock; return whether that came to be."""
        ends_at = time.monotonic() + seconds
        while _locked(folder):
            if time.monotonic() >= ends_at or (or_closing and self._closing.is_set()):
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True


def answer_of(order: RunOrder, folder: Path, *, exit_code: int | None) -> RunAnswer:
    """Return what a run that has ended says. Without a verdict that fits the run it is INCONCLUSIVE.

    `exit_code` is None where it is not known.
    """
    verdict = written_at(folder / "artifacts" / "latest" / VERDICT)
    if verdict is None:
        return _no_verdict("no_verdict", f"the run ended with exit code {exit_code} and left no verdict.json")
    if exit_code is not None and exit_code != verdict.exit_code:
        return _no_verdict("verdict_disputed", f"exit code {exit_code} is not that of verdict {verdict.verdict}")
    if verdict.exit_code not in {EXIT_CODES[verdict.verdict], *SIGNAL_EXIT_CODES.values()}:
        return _no_verdict("verdict_disputed", f"verdict {verdict.verdict} does not go with code {verdict.exit_code}")
    if verdict.target.rehearsal:
        return _no_verdict("rehearsal", "no deployment was named: the run played a sandbox of its own")
    if verdict.verdict is VerdictStatus.PASS and verdict.exit_code == 0 and verdict.action is Action.HOLD:
        because = "a part of the suite passed (SMOKE_TAGS): that is no reason to promote"
        return msgspec.structs.replace(_no_verdict("part_of_the_suite", because), run_id=verdict.run_id)
    if verdict.verdict is VerdictStatus.PASS and (verdict.action is not Action.PROMOTE or verdict.exit_code != 0):
        return _no_verdict("verdict_disputed", f"verdict PASS does not go with action {verdict.action}")
    differs = _other_than_ordered(order, verdict)
    if differs and verdict.verdict in {VerdictStatus.PASS, VerdictStatus.FAIL}:
        return _no_verdict("verdict_of_another", f"the run judged another {differs} than was asked for")
    return RunAnswer(
        verdict=verdict.verdict,
        reason_code=verdict.reason_code,
        message=verdict.message,
        run_id=verdict.run_id,
        held=verdict.verdict is VerdictStatus.FAIL and verdict.action is not Action.ROLLBACK,
    )


def _other_than_ordered(order: RunOrder, verdict: Verdict) -> str:
    """Return in what the deployment that was judged differs from the one in the order, "" for nothing."""
    target = verdict.target
    pairs = {
        "environment": (order.deploy.environment, target.environment),
        "region": (order.deploy.region, target.region),
        "release": (order.release, target.release_expected),
        "address": (order.base_url, target.base_url),
    }
    return next((what for what, (asked, judged) in pairs.items() if asked and asked != judged), "")


def _no_verdict(reason_code: str, message: str) -> RunAnswer:
    return RunAnswer(verdict=VerdictStatus.INCONCLUSIVE, reason_code=reason_code, message=message)


def _variables(order: RunOrder, folder: Path) -> dict[str, str]:
    """Return what a run is told. INCONCLUSIVE stays what it is: engines get their three states from the service."""
    given = {
        "SMOKE_ENV": order.deploy.environment,
        "SMOKE_REGION": order.deploy.region,
        "SMOKE_EXPECT_RELEASE": order.release,
        "SMOKE_BASE_URL": order.base_url,
    }
    return {
        "SMOKE_ARTIFACTS": str(folder / "artifacts"),
        "SMOKE_ON_INCONCLUSIVE": "hold",
        **{name: value for name, value in given.items() if value},
    }


def _lock(folder: Path) -> int:
    """Return a descriptor that locks the attempt; processes that inherit it hold the lock with it."""
    descriptor = os.open(folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _locked(folder: Path) -> bool:
    try:
        os.close(_lock(folder))
    except BlockingIOError:
        return True
    return False


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
