"""Requests up to a rate limit, and beyond."""

import secrets
import time
from collections.abc import Callable

from msgspec.structs import replace

from streampay_smoke.acceptance.checks.throttling import RequestBurst
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Recorder
from streampay_smoke.service.credentials import ANONYMOUS, Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS, Answer

SPARE = 5
"""Requests beyond what the limit allows in the time they took, before it counts as none."""

_BURSTS = 2
"""How often a burst has to throttle another caller before the limit counts as shared."""


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

    Both count apart from everything else in this run. The other one is served before the burst, or Throttled is raised:
    somebody else used the limit up. That the burst throttles the other has to be seen twice. Of the many answers the
    journal keeps the last.
    """
    first, second = (_with_own_limit(each, run.deployment) for each in (exceeding, other))
    for _ in range(_BURSTS - 1):
        burst, answer = _burst_once(run, first, second)
        if answer.status != TOO_MANY_REQUESTS:
            return burst, answer
    return _burst_once(run, first, second)


def _burst_once(run: RunContext, first: Credential, second: Credential) -> tuple[RequestBurst, Answer]:
    run.deployment.raise_if_throttled(run.deployment.streams_answer(second))
    burst = read_until_throttled(run, lambda: first)
    with not_waiting(run, run.record) as deployment:
        return burst, deployment.streams_answer(second)


def read_until_throttled(run: RunContext, credential: Callable[[], Credential]) -> RequestBurst:
    """List streams until throttled, each time with what `credential` gives."""
    return burst_of(
        run,
        lambda deployment: deployment.streams_answer(credential()),
        per_minute=run.settings.facts.service.reads_per_minute,
    )


def burst_of(run: RunContext, ask: Callable[[Deployment], Answer], *, per_minute: int) -> RequestBurst:
    """Ask the deployment until throttled. Of the many answers the journal keeps the last."""
    seen = _Last()
    with not_waiting(run, seen) as deployment:
        run.record(Awaiting(peer="service", what="many requests of one caller"))
        try:
            return request_until_throttled(
                lambda: ask(deployment), per_minute=per_minute, replicas=run.settings.facts.service.replicas
            )
        finally:
            seen.record_last(run.record)


def request_until_throttled(
    ask: Callable[[], Answer], *, per_minute: int, replicas: int, clock: Callable[[], float] = time.monotonic
) -> RequestBurst:
    """Ask until throttled, or until every replica's limit, and what it gave back meanwhile, is used up."""
    began, requests = clock(), 0
    while True:
        last, requests = ask(), requests + 1
        seconds = clock() - began
        if last.status == TOO_MANY_REQUESTS or requests >= replicas * per_minute * (1 + seconds / 60) + SPARE:
            return RequestBurst(requests=requests, seconds=seconds, last=last)


class _Last:
    """Keeps the last exchange of many alike."""

    def __init__(self) -> None:
        self._exchange: Exchanged | None = None

    def __call__(self, event: AnyEvent) -> None:
        if isinstance(event, Exchanged):
            self._exchange = event

    def record_last(self, record: Recorder) -> None:
        if self._exchange is not None:
            record(self._exchange)


def not_waiting(run: RunContext, record: Recorder) -> Deployment:
    """Return the deployment for somebody who takes a 429 for an answer."""
    return run.deployment_at(
        run.settings.base_url, record=record, timeout_seconds=REQUEST_SECONDS, throttle_seconds=0.0
    )


def _with_own_limit(credential: Credential, deployment: Deployment) -> Credential:
    """Return the credential under a caller's key nobody has used before, where limits count by it."""
    key = {deployment.access.caller_header: f"smoke-{secrets.token_hex(16)}"}
    return replace(credential, headers={**key, **credential.headers})
