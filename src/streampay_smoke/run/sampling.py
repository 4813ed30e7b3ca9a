"""What objectives need beyond the scenarios: pairs of the same read on candidate and stable release, and the ledger.

Pairs are read once, after the scenarios and before the verdict. Beside answers that are slow, what else could be as
slow is timed at once: the run may not get to its end. It reads with the synthetic credential and writes nothing.
"""

import contextlib
import random
import time
from collections.abc import Callable, Generator, Iterator

from msgspec.structs import replace

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.core.times import US_PER_MS
from streampay_smoke.evidence.events import AnyEvent, Exchanged, Measured, PairSampled, Probed, RateLimitWait
from streampay_smoke.evidence.objectives import KINDS, Objective
from streampay_smoke.gate.attribution import PACE_PROBE, STABLE_PACE_PROBE
from streampay_smoke.gate.objectives import confidence_of
from streampay_smoke.gate.statistics import PairedTest
from streampay_smoke.http.proxies import route_to
from streampay_smoke.run.probes.ledger import ledger_probe
from streampay_smoke.run.probes.runner import egress_probe
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import TOO_MANY_REQUESTS

MOST_PAIRS = 40
MOST_PAIRS_IN_DOUBT = 100
"""Where the candidate looks slower and 40 pairs do not prove it."""

WARM_UP_PAIRS = 2
REQUEST_SECONDS = 3.0

SPARED_SECONDS = 5.0
"""Left to the run's deadline when sampling ends at the latest: a request may be under way, and the end is written."""

_OK = 200
MOST_SILENT_PAIRS = 3
"""Pairs in a row without two good answers after which there is nothing to compare."""

MOST_ROUNDS = 3
"""How often what else could be slow is timed in a run."""

ROUND_SECONDS = 2 * REQUEST_SECONDS + SPARED_SECONDS
"""Left to the run's deadline when something else is timed at the latest."""

Coin = Callable[[], bool]


def _same_proxy(one: str, other: str) -> bool:
    proxy = route_to(one).proxy
    return proxy is not None and proxy == route_to(other).proxy


class SlowAnswers:
    """Follows a run's answers, and times what else could be slow beside those above an objective's threshold."""

    def __init__(self, run_context: RunContext) -> None:
        self._run_context = run_context
        self._objectives = [
            objective for objective in run_context.settings.facts.objectives if KINDS[objective.kind].purposes
        ]
        self._slow = False
        self._rounds = 0
        self._stable: ListReader | None = None

    def observe(self, event: AnyEvent) -> None:
        """Take note of one event."""
        if isinstance(event, Exchanged) and event.peer == "service":
            self._slow = self._slow or any(
                event.purpose in KINDS[each.kind].purposes and event.duration_ms > each.threshold
                for each in self._objectives
            )

    def evidence(self, *, left_seconds: float) -> Iterator[AnyEvent]:
        """Yield what was timed, nothing where no answer was slow since the last time or there is no time left."""
        if not self._slow or self._rounds >= MOST_ROUNDS or left_seconds < ROUND_SECONDS:
            return
        self._slow, self._rounds = False, self._rounds + 1
        settings = self._run_context.settings
        way = egress_probe(settings.base_url, settings.baseline_url)
        began_seconds = time.monotonic()
        ledger = ledger_probe(settings.rpc_url, self._run_context.ledger_progress)
        took_ms = round((time.monotonic() - began_seconds) * 1000, 1)
        if way.took_ms is None and ledger.ok and _same_proxy(settings.base_url, settings.rpc_url):
            way = replace(way, took_ms=took_ms)  # the ledger's own time is in it: the way takes no longer
        yield replace(way, name=PACE_PROBE)
        yield ledger
        if settings.baseline_url:
            yield self._pace_of_stable()

    def close(self) -> None:
        """Close kept connections."""
        if self._stable is not None:
            self._stable.close()

    def _pace_of_stable(self) -> Probed:
        try:
            if self._stable is None:
                reader = ListReader(self._run_context, self._run_context.settings.baseline_url, stable=True)
                reader.sign_in(self._run_context)
                self._stable = reader
        except SmokeError as problem:
            return Probed(name=STABLE_PACE_PROBE, ok=None, detail=f"no sign-in ({problem})")
        self._stable.read()
        took_ms = self._stable.microseconds / US_PER_MS
        answered = self._stable.status == _OK
        detail = f"its list took {took_ms:.0f} ms" if answered else f"its list answered {self._stable.status}"
        return Probed(
            name=STABLE_PACE_PROBE,
            ok=answered or None,
            detail=detail,
            took_ms=round(took_ms, 1) if answered else None,
        )


