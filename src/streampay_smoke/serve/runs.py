"""Which attempt answers for a deploy, and the few that run at once. Everything is on disk before it happens."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from streampay_smoke.core import times
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.serve.attempts import RENEWALS, AttemptOutcome, AttemptState, Deploy, RunAttempt, RunOrder
from streampay_smoke.serve.run_processes import RunAnswer, RunProcesses
from streampay_smoke.serve.store import Store

WAITING: Final = 16
"""How many attempts may wait for their turn."""

RETRY_SECONDS: Final = 10
"""When to ask again after a full queue: Argo asks again after as long, whatever it is told."""

INCONCLUSIVE_VALID_SECONDS: Final = 300
"""How long "I could not tell" is worth keeping before the next request has it looked at again."""

CLOSING_SECONDS: Final = 15.0
"""How long a service that goes down waits for its runs: the player's grace, and some."""

_log = logging.getLogger("streampay_smoke.serve")


class QueueFull(SmokeError):
    """Too many deploys wait already: nothing was started."""

    kind = "queue_full"


class Closing(SmokeError):
    """The service is going down: nothing is started any more."""

    kind = "closing"


class OrderDiffers(SmokeError):
    """The deploy is known with another release or address than this request names."""

    kind = "order_differs"


class Overtaken(SmokeError):
    """Somebody else asked for another attempt first."""

    kind = "overtaken"


class Unknown(SmokeError):
    """Nobody has asked for this deploy yet."""

    kind = "unknown_deploy"


