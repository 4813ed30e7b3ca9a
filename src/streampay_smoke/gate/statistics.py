"""Exact tests for few samples. None assumes a distribution, and each states its error.

Written here, although scipy has tests in plenty: it has no confidence sequences, and importing it takes longer than the
rest of a judgement.

Two questions are asked. *Is a share of bad samples within its budget?* A p95 objective is that question too: at most
5 % of the samples may be above the threshold. It is answered by a binomial confidence sequence, a mixture of
likelihood ratios (Robbins 1970): the interval holds at every number of samples at once, so that it stays true
however the number came about; a scenario that ends at its first failure has chosen it.

*Is the candidate slower than the stable release?* Pairs of reads, made right after each other in random order, are
compared. Whatever both share (a busy minute, a slow network) is in both, and the coin that chose the order makes
either sign of their difference as likely as the other when nothing distinguishes the releases, however each
pair depends on those before it. The evidence is a bet on the next sign (Ramdas et al. 2023, "testing by betting"):
wealth that reaches 1 / error is seen by chance with at most that probability, whenever one looks (Ville).
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

MOST_SAMPLES = 5_000
"""More than a run can make; the arithmetic below is exact and pays for it."""

_BISECTIONS = 50
_NEGLIGIBLE = 1e-17
_LARGE = 1e200


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds that are each wrong with at most the stated error; None where the samples do not bound that side."""

    low: float | None
    high: float | None


def share_above(bad: int, samples: int, budget: float) -> float:
    """Return the evidence against "at most `budget` of all are bad": it reaches 1 / error with at most that error.

    A mixture of likelihood ratios over all greater shares; `budget` is between 0 and 1, both excluded.
    """
    return math.exp(_log_evidence(bad, samples, budget))


def share_below(bad: int, samples: int, budget: float) -> float:
    """Return the evidence against "at least `budget` of all are bad"."""
    return math.exp(_log_evidence(samples - bad, samples, 1 - budget))


def share_interval(bad: int, samples: int, confidence: float) -> Interval:
    """Return the share's confidence sequence: each bound is wrong, at any number of samples, with 1 - confidence."""
    limit = -math.log1p(-confidence)
    low = _greatest(lambda share: _log_evidence(bad, samples, share) >= limit)
    rest = _greatest(lambda share: _log_evidence(samples - bad, samples, share) >= limit)
    return Interval(low=low, high=None if rest is None else 1 - rest)


def quantile(values: Sequence[float], at: float) -> float:
    """Return the sample quantile: the least value that has at least the share `at` of the values at or below it."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(at * len(ordered) - 1e-9) - 1)]


def quantile_interval(values: Sequence[float], at: float, confidence: float) -> Interval:
    """Return the quantile's bounds, which are values themselves; a bound the samples cannot give is None."""
    ordered, budget, limit = sorted(values), 1 - at, -math.log1p(-confidence)
    samples = len(ordered)
    # Values greater than the one at `place` are bad; more of them the lower the place.
    low = [v for place, v in enumerate(ordered) if _log_evidence(samples - place - 1, samples, budget) >= limit]
    high = [v for place, v in enumerate(ordered) if _log_evidence(place + 1, samples, at) >= limit]
    return Interval(low=low[-1] if low else None, high=high[0] if high else None)


def clopper_pearson(bad: int, samples: int, confidence: float) -> Interval:
    """Return the exact interval for a number of samples that was fixed before; both errors together 1 - confidence."""
    error = (1 - confidence) / 2
    if samples == 0:
        return Interval(low=0.0, high=1.0)
    low = _bisected(lambda share: _tail(bad, samples, share) <= error) if bad else 0.0
    rest = _bisected(lambda share: _tail(samples - bad, samples, share) <= error) if bad < samples else 0.0
    return Interval(low=low, high=1 - rest)


class Bet(msgspec.Struct, frozen=True, kw_only=True):
    """How much is bet on a sign: the odds are exp(`slope` x distance), and never more than exp(`most`).

    `weight` is the share of the wealth that is bet so, beside the weights of the other bets.
    """

    slope: float
    most: float
    weight: int = 1


BETS = (
    Bet(slope=math.inf, most=math.log(0.85 / 0.15)),
    Bet(slope=3.0, most=2.0),
)
"""A plain sign test, and one that trusts wide differences more; their wealth is averaged.

Chosen for few pairs: 0.85 is near what a doubled latency makes of a noisy read.
"""


