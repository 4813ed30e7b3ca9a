"""What happened inside a step, as reports show it: checks, exchanges, waits, probes, settlements, synthetic data."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from streampay_smoke.core.amounts import units
from streampay_smoke.evidence import events
from streampay_smoke.publish.report_status import ReportStatus


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a step's story. `facts` are named short values, `bodies` named long texts; both redacted already.

    `kind` is the event it tells, `purpose` what a user wants by an exchange (`Exchanged.purpose`).
    """

    words: str
    outcome: ReportStatus
    at_ms: int
    duration_ms: int = 0
    facts: tuple[tuple[str, str], ...] = ()
    bodies: tuple[tuple[str, str], ...] = ()
    kind: type[events.Event] = events.Event
    purpose: str = ""
    times: int = 1

    def is_repeated_by(self, other: "StepEvent") -> bool:
        """Whether both are the same request, without an answer for the same reason."""
        unanswered = self.is_exchange and self.outcome is ReportStatus.BROKEN and other.is_exchange
        return unanswered and (self._asked, self.facts, self.bodies) == (other._asked, other.facts, other.bodies)

    def repeated(self, other: "StepEvent") -> "StepEvent":
        """Return both as one line that counts them."""
        times = self.times + 1
        ended_ms = other.at_ms + other.duration_ms
        return msgspec.structs.replace(
            self,
            words=f"{self._asked} → no answer, {times} times in {ended_ms - self.at_ms} ms",
            duration_ms=ended_ms - self.at_ms,
            times=times,
        )

    @property
    def _asked(self) -> str:
        return self.words.partition(" → ")[0]

    @property
    def is_exchange(self) -> bool:
        """Whether it is a request and its answer."""
        return self.kind is events.Exchanged

    @property
    def is_check(self) -> bool:
        """Whether it is an assertion."""
        return self.kind is events.Checked


def step_event(event: events.AnyEvent, at_ms: int) -> StepEvent | None:
    """Return an event as a line of its step's story, None for events that only frame steps and runs."""
    tell = _DESCRIBERS.get(type(event))
    return None if tell is None else msgspec.structs.replace(tell(event, at_ms), kind=type(event))


def amount(stroops: int) -> str:
    """Return an amount as people write it, e.g. `10.5 (105000000 stroops)`."""
    return f"{units(stroops)} ({stroops} stroops)"


def pretty(text: str) -> str:
    """Return JSON indented, below a head if there is one, and any other text as it is."""
    head, gap, body = text.rpartition("\n\n")
    try:
        return f"{head}{gap}{json.dumps(json.loads(body), indent=2, ensure_ascii=False)}"
    except (ValueError, RecursionError):
        return text


