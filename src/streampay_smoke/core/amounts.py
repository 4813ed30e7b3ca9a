"""Money as integers of stroops, and what a rate and a schedule promise over time."""

from decimal import Decimal, InvalidOperation

STROOPS_PER_UNIT = 10_000_000

PERIOD_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_592_000,
    "year": 31_536_000,
}
"""Length of one schedule period in seconds; a month is 30 days, a year 365."""


def stroops(amount: str) -> int:
    """Return `amount` (a decimal string of whole token units) in stroops.

    Raises ValueError when it is no plain decimal number or is finer than one stroop.
    """
    try:
        scaled = Decimal(amount) * STROOPS_PER_UNIT
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not a decimal amount") from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{amount!r} is not a whole number of stroops")
    return int(scaled)


def units(stroops: int) -> str:
    """Return an amount in whole units of its token, e.g. `10.5`."""
    whole, rest = divmod(abs(stroops), STROOPS_PER_UNIT)
    decimals = f".{rest:07d}".rstrip("0") if rest else ""
    return f"{'-' if stroops < 0 else ''}{whole}{decimals}"


def accrued(total_stroops: int, duration_seconds: int, elapsed_seconds: int) -> int:
    """Return what a stream has earned its recipient: total x elapsed / duration, floored, capped at the total.

    The rule of the `streampay-stream` contract.
    """
    if elapsed_seconds >= duration_seconds:
        return total_stroops
    return total_stroops * max(elapsed_seconds, 0) // duration_seconds
