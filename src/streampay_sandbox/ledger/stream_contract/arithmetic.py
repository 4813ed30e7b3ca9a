"""What a stream has earned: linear, floored, in checked 128-bit integers."""

from typing import Final

from streampay_sandbox.ledger.stream_contract.records import Code, Stream, failure
from streampay_sandbox.ledger.values import I128_MAX, U64_MAX

MAX_FEE_BPS: Final = 10_000


def vested(stream: Stream, now: int) -> int:
    """Return what has vested at `now` (Unix seconds): total x elapsed / duration, 0 in Draft, at most the total.

    Once the elapsed time reaches the duration everything has vested; time spent paused does not count.
    """
    if stream.status == "Draft":
        return 0
    effective = max(stream.start_time, min(now, stream.end_time))
    if stream.status == "Paused":
        effective = min(effective, stream.paused_at)
    elapsed = max(max(effective - stream.start_time, 0) - stream.total_paused_duration, 0)
    if stream.duration == 0 or elapsed >= stream.duration:
        return stream.total_amount
    return checked_i128(stream.total_amount * elapsed) // stream.duration


def withdrawable(stream: Stream, now: int) -> int:
    """Return what the recipient may take at `now` (Unix seconds)."""
    return max(0, vested(stream, now) - stream.released_amount)


def fee(amount: int, fee_bps: int) -> int:
    """Return the fee on `amount` in its unit: basis points, floored."""
    if fee_bps == 0 or amount <= 0:
        return 0
    return checked_i128(amount * fee_bps) // MAX_FEE_BPS


def checked_i128(value: int) -> int:
    """Return `value`; fails with Overflow where 128 bits do not hold it."""
    if not -I128_MAX - 1 <= value <= I128_MAX:
        raise failure(Code.Overflow)
    return value


def checked_time(value: int) -> int:
    """Return `value`; fails with InvalidTimeRange where an unsigned 64-bit time does not hold it."""
    if not 0 <= value <= U64_MAX:
        raise failure(Code.InvalidTimeRange)
    return value
