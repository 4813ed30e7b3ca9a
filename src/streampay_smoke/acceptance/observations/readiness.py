"""How a deployment is waited for until it says that it is ready."""

import itertools

from streampay_smoke.acceptance.observations.settings_mismatch import refuse_another_application
from streampay_smoke.core.errors import Blame, PromiseBroken, SmokeError
from streampay_smoke.evidence.events import Recorder, Retried
from streampay_smoke.evidence.polling import LAST_ANSWER, PollResult, eventually
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS
from streampay_smoke.service.records import Readiness
from streampay_smoke.service.transport import NoServiceAnswer, Throttled

POLL_SECONDS = 0.25

_GATEWAY_STATUSES = frozenset({502, 503, 504})


class NeverReady(PromiseBroken):
    """The release did not become ready in the time this environment allows."""

    kind = "never_ready"


class _AnotherRelease(NeverReady):
    """A release is ready, but not the expected one."""


def become_ready(
    deployment: Deployment, *, within_seconds: float, record: Recorder, release_expected: str = ""
) -> Readiness:
    """Wait until the service itself says that it is ready, and return what it said.

    Start-up, load-balancer cutover (refused, 502, 503) and an old release that still answers while
    `release_expected` is rolled out are waited out inside `within_seconds`; the release that answers at the end of
    that time is returned, for a check to judge. Raises NeverReady with the last answer; NoServiceAnswer when the
    service never answered at all.
    """
    answered: list[Readiness] = []
    silence: list[NoServiceAnswer] = []
    latest: list[Readiness] = []
    attempts = itertools.count(1)
    unanswered: list[str] = []

    def ask() -> PollResult[Readiness | None]:
        silence.clear()
        latest.clear()
        answered.clear()
        attempt = next(attempts)
        if unanswered:
            record(Retried(target="the readiness", attempt=attempt, because=unanswered.pop()))
        try:
            readiness = deployment.readiness()
        except NoServiceAnswer as problem:
            if problem.blame != Blame.PRODUCT:  # the runner's own: no wait mends it
                raise
            silence.append(problem)
            unanswered.append(problem.cause)
            return PollResult(met=False, value=None, last=str(problem))
        answered.append(readiness)
        if not readiness.genuine and readiness.status_code in _GATEWAY_STATUSES:
            unanswered.append(f"http {readiness.status_code}")
        if not readiness.ready or release_expected in {"", readiness.release}:
            return PollResult(met=readiness.ready, value=readiness, last=readiness.description)
        latest.append(readiness)
        release = readiness.release or "a release that does not name itself"
        return PollResult(met=False, value=readiness, last=f"{release} is ready, not {release_expected}")

    def never(message: str) -> SmokeError:
        if latest:
            return _AnotherRelease(message)
        if silence:
            return silence[0]
        waited, _, last = message.partition(f"; {LAST_ANSWER}")
        return _never_ready(f"the service is not ready: {last} ({waited})", answered[0])

    try:
        readiness = eventually(
            ask,
            what="the service to say that it is ready" + (f" in {release_expected}" if release_expected else ""),
            within_seconds=within_seconds,
            pauses=itertools.repeat(POLL_SECONDS),
            record=record,
            error=never,
        )
    except _AnotherRelease:
        return latest[0]
    except NeverReady:
        refuse_another_application(deployment, answered[0])
        raise
    assert readiness is not None  # an attempt is only met with an answer
    return readiness


def _never_ready(message: str, last: Readiness) -> SmokeError:
    if last.status_code == TOO_MANY_REQUESTS:
        return Throttled(message, next_step="run again later, or raise the limits of the gate's address")
    return NeverReady(message, next_step="see what the service waits for or who answers")
