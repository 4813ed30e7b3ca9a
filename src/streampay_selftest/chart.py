"""`docs/selftest/chart.svg`: shares with exact bounds, and how long a verdict takes. No script, no colour alone."""

import math
from collections.abc import Container, Iterator, Sequence
from xml.etree import ElementTree as ET

import msgspec

from streampay_selftest.case import CAUGHT
from streampay_selftest.results import FAULT, CaseResult, Results
from streampay_selftest.scoring import UNDISTURBED, Share, score
from streampay_smoke.gate.verdict import VerdictStatus

WIDTH, LEFT, RIGHT = 860, 250, 830
INK, SOFT, LINE, BLUE, ORANGE, SHEET = "#1b2430", "#5b6675", "#dfe3e8", "#0072b2", "#d55e00", "#ffffff"
"""Blue and vermilion of Okabe and Ito: told apart with any colour vision, and the marks differ in shape too."""

ROW, TALLEST = 34, 140
WIDEST_AXIS, MARKS = 0.9, 5
"""Where the axis of shares begins at the latest, and the steps it is divided in."""

BUCKETS_SECONDS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120)

GANDALF = {"recall": (0.998, 1.0), "precision": (0.924, 0.949)}
"""Published of Azure's Gandalf (Li et al., NSDI 2020): control plane and data plane."""


def chart(results: Results) -> str:
    """Return the chart, as SVG."""
    of = score(results)
    shares = (
        ("recall", of.recall),
        ("right check named", of.named),
        ("precision", of.precision),
        ("attribution", of.attribution),
    )
    height_of_shares = 70 + ROW * len(shares)
    bars = _bars(results, top=height_of_shares + 70)
    height = height_of_shares + 70 + 150 + 70
    picture = _element(
        "svg",
        _element("rect", width="100%", height="100%", fill=SHEET),
        *_shares(shares),
        *bars,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        font_family="system-ui, sans-serif",
        font_size="14",
        role="img",
    )
    return ET.tostring(picture, encoding="unicode", short_empty_elements=False) + "\n"


def _element(tag: str, /, *children: ET.Element, text: str = "", **attributes: str | None) -> ET.Element:
    """Return an element; underscores of attributes become hyphens, and those that are None are left out."""
    named = {key.replace("_", "-"): value for key, value in attributes.items() if value is not None}
    element = ET.Element(tag, named)
    element.text = text
    element.extend(children)
    return element


class _Axis(msgspec.Struct, frozen=True):
    """Where shares are on the chart, from `lowest` to 1."""

    lowest: float

    def x(self, share: float) -> float:
        """Return where a share is."""
        return LEFT + (share - self.lowest) / (1 - self.lowest) * (RIGHT - LEFT)


def _shares(shares: Sequence[tuple[str, Share]]) -> Iterator[ET.Element]:
    axis = _Axis(min(WIDEST_AXIS, *(math.floor(10 * share.bounds[0]) / 10 for _, share in shares)))
    bottom = 50 + ROW * len(shares)
    yield _text(20, 28, "Shares with their exact 95 % bounds", weight="600")
    for mark in range(MARKS + 1):
        at = axis.lowest + (1 - axis.lowest) * mark / MARKS
        yield _line(axis.x(at), 44, axis.x(at), bottom, stroke=LINE)
        yield _text(axis.x(at), bottom + 16, f"{100 * at:.0f} %", anchor="middle", fill=SOFT, size="12")
    for place, (name, share) in enumerate(shares):
        y = 62 + ROW * place
        yield from _row(axis, name, share, y)


