"""Waiting that explains itself: what for, how long, how often, and what was seen last."""

import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.evidence.events import Awaiting, Recorder, Waited

T = TypeVar("T")


class PollResult(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One look: whether the condition holds, the value that goes with it, and in words what was seen.

    `final` says that no later look can show more: the value is returned although the condition does not hold.
    `ask_again_after_seconds` is how long another look cannot show more; 0 where nobody can tell.
    """

    met: bool
    value: T
    last: str
    final: bool = False
    ask_again_after_seconds: float = 0.0


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
    pauses: Iterator[float],
    record: Recorder,
    error: Callable[[str], Exception] | None = NeverHappened,
    only_if_it_takes_long: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Probe until the condition holds and return its value; one `Waited` event tells the story either way.

    The first probe is made at once and the last one at the limit, never after a sleep beyond it; a probe that is
    under way at the limit still counts. `pauses` are the seconds between probes. Raises what `error` makes of the
    message at the limit, and whatever the probe itself raises; without `error`, the last value is returned.
    With `only_if_it_takes_long` a wait that is over at the first look leaves no event.
    """
    started = clock()
    attempts, last = 0, ""

    def remember(*, met: bool) -> float:
        waited = clock() - started
        if met and attempts == 1 and only_if_it_takes_long:
            return waited
        record(
            Waited(
                what=what,
                met=met,
                within_seconds=round(within_seconds, 3),
                waited_seconds=round(waited, 3),
                attempts=attempts,
                last=last,
            )
        )
        return waited

    if not only_if_it_takes_long:
        record(Awaiting(what=what))
    while True:
        attempts += 1
        try:
            attempt = probe()
        except Exception as problem:
            last = f"{type(problem).__name__}: {problem}"
            remember(met=False)
            raise
        last = attempt.last
        left = started + within_seconds - clock()
        if attempt.met or attempt.final:
            remember(met=attempt.met)
            return attempt.value
        if left <= 0:
            break
        if attempts == 1 and only_if_it_takes_long:
            record(Awaiting(what=what))
        sleep(min(max(next(pauses), attempt.ask_again_after_seconds), left))
    waited = remember(met=False)
    if error is None:
        return attempt.value
    times = "once" if attempts == 1 else f"{attempts} times"
    raise error(f"waited {waited:.1f} s (limit {within_seconds:g} s) for {what}, looked {times}; {LAST_ANSWER}{last}")
