"""Service level objectives, judged from a run's own samples; few samples prove little, and the answer says so.

A decision is made where a test with a stated error makes it, and is `insufficient_sample` otherwise: never a pass.
All objectives that gate share one error, so that a healthy release is blamed by any of them in at most one run of a
thousand.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.bake import ERROR_BURN
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import EVERY_SAMPLE, Objective
from streampay_smoke.gate import statistics
from streampay_smoke.gate.attribution import EGRESS_PROBE, LEDGER_PROBE, STABLE_PROBE
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, Check, ObjectiveResult

RUN_ERROR = 0.001
"""The most all gating objectives of a run together may blame a healthy release."""

SHOWN_CONFIDENCE = 0.99
"""Of objectives that are only shown."""

READS = frozenset({"list", "show"})
WRITES = frozenset({"create", "start"})
SETTLE = "settle"
_TOO_MANY_REQUESTS = 429

LEDGER_KINDS = frozenset({"write_latency", "settlement_time"})
"""What a slow ledger makes slow all by itself."""

COMPARED_KINDS = frozenset({"read_latency"})
"""What a stable release that is just as slow explains."""

MISSED = "objective_missed"
UNATTRIBUTED = "objective_unattributed"


class Measurements(msgspec.Struct, kw_only=True):
    """The samples of a run. Latencies are milliseconds, times seconds; `attempts` are True where they succeeded."""

    reads: list[float] = msgspec.field(default_factory=list)
    writes: list[float] = msgspec.field(default_factory=list)
    settlements: list[float] = msgspec.field(default_factory=list)
    attempts: list[bool] = msgspec.field(default_factory=list)
    pairs: list[events.PairSampled] = msgspec.field(default_factory=list)
    warm_up_reads: int = 0
    warm_up_writes: int = 0
    end: events.Measured | None = None


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A gating objective that failed, and whose fault that is."""

    blame: Blame
    reason_code: str
    text: str


def measure(entries: Sequence[Entry]) -> Measurements:
    """Return the samples in a journal.

    Requests that have to succeed name their purpose; refusals, probes and polls name none and are no samples. Warm-up
    is what came before the service first spoke for itself, and every answer that waited for a connection. A request
    that was sent again counts once, with its last answer; 429 is an answer about the caller and counts never.
    """
    found = Measurements()
    ready, settle_began_ms, last_purpose = False, None, ""
    for entry in entries:
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
    elif exchange.purpose in WRITES:
        found.warm_up_writes += not warm
        found.writes += [exchange.duration_ms] * warm


def results(
    objectives: Sequence[Objective], entries: Sequence[Entry], checks: Sequence[Check]
) -> tuple[ObjectiveResult, ...]:
    """Return the answer to each objective."""
    if not objectives:
        return ()
    found = measure(entries)
    return tuple(
        _JUDGES[objective.kind](objective, found, checks, confidence_of(objective, objectives))
        for objective in objectives
    )


def confidence_of(objective: Objective, objectives: Iterable[Objective]) -> float:
    """Return the confidence of an objective's decisions among those of its place."""
    if not objective.gates:
        return SHOWN_CONFIDENCE
    return 1 - RUN_ERROR / sum(other.gates for other in objectives)


def misses(
    answers: Sequence[ObjectiveResult],
    entries: Sequence[Entry],
    checks: Sequence[Check],
    probes: Sequence[events.Probed],
) -> tuple[Miss, ...]:
    """Return the gating objectives that failed. The release is blamed only when nothing else explains it."""
    failed = [answer for answer in answers if answer.gates and answer.decision == FAIL]
    if not failed:
        return ()
    end = measure(entries).end
    return tuple(_miss(answer, _explanation(answer, answers, checks, probes, end)) for answer in failed)


def _miss(answer: ObjectiveResult, elsewhere: tuple[Blame, str] | None) -> Miss:
    text = f"objective {answer.name}: {in_words(answer)}"
    if elsewhere is None:
        return Miss(blame=Blame.PRODUCT, reason_code=MISSED, text=text)
    blame, because = elsewhere
    return Miss(blame=blame, reason_code=UNATTRIBUTED, text=f"{text}; not the release's alone: {because}")


