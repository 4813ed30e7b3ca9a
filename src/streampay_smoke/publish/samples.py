"""The samples of an objective against its limit: one plain sentence, and where each sample lies in a small picture."""

import msgspec

from streampay_smoke.evidence.objectives import samples_of
from streampay_smoke.gate.misses import left_out
from streampay_smoke.gate.objectives import measure, result_description
from streampay_smoke.gate.verdict import ObjectiveResult
from streampay_smoke.publish.report_model import RunReport

WIDTH = 300.0
"""Units from zero to the right edge of a picture."""

_ROOM = 1.08
"""How much wider than the greatest value a picture is."""

_SECONDS_IN = {"ms": 0.001, "s": 1}


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Where the limit and the samples lie, from 0 to WIDTH; samples that would hide each other are one dot."""

    limit: float
    within: tuple[float, ...]
    beyond: tuple[float, ...]


def sentence(answer: ObjectiveResult) -> str:
    """Return what was measured against what is promised, in words that need no statistics."""
    bad, what = answer.bad or 0, samples_of(answer.kind)
    if not what or answer.estimate is None:
        return result_description(answer)
    limit = f"{answer.threshold * _SECONDS_IN[answer.unit]:g} s"
    quantile = 1.0 if answer.quantile is None else answer.quantile
    promised = "every one should" if quantile >= 1 else f"{quantile * 100:g} of 100 should"
    return f"{answer.samples - bad} of {answer.samples} {what} took {limit} or less; {promised}"


def pictures(run: RunReport) -> dict[str, Picture]:
    """Return a picture for each objective that has a limit in time and samples, by the objective's name."""
    timed = [answer for answer in run.verdict.objectives if samples_of(answer.kind)]
    if not timed:
        return {}
    times = measure(run.entries, left_out(run.verdict.checks)).times
    found = {answer.name: (answer.threshold, times[samples_of(answer.kind)].warm) for answer in timed}
    return {name: _picture(limit, samples) for name, (limit, samples) in found.items() if samples}


def _picture(limit: float, samples: list[float]) -> Picture:
    scale = WIDTH / (_ROOM * max(limit, *samples))
    places = sorted({(round(value * scale), value <= limit) for value in samples})
    return Picture(
        limit=round(limit * scale, 1),
        within=tuple(place for place, kept in places if kept),
        beyond=tuple(place for place, kept in places if not kept),
    )
