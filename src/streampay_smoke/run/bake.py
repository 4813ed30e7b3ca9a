"""Watches a release after its promotion: own reads, the service's counters, a Prometheus query.

It reads and writes nothing. It ends early when the error budget is being spent too fast, with the control probes that
say whose fault that is.
"""

import contextlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core import times
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.bake import WINDOW, Bake, CountersWatched, RatioQueried
from streampay_smoke.evidence.events import AnyEvent, BakeEnded, BakeStarted, BurnRead, Exchanged, Watched
from streampay_smoke.gate.bake import LONG_WINDOW, SHORT_WINDOW, BurnTest, error_each, query_burns
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.run.probes.rounds import control_probes
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.replay import ObservedRequest
from streampay_smoke.settings import Settings

READ_SECONDS = 5.0
"""Limit of one look."""

_ABOUT_THE_CALLER = frozenset({"throttled", "credential_refused"})

OVER, BURNING = "over", "burning"

METRICS_SECONDS = 10.0
"""Metrics are looked at this often; more often in a bake that is too short for some looks."""

FIRST_SCRAPE = "the first scrape"

_FEWEST_LOOKS = 5

_LABEL = re.compile(r'(\w+)(=~|=)"([^"]*)"')


class Source(Protocol):
    """One way to see how a release is doing."""

    every_seconds: float

    def look(self) -> Watched | BurnRead:
        """Look once."""
        ...

    def burns(self, at_ms: int, look: Watched | BurnRead) -> bool:
        """Take a look into account, and return whether the error budget burns."""
        ...

    def close(self) -> None:
        """Close kept connections."""
        ...


class Reads:
    """Reads the synthetic user's list as a user would, with a connection of its own."""

    def __init__(self, run_context: RunContext, bake: Bake) -> None:
        self.every_seconds = 60 / bake.reads_per_minute
        self._run_context = run_context
        self._release = ""
        self._deployment = run_context.deployment_at(
            run_context.settings.base_url, record=self._note, timeout_seconds=READ_SECONDS, throttle_seconds=0.0
        )
        self._credential: Credential | None = None
        self._test = BurnTest(bake, error=error_each(bake))

    def look(self) -> Watched:
        """Read once; what is about the caller (a throttle, a credential that ran out) saw nothing of the release."""
        self._release = ""
        try:
            if self._credential is None:
                self._credential = self._run_context.credential_at(self._deployment)
            self._deployment.streams(self._credential, limit=1)
        except SmokeError as problem:
            self._credential = None  # it may have run out: the next look signs in anew
            bad = int(problem.kind not in _ABOUT_THE_CALLER)
            return Watched(source="reads", good=0, bad=bad, detail=str(problem), release=self._release)
        return Watched(source="reads", good=1, bad=0, release=self._release)

    def burns(self, at_ms: int, look: Watched | BurnRead) -> bool:
        """Take a look into account, and return whether the error budget burns."""
        assert isinstance(look, Watched)
        return _tested(self._test, at_ms, look)

    @property
    def last_asked(self) -> ObservedRequest | None:
        """The last request, for the stable release to be asked the same."""
        return self._deployment.last_asked

    def close(self) -> None:
        """Close kept connections."""
        self._deployment.close()

    def _note(self, event: AnyEvent) -> None:
        if isinstance(event, Exchanged):
            self._release = event.release or self._release


class Counters:
    """Scrapes the service's own Prometheus endpoint and looks at what was added since."""

    def __init__(
        self, base_url: str, watched: CountersWatched, token: Secret | None, bake: Bake, *, every_seconds: float
    ) -> None:
        self.every_seconds = every_seconds
        self._url = base_url + watched.path
        self._watched = watched
        self._headers = {"authorization": f"Bearer {token.reveal()}"} if token else {}
        self._client = Client(timeout_seconds=READ_SECONDS)
        self._before: tuple[float, float] | None = None
        self._test = BurnTest(bake, error=error_each(bake))

    def look(self) -> Watched:
        """Scrape once; the first scrape is what later ones are compared with."""
        try:
            requests, errors = self._counted(_text(self._client, self._url, self._headers))
        except _NothingSeen as problem:
            return Watched(source="counters", good=0, bad=0, detail=str(problem))
        before, self._before = self._before, (requests, errors)
        if before is None:
            return Watched(source="counters", good=0, bad=0, detail=FIRST_SCRAPE)
        if requests < before[0] or errors < before[1]:  # the service was started anew, and counts from 0 again
            before = (0.0, 0.0)
        asked, bad = round(requests - before[0]), round(errors - before[1])
        return Watched(source="counters", good=max(0, asked - bad), bad=bad)

    def burns(self, at_ms: int, look: Watched | BurnRead) -> bool:
        """Take a look into account, and return whether the error budget burns."""
        assert isinstance(look, Watched)
        return _tested(self._test, at_ms, look)

    def close(self) -> None:
        """Close kept connections."""
        self._client.close()

    def _counted(self, text: str) -> tuple[float, float]:
        return summed(text, self._watched.requests), summed(text, self._watched.errors)


