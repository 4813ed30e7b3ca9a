"""The exact tests, held against direct computation and against chance."""

import math
import random
from fractions import Fraction

import pytest

from streampay_smoke.gate import statistics
from streampay_smoke.gate.statistics import PairedTest


def exact_evidence(bad: int, samples: int, budget: Fraction) -> Fraction:
    """The mean likelihood ratio over all greater shares, integrated term by term."""
    good = samples - bad
    total = Fraction(0)
    for power in range(good + 1):
        degree = bad + power + 1
        total += Fraction((-1) ** power * math.comb(good, power), degree) * (1 - budget**degree)
    return total / (1 - budget) / (budget**bad * (1 - budget) ** good)


@pytest.mark.parametrize("samples", [0, 1, 5, 20])
@pytest.mark.parametrize("budget", [Fraction(1, 20), Fraction(1, 2), Fraction(1, 100)])
def test_the_evidence_is_the_integral_it_claims_to_be(samples: int, budget: Fraction) -> None:
    for bad in range(samples + 1):
        exact = float(exact_evidence(bad, samples, budget))
        assert statistics.share_above(bad, samples, float(budget)) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("bad", "samples", "budget"), [(4_990, 5_000, 0.01), (10, 5_000, 0.999), (5_000, 5_000, 0.5)])
def test_the_evidence_of_many_samples_is_a_number(bad: int, samples: int, budget: float) -> None:
    good = samples - bad
    whole = math.lgamma(bad + 1) + math.lgamma(good + 1) - math.lgamma(samples + 2)
    whole -= bad * math.log(budget) + good * math.log1p(-budget) + math.log1p(-budget)
    found = statistics._log_evidence(bad, samples, budget)
    assert math.isfinite(found)
    assert found <= whole + 1e-6
    if bad / samples > budget:
        assert found == pytest.approx(whole)


def test_the_evidence_is_a_fair_bet_on_the_next_sample() -> None:
    for samples in range(12):
        for bad in range(samples + 1):
            now = statistics.share_above(bad, samples, 0.05)
            worse = statistics.share_above(bad + 1, samples + 1, 0.05)
            better = statistics.share_above(bad, samples + 1, 0.05)
            assert 0.05 * worse + 0.95 * better == pytest.approx(now)


def chance_of_ever(limit: float, share: float, samples: int) -> float:
    """The exact chance that the evidence against `share` reaches the limit at any time."""
    paths, reached = {0: 1.0}, 0.0
    for number in range(1, samples + 1):
        after: dict[int, float] = {}
        for bad, weight in paths.items():
            after[bad + 1] = after.get(bad + 1, 0.0) + weight * share
            after[bad] = after.get(bad, 0.0) + weight * (1 - share)
        reached += sum(w for bad, w in after.items() if statistics.share_above(bad, number, share) >= limit)
        paths = {bad: w for bad, w in after.items() if statistics.share_above(bad, number, share) < limit}
    return reached


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_looking_after_every_sample_keeps_the_error(share: float) -> None:
    assert 0 < chance_of_ever(100, share, 120) <= 0.01
    assert chance_of_ever(1000, share, 120) <= 0.001


def test_a_share_that_is_proved_low_is_below() -> None:
    assert statistics.share_below(0, 178, 0.05) >= 1000 > statistics.share_below(0, 177, 0.05)


@pytest.mark.parametrize(("bad", "samples"), [(0, 30), (3, 30), (30, 30), (200, 400)])
def test_an_interval_ends_where_the_evidence_does(bad: int, samples: int) -> None:
    interval = statistics.share_interval(bad, samples, 0.99)
    if interval.low is not None:
        assert interval.low < bad / samples
        assert statistics.share_above(bad, samples, interval.low) == pytest.approx(100, rel=1e-6)
    if interval.high is not None:
        assert interval.high > bad / samples
        assert statistics.share_below(bad, samples, interval.high) == pytest.approx(100, rel=1e-6)
    assert (interval.low is None) == (bad == 0)
    assert (interval.high is None) == (bad == samples)


def test_no_samples_bound_nothing() -> None:
    assert statistics.share_interval(0, 0, 0.99) == statistics.Interval(low=None, high=None)
    assert statistics.quantile_interval([], 0.95, 0.99) == statistics.Interval(low=None, high=None)
    assert statistics.clopper_pearson(0, 0, 0.95) == statistics.Interval(low=0.0, high=1.0)


def test_clopper_pearson_agrees_with_published_values() -> None:
    found = [statistics.clopper_pearson(bad, samples, 0.95) for bad, samples in ((5, 20), (0, 100), (20, 20))]
    assert [interval.low for interval in found] == pytest.approx([0.0866, 0.0, 0.8316], abs=1e-4)
    assert [interval.high for interval in found] == pytest.approx([0.4910, 0.0362, 1.0], abs=1e-4)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert statistics.quantile(range(1, 101), 0.95) == 95
    assert statistics.quantile([7], 0.95) == 7
    assert statistics.quantile([1, 2, 3], 1.0) == 3
    assert statistics.quantile([3, 1, 2], 0.5) == 2


def test_the_bounds_of_a_quantile_hold_it() -> None:
    rng, missed = random.Random(4), 0
    for _ in range(400):
        values = [rng.paretovariate(1.2) for _ in range(60)]
        interval = statistics.quantile_interval(values, 0.5, 0.95)
        truth = 2 ** (1 / 1.2)
        assert interval.low is not None
        assert interval.high is not None
        missed += not interval.low <= truth <= interval.high
    assert missed <= 400 * 0.10


@pytest.mark.parametrize(("bad", "samples", "budget"), [(2, 1, 0.5), (-1, 1, 0.5), (0, 1, 0.0), (0, 1, 1.0)])
def test_what_is_no_share_is_refused(bad: int, samples: int, budget: float) -> None:
    with pytest.raises(ValueError, match="bad"):
        statistics.share_above(bad, samples, budget)


def test_pairs_decide_as_early_as_they_can() -> None:
    test = PairedTest(1.1)
    while test.decided(0.999) is None:
        test.add(2.0, 1.0)
    assert test.decided(0.999) is True
    assert 10 < test.pairs < 20
    assert statistics.decide_pairs([(1.0, 2.0)] * 40, 1.1, 0.999) is False
    assert statistics.decide_pairs([(2.0, 1.0)] * 5, 1.1, 0.999) is None


def test_a_decision_on_pairs_stays() -> None:
    assert statistics.decide_pairs([(2.0, 1.0)] * 20 + [(1.0, 9.0)] * 20, 1.1, 0.999) is True


def test_a_tie_says_nothing() -> None:
    test = PairedTest(1.0)
    for _ in range(40):
        test.add(5.0, 5.0)
    assert (test.slower, test.faster) == (1.0, 1.0)


def test_a_wider_difference_never_weighs_less() -> None:
    gains = []
    for candidate in (0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 9.0):
        test = PairedTest(1.0)
        test.add(candidate, 1.0)
        gains.append(test.slower)
    assert gains == sorted(gains)
    assert gains[0] < 1 < gains[-1]


def test_the_bet_is_fair_where_a_coin_decides_the_sign() -> None:
    for distance in (0.01, 0.3, 2.0):
        up, down = PairedTest(1.0), PairedTest(1.0)
        up.add(math.exp(distance), 1.0)
        down.add(math.exp(-distance), 1.0)
        assert (up.slower + down.slower) / 2 == pytest.approx(1.0)
        assert up.faster == pytest.approx(down.slower)
