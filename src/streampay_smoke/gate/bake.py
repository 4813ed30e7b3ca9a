"""Whether a release that is being watched spends its error budget too fast.

The alert is the fast one of Google's SRE workbook (chapter 5): the budget is spent at `burn_rate` over a long window,
and still is over a short one of a twelfth. A deploy gate has few requests of its own, so that "over the long window"
has to be proved: by the same confidence sequence as every ratio here, which may be looked at after each request.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from streampay_smoke.evidence import events
from streampay_smoke.evidence.bake import ERROR_BURN, UNIT, Bake
from streampay_smoke.gate import statistics
from streampay_smoke.gate.history import Look, RunHistory
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, ObjectiveResult

LONG_SECONDS = 3600.0
SHORT_OF_LONG = 1 / 12
LONG_WINDOW, SHORT_WINDOW = "1h", "5m"
"""What Prometheus, which has seen more than this run, is asked for."""

ERROR = 0.001
"""The most a healthy release is blamed by all sources of a bake together."""

DARK_LOOKS = 3
"""A source whose last looks all saw nothing has gone dark: what it saw before says nothing of the end of a bake."""

QUERY = "query"
SOURCES = ("reads", "counters", QUERY)
_NAMES = {
    "reads": "reads succeed while the release is watched",
    "counters": "requests succeed while the release is watched (the service's counters)",
    "query": "requests succeed while the release is watched (Prometheus)",
}


class BurnTest:
    """Follows the looks of one source and knows when the budget burns: what was proved once stays so."""

    def __init__(self, bake: Bake, *, error: float) -> None:
        self.burns = False
        self.requests = 0
        self.failed = 0
        self._limit = bake.share_limit
        self._evidence_needed = 1 / error
        self._long: deque[tuple[int, int, int]] = deque()

    def add(self, at_ms: int, *, good: int, bad: int) -> None:
        """Take one look, made at Unix milliseconds."""
        self.requests += good + bad
        self.failed += bad
        self._long.append((at_ms, good, bad))
        while at_ms - self._long[0][0] > LONG_SECONDS * 1000:
            self._long.popleft()
        self.burns = self.burns or (self._proved() and self._still(at_ms))

    def _proved(self) -> bool:
        bad = sum(bad for _, _, bad in self._long)
        few = _within_arithmetic(bad, bad + sum(good for _, good, _ in self._long))
        return statistics.share_above(*few, self._limit) >= self._evidence_needed

    def _still(self, at_ms: int) -> bool:
        short_ms = (at_ms - self._long[0][0]) * SHORT_OF_LONG
        lately = [(good, bad) for then_ms, good, bad in self._long if at_ms - then_ms <= short_ms]
        bad = sum(bad for _, bad in lately)
        return bad > self._limit * sum(good + bad for good, bad in lately)


def _within_arithmetic(bad: int, requests: int) -> tuple[int, int]:
    """Return the same share of fewer requests where there are more than the exact arithmetic takes: less evidence."""
    if requests <= statistics.MOST_SAMPLES:
        return bad, requests
    return bad * statistics.MOST_SAMPLES // requests, statistics.MOST_SAMPLES


def query_burns(read: events.BurnRead, bake: Bake) -> bool:
    """Return whether Prometheus sees the budget burn over both windows."""
    ratios = (read.short_ratio, read.long_ratio)
    return all(ratio is not None and ratio > bake.share_limit for ratio in ratios)


def sources_of(bake: Bake) -> Sequence[str]:
    """Return what a bake looks at."""
    there = {"reads": True, "counters": bake.counters is not None, "query": bake.query is not None}
    return [source for source in SOURCES if there[source]]


def error_each(bake: Bake) -> float:
    """Return the error each source that is tested may make."""
    return ERROR / sum(source != QUERY for source in sources_of(bake))


def results(run: RunHistory) -> tuple[ObjectiveResult, ...]:
    """Return the answer of each source of a bake, none where there was no bake."""
    if run.bake is None:
        return ()
    bake, looks = run.bake.bake, _by_source(run.looks)
    return tuple(
        _of_query(looks[source], bake) if source == QUERY else _of_test(source, looks[source], bake)
        for source in sources_of(bake)
    )


def unobserved(bake: Bake, seen: Sequence[Look]) -> Iterator[str]:
    """Yield the sources of a bake that told nothing, or nothing any more: what was seen before is not the end."""
    looks = _by_source(seen)
    for source in sources_of(bake):
        lately = looks[source][-DARK_LOOKS:]
        if not any(_saw_something(look.event) for look in lately):
            because = lately[-1].event.detail if lately else "it was never looked at"
            yield f"{_NAMES[source]}: {because}"


def _by_source(looks: Sequence[Look]) -> dict[str, list[Look]]:
    found: dict[str, list[Look]] = {source: [] for source in SOURCES}
    for look in looks:
        source = QUERY if isinstance(look.event, events.BurnRead) else look.event.source
        if source in found:
            found[source].append(look)
    return found


def _saw_something(look: events.Watched | events.BurnRead) -> bool:
    return look.short_ratio is not None if isinstance(look, events.BurnRead) else look.good + look.bad > 0


def _of_test(source: str, looks: Sequence[Look], bake: Bake) -> ObjectiveResult:
    error = error_each(bake)
    test = BurnTest(bake, error=error)
    for look in looks:
        if isinstance(look.event, events.Watched) and _saw_something(look.event):
            test.add(look.at_ms, good=look.event.good, bad=look.event.bad)
    few = _within_arithmetic(test.failed, test.requests)
    within = statistics.share_below(*few, bake.share_limit) >= 1 / error
    return _result(
        source,
        bake,
        method="binomial confidence sequence, over a long and a short window",
        samples=test.requests,
        share=test.failed / test.requests if test.requests else None,
        interval=statistics.share_interval(*few, 1 - error),
        confidence=1 - error,
        decision=FAIL if test.burns else PASS if within else INSUFFICIENT,
        note=f"{test.failed} of {test.requests} failed",
    )


def _of_query(looks: Sequence[Look], bake: Bake) -> ObjectiveResult:
    reads = [look.event for look in looks if isinstance(look.event, events.BurnRead) and _saw_something(look.event)]
    shares = [read.short_ratio for read in reads if read.short_ratio is not None]
    return _result(
        QUERY,
        bake,
        method=f"Prometheus, over {LONG_WINDOW} and {SHORT_WINDOW}",
        samples=len(reads),
        share=max(shares, default=None),
        interval=statistics.Interval(low=None, high=None),
        confidence=1.0,
        decision=FAIL if any(query_burns(read, bake) for read in reads) else PASS,
        note=f"the worst of {len(reads)} looks over {SHORT_WINDOW}" if reads else "",
    )


def _result(
    source: str,
    bake: Bake,
    *,
    method: str,
    samples: int,
    share: float | None,
    interval: statistics.Interval,
    confidence: float,
    decision: str,
    note: str,
) -> ObjectiveResult:
    def burn(value: float | None) -> float | None:
        return None if value is None else round(value / bake.budget, 4)

    return ObjectiveResult(
        name=_NAMES[source],
        kind=ERROR_BURN,
        method=method,
        threshold=bake.burn_rate,
        unit=UNIT,
        samples=samples,
        estimate=burn(share),
        low=burn(interval.low),
        high=burn(interval.high),
        confidence=round(confidence, 6),
        decision=decision if samples else INSUFFICIENT,
        gates=True,
        note=note,
    )