def _explanation(
    answer: ObjectiveResult,
    answers: Sequence[ObjectiveResult],
    checks: Sequence[Check],
    probes: Sequence[events.Probed],
    end: events.Measured | None,
) -> tuple[Blame, str] | None:
    """Return what else than the release explains a miss."""
    disturbed = next((check for check in checks if check.attribution not in {"none", Blame.PRODUCT.value}), None)
    if disturbed is not None:
        return Blame(disturbed.attribution), f"{disturbed.scenario} was disturbed ({disturbed.rule})"
    if any(probe.name == EGRESS_PROBE and probe.ok is False for probe in probes):
        return Blame.HARNESS, "this runner's way to the deployment failed"
    if answer.kind == ERROR_BURN and any(probe.name == STABLE_PROBE and probe.ok is False for probe in probes):
        return Blame.DEPENDENCY, "the stable release is red in the same way"
    if answer.kind in LEDGER_KINDS:
        if any(probe.name == LEDGER_PROBE and probe.ok is False for probe in probes):
            return Blame.DEPENDENCY, "the ledger, asked directly, was not healthy during the run"
        if end is None or end.ledger_ok is not True:
            said = end.ledger_detail if end and end.ledger_detail else "it was not asked"
            return Blame.DEPENDENCY, f"the ledger did not prove its health: {said}"
    compared = next((other for other in answers if other.kind == "read_comparison" and other.decision == PASS), None)
    if answer.kind in COMPARED_KINDS and compared is not None:
        return Blame.DEPENDENCY, "the stable release is not faster at the same moment"
    return None


def in_words(answer: ObjectiveResult) -> str:
    """Return what was measured against what, in a few words."""
    seen = "nothing measured" if answer.estimate is None else f"{_number(answer.estimate)} {answer.unit}"
    word = "at least" if answer.kind == "success_ratio" else "at most"
    what = f"p{answer.quantile * 100:g} " if answer.quantile not in {None, EVERY_SAMPLE} else ""
    return f"{what}{seen}, {word} {_number(answer.threshold)} {answer.unit} is promised ({answer.samples} samples)"


def bounds_in_words(answer: ObjectiveResult) -> str:
    """Return the interval, with "?" for a bound the samples do not give; empty when they give neither."""
    if answer.low is None and answer.high is None:
        return ""
    low, high = ("?" if bound is None else _number(bound) for bound in (answer.low, answer.high))
    return f"{low} to {high} {answer.unit}"


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 100_000 else f"{value:.0f}"


def _judge_values(objective: Objective, values: Sequence[float], confidence: float, *, warm_up: int) -> ObjectiveResult:
    values = values[: statistics.MOST_SAMPLES]
    if objective.quantile >= EVERY_SAMPLE:
        return _judge_every(objective, values, warm_up=warm_up)
    interval = statistics.quantile_interval(values, objective.quantile, confidence)
    bad = sum(value > objective.threshold for value in values)
    return _result(
        objective,
        method="binomial confidence sequence",
        samples=len(values),
        estimate=statistics.quantile(values, objective.quantile) if values else None,
        interval=interval,
        confidence=confidence,
        decision=within_budget(bad, len(values), 1 - objective.quantile, confidence),
        quantile=objective.quantile,
        warm_up=warm_up,
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
    )


def within_budget(bad: int, samples: int, budget: float, confidence: float) -> str:
    """Return PASS for a share of bad samples that is proved within its budget, FAIL for one proved above it."""
    limit = 1 / (1 - confidence)
    if statistics.share_above(bad, samples, budget) >= limit:
        return FAIL
    return PASS if statistics.share_below(bad, samples, budget) >= limit else INSUFFICIENT


def _judge_reads(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    return _judge_values(objective, found.reads, confidence, warm_up=found.warm_up_reads)


def _judge_writes(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    return _judge_values(objective, found.writes, confidence, warm_up=found.warm_up_writes)


def _judge_settlements(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    return _judge_values(objective, found.settlements, confidence, warm_up=0)


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
        note=f"{flaky} of {len(executed)} checks needed a second attempt" if flaky else "",
    )


def _judge_comparison(
    objective: Objective, found: Measurements, checks: Sequence[Check], confidence: float
) -> ObjectiveResult:
    pairs = [(pair.candidate_us, pair.stable_us) for pair in found.pairs if pair.counts][: statistics.MOST_SAMPLES]
    ratios = [candidate / stable for candidate, stable in pairs]
    decided = statistics.decide_pairs(pairs, objective.threshold, confidence)
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
    "read_latency": _judge_reads,
    "write_latency": _judge_writes,
    "settlement_time": _judge_settlements,
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
    )


def _rounded(value: float | None) -> float | None:
    """Return a value as the verdict keeps it: the last bits of a logarithm differ between machines."""
    return None if value is None else round(float(value), 4)
