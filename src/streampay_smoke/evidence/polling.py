"""Waiting that explains itself: what for, how long, how often, and what was seen last."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.evidence.events import Awaiting, Recorder, Waited

T = TypeVar("T")


class PollResult(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One look: whether the condition holds, the value that goes with it, and in words what was seen."""

    met: bool
    value: T
    last: str


LAST_ANSWER = "the last answer was: "
"""What stands before the last answer in the message of a wait that was in vain."""


class NeverHappened(SmokeError):
    """Something StreamPay promises did not become true in time."""

    kind = "never_happened"
    blame = Blame.PRODUCT


def eventually(
    probe: Callable[[], PollResult[T]],
    *,
    what: str,
    within_seconds: float,
    every_seconds: float,
    record: Recorder,
    error: Callable[[str], SmokeError] = NeverHappened,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Probe until the condition holds and return its value; one `Waited` event tells the story either way.

    The first probe is made at once and the last one at the limit, never after a sleep beyond it; a probe that is
    under way at the limit still counts. Raises what `error` makes of the message at the limit, and whatever the
    probe itself raises.
    """
    started = clock()
    attempts, last = 0, ""
    record(Awaiting(what=what))

    def remember(*, met: bool) -> float:
        waited = clock() - started
        record(
            Waited(
                what=what,
                met=met,
                within_seconds=within_seconds,
                waited_seconds=round(waited, 3),
                attempts=attempts,
                last=last,
            )
        )
        return waited

    while True:
        attempts += 1
        try:
            attempt = probe()
        except Exception as problem:
            last = f"{type(problem).__name__}: {problem}"
            remember(met=False)
            raise
        last = attempt.last
        if attempt.met:
            remember(met=True)
            return attempt.value
        left = started + within_seconds - clock()
        if left <= 0:
            break
        sleep(min(every_seconds, left))
    waited = remember(met=False)
    times = "once" if attempts == 1 else f"{attempts} times"
    raise error(f"waited {waited:.1f} s (limit {within_seconds:g} s) for {what}, looked {times}; {LAST_ANSWER}{last}")