class Runs:
    """Attempts by deploy. All methods are for one event loop; each decides and writes before it lets others in."""

    def __init__(
        self,
        store: Store,
        player: RunProcesses,
        *,
        concurrency: int,
        valid_seconds: float,
        keep: int,
        now_ms: Callable[[], int] = times.now_ms,
    ) -> None:
        self._store = store
        self._player = player
        self._concurrency = concurrency
        self._valid_ms = round(valid_seconds * 1000)
        self._keep = keep
        self._now_ms = now_ms
        self._attempts: dict[str, RunAttempt] = {}
        self._by_deploy: dict[Deploy, list[str]] = {}
        self._settled: dict[str, asyncio.Event] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._adoptions: list[asyncio.Task[None]] = []
        self._closing = False

    # What callers ask

    def ask(self, order: RunOrder) -> RunAttempt:
        """Return the attempt that answers for a deploy; start one where none has, or its answer has expired.

        Raises OrderDiffers, QueueFull, Closing, or OSError when the attempt cannot be written down.
        """
        latest = self.latest(order.deploy)
        if latest is None:
            return self._enqueue(order, None)
        if order != latest.order:
            raise OrderDiffers(
                f"{order.deploy.label()} was asked for with another release or address",
                next_step="name the deploy by something that changes with its release, or ask for a new attempt",
            )
        return self._enqueue(order, latest) if self._renewable(latest) else latest

    def again(self, deploy: Deploy, *, release: str | None, base_url: str | None, supersedes: str = "") -> RunAttempt:
        """Return a new attempt, which supersedes the latest one at once; or the one that has not ended yet.

        `release` and `base_url` are those of the latest attempt where None. With `supersedes`, only that attempt is
        superseded: a request that is sent twice starts one. Raises Unknown, Overtaken and as `ask`.
        """
        latest = self.latest(deploy)
        if latest is None:
            raise Unknown(f"nobody has asked for {deploy.label()} yet", next_step="POST it to /v1/runs")
        if latest.outcome is None:
            return latest
        if supersedes and supersedes != latest.id:
            raise Overtaken(
                f"{supersedes} is not the latest attempt of {deploy.label()}", next_step=f"look at {latest.id} first"
            )
        order = RunOrder(
            deploy=deploy,
            release=latest.order.release if release is None else release,
            base_url=latest.order.base_url if base_url is None else base_url,
        )
        return self._enqueue(order, latest)

    def latest(self, deploy: Deploy) -> RunAttempt | None:
        """Return the attempt that answers for a deploy, None where nobody has asked."""
        known = self._by_deploy.get(deploy)
        return self._attempts[known[-1]] if known else None

    def attempt(self, name: str) -> RunAttempt | None:
        """Return an attempt by its id."""
        return self._attempts.get(name)

    def superseded_by(self, attempt: RunAttempt) -> str:
        """Return the id of the attempt that took its place, "" for none."""
        latest = self.latest(attempt.order.deploy)
        if latest is None or latest.number <= attempt.number:
            return ""
        known = [self._attempts[name] for name in self._by_deploy[attempt.order.deploy]]
        return next(one.id for one in known if one.number > attempt.number)

    async def settled(self, attempt: RunAttempt, within_seconds: float) -> RunAttempt:
        """Wait for an attempt to end, no longer than this, and return it as it is then."""
        event = self._settled.get(attempt.id)
        if event is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), within_seconds)
        return self._attempts.get(attempt.id, attempt)

    def counts(self) -> dict[AttemptState, int]:
        """Return how many attempts are queued and running."""
        states = [attempt.state for attempt in self._attempts.values()]
        return {state: states.count(state) for state in (AttemptState.QUEUED, AttemptState.RUNNING)}

    @property
    def well(self) -> bool:
        """Whether everything that should work does: a worker that ended did so by a defect."""
        return not self._closing and not any(worker.done() for worker in self._workers)

    # Life

    def start(self) -> None:
        """Take up what an earlier service left, and begin to work. Runs that live on are adopted, none is repeated."""
        for attempt in self._store.read():
            self._remember(attempt)
            if attempt.state is AttemptState.QUEUED:
                self._queue.put_nowait(attempt.id)
            elif attempt.state is AttemptState.RUNNING:
                self._adoptions.append(asyncio.create_task(self._adopted(attempt.id)))
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]

    async def close(self) -> None:
        """End every run, write down how it ended, and stop. What waits in the queue waits for the next start."""
        self._closing = True
        self._player.close()
        running = [name for name, one in self._attempts.items() if one.state is AttemptState.RUNNING]
        ends = [asyncio.ensure_future(self._settled[name].wait()) for name in running]
        if ends:  # what is not settled by then is taken up by the next service
            await asyncio.wait(ends, timeout=CLOSING_SECONDS)
        tasks = (*ends, *self._workers, *self._adoptions)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # How attempts are made and played

    def _renewable(self, latest: RunAttempt) -> bool:
        """Whether an expired answer is asked for again without a person: never SAFETY, and not without end."""
        if not latest.expired(self._now_ms()):
            return False
        recent = [self._attempts[name] for name in self._by_deploy[latest.order.deploy][-RENEWALS:]]
        words = [one.outcome.verdict for one in recent if one.outcome is not None]
        return not (len(words) == RENEWALS and set(words) == {VerdictStatus.INCONCLUSIVE})

    def _enqueue(self, order: RunOrder, latest: RunAttempt | None) -> RunAttempt:
        if self._closing:
            raise Closing("the service is going down", next_step="ask again when it is up")
        if self._queue.qsize() >= WAITING:
            raise QueueFull(f"{WAITING} deploys wait already", next_step=f"ask again in {RETRY_SECONDS} s")
        now_ms = self._now_ms()
        attempt = RunAttempt(
            id=f"{times.stamp(now_ms)}-{secrets.token_hex(4)}",
            number=latest.number + 1 if latest else 1,
            order=order,
            supersedes=latest.id if latest else "",
            asked_at_ms=now_ms,
        )
        self._store.keep(attempt)
        self._remember(attempt)
        self._queue.put_nowait(attempt.id)
        _log.info("attempt %s queued for %s, number %d", attempt.id, order.deploy.label(), attempt.number)
        return attempt

    def _remember(self, attempt: RunAttempt) -> None:
        if attempt.id not in self._attempts:
            self._by_deploy.setdefault(attempt.order.deploy, []).append(attempt.id)
        self._attempts[attempt.id] = attempt
        if attempt.outcome is None:
            self._settled.setdefault(attempt.id, asyncio.Event())

    async def _work(self) -> None:
        while True:
            name = await self._queue.get()
            if self._closing:  # it stays on disk as queued
                return
            await self._played(name)

    async def _played(self, name: str) -> None:
        attempt = self._change(name, started_at_ms=self._now_ms())
        folder = self._store.folder(attempt)
        try:
            # Written down first: after a crash in between it counts as run, never as a reason to run it again.
            self._store.keep(attempt)
            answer = await self._player.play(attempt.order, folder, lambda pid: self._note(name, pid))
        except OSError as error:
            _log.error("attempt %s could not be started: %s", name, error.strerror)
            answer = RunAnswer(
                verdict=VerdictStatus.INCONCLUSIVE,
                reason_code="not_started",
                message=f"no run could start: {error.strerror}",
            )
        self._finish(name, answer)

    async def _adopted(self, name: str) -> None:
        attempt = self._attempts[name]
        _log.info("attempt %s was left by an earlier service", name)
        answer = await self._player.adopt(attempt.order, self._store.folder(attempt), attempt.process)
        self._finish(name, answer)

    def _note(self, name: str, process: int) -> None:
        attempt = self._change(name, process=process)
        try:
            self._store.keep(attempt)
        except OSError as error:  # only a later service would have used it, to end a run that is over its time
            _log.error("attempt %s could not be written down: %s", name, error.strerror)

    def _change(self, name: str, **changes: object) -> RunAttempt:
        changed: RunAttempt = msgspec.structs.replace(self._attempts[name], **changes)
        self._attempts[name] = changed
        return changed

    def _finish(self, name: str, answer: RunAnswer) -> None:
        now_ms = self._now_ms()
        outcome = AttemptOutcome(
            verdict=answer.verdict,
            reason_code=answer.reason_code,
            message=answer.message,
            run_id=answer.run_id,
            held=answer.held,
            finished_at_ms=now_ms,
            valid_until_ms=self._valid_until_ms(answer.verdict, now_ms),
        )
        attempt = self._change(name, outcome=outcome)
        try:
            self._store.keep(attempt)
            self._forget_the_oldest()
        except OSError as error:
            # What is told from memory now is told again after a restart: the verdict itself is on disk.
            _log.error("attempt %s could not be written down: %s", name, error.strerror)
        _log.info("attempt %s is %s (%s)", name, answer.verdict, answer.reason_code)
        self._settled.pop(name).set()

    def _valid_until_ms(self, status: VerdictStatus, now_ms: int) -> int:
        if status is VerdictStatus.SAFETY:
            return 0
        if status is VerdictStatus.INCONCLUSIVE:
            return now_ms + min(self._valid_ms, INCONCLUSIVE_VALID_SECONDS * 1000)
        return now_ms + self._valid_ms

    def _forget_the_oldest(self) -> None:
        """Remove finished attempts beyond the number to keep; never one whose answer still stands."""
        now_ms = self._now_ms()
        finished = [one for one in self._attempts.values() if one.outcome is not None]
        gone = [one for one in finished if one.expired(now_ms) or self.superseded_by(one)]
        for attempt in gone[: max(len(finished) - self._keep, 0)]:
            self._store.forget(attempt)
            del self._attempts[attempt.id]
            self._by_deploy[attempt.order.deploy].remove(attempt.id)
            if not self._by_deploy[attempt.order.deploy]:
                del self._by_deploy[attempt.order.deploy]
