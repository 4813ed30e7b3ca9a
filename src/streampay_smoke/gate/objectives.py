"""Service level objectives, judged from a run's own samples; few samples prove little, and the answer says so.

A decision is made where a test with a stated error makes it, and is `insufficient_sample` otherwise: never a pass.
All objectives that gate share one error, so that a healthy release is blamed by any of them in at most one run of a
thousand. Whose fault a miss is: see `streampay_smoke.gate.misses`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.bake import ERROR_BURN
from streampay_smoke.evidence.canary import CANARY_KINDS
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import EVERY_SAMPLE, Objective
from streampay_smoke.gate import canary, statistics
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, Check, ObjectiveResult

RUN_ERROR = 0.001
"""The most all gating objectives of a run together may blame a healthy release."""

SHOWN_CONFIDENCE = 0.99
"""Of objectives that are only shown."""

READS = frozenset({"list", "show"})
WRITES = frozenset({"create", "start"})
SETTLE = "settle"
US_PER_MS = 1_000
_TOO_MANY_REQUESTS = 429

LEDGER_KINDS = frozenset({"write_latency", "settlement_time"})
"""What a slow ledger makes slow all by itself."""

MISSED = "objective_missed"
UNATTRIBUTED = "objective_unattributed"


class Measurements(msgspec.Struct, kw_only=True):
    """The samples of a run. Latencies are milliseconds, times seconds; `attempts` are True where they succeeded.

    `cold_reads` and `cold_writes` hold the time of a new connection too.
    """

    reads: list[float] = msgspec.field(default_factory=list)
    writes: list[float] = msgspec.field(default_factory=list)
    settlements: list[float] = msgspec.field(default_factory=list)
    attempts: list[bool] = msgspec.field(default_factory=list)
    pairs: list[events.PairSampled] = msgspec.field(default_factory=list)
    cold_reads: list[float] = msgspec.field(default_factory=list)
    cold_writes: list[float] = msgspec.field(default_factory=list)
    warm_up_reads: int = 0
    warm_up_writes: int = 0
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
                    found.settlements.append((entry.at_ms - settle_began_ms) / 1000)
                    settle_began_ms = None
            case events.PairSampled() as pair:
                found.pairs.append(pair)
            case events.Measured() as end:
                found.end = end
            case _:
                pass
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
    if not succeeded:
        return
    warm = ready and not exchange.opened_connection
    if exchange.purpose in READS:
        found.warm_up_reads += not warm
        found.reads += [exchange.duration_ms] * warm
        found.cold_reads += [exchange.duration_ms] * (ready and not warm)
    elif exchange.purpose in WRITES:
        found.warm_up_writes += not warm
        found.writes += [exchange.duration_ms] * warm
        found.cold_writes += [exchange.duration_ms] * (ready and not warm)


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

    return msgspec.structs.replace(
        found,
        reads=less(found.reads, 1),
        writes=less(found.writes, 1),
        cold_reads=less(found.cold_reads, ROUND_TRIPS_TO_CONNECT),
        cold_writes=less(found.cold_writes, ROUND_TRIPS_TO_CONNECT),
    )


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


_SAMPLES = {"read_latency": "reads", "write_latency": "writes", "settlement_time": "settlements"}
"""What the samples of each kind that has a quantile are."""


def _measured(answer: ObjectiveResult) -> str:
    assert answer.estimate is not None
    bad = answer.bad or 0
    match answer.kind:
        case "success_ratio":
            return f"{bad} of {answer.samples} requests failed ({_share(1 - answer.estimate)})"
        case "flaky_ratio":
            return f"{bad} of {answer.samples} checks needed a second attempt ({_share(answer.estimate)})"
        case "read_comparison":
            return f"{answer.estimate:.3g} times as slow as the stable release"
        case kind if kind == ERROR_BURN:
            return f"errors at {answer.estimate:.3g} times the budget"
        case _:
            which = f"p{answer.quantile * 100:g}" if answer.quantile not in {None, EVERY_SAMPLE} else "slowest"
            return f"{which} {_amount(answer.estimate, answer.unit)}"


def _promised(answer: ObjectiveResult) -> str:
    match answer.kind:
        case "success_ratio":
            return f"promised at most {_share(1 - answer.threshold)}"
        case "flaky_ratio":
            return f"promised at most {_share(answer.threshold)}"
        case kind if kind in {"read_comparison", ERROR_BURN}:
            return f"promised at most {answer.threshold:g} times"
        case _:
            return f"promised {_amount(answer.threshold, answer.unit)}"


def _counted(answer: ObjectiveResult) -> str:
    if answer.kind in _SAMPLES:
        return f", {answer.bad or 0} of {answer.samples} {_SAMPLES[answer.kind]} too slow"
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


def _judge_values(
    objective: Objective, warm: Sequence[float], cold: Sequence[float], confidence: float, *, warm_up: int = 0
) -> ObjectiveResult:
    """Judge warm samples; a service that closes its connections, so that most are cold, is judged by all of them."""
    values, warm_up = (warm, warm_up) if len(warm) >= len(cold) else ([*warm, *cold], warm_up - len(cold))
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


def _judge_latency(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    warm, cold, warm_up = {
        "read_latency": (found.reads, found.cold_reads, found.warm_up_reads),
        "write_latency": (found.writes, found.cold_writes, found.warm_up_writes),
        "settlement_time": (found.settlements, [], 0),
    }[objective.kind]
    return _judge_values(objective, warm, cold, confidence, warm_up=warm_up)


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
    "read_latency": _judge_latency,
    "write_latency": _judge_latency,
    "settlement_time": _judge_latency,
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
