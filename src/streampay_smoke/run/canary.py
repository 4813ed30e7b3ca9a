"""Plays the same journey on candidate and stable release, request by request, from one process.

Two journeys are played side by side. Each request of one is made right before or right after the same request of the
other: a coin decides, so that whatever both meet makes neither of them look slower. The coin is seeded, and the seed is
evidence. Each journey is asked of the side it is on. At an address that leads to both by weight, the release that an
answer names tells who answered, and so many journeys are played that the candidate is met often enough.

What is written is written as in every run: by the same guard, under the same spend cap, and brought to an end.
"""

import contextlib
import math
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from streampay_smoke.acceptance.checks.readiness import refuse_real_money
from streampay_smoke.acceptance.resources.synthetic_streams import STREAM, SyntheticStreams
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.core.amounts import stroops
from streampay_smoke.core.errors import GuardRefused, SettingsInvalid, SmokeError
from streampay_smoke.evidence.canary import CanaryAnswer
from streampay_smoke.evidence.events import (
    AnyEvent,
    Awaiting,
    CanaryEnded,
    CanaryPaired,
    CanaryStarted,
    Exchanged,
    RateLimitWait,
    ServiceSeen,
)
from streampay_smoke.gate import canary as judged
from streampay_smoke.gate.canary import CANDIDATE, STABLE, STEPS_OF_A_KIND
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT
from streampay_smoke.run.probes.deployments import STABLE_PEER
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS
from streampay_smoke.service.orders import RATE, order_to
from streampay_smoke.service.records import Readiness, StreamRecord

MOST_PLANNED = 400
"""No more are made, whatever a weight would take: the probability that is stated says what they are worth."""

MOST_OF_PLANNED = 2
"""How many times as many are made where those that were planned decide nothing: the tests hold at any number."""

THROTTLED_SECONDS = 90.0
"""How long one request waits for the service's limits."""

PEERS = {CANDIDATE: "candidate", STABLE: STABLE_PEER, "": "candidate or stable"}
"""The peers that exchanges are recorded under: what is asked here is no sample of the scenarios' objectives."""

_OF_GATE = (GuardRefused, SettingsInvalid)


class JourneyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How many journeys are played on each side, and the probability that enough pairs can be compared."""

    journeys: int
    hit_probability: float


def plan_journeys(
    asked: int, weight: float, *, fewest_pairs: int, hit_probability: float, most: int = MOST_PLANNED
) -> JourneyPlan:
    """Return how many journeys it takes.

    `weight` is the candidate's share in percent of an address that leads to both, 0 where each side is asked by
    itself: every pair counts then. At a shared address a pair counts where one of its two requests meets the candidate
    and the other does not. A journey has at least `STEPS_OF_A_KIND` pairs of a kind. `most` is what the spend cap
    allows.
    """
    if not weight:
        return JourneyPlan(journeys=min(asked, most), hit_probability=1.0)
    share = 2 * (weight / 100) * (1 - weight / 100)

    def enough(journeys: int) -> float:
        return _at_least(fewest_pairs, journeys * STEPS_OF_A_KIND, share)

    needed = next((number for number in range(asked, most) if enough(number) >= hit_probability), None)
    journeys = most if needed is None else needed
    return JourneyPlan(journeys=journeys, hit_probability=round(enough(journeys), 4))


def _at_least(hits: int, trials: int, share: float) -> float:
    """Return the probability of at least so many hits."""
    missed = sum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(min(hits, trials + 1)))
    return max(0.0, 1 - missed)


class JourneyClient:
    """Makes the requests of one journey after another, and knows how the last one went."""

    def __init__(self, run_context: RunContext, asked: str, *, stable: bool, patience: Callable[[], float]) -> None:
        self.asked = asked
        self.stream: StreamRecord | None = None
        self.throttled = False
        self._run_context = run_context
        self._began_ns = 0
        self._answers: list[tuple[Exchanged, int]] = []
        settings = run_context.settings
        self.deployment: Deployment = run_context.deployment_at(
            settings.baseline_url if stable and settings.baseline_url else settings.base_url,
            record=self._record,
            timeout_seconds=REQUEST_SECONDS,
            patience=lambda: min(THROTTLED_SECONDS, patience()),
            stable=stable,
        )
        self._credential: Credential | None = None
        self._readiness: Readiness | None = None
        self.streams: SyntheticStreams = run_context.streams_at(
            self.deployment, lambda: self.credential, refuse_to_write=self._refuse_to_write
        )

    @property
    def credential(self) -> Credential:
        """The synthetic user's, where this journey is made."""
        assert self._credential is not None
        return self._credential

    def look(self) -> str:
        """Return the release that the address says it is, "" for none; raises SmokeError for silence."""
        self._readiness = self.deployment.readiness()
        return self._readiness.release

    def sign_in(self) -> None:
        """Sign the synthetic user in; raises SmokeError."""
        self._credential = self._run_context.credential_at(self.deployment)

    def ask(self, step: "JourneyStep") -> CanaryAnswer:
        """Make one request and return its answer; raises GuardRefused and SettingsInvalid only."""
        self._answers.clear()
        self.throttled, failed = False, ""
        try:
            step.make(self)
        except _OF_GATE:
            raise
        except SmokeError as problem:
            failed = problem.kind
        exchange, microseconds = next(
            ((answer, took) for answer, took in self._answers if answer.status != TOO_MANY_REQUESTS), (None, 0)
        )
        return CanaryAnswer(
            asked=self.asked,
            release=exchange.release if exchange else "",
            status=exchange.status if exchange else None,
            microseconds=microseconds,
            opened_connection=bool(exchange and exchange.opened_connection),
            failed=failed,
        )

    def create(self) -> None:
        """Create the stream of this journey; raises GuardRefused above the run's spend cap."""
        order, key = order_to(self._run_context.unwatched_recipient), self._run_context.new_key("canary")
        self._run_context.spend_cap.commit(key, 0, stroops(order.rate))
        self.stream = self.streams.create(order, key)

    def stop(self) -> None:
        """End the stream of this journey."""
        stream_id = self.stream_id
        self.deployment.stop(self.credential, stream_id, self.new_key("stop"))
        self._run_context.housekeeping.finished(STREAM, stream_id)

    @property
    def stream_id(self) -> str:
        """The id of the stream of this journey."""
        assert self.stream is not None
        return self.stream.id

    def begin(self) -> None:
        """Begin a journey: it has no stream yet."""
        self.stream = None

    def new_key(self, purpose: str) -> str:
        """Return an idempotency key."""
        return self._run_context.new_key(purpose)

    def forget_connections(self) -> None:
        """Let the next request open a connection: one that is kept may lead to one release for good."""
        self.deployment.close()

    def _refuse_to_write(self) -> None:
        if self._readiness is not None:
            refuse_real_money(self._readiness)

    def _record(self, event: AnyEvent) -> None:
        now_ns = time.perf_counter_ns()
        match event:
            case Awaiting(peer="service"):
                self._began_ns = now_ns
                event = replace(event, peer=PEERS[self.asked])
            case Exchanged():
                self._answers.append((event, (now_ns - self._began_ns) // 1000))
                event = replace(event, peer=PEERS[self.asked])
            case RateLimitWait():
                self.throttled = True
            case ServiceSeen() if self.asked == STABLE:
                return
            case _:
                pass
        self._run_context.record(event)


class JourneyStep(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a journey; `stream` says that it is about the stream of the journey."""

    name: str
    make: Callable[[JourneyClient], object]
    writes: bool = False
    about_stream: bool = False


def _list(at: JourneyClient) -> object:
    return at.deployment.streams(at.credential, limit=1)


def _show(at: JourneyClient) -> object:
    return at.deployment.stream(at.credential, at.stream_id)


JOURNEY = (
    JourneyStep(name="list", make=_list),
    JourneyStep(name="create", make=JourneyClient.create, writes=True),
    JourneyStep(name="show the draft", make=_show, about_stream=True),
    JourneyStep(
        name="start",
        make=lambda at: at.deployment.start(at.credential, at.stream_id, at.new_key("start")),
        writes=True,
        about_stream=True,
    ),
    JourneyStep(name="show the active stream", make=_show, about_stream=True),
    JourneyStep(name="stop", make=JourneyClient.stop, writes=True, about_stream=True),
)
"""What a user does: looks at their streams, makes one, starts it, sees it run, and ends it. At least STEPS_OF_A_KIND
of them are reads, and as many writes."""

JOURNEY_OF_READS = tuple(JourneyStep(name=f"list ({number})", make=_list) for number in range(1, STEPS_OF_A_KIND + 1))
"""The same where nothing may be written."""


class CanaryComparison:
    """Compares candidate and stable release; `play` yields what is evidence beside the exchanges.

    Two journeys are under way at once. Whoever plays them ends what they made: see `RunContext.clean_up`.
    """

    def __init__(self, run_context: RunContext, *, seconds: float, seed: int | None = None) -> None:
        settings = run_context.settings
        self._run_context = run_context
        self._settings = settings
        self._limits = settings.facts.canary
        self._seconds = min(seconds, self._limits.within_seconds)
        self._ends_at = time.monotonic() + self._seconds
        self._seed = secrets.randbits(32) if seed is None else seed
        self._coin = random.Random(self._seed)
        money = settings.facts.money
        self._no_writes_because = "" if money.settles else money.settles_not_because
        self._steps = JOURNEY if money.settles else JOURNEY_OF_READS
        weighted = bool(settings.canary_weight)
        self._weighted = weighted
        sides = ("", "") if weighted else (CANDIDATE, STABLE)
        self._two = tuple(
            JourneyClient(run_context, side, stable=side == STABLE, patience=lambda: self.left_seconds)
            for side in sides
        )
        self._so_far = RunHistory()

    @property
    def left_seconds(self) -> float:
        """The seconds the comparison still has."""
        return self._ends_at - time.monotonic()

    def play(self) -> Iterator[AnyEvent]:
        """Play the journeys; yields the evidence, at last one `CanaryEnded`. Raises GuardRefused, SettingsInvalid."""
        writes = not self._no_writes_because
        fewest = judged.fewest_pairs(writes=writes)
        plan = plan_journeys(
            self._settings.canary_journeys,
            self._settings.canary_weight,
            fewest_pairs=fewest,
            hit_probability=self._limits.hit_probability,
            most=min(MOST_PLANNED, self._affordable),
        )
        with contextlib.ExitStack() as opened:
            for client in self._two:
                opened.callback(client.forget_connections)
            looks, problem = self._begun()
            started = CanaryStarted(
                canary=self._limits,
                journeys=plan.journeys,
                seed=self._seed,
                seconds=self._seconds,
                fewest_pairs=fewest,
                weight=self._settings.canary_weight,
                candidate=self._settings.expect_release or looks.get(CANDIDATE, ""),
                at_candidate=looks.get(CANDIDATE, ""),
                at_stable=looks.get(STABLE, ""),
                hit_probability=plan.hit_probability,
                no_writes_because=self._no_writes_because,
            )
            yield started
            self._so_far.canary = started
            journeys, reason = 0, problem
            while not reason:
                yield from self._journey()
                journeys += 1
                reason = self._over(journeys, plan.journeys, fewest)
            ends = self._looks() if not problem else {}
            yield CanaryEnded(
                reason=reason,
                journeys=journeys,
                at_candidate=ends.get(CANDIDATE, ""),
                at_stable=ends.get(STABLE, ""),
            )

    @property
    def _affordable(self) -> int:
        """How many journeys the run's spend cap allows on both sides."""
        if self._no_writes_because:
            return MOST_PLANNED
        return max(1, self._settings.facts.money.max_stroops // (2 * stroops(RATE)))

    def _begun(self) -> tuple[Mapping[str, str], str]:
        """Look at both sides and sign in; returns what they said they are, and what is in the way, "" for nothing."""
        looks: dict[str, str] = {}
        asking = ""
        try:
            for client in self._two:
                asking = PEERS[client.asked]
                release = client.look()
                if client.asked:
                    looks[client.asked] = release
                client.sign_in()
                client.deployment.streams(client.credential, limit=1)
        except _OF_GATE:
            raise
        except SmokeError as problem:
            return looks, f"the {asking} could not be asked ({problem})"
        return looks, ""

    def _looks(self) -> Mapping[str, str]:
        """Return what the sides say they are, as far as they say it."""
        looks = {}
        for client in self._two:
            if client.asked:
                with contextlib.suppress(SmokeError):
                    looks[client.asked] = client.look()
        return looks

    def _over(self, journeys: int, planned: int, fewest: int) -> str:
        """Return why no more journeys are made, "" where more are."""
        answers = judged.results(self._so_far)
        worse = any(answer.decision == FAIL for answer in answers)
        in_doubt = any(answer.decision == INSUFFICIENT or answer.samples < fewest for answer in answers)
        most = min(planned * MOST_OF_PLANNED, self._affordable) if in_doubt else planned
        reasons = {
            "the candidate is proved worse": worse,
            f"{self._seconds:g} s were over": self.left_seconds <= 0,
            f"{journeys} journeys were made": journeys >= most,
        }
        return next((reason for reason, applies in reasons.items() if applies), "")

    def _journey(self) -> Iterator[AnyEvent]:
        """Play one journey of each client, side by side."""
        for client in self._two:
            client.begin()
        for step in self._steps:
            if step.about_stream and not all(client.stream for client in self._two):
                return
            if self._weighted and self._coin.random() < 0.5:
                self._pass_one_request()
            yield self._pair(step)

    def _pair(self, step: JourneyStep) -> CanaryPaired:
        first, second = self._two if self._coin.random() < 0.5 else reversed(self._two)
        answers = []
        for client in (first, second):
            if self._weighted:
                client.forget_connections()
            answers.append(client.ask(step))
        pair = CanaryPaired(
            step=step.name,
            writes=step.writes,
            first=answers[0],
            second=answers[1],
            throttled=any(client.throttled for client in self._two),
        )
        self._so_far.canary_pairs.append(pair)
        return pair

    def _pass_one_request(self) -> None:
        """Make one request that is compared with none: an address that takes turns must not set the order of pairs."""
        with contextlib.suppress(SmokeError):
            self._two[0].forget_connections()
            self._two[0].deployment.alive_answer()
