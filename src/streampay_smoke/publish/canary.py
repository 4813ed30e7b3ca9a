"""Candidate and stable release side by side: what each needed for the same requests, as a picture and as text."""

import math
from collections.abc import Sequence

import msgspec

from streampay_smoke.core.times import US_PER_MS
from streampay_smoke.evidence.canary import CANARY_KINDS, QUESTIONS
from streampay_smoke.gate.canary import CANDIDATE, STABLE, Compared, compared, error_pairs, latency_pairs
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.statistics import quantile
from streampay_smoke.publish.report_model import RunReport

WIDTH = 300.0
"""Units from the quickest answer to the slowest, on a logarithmic scale."""

COLUMNS = 24
"""Columns of a distribution in text."""

_BARS = " ▁▂▃▄▅▆▇█"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """How long one side took, in milliseconds. `dots` are places from 0 to WIDTH, `bars` the same as text."""

    name: str
    samples: int
    median_ms: float
    p90_ms: float
    slowest_ms: float
    dots: tuple[float, ...]
    median_at: float
    bars: str


class Distributions(msgspec.Struct, frozen=True, kw_only=True):
    """The times of both sides on one scale. `kind` is that of the objective, `what` its word for people."""

    kind: str
    what: str
    from_ms: float
    to_ms: float
    candidate: Side
    stable: Side


class CanaryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison was: `facts` by name, and the distributions there are."""

    facts: dict[str, str]
    distributions: tuple[Distributions, ...]


def canary_report(run: RunReport) -> CanaryReport | None:
    """Return both sides of a run, None where nothing was compared."""
    if not any(answer.kind in CANARY_KINDS for answer in run.verdict.objectives):
        return None
    history = fold(run.entries)
    if history.canary is None:
        return None
    found, started, ended = compared(history), history.canary, history.canary_ended
    way = f"one address, {started.weight:g} % of its requests" if started.weight else "each asked by itself"
    facts = {
        "Candidate": f"{started.candidate or 'unnamed'}, {found.by_candidate} answers",
        "Stable release": f"{', '.join(found.stable_releases) or 'unnamed'}, {found.by_stable} answers",
        "Way": way,
        "Not told apart": f"{found.unidentified} answers" if found.unidentified else "",
        "Journeys": f"{ended.journeys if ended else 'unknown'} of {started.journeys} on each side"
        + (f"; {ended.reason}" if ended else ""),
        "Probability of enough pairs": f"{started.hit_probability:.4g}" if started.weight else "",
        "Failed": _failed(found),
        "Order of each pair": f"by a coin, seed {started.seed}",
        "Writes": f"not compared: {started.no_writes_because}" if started.no_writes_because else "",
    }
    return CanaryReport(
        facts={name: value for name, value in facts.items() if value},
        distributions=tuple(
            _distributions(kind, found)
            for kind, question in QUESTIONS.items()
            if question.timed and latency_pairs(found, kind)
        ),
    )


def _failed(found: Compared) -> str:
    pairs = error_pairs(found)
    of_candidate, of_stable = (sum(bool(getattr(pair, side).failed) for pair in pairs) for side in (CANDIDATE, STABLE))
    return f"{of_candidate} of {len(pairs)} requests on the candidate, {of_stable} on the stable release"


def _distributions(kind: str, found: Compared) -> Distributions:
    pairs = latency_pairs(found, kind)
    times = {
        side: [max(getattr(pair, side).microseconds, 1) / US_PER_MS for pair in pairs] for side in (CANDIDATE, STABLE)
    }
    together = [value for values in times.values() for value in values]
    from_ms, to_ms = min(together), max(*together, min(together) * 1.01)
    sides = {side: _side(side, values, from_ms, to_ms) for side, values in times.items()}
    return Distributions(
        kind=kind,
        what=QUESTIONS[kind].timed,
        from_ms=from_ms,
        to_ms=to_ms,
        candidate=sides[CANDIDATE],
        stable=sides[STABLE],
    )


def _side(name: str, values: Sequence[float], from_ms: float, to_ms: float) -> Side:
    def place(value: float) -> float:
        return math.log(value / from_ms) / math.log(to_ms / from_ms)

    counts = [0] * COLUMNS
    for value in values:
        counts[min(COLUMNS - 1, int(place(value) * COLUMNS))] += 1
    most, median = max(counts), quantile(values, 0.5)
    return Side(
        name=name,
        samples=len(values),
        median_ms=median,
        p90_ms=quantile(values, 0.9),
        slowest_ms=max(values),
        dots=tuple(sorted({round(place(value) * WIDTH, 1) for value in values})),
        median_at=round(place(median) * WIDTH, 1),
        bars="".join(_BARS[math.ceil(count / most * (len(_BARS) - 1))] for count in counts),
    )