class PairedTest:
    """Follows pairs one by one and keeps the evidence that the candidate is slower, or faster, than `threshold` times.

    Under "not slower" the ratio divided by the threshold is as likely to be 1/r as r, or smaller. A tie bets nothing.
    `least_more` is taken off the candidate's latency: so much more, in the unit of the latencies, is no difference.
    """

    def __init__(self, threshold: float, *, least_more: float = 0.0, bets: Sequence[Bet] = BETS) -> None:
        self._bets = bets
        self._shift = math.log(threshold)
        self._least_more = least_more
        self._slower = [1.0] * len(bets)
        self._faster = [1.0] * len(bets)
        self.pairs = 0

    def add(self, candidate: float, stable: float) -> None:
        """Take the latencies of one pair, in the same unit and above 0."""
        within = min(self._least_more, max(0.0, candidate - stable))  # it makes the candidate no faster than the stable
        distance = math.log((candidate - within) / stable) - self._shift
        self.pairs += 1
        for place, bet in enumerate(self._bets):
            stake = math.tanh(min(bet.slope * abs(distance), bet.most) / 2) if distance else 0.0
            gain = math.copysign(stake, distance)
            self._slower[place] *= 1 + gain
            self._faster[place] *= 1 - gain

    @property
    def slower(self) -> float:
        """The evidence against "the candidate is at most `threshold` times as slow"."""
        return self._mean(self._slower)

    @property
    def faster(self) -> float:
        """The evidence against "the candidate is at least `threshold` times as slow"."""
        return self._mean(self._faster)

    def _mean(self, wealth: Sequence[float]) -> float:
        weighted = sum(bet.weight * held for bet, held in zip(self._bets, wealth, strict=True))
        return weighted / sum(bet.weight for bet in self._bets)

    @property
    def leans_slower(self) -> bool:
        """Whether there is evidence that the candidate is slower, however little: more pairs may prove it."""
        return self.slower > 1

    def decided(self, confidence: float) -> bool | None:
        """Return True when the candidate is proved slower, False when proved faster, None for neither."""
        limit = 1 / (1 - confidence)
        if self.slower >= limit:
            return True
        return False if self.faster >= limit else None


def decide_pairs(
    pairs: Iterable[tuple[float, float]], threshold: float, confidence: float, *, least_more: float = 0.0
) -> bool | None:
    """Return the first decision on pairs of candidate and stable, in their order: what is proved once stays so."""
    test = PairedTest(threshold, least_more=least_more)
    for candidate, stable in pairs:
        test.add(candidate, stable)
        decided = test.decided(confidence)
        if decided is not None:
            return decided
    return None


@functools.lru_cache(maxsize=4096)
def _log_evidence(bad: int, samples: int, budget: float) -> float:
    """Return the logarithm of the mean likelihood ratio of all shares in (budget, 1) against `budget`.

    The integral of p^bad (1-p)^good over them is a beta function times a binomial tail, both of whole numbers.
    """
    if not 0 <= bad <= samples <= MOST_SAMPLES or not 0 < budget < 1:
        raise ValueError(f"{bad} of {samples} bad, with a budget of {budget}")
    good = samples - bad
    log_beta = math.lgamma(bad + 1) + math.lgamma(good + 1) - math.lgamma(samples + 2)
    log_tail = _log_tail(good + 1, samples + 1, 1 - budget)
    ratio = bad * math.log(budget) + good * math.log1p(-budget)
    return log_beta + log_tail - ratio - math.log1p(-budget)


def _log_tail(least: int, samples: int, share: float) -> float:
    """Return the logarithm of the probability of at least `least` hits in `samples` trials."""
    if least <= 0:
        return 0.0
    odds = share / (1 - share)
    first = (
        math.lgamma(samples + 1)
        - math.lgamma(least + 1)
        - math.lgamma(samples - least + 1)
        + least * math.log(share)
        + (samples - least) * math.log1p(-share)
    )
    # Each term in units of the first, or of a later sum; past the most likely number of hits they only fall.
    term, total = 1.0, 1.0
    for hits in range(least, samples):
        step = (samples - hits) / (hits + 1) * odds
        term *= step
        total += term
        if total > _LARGE:
            first, term, total = first + math.log(total), term / total, 1.0
        if step < 1 and term < total * _NEGLIGIBLE:
            break
    return first + math.log(total)


def _tail(least: int, samples: int, share: float) -> float:
    return math.exp(_log_tail(least, samples, share)) if 0 < share < 1 else float(share >= 1 or least <= 0)


def _greatest(refuted: Callable[[float], bool]) -> float | None:
    """Return the greatest share that is refuted, None where none is: those below a refuted one are refuted too."""
    tiny = 1e-12
    return _bisected(refuted) if refuted(tiny) else None


def _bisected(holds: Callable[[float], bool]) -> float:
    """Return where a condition that holds from 0 on ends."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