def _row(axis: _Axis, name: str, share: Share, y: int) -> Iterator[ET.Element]:
    low, high = share.bounds
    yield _text(LEFT - 14, y + 5, f"{name}, {share.hits:,} of {share.of:,}", anchor="end")
    if name in GANDALF:
        worst, best = (axis.x(each) for each in GANDALF[name])
        box = {"fill": "none", "stroke": ORANGE, "stroke_width": "1.5", "stroke_dasharray": "4 2"}
        yield _element("rect", x=f"{worst:.1f}", y=f"{y - 9}", width=f"{best - worst:.1f}", height="18", **box)
        yield _text(best, y + 21, "Gandalf", anchor="end", fill=ORANGE, size="11")
    yield _line(axis.x(low), y, axis.x(high), y, stroke=BLUE, width="3")
    for end in (low, high):
        yield _line(axis.x(end), y - 5, axis.x(end), y + 5, stroke=BLUE, width="2")
    title = _element("title", text=share.description)
    yield _element("circle", title, cx=f"{axis.x(share.value):.1f}", cy=f"{y}", r="6", fill=BLUE)


def _bars(results: Results, top: int) -> Iterator[ET.Element]:
    """Yield how many runs took how long: faults that were caught, and undisturbed runs that passed."""
    faults = [case for case in results.cases if case.kind == FAULT]
    undisturbed = [case for case in results.cases if case.name == UNDISTURBED]
    series = (
        _Series("a fault, caught", _seconds(faults, CAUGHT), fill=BLUE, stroke="none"),
        _Series("undisturbed, PASS", _seconds(undisturbed, {VerdictStatus.PASS}), fill=SHEET, stroke=ORANGE),
    )
    baseline, buckets = top + TALLEST + 10, len(BUCKETS_SECONDS) - 1
    step = (RIGHT - 60) / buckets
    most = max((each.share(place) for each in series for place in range(buckets)), default=0) or 1
    yield _text(20, top - 22, "Seconds to a verdict, share of runs", weight="600")
    for which, each in enumerate(series):
        for place in range(buckets):
            height = TALLEST * each.share(place) / most
            x = 60 + step * (place + 0.08 + 0.42 * which)
            title = _element("title", text=f"{each.name}: {each.share(place):.0%} in {_bucket(place)} s")
            yield _box(x, baseline - height, 0.4 * step, height, each, title)
        yield _box(420 + 190 * which, top - 34, 14, 14, each)
        yield _text(440 + 190 * which, top - 22, f"{each.name} ({len(each.seconds):,})", size="12")
    yield _line(60, baseline, RIGHT, baseline, stroke=SOFT)
    for place in range(buckets):
        yield _text(60 + (place + 0.5) * step, baseline + 18, _bucket(place), anchor="middle", fill=SOFT, size="11")


class _Series(msgspec.Struct, frozen=True):
    """Times of one kind, and how their bars look."""

    name: str
    seconds: Sequence[float]
    fill: str
    stroke: str

    def share(self, place: int) -> float:
        """Return how many of them are in a bucket."""
        low, high = BUCKETS_SECONDS[place], BUCKETS_SECONDS[place + 1]
        return sum(low <= each < high for each in self.seconds) / len(self.seconds) if self.seconds else 0.0


def _seconds(cases: Sequence[CaseResult], words: Container[str]) -> Sequence[float]:
    return [each for case in cases for outcome in case.outcomes if outcome.status in words for each in outcome.seconds]


def _bucket(place: int) -> str:
    return f"{BUCKETS_SECONDS[place]}-{BUCKETS_SECONDS[place + 1]}"


def _line(x1: float, y1: float, x2: float, y2: float, *, stroke: str, width: str = "1") -> ET.Element:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    return _element("line", stroke=stroke, stroke_width=width, **ends)


def _box(x: float, y: float, width: float, height: float, series: _Series, *inside: ET.Element) -> ET.Element:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    return _element("rect", *inside, fill=series.fill, stroke=series.stroke, stroke_width="1.5", **place)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size: str | None = None,
    weight: str | None = None,
) -> ET.Element:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text_anchor": anchor}
    return _element("text", text=text, fill=fill, font_size=size, font_weight=weight, **place)
