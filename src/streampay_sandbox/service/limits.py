"""Token buckets per identity, and the daily quota of v2 creates.

By hand, because StreamPay was measured to refill evenly (Retry-After 1 at 60 a minute, 6 at 10): the library `limits`
offers windows and no token bucket, and would bring three packages into the wheel for one division.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, Layer

PER_MINUTE: Mapping[str, int] = {"read": 60, "write": 10, "challenge": 20, "login": 5}
"""Calls per minute of each tier, as measured; start, stop and settle are not limited."""

INSTANT_REFILL_SECONDS: Mapping[str, float] = {"write": 12.0}
"""Where ledgers are instant, a run creates in seconds what takes it a minute elsewhere."""

V2_CREATES_PER_DAY = 100

WhoCounts = Callable[[HttpCall], str]
"""Whose bucket a call empties."""


class TokenBuckets:
    """A bucket per tier and identity, full at first, refilled evenly over a minute. Times are seconds.

    `refill_seconds` names tiers that refill in less than a minute.
    """

    def __init__(
        self,
        per_minute: Mapping[str, int] = PER_MINUTE,
        *,
        refill_seconds: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_minute = per_minute
        self._refill_seconds = refill_seconds or {}
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, tier: str, identity: str) -> int:
        """Take one token: return 0, or the seconds until there will be one."""
        capacity = self._per_minute[tier]
        each_seconds = self._refill_seconds.get(tier, 60.0) / capacity
        with self._lock:
            now = self._clock()
            level, seen_at = self._levels.get((tier, identity), (float(capacity), now))
            level = min(float(capacity), level + (now - seen_at) / each_seconds)
            if level < 1:
                self._levels[tier, identity] = (level, now)
                return max(1, math.ceil((1 - level) * each_seconds - 1e-9))
            self._levels[tier, identity] = (level - 1, now)
            return 0


class DailyQuota:
    """Counts calls per identity and UTC day."""

    def __init__(self, per_day: int = V2_CREATES_PER_DAY, *, clock: Callable[[], float] = time.time) -> None:
        self._per_day = per_day
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[tuple[int, str], int] = {}

    def take(self, identity: str) -> int:
        """Count one call: return 0, or the seconds until UTC midnight when the day's share is used up."""
        with self._lock:
            now = self._clock()
            day = int(now // 86_400)
            used = self._used.get((day, identity), 0)
            if used >= self._per_day:
                return math.ceil((day + 1) * 86_400 - now)
            self._used[day, identity] = used + 1
            return 0


def too_many(retry_after_seconds: int) -> Refusal:
    """Return the refusal of a caller who has to wait."""
    return Refusal(
        429,
        "rate_limit_exceeded",
        "Too many requests.",
        headers={"retry-after": str(retry_after_seconds)},
    )


def limited(buckets: TokenBuckets, tier: str, who: WhoCounts) -> Layer:
    """Return the layer that lets a call through for one token of `tier`."""

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            if wait_seconds := buckets.take(tier, who(call)):
                raise too_many(wait_seconds)
            return inner(call)

        return handle

    return layer


def daily(quota: DailyQuota, who: WhoCounts) -> Layer:
    """Return the layer that counts v2 creates against the day's quota, valid or not."""

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            if wait_seconds := quota.take(who(call)):
                raise Refusal(
                    429,
                    "ORG_DAILY_QUOTA_EXCEEDED",
                    "Today's streams are used up.",
                    headers={"retry-after": str(wait_seconds)},
                )
            return inner(call)

        return handle

    return layer
