"""`docs/selftest/chart.svg`: shares with exact bounds, and how long a verdict takes. No script, no colour alone."""

from collections.abc import Iterator, Sequence

from streampay_smoke.gate.verdict import Word
from streampay_smoke.publish.markup import Markup, element, joined
from streampay_smoke.selftest.case import CAUGHT
from streampay_smoke.selftest.results import FAULT, Results
from streampay_smoke.selftest.scoring import UNDISTURBED, Share, score

WIDTH, LEFT, RIGHT = 860, 250, 830
INK, SOFT, LINE, BLUE, ORANGE, SHEET = "#1b2430", "#5b6675", "#dfe3e8", "#0072b2", "#d55e00", "#ffffff"
"""Blue and vermilion of Okabe and Ito: told apart with any colour vision, and the marks differ in shape too."""

ROW = 34
LOWEST_SHARE = 0.9
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
    return (
        element(
            "svg",
            element("rect", width="100%", height="100%", fill=SHEET),
            *_shares(shares),
            *bars,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH} {height}",
            font_family="system-ui, sans-serif",
            font_size="14",
            role="img",
        )
        + "\n"
    )


def _shares(shares: Sequence[tuple[str, Share]]) -> Iterator[Markup]:
    bottom = 50 + ROW * len(shares)
    yield _text(20, 28, "Shares with their exact 95 % bounds", weight="600")
    for percent in range(round(LOWEST_SHARE * 100), 101, 2):
        x = _x(percent / 100)
        yield element("line", x1=x, x2=x, y1="44", y2=f"{bottom}", stroke=LINE)
        yield _text(float(x), bottom + 16, f"{percent} %", anchor="middle", fill=SOFT, size="12")
    for place, (name, share) in enumerate(shares):
        y = 62 + ROW * place
        yield from _row(name, share, y)


def _row(name: str, share: Share, y: int) -> Iterator[Markup]:
    low, high = share.bounds
    yield _text(LEFT - 14, y + 5, f"{name}, {share.hits:,} of {share.of:,}", anchor="end")
    if name in GANDALF:
        worst, best = GANDALF[name]
        yield element(
            "rect",
            element("title", f"Gandalf: {worst:.1%} to {best:.1%}"),
            x=_x(worst),
            y=f"{y - 9}",
            width=f"{max(3.0, float(_x(best)) - float(_x(worst))):.1f}",
            height="18",
            fill="none",
            stroke=ORANGE,
            stroke_width="1.5",
            stroke_dasharray="4 2",
        )
        yield _text(float(_x(worst)), y + 21, "Gandalf", fill=ORANGE, size="11")
    yield element("line", x1=_x(low), x2=_x(high), y1=f"{y}", y2=f"{y}", stroke=BLUE, stroke_width="3")
    for end in (low, high):
        yield element("line", x1=_x(end), x2=_x(end), y1=f"{y - 5}", y2=f"{y + 5}", stroke=BLUE, stroke_width="2")
    yield element("circle", element("title", share.in_words), cx=_x(share.value), cy=f"{y}", r="6", fill=BLUE)


def _bars(results: Results, top: int) -> Iterator[Markup]:
    """Yield how many runs took how long: faults that were caught, and undisturbed runs that passed."""
    caught = [
        each
        for case in results.cases
        if case.kind == FAULT
        for outcome in case.outcomes
        if outcome.word in CAUGHT
        for each in outcome.seconds
    ]
    passed = [
        each
        for case in results.cases
        if case.name == UNDISTURBED
        for outcome in case.outcomes
        if outcome.word == Word.PASS
        for each in outcome.seconds
    ]
    yield _text(20, top - 22, "Seconds to a verdict, share of runs", weight="600")
    baseline, buckets = top + 150, len(BUCKETS_SECONDS) - 1
    step = (RIGHT - 60) / buckets
    series = (("a fault, caught", caught, BLUE, "none"), ("undisturbed, PASS", passed, SHEET, ORANGE))
    counts = [[_within(seconds, place) for place in range(buckets)] for _, seconds, _, _ in series]
    tallest = max((share for each in counts for share in each), default=0) or 1
    for which, (name, seconds, fill, stroke) in enumerate(series):
        for place, share in enumerate(counts[which]):
            height = 140 * share / tallest
            x = 60 + place * step + which * step * 0.42 + step * 0.08
            yield element(
                "rect",
                element("title", f"{name}: {share:.0%} of {len(seconds):,} in {_bucket(place)} s"),
                x=f"{x:.1f}",
                y=f"{baseline - height:.1f}",
                width=f"{step * 0.4:.1f}",
                height=f"{height:.1f}",
                fill=fill,
                stroke=stroke,
                stroke_width="1.5",
            )
        x = 420 + which * 190
        yield element(
            "rect", x=f"{x}", y=f"{top - 34}", width="14", height="14", fill=fill, stroke=stroke, stroke_width="1.5"
        )
        yield _text(x + 20, top - 22, f"{name} ({len(seconds):,})", size="12")
    yield element("line", x1="60", x2=f"{RIGHT}", y1=f"{baseline}", y2=f"{baseline}", stroke=SOFT)
    for place in range(buckets):
        yield _text(60 + (place + 0.5) * step, baseline + 18, _bucket(place), anchor="middle", fill=SOFT, size="11")


def _within(seconds: Sequence[float], place: int) -> float:
    low, high = BUCKETS_SECONDS[place], BUCKETS_SECONDS[place + 1]
    return sum(low <= each < high for each in seconds) / len(seconds) if seconds else 0.0


def _bucket(place: int) -> str:
    return f"{BUCKETS_SECONDS[place]}-{BUCKETS_SECONDS[place + 1]}"


def _x(share: float) -> str:
    """Return where a share is; what is below the axis stays at its beginning."""
    inside = max(0.0, (share - LOWEST_SHARE) / (1 - LOWEST_SHARE))
    return f"{LEFT + inside * (RIGHT - LEFT):.1f}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size: str | None = None,
    weight: str | None = None,
) -> Markup:
    return joined(
        element(
            "text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill=fill, font_size=size, font_weight=weight
        )
    )