def _facts(*pairs: tuple[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in pairs if value not in {"", None})


def _checked(event: events.Checked, at_ms: int) -> StepEvent:
    return StepEvent(
        words=event.promise,
        outcome=ReportStatus.PASSED if event.held else ReportStatus.FAILED,
        at_ms=at_ms,
        facts=_facts(("expected", event.expected), ("seen", event.observed)),
    )


def _exchanged(event: events.Exchanged, at_ms: int) -> StepEvent:
    answer = "no answer" if event.status is None else str(event.status)
    return StepEvent(
        words=f"{event.peer}: {event.method} {event.target} → {answer} ({event.duration_ms} ms)",
        outcome=ReportStatus.BROKEN if event.status is None else ReportStatus.PASSED,
        at_ms=at_ms - event.duration_ms,
        duration_ms=event.duration_ms,
        facts=_facts(("error", event.error), ("request id", event.request_id), ("release", event.release)),
        bodies=tuple(
            (name, pretty(text)) for name, text in (("Request", event.request), ("Response", event.response)) if text
        ),
        purpose=event.purpose,
    )


def _waited(event: events.Waited, at_ms: int) -> StepEvent:
    waited_ms = round(event.waited_seconds * 1000)
    tries = "1 try" if event.attempts == 1 else f"{event.attempts} tries"
    verb = "waited for" if event.met else "waited in vain for"
    return StepEvent(
        words=f"{verb} {event.what}: {event.waited_seconds:.1f} s of {event.within_seconds:g} s, {tries}",
        outcome=ReportStatus.PASSED if event.met else ReportStatus.FAILED,
        at_ms=at_ms - waited_ms,
        duration_ms=waited_ms,
        facts=_facts(("last answer", event.last)),
    )


def _retried(event: events.Retried, at_ms: int) -> StepEvent:
    return StepEvent(
        words=f"sent {event.target} again after silence ({event.because}): attempt {event.attempt}",
        outcome=ReportStatus.BROKEN,
        at_ms=at_ms,
    )


_MOMENTS = {"start": "when it was ready", "sample": "in a look at the fleet", "end": "after the last check"}


def _release_seen(event: events.ReleaseSeen, at_ms: int) -> StepEvent:
    moment = _MOMENTS.get(event.moment, event.moment)
    return StepEvent(
        words=f"the release that answered {moment}: {event.release or 'not stated'}",
        outcome=ReportStatus.PASSED,
        at_ms=at_ms,
        facts=_facts(("detail", event.detail)),
    )


_PROBE_OUTCOMES = {True: ReportStatus.PASSED, False: ReportStatus.BROKEN, None: ReportStatus.SKIPPED}
_PROBE_WORDS = {True: "ok", False: "not ok", None: "does not apply here"}


def _probed(event: events.Probed, at_ms: int) -> StepEvent:
    return StepEvent(
        words=f"control probe, {event.name}: {_PROBE_WORDS[event.ok]}",
        outcome=_PROBE_OUTCOMES[event.ok],
        at_ms=at_ms,
        facts=_facts(("detail", event.detail)),
    )


_PROOFS = {
    "ledger": "settlement proved on the ledger",
    "service": "settlement claimed by the service, ledger not asked",
}


def _transaction_seen(event: events.TransactionSeen, at_ms: int) -> StepEvent:
    closed = datetime.fromtimestamp(event.closed_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return StepEvent(
        words=f"the transaction is in ledger {event.ledger}, which closed at {closed}",
        outcome=ReportStatus.PASSED,
        at_ms=at_ms,
        facts=_facts(("transaction", event.tx_hash), ("ledger", event.ledger)),
    )


def _transaction_closed(event: events.TransactionClosed, at_ms: int) -> StepEvent:
    failed = " and failed" if event.failed else ""
    return StepEvent(
        words=f"the run's transaction ({event.function}) is in ledger {event.ledger}{failed}",
        outcome=ReportStatus.PASSED,
        at_ms=at_ms,
        facts=_facts(
            ("fee", amount(event.fee_stroops)),
            ("locked", amount(event.locked_stroops) if event.locked_stroops else ""),
            ("transaction", event.tx_hash),
        ),
    )


def _settled(event: events.Settled, at_ms: int) -> StepEvent:
    paid = amount(event.amount_stroops) if event.amount_stroops is not None else ""
    return StepEvent(
        words=_PROOFS.get(event.proof, f"settlement proved by {event.proof}"),
        outcome=ReportStatus.PASSED,
        at_ms=at_ms,
        facts=_facts(
            ("amount", paid), ("stream", event.stream_id), ("transaction", event.tx_hash), ("ledger", event.ledger)
        ),
    )


def _service_seen(event: events.ServiceSeen, at_ms: int) -> StepEvent:
    return StepEvent(
        words="the deployment introduced itself" + (" as a simulation" if event.simulated else ""),
        outcome=ReportStatus.PASSED,
        at_ms=at_ms,
        facts=_facts(("release", event.release), ("network", event.network)),
    )


def _chain_seen(event: events.ChainSeen, at_ms: int) -> StepEvent:
    kind = "a simulated ledger" if event.simulated else "the ledger"
    return StepEvent(
        words=f"{kind} answered: {event.network}, at ledger {event.ledger}",
        outcome=ReportStatus.PASSED,
        at_ms=at_ms,
        facts=_facts(("contract", event.contract_id)),
    )


def _created(event: events.ResourceCreated, at_ms: int) -> StepEvent:
    return StepEvent(words=f"made synthetic {event.kind} {event.id}", outcome=ReportStatus.PASSED, at_ms=at_ms)


def _released(event: events.ResourceReleased, at_ms: int) -> StepEvent:
    return StepEvent(
        words=f"brought synthetic {event.kind} {event.id} to its end", outcome=ReportStatus.PASSED, at_ms=at_ms
    )


def _lost(event: events.ResourceLost, at_ms: int) -> StepEvent:
    words = f"the service has forgotten synthetic {event.kind} {event.id}"
    return StepEvent(words=words, outcome=ReportStatus.FAILED, at_ms=at_ms, facts=_facts(("seen", event.seen)))


_DESCRIBERS: dict[type[events.Event], Callable[[Any, int], StepEvent]] = {
    events.Checked: _checked,
    events.Exchanged: _exchanged,
    events.Waited: _waited,
    events.Retried: _retried,
    events.ReleaseSeen: _release_seen,
    events.Probed: _probed,
    events.TransactionSeen: _transaction_seen,
    events.TransactionClosed: _transaction_closed,
    events.Settled: _settled,
    events.ServiceSeen: _service_seen,
    events.ChainSeen: _chain_seen,
    events.ResourceCreated: _created,
    events.ResourceReleased: _released,
    events.ResourceLost: _lost,
}
