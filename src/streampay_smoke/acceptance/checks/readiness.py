"""What a release promises when it says that it is ready."""

import itertools

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import Blame, GuardRefused, PromiseBroken, SmokeError
from streampay_smoke.core.networks import PUBLIC_NAMES
from streampay_smoke.evidence.events import Recorder, Retried
from streampay_smoke.evidence.polling import Attempt, eventually
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.records import Readiness
from streampay_smoke.service.transport import NoServiceAnswer

POLL_SECONDS = 0.25

_GATEWAY_STATUSES = frozenset({502, 503, 504})


class NeverReady(PromiseBroken):
    """The release did not become ready in the time this place allows."""

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
    silence: list[NoServiceAnswer] = []
    latest: list[Readiness] = []
    attempts = itertools.count(1)
    unanswered: list[str] = []

    def ask() -> Attempt[Readiness | None]:
        silence.clear()
        latest.clear()
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
            return Attempt(met=False, value=None, last=str(problem))
        if not readiness.genuine and readiness.status_code in _GATEWAY_STATUSES:
            unanswered.append(f"http {readiness.status_code}")
        if not readiness.ready or release_expected in {"", readiness.release}:
            return Attempt(met=readiness.ready, value=readiness, last=readiness.in_words)
        latest.append(readiness)
        told = readiness.release or "a release that does not name itself"
        return Attempt(met=False, value=readiness, last=f"{told} is ready, not {release_expected}")

    def never(message: str) -> SmokeError:
        if latest:
            return _AnotherRelease(message)
        return silence[0] if silence else NeverReady(message, next_step="see what the service waits for or who answers")

    try:
        readiness = eventually(
            ask,
            what="the service to say that it is ready" + (f" in {release_expected}" if release_expected else ""),
            within_seconds=within_seconds,
            every_seconds=POLL_SECONDS,
            record=record,
            error=never,
        )
    except _AnotherRelease:
        return latest[0]
    assert readiness is not None  # an attempt is only met with an answer
    return readiness


def answers_for_itself(readiness: Readiness, expect: Expect) -> None:
    """The answer is StreamPay's own, not a proxy's page or a login form."""
    expect(
        "the readiness answer is the service's own",
        readiness.genuine,
        expected="StreamPay's report of its dependencies",
        observed=readiness.not_genuine_because or "StreamPay's report of its dependencies",
    )
    expect("the service says that it is ready", readiness.ready, expected="ready", observed=readiness.in_words)


def dependencies_are_ok(readiness: Readiness, expect: Expect) -> None:
    """Every dependency the service names is ok, one check each; naming none is no report."""
    expect(
        "the service names its dependencies",
        bool(readiness.dependencies),
        expected="its dependencies",
        observed=", ".join(readiness.dependencies) or "none",
    )
    for name, report in readiness.dependencies.items():
        observed = f"{report.status} {report.message}".strip()
        expect(f"dependency {name} is ok", report.ok, expected="ok", observed=observed)


def names_network(readiness: Readiness, expected: str, expect: Expect) -> None:
    """The service works on the network this environment is for."""
    expect(
        "the service names the network of this environment",
        readiness.network == expected,
        expected=expected,
        observed=readiness.network or "no network",
    )


def release_answers(readiness: Readiness, expected: str, expect: Expect) -> None:
    """The release that was deployed is the one that answers; any release will do when none is expected."""
    expect(
        "the expected release answers",
        readiness.release == expected if expected else True,
        expected=expected or "any release",
        observed=readiness.release or "a release that does not name itself",
    )


def refuse_real_money(readiness: Readiness) -> None:
    """Raise unless the service declares a test network: nothing is ever settled on the public one."""
    if readiness.network in PUBLIC_NAMES:
        raise GuardRefused(
            "the service declares itself on the public network: it is not asked to move money",
            next_step="point the gate at a deployment on a test network, or mark this environment read-only",
        )
    if not readiness.network:
        raise PromiseBroken(
            "the service does not say which network it works on: it is not asked to move money",
            next_step="see what the service's readiness says of its ledger",
        )
