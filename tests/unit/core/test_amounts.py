"""Money is counted in stroops, exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampay_smoke.core.amounts import PERIOD_SECONDS, STROOPS_PER_UNIT, accrued, stroops


@pytest.mark.parametrize(("amount", "expected"), [("1", 10_000_000), ("0.0000001", 1), ("0.7777777", 7_777_777)])
def test_a_decimal_amount_is_a_whole_number_of_stroops(amount: str, expected: int) -> None:
    assert stroops(amount) == expected


@pytest.mark.parametrize("amount", ["", "one", "0.00000001", "1e-8", "NaN", "Infinity", "1,5"])
def test_anything_else_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        stroops(amount)


@given(st.integers(min_value=0, max_value=10**17))
def test_stroops_survive_the_way_through_text(amount: int) -> None:
    assert stroops(str(Decimal(amount) / STROOPS_PER_UNIT)) == amount


@pytest.mark.parametrize(
    ("elapsed", "earned"), [(-1, 0), (0, 0), (1, 129_629), (59, 7_648_147), (60, 7_777_777), (61, 7_777_777)]
)
def test_what_accrues_is_floored_and_capped(elapsed: int, earned: int) -> None:
    assert accrued(7_777_777, PERIOD_SECONDS["minute"], elapsed) == earned


@given(st.integers(0, 10**20), st.integers(1, 10**9), st.integers(0, 10**9))
def test_nothing_accrues_beyond_the_total_or_backwards(total: int, duration: int, elapsed: int) -> None:
    earned = accrued(total, duration, elapsed)
    assert 0 <= earned <= total
    assert earned <= accrued(total, duration, elapsed + 1)
