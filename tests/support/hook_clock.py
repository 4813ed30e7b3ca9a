"""Time for hooks: pauses are noted and pass at once, requests take the time they take."""

import time
from collections.abc import Callable

from streampay_smoke.rollback.hooks.engine_api import HookClock


def noted(pauses: list[float], meanwhile: Callable[[], None] = lambda: None) -> HookClock:
    """A clock whose pauses end up in `pauses`; `meanwhile` is what happens elsewhere during each."""

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        meanwhile()

    return HookClock(steady=lambda: time.monotonic() + sum(pauses), sleep=sleep)
