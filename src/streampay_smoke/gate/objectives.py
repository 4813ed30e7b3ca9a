"""Service level objectives, judged from a run's own samples; few samples prove little, and the answer says so.

A decision is made where a test with a stated error makes it, and is `insufficient_sample` otherwise: never a pass.
All objectives that gate share one error, so that a healthy release is blamed by any of them in at most one run of a
thousand. Whose fault a miss is: see `streampay_smoke.gate.misses`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from streampay_smoke.core.times import US_PER_MS
from streampay_smoke.evidence import bake, events
from streampay_smoke.evidence.canary import CANARY_KINDS
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import EVERY_SAMPLE, KINDS, SETTLEMENTS, KindOfObjective, Objective, samples_of
from streampay_smoke.gate import canary, statistics
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, Check, ObjectiveResult

RUN_ERROR = 0.001
"""The most all gating objectives of a run together may blame a healthy release."""

SHOWN_CONFIDENCE = 0.99
"""Of objectives that are only shown."""

SETTLE = "settle"
_TOO_MANY_REQUESTS = 429

_TIMED = {purpose: kind.samples for kind in KINDS.values() for purpose in kind.purposes}
"""What requests of a purpose are samples of."""

MISSED = "objective_missed"
UNATTRIBUTED = "objective_unattributed"


class Times(msgspec.Struct, kw_only=True):
    """Samples in the unit of their objectives; `cold` ones hold the time of a new connection too.

    `warm_up` counts what was not `warm`.
    """

    warm: list[float] = msgspec.field(default_factory=list)
    cold: list[float] = msgspec.field(default_factory=list)
    warm_up: int = 0


class Measurements(msgspec.Struct, kw_only=True):
    """The samples of a run: `times` by what was timed, and `attempts`, True where they succeeded."""

    times: dict[str, Times] = msgspec.field(
        default_factory=lambda: {kind.samples: Times() for kind in KINDS.values() if kind.samples}
    )
    attempts: list[bool] = msgspec.field(default_factory=list)
    pairs: list[events.PairSampled] = msgspec.field(default_factory=list)
    end: events.Measured | None = None


def measure(entries: Sequence[Entry], left_out: Collection[str] = ()) -> Measurements:
    """Return the samples in a journal; the scenarios whose ids are `left_out` give none.

    Requests that have to succeed name their purpose; refusals, probes and polls name none and are no samples. Warm-up
    is what came before the service first spoke for itself, and every answer that waited for a connection. A request
    that was sent again counts once, with its last answer; 429 is an answer about the caller and counts never.
    """
    found = Measurements()
    ready, settle_began_ms, last_purpose = False, None, ""
    for entry in _counting(entries, left_out):
        match entry.event:
            case events.ServiceSeen():
                ready = True
            case events.ScenarioStarted():
                settle_began_ms = None
            case events.Exchanged(peer="service") as exchange:
                last_purpose = exchange.purpose
                if last_purpose:
                    _take(found, exchange, ready=ready)
                if last_purpose == SETTLE and settle_began_ms is None:
                    settle_began_ms = entry.at_ms - exchange.duration_ms
            case events.Retried() if last_purpose and found.attempts[-1:] == [False]:
                del found.attempts[-1:]
            case events.TransactionSeen():
                if settle_began_ms is not None:
                    found.times[SETTLEMENTS].warm.append((entry.at_ms - settle_began_ms) / 1000)
                    settle_began_ms = None
            case events.PairSampled() as pair:
                found.pairs.append(pair)
            case events.Measured() as end:
                found.end = end
    return found


def _counting(entries: Sequence[Entry], left_out: Collection[str]) -> Iterator[Entry]:
    """Yield the entries of no scenario that is left out."""
    counts = True
    for entry in entries:
        if isinstance(entry.event, events.ScenarioStarted):
            counts = entry.event.id not in left_out
        if counts:
            yield entry
        if isinstance(entry.event, events.ScenarioFinished):
            counts = True


def _take(found: Measurements, exchange: events.Exchanged, *, ready: bool) -> None:
    if exchange.status == _TOO_MANY_REQUESTS:
        return
    succeeded = exchange.status is not None and 200 <= exchange.status < 300
    found.attempts.append(succeeded)
    if not succeeded or exchange.purpose not in _TIMED:
        return
    warm = ready and not exchange.opened_connection
    times = found.times[_TIMED[exchange.purpose]]
    times.warm_up += not warm
    times.warm += [exchange.duration_ms] * warm
    times.cold += [exchange.duration_ms] * (ready and not warm)


def results(
    objectives: Sequence[Objective],
    entries: Sequence[Entry],
    checks: Sequence[Check],
    *,
    left_out: Collection[str] = (),
    less_ms: float = 0.0,
) -> tuple[ObjectiveResult, ...]:
    """Return the answer to each objective.

    `less_ms` is taken off each latency for every round trip it holds: what a runner's own way costs.
    """
    if not objectives:
        return ()
    found = _shortened(measure(entries, left_out), less_ms) if less_ms else measure(entries, left_out)
    return tuple(
        _JUDGES[objective.kind](objective, found, checks, confidence_of(objective, objectives))
        for objective in objectives
    )


ROUND_TRIPS_TO_CONNECT = 4
"""Round trips of a request over a new connection: TCP, TLS (two before version 1.3), and the request itself."""


def _shortened(found: Measurements, less_ms: float) -> Measurements:
    def less(values: Sequence[float], round_trips: int) -> list[float]:
        return [max(0.0, value - round_trips * less_ms) for value in values]

    shorter = {
        samples: Times(warm=less(of.warm, 1), cold=less(of.cold, ROUND_TRIPS_TO_CONNECT), warm_up=of.warm_up)
        for samples, of in found.times.items()
        if samples in _TIMED.values()
    }
    return msgspec.structs.replace(found, times=found.times | shorter)


def confidence_of(objective: Objective, objectives: Iterable[Objective]) -> float:
    """Return the confidence of an objective's decisions among those of its environment.

    The error is shared by those that gate and may err: "no sample at all" is about the samples of this run alone.
    """
    if not objective.gates:
        return SHOWN_CONFIDENCE
    sharing = sum(other.gates and other.quantile < EVERY_SAMPLE for other in objectives)
    return 1 - RUN_ERROR / max(1, sharing)


def result_description(answer: ObjectiveResult) -> str:
    """Return what was measured and what is promised, as people say it."""
    if answer.kind in CANARY_KINDS:
        return canary.description(answer)
    if answer.estimate is None:
        return f"nothing measured, {_promised(answer)}"
    return f"{_measured(answer)}, {_promised(answer)}{_counted(answer)}"


def _measured(answer: ObjectiveResult) -> str:
    assert answer.estimate is not None
    kind = KINDS.get(answer.kind)
    if kind and kind.bad:
        return f"{answer.bad or 0} of {answer.samples} {kind.bad} ({_bad_share(kind, answer.estimate)})"
    match answer.unit:
        case "x":
            return f"{answer.estimate:.3g} times as slow as the stable release"
        case bake.UNIT:
            return f"errors at {answer.estimate:.3g} times the budget"
        case _:
            which = f"p{answer.quantile * 100:g}" if answer.quantile not in {None, EVERY_SAMPLE} else "slowest"
            return f"{which} {_amount(answer.estimate, answer.unit)}"


def _promised(answer: ObjectiveResult) -> str:
    kind = KINDS.get(answer.kind)
    if kind and kind.bad:
        return f"promised at most {_bad_share(kind, answer.threshold)}"
    if answer.unit in {"x", bake.UNIT}:
        return f"promised at most {answer.threshold:g} times"
    return f"promised {_amount(answer.threshold, answer.unit)}"


def _bad_share(kind: KindOfObjective, value: float) -> str:
    return _share(1 - value if kind.at_least else value)


def _counted(answer: ObjectiveResult) -> str:
    samples = samples_of(answer.kind)
    if samples:
        return f", {answer.bad or 0} of {answer.samples} {samples} too slow"
    return f" ({answer.samples} pairs of reads)" if answer.kind == "read_comparison" else ""


def _share(value: float) -> str:
    return f"{round(100 * value, 1):g} %"


def _amount(value: float, unit: str) -> str:
    """Return a duration: milliseconds up to a second, then seconds."""
    if unit == "ms" and value >= 1_000:
        value, unit = value / 1_000, "s"
    return f"{value:.3g} {unit}"


def bounds_description(answer: ObjectiveResult) -> str:
    """Return the interval, with "?" for a bound the samples do not give; empty when they give neither."""
    if answer.low is None and answer.high is None:
        return ""
    low, high = ("?" if bound is None else _number(bound) for bound in (answer.low, answer.high))
    return f"{low} to {high} {answer.unit}"


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 100_000 else f"{value:.0f}"


def _judge_times(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    """Judge warm samples; a service that closes its connections, so that most are cold, is judged by all of them."""
    times = found.times[samples_of(objective.kind)]
    values, warm_up = times.warm, times.warm_up
    if len(times.cold) > len(times.warm):
        values, warm_up = [*times.warm, *times.cold], times.warm_up - len(times.cold)
    values = values[: statistics.MOST_SAMPLES]
    if objective.quantile >= EVERY_SAMPLE:
        return _judge_every(objective, values, warm_up=warm_up)
    bad = sum(value > objective.threshold for value in values)
    return _result(
        objective,
        method="binomial confidence sequence",
        samples=len(values),
        estimate=statistics.quantile(values, objective.quantile) if values else None,
        interval=statistics.quantile_interval(values, objective.quantile, confidence),
        confidence=confidence,
        decision=within_budget(bad, len(values), 1 - objective.quantile, confidence),
        quantile=objective.quantile,
        warm_up=warm_up,
        bad=bad,
    )


def _judge_every(objective: Objective, values: Sequence[float], *, warm_up: int) -> ObjectiveResult:
    """One sample above the threshold is a broken promise; none is a statement about this run alone."""
    worst = max(values, default=None)
    decision = INSUFFICIENT if worst is None else FAIL if worst > objective.threshold else PASS
    return _result(
        objective,
        method="every sample",
        samples=len(values),
        estimate=worst,
        interval=statistics.Interval(low=worst, high=worst),
        confidence=1.0,
        decision=decision,
        quantile=EVERY_SAMPLE,
        warm_up=warm_up,
        note="about the samples of this run only" if values else "",
        bad=sum(value > objective.threshold for value in values),
    )


def within_budget(bad: int, samples: int, budget: float, confidence: float) -> str:
    """Return PASS for a share of bad samples that is proved within its budget, FAIL for one proved above it."""
    limit = 1 / (1 - confidence)
    if statistics.share_above(bad, samples, budget) >= limit:
        return FAIL
    return PASS if statistics.share_below(bad, samples, budget) >= limit else INSUFFICIENT


def in_doubt(bad: int, samples: int, budget: float, confidence: float) -> bool:
    """Whether more samples than the budget allows are bad, and too few samples were made to prove anything by it."""
    return bad > budget * samples and within_budget(bad, samples, budget, confidence) == INSUFFICIENT


def _judge_success(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    attempts = found.attempts[: statistics.MOST_SAMPLES]
    bad = attempts.count(False)
    failures = statistics.share_interval(bad, len(attempts), confidence)
    return _result(
        objective,
        method="binomial confidence sequence",
        samples=len(attempts),
        estimate=1 - bad / len(attempts) if attempts else None,
        interval=statistics.Interval(
            low=None if failures.high is None else 1 - failures.high,
            high=None if failures.low is None else 1 - failures.low,
        ),
        confidence=confidence,
        decision=within_budget(bad, len(attempts), 1 - objective.threshold, confidence),
        bad=bad,
    )


def _judge_flaky(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    executed = [check for check in checks if check.attempts][: statistics.MOST_SAMPLES]
    flaky = sum(check.flaky for check in executed)
    return _result(
        objective,
        method="binomial confidence sequence",
        samples=len(executed),
        estimate=flaky / len(executed) if executed else None,
        interval=statistics.share_interval(flaky, len(executed), confidence),
        confidence=confidence,
        decision=within_budget(flaky, len(executed), objective.threshold, confidence),
        bad=flaky,
    )


def _judge_comparison(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    pairs = [(pair.candidate_us, pair.stable_us) for pair in found.pairs if pair.counts][: statistics.MOST_SAMPLES]
    ratios = [candidate / stable for candidate, stable in pairs]
    decided = statistics.decide_pairs(pairs, objective.threshold, confidence, least_more=objective.least_ms * US_PER_MS)
    return _result(
        objective,
        method="paired betting test",
        samples=len(pairs),
        estimate=statistics.quantile(ratios, 0.5) if ratios else None,
        interval=statistics.quantile_interval(ratios, 0.5, confidence),
        confidence=confidence,
        decision={True: FAIL, False: PASS, None: INSUFFICIENT}[decided],
        warm_up=sum(pair.warm_up for pair in found.pairs),
        note=found.end.sampling if found.end else "",
    )


_Judge = Callable[[Objective, Measurements, Sequence[Check], float], ObjectiveResult]

_JUDGES: dict[str, _Judge] = {
    **{name: _judge_times for name, kind in KINDS.items() if kind.samples},
    "success_ratio": _judge_success,
    "flaky_ratio": _judge_flaky,
    "read_comparison": _judge_comparison,
}


def _result(
    objective: Objective,
    *,
    method: str,
    samples: int,
    estimate: float | None,
    interval: statistics.Interval,
    confidence: float,
    decision: str,
    quantile: float | None = None,
    warm_up: int = 0,
    note: str = "",
    bad: int | None = None,
) -> ObjectiveResult:
    return ObjectiveResult(
        name=objective.name,
        kind=objective.kind,
        method=method,
        threshold=objective.threshold,
        unit=objective.unit,
        samples=samples,
        estimate=_rounded(estimate),
        low=_rounded(interval.low),
        high=_rounded(interval.high),
        confidence=round(confidence, 6),
        decision=decision if samples else INSUFFICIENT,
        gates=objective.gates,
        quantile=quantile,
        warm_up=warm_up,
        note=note,
        bad=bad,
    )


def _rounded(value: float | None) -> float | None:
    """Return a value as the verdict keeps it: the last bits of a logarithm differ between machines."""
    return None if value is None else round(float(value), 4)
