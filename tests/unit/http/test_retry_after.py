"""Retry-After is read in one place: numbers, dates, and everything that is neither."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from streampay_smoke.http.retry_after import retry_after_seconds

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(("value", "seconds"), [("12", 12), (" 3 ", 3), ("0", 0), ("9" * 400, float("inf"))])
def test_a_number_is_seconds(value: str, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "nan", "-5", "1.5", "Thu, 26 Nov 2026", "Mon, 01 Jan 99999 00:00:00 GMT"]
)
def test_anything_else_says_nothing(value: str) -> None:
    assert retry_after_seconds(value) is None


@pytest.mark.parametrize(("ahead", "seconds"), [(timedelta(hours=1), 3600), (timedelta(hours=-2), 0)])
def test_a_date_is_counted_from_now(ahead: timedelta, seconds: float) -> None:
    later = NOON + ahead
    for told in (format_datetime(later, usegmt=True), later.strftime("%a, %d %b %Y %H:%M:%S -0000")):
        assert retry_after_seconds(told, now=NOON.timestamp()) == seconds


def test_a_date_is_counted_from_this_machines_clock_by_default() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    assert 500 < (retry_after_seconds(soon) or 0) <= 600