class Query:
    """Asks a Prometheus server for the share of failed requests over a short and a long window."""

    def __init__(self, queried: RatioQueried, token: Secret | None, bake: Bake, *, every_seconds: float) -> None:
        self.every_seconds = every_seconds
        self._queried = queried
        self._headers = {"authorization": f"Bearer {token.reveal()}"} if token else {}
        self._client = Client(timeout_seconds=READ_SECONDS)
        self._bake = bake

    def look(self) -> BurnRead:
        """Ask once."""
        try:
            return BurnRead(short_ratio=self._ratio(SHORT_WINDOW), long_ratio=self._ratio(LONG_WINDOW))
        except _NothingSeen as problem:
            return BurnRead(short_ratio=None, long_ratio=None, detail=str(problem))

    def burns(self, at_ms: int, look: Watched | BurnRead) -> bool:
        """Return whether the error budget burns over both windows."""
        assert isinstance(look, BurnRead)
        return query_burns(look, self._bake)

    def close(self) -> None:
        """Close kept connections."""
        self._client.close()

    def _ratio(self, window: str) -> float:
        promql = self._queried.ratio.replace(WINDOW, window)
        url = f"{self._queried.url.rstrip('/')}/api/v1/query"
        try:
            answer = json.loads(_text(self._client, url, self._headers, {"query": promql}))
            (series,) = answer["data"]["result"]
            ratio = float(series["value"][1])
        except (ValueError, KeyError, TypeError, IndexError) as problem:
            raise _NothingSeen(f"Prometheus did not answer with one number over {window}") from problem
        if not math.isfinite(ratio):
            raise _NothingSeen(f"there were no requests over {window}")
        return ratio


class _NothingSeen(Exception):
    """A look told nothing."""


def _text(client: Client, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None) -> str:
    try:
        reply = client.request("GET", url, headers=headers, params=params)
    except NoAnswer as problem:
        raise _NothingSeen(str(problem)) from problem
    if reply.status != 200:
        raise _NothingSeen(f"{url} answered {reply.status}")
    return reply.text


def summed(exposition: str, selector: str) -> float:
    """Return the sum of all series of a Prometheus text that a selector of `CountersWatched` means.

    A counter of this name with other labels makes the sum 0: nothing was counted yet. Raises _NothingSeen where there
    is no such name: a counter that is not there counts nothing, which is not the same.
    """
    # Imported here: only a bake that scrapes needs it.
    from prometheus_client.parser import text_string_to_metric_families

    name, _, labels = selector.partition("{")
    wanted = {
        label: re.compile(value if how == "=~" else re.escape(value)) for label, how, value in _LABEL.findall(labels)
    }
    try:
        named = [
            sample
            for family in text_string_to_metric_families(exposition)
            for sample in family.samples
            if sample.name == name
        ]
    except ValueError as problem:
        raise _NothingSeen("the endpoint's answer is not the Prometheus text format") from problem
    if not named:
        raise _NothingSeen(f"the endpoint has no counter {name}")
    meant = (
        sample
        for sample in named
        if all(value.fullmatch(sample.labels.get(label, "")) for label, value in wanted.items())
    )
    return sum(float(sample.value) for sample in meant)


def _tested(test: BurnTest, at_ms: int, look: Watched) -> bool:
    if look.good + look.bad:
        test.add(at_ms, good=look.good, bad=look.bad)
    return test.burns


def _metric_sources(settings: Settings, every_seconds: float) -> Iterator[Counters | Query]:
    bake, token = settings.facts.bake, settings.metrics_token
    if bake.counters is not None:
        yield Counters(settings.base_url, bake.counters, token, bake, every_seconds=every_seconds)
    if bake.query is not None:
        yield Query(bake.query, token, bake, every_seconds=every_seconds)


def look_at_metrics(run_context: RunContext) -> Iterator[tuple[str, str]]:
    """Look once at each source of metrics that a bake would watch; yields its name and why it tells nothing, or ""."""
    for source in _metric_sources(run_context.settings, METRICS_SECONDS):
        with contextlib.closing(source):
            detail = source.look().detail
        name = "[bake.counters]" if isinstance(source, Counters) else "[bake.query]"
        yield name, "" if detail == FIRST_SCRAPE else detail


def watch(
    run_context: RunContext,
    *,
    seconds: float,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[AnyEvent]:
    """Watch for so many seconds, each source at its own pace; yields the evidence, at last one `BakeEnded`."""
    bake = run_context.settings.facts.bake
    yield BakeStarted(seconds=seconds, bake=bake)
    reads = Reads(run_context, bake)
    every_seconds = min(METRICS_SECONDS, seconds / _FEWEST_LOOKS)
    sources: list[Source] = [reads, *_metric_sources(run_context.settings, every_seconds)]
    began = clock()
    ends_at = began + seconds
    due = dict.fromkeys(range(len(sources)), began)
    with contextlib.ExitStack() as stack:
        for source in sources:
            stack.callback(source.close)
        while min(due.values()) < ends_at:
            turn = min(due, key=lambda place: due[place])
            wait(max(0.0, due[turn] - clock()))
            source = sources[turn]
            due[turn] = max(due[turn] + source.every_seconds, clock())
            look = source.look()
            yield look
            if source.burns(times.now_ms(), look):
                yield from control_probes(run_context, reads.last_asked)
                yield BakeEnded(reason=BURNING, watched_seconds=round(clock() - began, 1))
                return
    wait(max(0.0, ends_at - clock()))
    yield BakeEnded(reason=OVER, watched_seconds=round(clock() - began, 1))
