"""What a step that has not ended is waiting for, told from the journal's events alone.

The run uses it while a step hangs, the judge afterwards: both say the same.
"""

import time
from collections import Counter
from collections.abc import Callable

from streampay_smoke.evidence import events

_PEERS = {"service": "the service", "ledger": "the ledger", "stable": "the stable release"}


class Pending:
    """Follows a run event by event and knows the step that is under way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.step = ""
        self.budget_seconds = 0.0
        self._asked: list[events.Awaiting] = []
        self._asked_at = 0.0
        self._answered_ms: Counter[str] = Counter()
        self._waits: list[events.Awaiting] = []
        self._last: events.Exchanged | None = None

    def observe(self, event: events.AnyEvent) -> None:
        """Take note of one event, in the order of the journal."""
        match event:
            case events.StepStarted():
                self.step, self.budget_seconds = event.text, event.budget_seconds
                self._asked, self._waits, self._last = [], [], None
                self._answered_ms.clear()
            case events.StepFinished() | events.ScenarioFinished():
                self.step, self.budget_seconds = "", 0.0
            case events.RateLimitWait() | events.WriteSlotWait() if self.budget_seconds:
                self.budget_seconds += event.step_seconds
            case events.Awaiting(peer=""):
                self._waits.append(event)
            case events.Awaiting():
                self._asked.append(event)
                self._asked_at = self._clock()
            case events.Exchanged():
                self._answered_ms[event.peer] += event.duration_ms
                self._asked = [asked for asked in self._asked if asked.peer != event.peer]
                self._last = event
            case events.Waited():
                self._waits = [wait for wait in self._waits if wait.what != event.what]

    @property
    def peer(self) -> str:
        """Who owes an answer: "service", "ledger", or "" for nobody."""
        return self._asked[-1].peer if self._asked else ""

    @property
    def asked(self) -> str:
        """The request that `peer` owes an answer to, "" for none."""
        return self._asked[-1].what if self._asked else ""

    @property
    def spent_on_peer_seconds(self) -> float:
        """How much of the step went into waiting for `peer`; only meaningful while the run goes on."""
        if not self.peer:
            return 0.0
        return self._answered_ms[self.peer] / 1000 + self._clock() - self._asked_at

    @property
    def waiting_for(self) -> str:
        """What the step waits for, in words; empty for nothing it announced."""
        if self._asked:
            asked = self._asked[-1]
            return f"{_PEERS.get(asked.peer, asked.peer)} to answer {asked.what}"
        return self._waits[-1].what if self._waits else ""

    @property
    def last_response(self) -> str:
        """The last answer of the step, in words; empty when there was none."""
        last = self._last
        if last is None:
            return ""
        asked = f"{_PEERS.get(last.peer, last.peer)}, {last.method} {last.target}"
        if last.status is None:
            return f"{asked}: {last.error}"
        return f"{asked}: status {last.status} after {last.duration_ms} ms"

    def described(self) -> str:
        """Return the step that is under way, its budget, what it waits for and its last answer; empty for none."""
        if not self.step:
            return ""
        budget = f" (budget {self.budget_seconds:g} s)" if self.budget_seconds else ""
        return f"in step {self.step!r}{budget}, {self.described_wait()}"

    def described_wait(self) -> str:
        """Return what the step waits for and its last answer."""
        waited = f"waiting for {self.waiting_for}" if self.waiting_for else "waiting for nothing it announced"
        last = f"the last answer was {self.last_response}" if self.last_response else "nothing had answered in it"
        return f"{waited}; {last}"
