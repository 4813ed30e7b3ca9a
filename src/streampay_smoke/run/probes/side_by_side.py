"""Several control probes at once, each with evidence of its own, none of them waited for longer than all may take."""

import threading
import time
from collections.abc import Callable, Mapping

from streampay_smoke.evidence.events import AnyEvent, Probed, Recorder

Probe = Callable[[Recorder], Probed]
"""Asks one thing, leaves its exchanges with the recorder, and returns what it found."""


def side_by_side(probes: Mapping[str, Probe], *, within_seconds: float) -> tuple[AnyEvent, ...]:
    """Make all probes at the same time and return their evidence, one probe after the other.

    A probe that is not done in time, or raises, does not apply. One that ends later leaves no evidence anywhere.
    """
    running = [_Running(name, probe) for name, probe in probes.items()]
    ends_at = time.monotonic() + within_seconds
    for each in running:
        each.thread.join(max(0.0, ends_at - time.monotonic()))
    return tuple(event for each in running for event in each.evidence(within_seconds))


class _Running:
    def __init__(self, name: str, probe: Probe) -> None:
        self._name = name
        self._probe = probe
        self._found: tuple[AnyEvent, ...] = ()
        self.thread = threading.Thread(target=self._run, name=f"probe {name}", daemon=True)
        self.thread.start()

    def evidence(self, within_seconds: float) -> tuple[AnyEvent, ...]:
        late = Probed(name=self._name, ok=None, detail=f"it was not done within {within_seconds:g} s")
        return self._found or (late,)

    def _run(self) -> None:
        seen: list[AnyEvent] = []
        try:
            found = self._probe(seen.append)
        except Exception as problem:  # noqa: BLE001 - a probe reports whatever stopped it
            found = Probed(name=self._name, ok=None, detail=f"{type(problem).__name__}: {problem}")
        self._found = (*seen, found)
