"""How sure a canary's verdict is, beside the test that Kayenta makes of the same samples.

docs/canary.md has the result.

    .venv-test/bin/python benchmarks/canary.py [--runs 2000] [--write]

No deployment is asked. Latencies are drawn for one canary after the other, and the judge's own functions decide
(`streampay_smoke.gate.canary`); the same times, as two samples, go to the Mann-Whitney test of Kayenta's default judge.
A seed makes the same figures again.
"""

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import NormalDist, median

import msgspec

from streampay_smoke.evidence.canary import Canary
from streampay_smoke.gate import canary
from streampay_smoke.gate.canary import Timed
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS
from streampay_smoke.run.canary import MOST_OF_PLANNED

SEED = 20_260
LIMITS = Canary()
CONFIDENCE = canary.confidence_each(writes=True)
JOURNEYS = (5, 10, 20, 40)
SHIFTS = (1.0, 1.2, 1.5, 2.0)
ERROR_RATES = (0.0, 0.02, 0.1, 0.3, 0.5)
STEPS = ("list", "show the draft", "show the active stream")
BASE_US = 200_000.0
"""The median of a read: 200 ms, so that a shift of 1.2 is above the 25 ms that nobody notices."""

PAGE = Path(__file__).parent.parent / "docs" / "canary.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

# Kayenta's NetflixACAJudge: MannWhitneyClassifier with tolerance 0.25, confLevel 0.98.
KAYENTA_CONFIDENCE = 0.98
KAYENTA_TOLERANCE = 0.25
EXACT_BELOW = 50
"""R's wilcox.test is exact below 50 values a sample where none are tied; so is this one."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides meet: the spread of single answers, how far it drifts, and how often an answer is an outlier."""

    name: str
    sigma: float
    drift: float = 0.0
    outliers: float = 0.0


NETWORKS = (
    Network(name="quiet", sigma=0.1),
    Network(name="usual", sigma=0.35),
    Network(name="noisy", sigma=0.7, outliers=0.03),
    Network(name="drifting", sigma=0.2, drift=1.5),
)


def journeys(network: Network, shift: float, number: int, draw: random.Random) -> Iterator[Timed]:
    """Yield the pairs of so many journeys; the busy hour that drifts in is the same for both sides of a pair."""
    level, pairs = 0.0, number * len(STEPS)
    for place in range(pairs):
        level += network.drift * draw.gauss(0, 1) / math.sqrt(pairs)
        first, second = (_answer(network, level, draw) for _ in range(2))
        candidate, stable = (first, second) if draw.random() < 0.5 else (second, first)
        yield Timed(step=STEPS[place % len(STEPS)], candidate=candidate * shift, stable=stable)


def _answer(network: Network, level: float, draw: random.Random) -> float:
    slow = 10.0 if draw.random() < network.outliers else 1.0
    return BASE_US * slow * math.exp(level + draw.gauss(0, network.sigma))


def of_this_gate(times: Sequence[Timed], planned: int) -> str:
    """Return what the gate says of reads: of the journeys that were planned, then of as many again."""
    few = canary.latency_decision(times[: planned * len(STEPS)], LIMITS, CONFIDENCE)
    return few if few != INSUFFICIENT else canary.latency_decision(times, LIMITS, CONFIDENCE)


def of_kayenta(times: Sequence[Timed]) -> str:
    """Return what Kayenta's default judge says of the same times: High is FAIL, Pass is PASS; Low is none here.

    As in `MannWhitney.mannWhitneyTest` and `MannWhitneyClassifier`: the Hodges-Lehmann interval of the difference at
    confidence 0.98, and a metric is High where its lower end is above 25 % of the interval's estimate.
    """
    experiment, control = [each.candidate for each in times], [each.stable for each in times]
    low, estimate = _lower_end(experiment, control)
    return FAIL if low > KAYENTA_TOLERANCE * abs(estimate) and low > 0 else PASS


def _lower_end(experiment: Sequence[float], control: Sequence[float]) -> tuple[float, float]:
    """Return the lower end of the two-sided interval of the shift, and its estimate: Hodges and Lehmann 1963."""
    differences = sorted(one - other for one in experiment for other in control)
    m, n = len(experiment), len(control)
    error = (1 - KAYENTA_CONFIDENCE) / 2
    if min(m, n) < EXACT_BELOW:
        place = _exact_quantile(m, n, error)
    else:
        spread = math.sqrt(m * n * (m + n + 1) / 12)
        place = max(0, math.floor(m * n / 2 + NormalDist().inv_cdf(error) * spread))
    low = -math.inf if place <= 0 else differences[place - 1]
    return low, median(differences)


_COUNTS: dict[tuple[int, int], list[float]] = {}


