"""The proof of a rollback: a user's read journey against the release that is to be live, on every replica.

It is the journey the gate plays, without the gate: readiness that answers for itself, one release everywhere, a list
for the synthetic user, none for an unauthorized caller. It moves nothing, and it needs no ledger: where the service
calls itself degraded for its ledger alone, the release is what it was before the deploy, and is taken as healthy. The
ledger is asked once, past the service, where its address is known: one that calls itself healthy takes that excuse
away.
"""

import itertools
import time

import msgspec
from msgspec.structs import replace

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.fleet import every_replica_is
from streampay_smoke.acceptance.checks.listing import contains_no_stream, refused
from streampay_smoke.acceptance.checks.readiness import dependencies_are_healthy, names_network, reports_ready
from streampay_smoke.acceptance.observations.fleet import sample_fleet
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent, Checked, ReplicaSeen
from streampay_smoke.evidence.polling import PollResult, eventually
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.http.ledger_health import ask_ledger_health
from streampay_smoke.rollback.configuration import Actuation
from streampay_smoke.rollback.outcome import NotLive
from streampay_smoke.rollback.wire import Wire
from streampay_smoke.service.bad_credentials import bad_credential
from streampay_smoke.service.credential_slots import accepted
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import SyntheticUser, synthetic_user
from streampay_smoke.service.records import LEDGER_DEPENDENCY, Readiness
from streampay_smoke.service.transport import NoServiceAnswer

POLL_SECONDS = 0.25
LEDGER_SECONDS = 2.0

LEAST_SECONDS = 5.0
"""A proof is looked for this long at least, however late the engine was."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised and kept, in words, and what is to be known beside it."""

    promises: tuple[str, ...]
    notes: tuple[str, ...] = ()


class ReleaseVerifier:
    """Plays the read journey."""

    def __init__(self, settings: Actuation, redactor: Redactor) -> None:
        self._settings = settings
        self._redactor = redactor
        self._kept: list[str] = []
        self._notes: list[str] = []
        self._wire = Wire(settings, record=self._record)

    def verify(self, target: str, *, within_seconds: float) -> Verification:
        """Return the proof that `target` is live on every replica and healthy; waits for that as long as it may.

        Raises NotLive when another release still answers, and whatever broken promise the journey meets.
        """
        self._kept, self._notes = [], []
        ends_at = time.monotonic() + max(LEAST_SECONDS, within_seconds)
        expect = Expect(self._record)
        with self._wire.deployment(
            release_expected=target,
            learn_secret=self._redactor.learn,
            cutover_seconds=self._settings.facts.service.cutover_seconds,
        ) as deployment:
            readiness = self._live(deployment, target, within_seconds=ends_at - time.monotonic())
            self._is_healthy(readiness, expect)
            met = self._every_replica(deployment, target, within_seconds=max(0.0, ends_at - time.monotonic()))
            every_replica_is(target, met, expect.raising(NotLive))
            self._lists_for_its_user_alone(deployment, expect)
            last = deployment.look_again().release
        expect.raising(NotLive)(
            "the previous release answers to the end", last == target, expected=target, observed=last
        )
        return Verification(promises=tuple(dict.fromkeys(self._kept)), notes=tuple(self._notes))

    def _record(self, event: AnyEvent) -> None:
        if isinstance(event, Checked) and event.held:
            self._kept.append(event.promise)

    def _live(self, deployment: Deployment, target: str, *, within_seconds: float) -> Readiness:
        """Wait until the target answers and is ready, its ledger left out."""

        def look_once() -> PollResult[Readiness | None]:
            with deployment.fresh() as fresh:
                try:
                    readiness = fresh.readiness()
                except NoServiceAnswer as problem:
                    return PollResult(met=False, value=None, last=str(problem))
            release = readiness.release or "a release that does not name itself"
            met = readiness.genuine and readiness.release == target and not _degraded(readiness)
            return PollResult(met=met, value=readiness, last=f"{release}: {readiness.description}")

        def look() -> PollResult[Readiness | None]:
            """Look once for each replica: a roll-out ends when no look meets another release."""
            attempt = look_once()
            for _ in range(self._settings.facts.service.replicas - 1):
                if attempt.met:
                    attempt = look_once()
            return attempt

        readiness = eventually(
            look,
            what=f"{target} to be live and ready",
            within_seconds=within_seconds,
            pauses=itertools.repeat(POLL_SECONDS),
            record=self._record,
            error=NotLive,
        )
        assert readiness is not None  # an attempt is only met with an answer
        self._kept.append("the previous release is live")
        return readiness

    def _is_healthy(self, readiness: Readiness, expect: Expect) -> None:
        if readiness.ready or not self._excused(readiness):
            names_network(readiness, self._settings.facts.service.network, expect)
        else:
            others = {name: it for name, it in readiness.dependencies.items() if name != LEDGER_DEPENDENCY}
            readiness = replace(readiness, ready=True, dependencies=others)
        reports_ready(readiness, expect)
        dependencies_are_healthy(readiness, expect)

    def _excused(self, readiness: Readiness) -> bool:
        """Whether a service that calls its ledger degraded is taken at its word."""
        report = readiness.dependencies.get(LEDGER_DEPENDENCY)
        if report is None or report.ok:
            return False
        text = f"the service calls its ledger {report.status}{f' ({report.message})' if report.message else ''}"
        if not self._settings.ledger_rpc_url:
            self._notes.append(f"{text}; that says nothing against the release, and no other ledger is known here")
            return True
        health = ask_ledger_health(self._settings.ledger_rpc_url, timeout_seconds=LEDGER_SECONDS)
        if health.well:
            return False
        self._notes.append(f"{text}, and it is down when asked directly too ({health.detail}): not the release's fault")
        return True

    def _every_replica(self, deployment: Deployment, target: str, *, within_seconds: float) -> tuple[str, ...]:
        service = self._settings.facts.service

        def look() -> tuple[ReplicaSeen, ...]:
            with deployment.fresh() as replica:
                return (ReplicaSeen(release=replica.look_again().release),)

        met = sample_fleet(
            look,
            replicas=service.replicas,
            miss_probability=service.replica_miss_probability,
            expected=target,
            within_seconds=within_seconds,
            record=self._record,
        )
        return tuple(seen.release for seen in met)

    def _lists_for_its_user_alone(self, deployment: Deployment, expect: Expect) -> None:
        users = self._users()
        _, credential = accepted(deployment, users, record=self._record)
        deployment.streams(credential, limit=1)  # raises for every shape but that of a page
        self._kept.append("the synthetic user is shown a list")
        bad = {"no credential": ANONYMOUS, "a malformed token": bad_credential("junk", users[0]).credential}
        for who, invalid in bad.items():
            answer = deployment.refusal(invalid)
            refused(answer, who, expect)
            contains_no_stream(answer, who, expect)

    def _users(self) -> tuple[SyntheticUser, ...]:
        settings = self._settings
        first = synthetic_user(
            settings.environment,
            settings.auth_mode,
            learn_secret=self._redactor.learn,
            signer_seed=settings.signer_seed,
            supplied=settings.credentials,
        )
        return (first, *(first.in_slot_b(secret) for secret in list(settings.credentials.values())[1:]))


def _degraded(readiness: Readiness) -> list[str]:
    """Return what the service calls unwell, its ledger left out."""
    return [name for name, it in readiness.dependencies.items() if not it.ok and name != LEDGER_DEPENDENCY]


def failure_description(problem: SmokeError) -> str:
    """Return a broken proof in one line with its next step."""
    return f"{problem}{f'; next: {problem.next_step}' if problem.next_step else ''}"