class ListReader:
    """Reads the synthetic user's list on one deployment and knows how the last read went."""

    def __init__(self, run_context: RunContext, base_url: str, *, stable: bool = False) -> None:
        self.microseconds = 0
        self.last: Exchanged | None = None
        self._record = run_context.record
        self._patient: Callable[[], float] | None = None
        self._deployment: Deployment = run_context.deployment_at(
            base_url,
            record=self._look,
            timeout_seconds=REQUEST_SECONDS,
            patience=self._patience,
            stable=stable,
        )
        self._credential: Credential | None = None

    def sign_in(self, run_context: RunContext, credential: Credential | None = None, *, patient: bool = False) -> None:
        """Use a credential, by default the stable release's: a token is good where it was given. Raises SmokeError.

        `patient`: wait for a limit on sign-ins as the run may; the checks before may have used it up, where two
        releases share one. A read waits for none: how long it takes is measured.
        """
        self._patient = run_context.throttle_patience if patient else None
        try:
            self._credential = credential or run_context.signed_in_at(self._deployment)
        finally:
            self._patient = None

    def read(self) -> None:
        """Read once; whatever comes of it is told by `last`."""
        assert self._credential is not None
        self.last = None
        began = time.perf_counter_ns()
        with contextlib.suppress(SmokeError):  # no answer is told by `last`, which then has no status
            self._deployment.streams_answer(self._credential)
        self.microseconds = (time.perf_counter_ns() - began) // 1000

    @property
    def status(self) -> int | None:
        """The status of the last read, None for no answer."""
        return self.last.status if self.last else None

    @property
    def connected(self) -> bool:
        """Whether the last read had to open a connection first."""
        return bool(self.last and self.last.opened_connection)

    def close(self) -> None:
        """Close kept connections."""
        self._deployment.close()

    def _look(self, event: AnyEvent) -> None:
        if isinstance(event, Exchanged):
            self.last = event
        elif isinstance(event, RateLimitWait):
            self._record(event)

    def _patience(self) -> float:
        return self._patient() if self._patient else 0.0


def measure(
    run_context: RunContext, *, left_seconds: float, failed: bool, coin: Coin | None = None
) -> Iterator[AnyEvent]:
    """Sample what the objectives of this environment need; yields their evidence, at last one `Measured`.

    `left_seconds` is the time to the run's deadline. After a failed scenario there is nothing to compare any more.
    """
    objectives = run_context.settings.facts.objectives
    comparison = next((objective for objective in objectives if objective.kind == "read_comparison"), None)
    why = ""
    if comparison is not None:
        why = yield from _pairs(run_context, comparison, left_seconds, failed, coin or _coin)
    if not any(objective.gates and KINDS[objective.kind].needs_ledger for objective in objectives):
        yield Measured(sampling=why)
        return
    ledger = ledger_probe(run_context.settings.rpc_url, run_context.ledger_progress)
    yield Measured(sampling=why, ledger_ok=ledger.ok is True, ledger_detail=ledger.detail)


def _coin() -> bool:
    return random.random() < 0.5


def _pairs(
    run_context: RunContext, comparison: Objective, left_seconds: float, failed: bool, coin: Coin
) -> Generator[AnyEvent, None, str]:
    """Yield pairs until the question is decided or a limit is reached; returns why it ended."""
    settings = run_context.settings
    seconds = min(comparison.within_seconds, left_seconds - SPARED_SECONDS)
    reasons = {
        "SMOKE_BASELINE_URL names no stable release": not settings.baseline_url,
        "a scenario failed": failed,
        "the run's deadline is too near": seconds <= 0,
    }
    because = next((reason for reason, applies in reasons.items() if applies), "")
    if because:
        return f"not sampled: {because}"
    with (
        contextlib.closing(ListReader(run_context, settings.base_url)) as candidate,
        contextlib.closing(ListReader(run_context, settings.baseline_url, stable=True)) as stable,
    ):
        try:
            candidate.sign_in(run_context, run_context.credential)
            stable.sign_in(run_context, patient=True)
        except SmokeError as problem:
            return f"not sampled: no sign-in ({problem})"
        confidence = confidence_of(comparison, settings.facts.objectives)
        return (yield from _compared(candidate, stable, comparison, confidence, seconds, coin))


def _compared(
    candidate: ListReader, stable: ListReader, comparison: Objective, confidence: float, seconds: float, coin: Coin
) -> Generator[AnyEvent, None, str]:
    ends_at = time.monotonic() + seconds
    test, silent = PairedTest(comparison.threshold, least_more=comparison.least_ms * US_PER_MS), 0
    for number in range(WARM_UP_PAIRS + MOST_PAIRS_IN_DOUBT):
        candidate_first = coin()
        for reader in (candidate, stable) if candidate_first else (stable, candidate):
            reader.read()
        pair = PairSampled(
            candidate_first=candidate_first,
            candidate_us=candidate.microseconds,
            stable_us=stable.microseconds,
            candidate_status=candidate.status,
            stable_status=stable.status,
            warm_up=number < WARM_UP_PAIRS or candidate.connected or stable.connected,
            release=candidate.last.release if candidate.last else "",
        )
        yield pair
        silent = 0 if pair.candidate_status == pair.stable_status == _OK else silent + 1
        if pair.counts:
            test.add(pair.candidate_us, pair.stable_us)
        reasons = {
            "decided": test.decided(confidence) is not None,
            "the rate limit was reached": TOO_MANY_REQUESTS in {pair.candidate_status, pair.stable_status},
            f"{silent} pairs in a row lacked an answer": silent >= MOST_SILENT_PAIRS,
            f"{seconds:g} s were over": time.monotonic() >= ends_at,
            "no more are made": number + 1 >= WARM_UP_PAIRS + MOST_PAIRS and not test.leans_slower,
        }
        because = next((reason for reason, applies in reasons.items() if applies), "")
        if because:
            return f"ended after {test.pairs} pairs: {because}"
    return f"ended after {test.pairs} pairs: no more are made"