def _exact_quantile(m: int, n: int, error: float) -> int:
    """Return the least U of two samples without ties that is reached or undercut with at least this probability."""
    if (m, n) not in _COUNTS:
        counts = [1.0] + [0.0] * (m * n)
        for k in range(1, m + 1):  # the product of (1 - q^(n+k)) / (1 - q^k)
            for u in range(m * n, n + k - 1, -1):
                counts[u] -= counts[u - n - k]
            for u in range(k, m * n + 1):
                counts[u] += counts[u - k]
        _COUNTS[m, n] = counts
    total, so_far = math.comb(m + n, m), 0.0
    for u, count in enumerate(_COUNTS[m, n]):
        so_far += count
        if so_far / total >= error:
            return u
    raise ValueError("no such quantile")


def latencies(runs: int) -> Iterator[str]:
    """Yield the table of latencies: shares of canaries that fail and pass, by network, shift and journeys."""
    yield "| network | candidate | this gate: FAIL | PASS | Mann-Whitney: FAIL |"
    yield "|---|---|---|---|---|"
    for network in NETWORKS:
        for shift in SHIFTS:
            ours: list[Counter[str]] = []
            theirs: list[Counter[str]] = []
            for number in JOURNEYS:
                draw = random.Random(f"{SEED}/{network.name}/{shift}/{number}")
                ours.append(Counter())
                theirs.append(Counter())
                for _ in range(runs):
                    times = list(journeys(network, shift, number * MOST_OF_PLANNED, draw))
                    ours[-1][of_this_gate(times, number)] += 1
                    theirs[-1][of_kayenta(times[: number * len(STEPS)])] += 1
            cells = (_shares(ours, FAIL, runs), _shares(ours, PASS, runs), _shares(theirs, FAIL, runs))
            yield f"| {network.name} | x{shift:g} | {' | '.join(cells)} |"


def errors(runs: int) -> Iterator[str]:
    """Yield the table of errors: both sides fail as often as the first column says, the candidate more often yet."""
    yield "| fails on both | on the candidate alone | FAIL | PASS |"
    yield "|---|---|---|---|"
    for both in (0.0, 0.05):
        for alone in ERROR_RATES:
            found: list[Counter[str]] = []
            for number in JOURNEYS:
                draw = random.Random(f"{SEED}/{both}/{alone}/{number}")
                found.append(Counter())
                for _ in range(runs):
                    failed = [
                        (draw.random() < both + alone, draw.random() < both)
                        for _ in range(2 * number * len(STEPS) * MOST_OF_PLANNED)
                    ]
                    planned = canary.errors_decision(failed[: 2 * number * len(STEPS)], LIMITS, CONFIDENCE)
                    decision = planned
                    if planned == INSUFFICIENT:
                        decision = canary.errors_decision(failed, LIMITS, CONFIDENCE)
                    found[-1][decision] += 1
            yield f"| {both:.0%} | {alone:.0%} | {_shares(found, FAIL, runs)} | {_shares(found, PASS, runs)} |"


def false_alarms(runs: int) -> Iterator[str]:
    """Yield how many equal candidates are blamed, over many more canaries, of each number of journeys."""
    yield "| network | this gate blames | Mann-Whitney as in Kayenta |"
    yield "|---|---|---|"
    for network in NETWORKS:
        draw = random.Random(f"{SEED}/{network.name}/equal")
        ours = theirs = 0
        for number in range(runs):
            planned = JOURNEYS[number % len(JOURNEYS)]
            times = list(journeys(network, 1.0, planned * MOST_OF_PLANNED, draw))
            ours += of_this_gate(times, planned) == FAIL
            theirs += of_kayenta(times[: planned * len(STEPS)]) == FAIL
        yield f"| {network.name} | {ours} | {theirs} |"


def _shares(counts: Sequence[Counter[str]], decision: str, runs: int) -> str:
    """Return the share of a decision for each number of journeys, once where all are equal."""
    shares = [f"{100 * each[decision] / runs:.1f}".removesuffix(".0") for each in counts]
    return shares[0] if len(set(shares)) == 1 else ", ".join(shares)


def figures(runs: int) -> str:
    """Return the tables as Markdown."""
    many = 10 * runs
    parts: Sequence[tuple[str, str, Callable[[int], Iterator[str]], int]] = (
        ("False alarms", f"Of {many:,} equal candidates on each network:", false_alarms, many),
        ("Latency", f"Percent of {runs:,} canaries a cell:", latencies, runs),
        ("Errors", f"Percent of {runs:,} canaries a cell:", errors, runs),
    )
    blocks = []
    for title, about, table, number in parts:
        print(title, file=sys.stderr, flush=True)
        blocks += [f"#### {title}", "", about, "", *table(number), ""]
    return "\n".join(blocks)


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help=f"write them into {PAGE.name}")
    chosen = parser.parse_args()
    text = figures(chosen.runs)
    if not chosen.write:
        print(text)
        return
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
