"""Requests up to a rate limit, and beyond."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec.structs import replace

from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.core.side_by_side import side_by_side
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Recorder
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer

SPARE = 5
"""Requests beyond what the limit allows in the time they took, before it counts as none."""

FEWEST_READS_AT_ONCE = 6
MOST_READS_AT_ONCE = 18
"""How many reads a burst has under way: one after the other, slow answers would give a limit time to refill."""

MOST_BURST_SECONDS = 30.0
"""How long a burst may take; a limit that it has not reached by then stays unproved."""

REFILL_SECONDS = 15.0
"""How long both callers are silent before the limit of one of them counts as unused by anybody else."""

_ROUND_SECONDS = 60.0

AskSeveral = Callable[[int], Sequence[Answer]]
"""Asks so often at the same time and returns the answers."""


class LimitNotReached(SmokeError):
    """Requests were too slow to exceed the limit: whether it holds is not proved either way."""

    kind: ClassVar[str] = "limit_not_reached"
    blame: ClassVar[Blame] = Blame.HARNESS


def list_as_new_caller(run: RunContext) -> Answer:
    """Ask for streams once, and without waiting for a limit, as a caller without earlier requests.

    Raises Throttled for a limit that lets callers through: runs beside this one may have used it up, where it counts
    by address. One that lets nobody through in a whole run is the product's.
    """
    with not_waiting(run, run.record) as deployment:
        answer = deployment.streams_answer(_with_own_limit(ANONYMOUS, deployment))
    if answer.status != TOO_MANY_REQUESTS:
        return answer
    waiting = run.deployment
    if not waiting.has_shown_streams:
        waiting.streams_answer(_with_own_limit(ANONYMOUS, waiting))  # waits for as long as the answer says
    if waiting.has_shown_streams:
        waiting.raise_if_throttled(answer)
    return answer


def exceed_limit_and_list_as_another(
    run: RunContext, exceeding: Credential, other: Credential
) -> tuple[RequestBurst, Answer]:
    """List streams with one credential until it is throttled, and then once with another.

    Both count apart from everything else in this run. Of the many answers the journal keeps the last. A 429 for the
    other one is returned only where nobody else was using their limit, before the burst and after it: else it is
    raised as Throttled, for runs beside this one have the same users.
    """
    first, second = (_with_own_limit(each, run.deployment) for each in (exceeding, other))
    run.deployment.raise_if_throttled(run.deployment.streams_answer(second))
    burst, answer = _burst_once(run, first, second)
    if answer.status != TOO_MANY_REQUESTS:
        return burst, answer
    _raise_if_used_by_others(run, second)
    burst, answer = _burst_once(run, first, second)
    if answer.status == TOO_MANY_REQUESTS:
        _raise_if_used_by_others(run, second)
    return burst, answer


def _burst_once(run: RunContext, first: Credential, second: Credential) -> tuple[RequestBurst, Answer]:
    burst = read_until_throttled(run, lambda: first)
    with not_waiting(run, run.record) as deployment:
        return burst, deployment.streams_answer(second)


def _raise_if_used_by_others(run: RunContext, credential: Credential) -> None:
    """Raise Throttled where a limit has not refilled while this run was silent: somebody else is using it."""
    run.wait_as_for_rate_limit(REFILL_SECONDS, what="the read limit to refill while this run sends nothing")
    with not_waiting(run, run.record) as deployment:
        for _ in range(SPARE):
            deployment.raise_if_throttled(deployment.streams_answer(credential))


def read_until_throttled(run: RunContext, credential: Callable[[], Credential]) -> RequestBurst:
    """List streams until throttled, each time with what `credential` gives.

    Raises what went wrong where the last answer is no list either: who is not served has not evaded a limit.
    """
    burst = burst_of(
        run,
        lambda deployment: deployment.streams_answer(credential()),
        per_minute=run.settings.facts.service.reads_per_minute,
        fewest_at_once=FEWEST_READS_AT_ONCE,
        most_at_once=MOST_READS_AT_ONCE,
    )
    run.deployment.raise_if_not_shown(burst.last, credential())
    return burst


def burst_of(
    run: RunContext,
    ask: Callable[[Deployment], Answer],
    *,
    per_minute: int,
    fewest_at_once: int = 1,
    most_at_once: int = 1,
) -> RequestBurst:
    """Ask the deployment until throttled. Of the many answers the journal keeps one: the first 429, else the last."""
    seen = OneExchange()
    with not_waiting(run, seen) as deployment:
        run.record(Awaiting(peer="service", what="many requests of one caller"))
        try:
            return request_until_throttled(
                lambda at_once: side_by_side([lambda: ask(deployment)] * at_once, run.record),
                per_minute=per_minute,
                replicas=run.settings.facts.service.replicas,
                fewest_at_once=fewest_at_once,
                most_at_once=most_at_once,
            )
        finally:
            seen.record_it(run.record)


def request_until_throttled(
    ask: AskSeveral,
    *,
    per_minute: int,
    replicas: int,
    fewest_at_once: int = 1,
    most_at_once: int = 1,
    clock: Callable[[], float] = time.monotonic,
) -> RequestBurst:
    """Ask until throttled, or until every replica's limit, and what it gave back meanwhile, is used up.

    First and last few are asked at once, so that no more than those are sent to a limit that is used up; in between as
    many as a limit allows that is not.

    Raises LimitNotReached where that takes longer than MOST_BURST_SECONDS.
    """
    began, requests = clock(), 0
    while True:
        within_limit = min(most_at_once, per_minute - requests) if requests else 0
        answers = ask(max(fewest_at_once, within_limit))
        requests, seconds = requests + len(answers), clock() - began
        last = next((answer for answer in answers if answer.status == TOO_MANY_REQUESTS), answers[-1])
        exceeded = requests >= max(1, replicas) * per_minute * (1 + seconds / _ROUND_SECONDS) + SPARE
        if last.status == TOO_MANY_REQUESTS or exceeded:
            return RequestBurst(requests=requests, seconds=seconds, last=last)
        if seconds > MOST_BURST_SECONDS:
            raise LimitNotReached(
                f"{requests} requests took {seconds:.0f} s: too slow to exceed a limit of {per_minute} a minute",
                next_step="see why answers are slow, here or on the way; then run again",
            )


class OneExchange:
    """Keeps one exchange of many alike, the first that was throttled, else the last, and how many there were."""

    def __init__(self) -> None:
        self._exchange: Exchanged | None = None
        self._requests = 0
        self._lock = threading.Lock()

    def __call__(self, event: AnyEvent) -> None:
        """Take an event, as any recorder."""
        if not isinstance(event, Exchanged):
            return
        with self._lock:
            self._requests += 1
            if self._exchange is None or self._exchange.status != TOO_MANY_REQUESTS:
                self._exchange = event

    def record_it(self, record: Recorder) -> None:
        """Record the exchange, if there was one."""
        if self._exchange is not None:
            record(replace(self._exchange, stands_for=self._requests))


def not_waiting(run: RunContext, record: Recorder) -> Deployment:
    """Return the deployment for somebody who takes a 429 for an answer."""
    return run.deployment_at(
        run.settings.base_url, record=record, timeout_seconds=REQUEST_SECONDS, throttle_seconds=0.0
    )


def _with_own_limit(credential: Credential, deployment: Deployment) -> Credential:
    """Return the credential under a caller's key nobody has used before, where limits count by it."""
    key = {deployment.access.caller_header: f"smoke-{secrets.token_hex(16)}"}
    return replace(credential, headers={**key, **credential.headers})
