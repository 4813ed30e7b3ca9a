"""The way of a settlement as a picture: request, transaction, ledger, event and balances, each with what was seen."""

from collections.abc import Sequence

import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.publish.payment import EXACT_AMOUNT, SETTLE
from streampay_smoke.publish.report_status import RED, ReportStatus
from streampay_smoke.publish.step_events import StepEvent


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A stage: the assertions that show it, in order; the last one that was made says what was seen.

    `event` is what else shows it, with the fact that says what was seen.
    """

    name: str
    promises: tuple[str, ...] = ()
    event: type[events.Event] | None = None
    fact: str = ""
    says: str = "{}"


KINDS = (
    _Kind(
        name="Transaction", promises=("the receipt names a transaction", "the ledger knows the receipt's transaction")
    ),
    _Kind(
        name="Ledger",
        promises=("the settlement was made during this run", "the settlement transaction succeeded"),
        event=events.TransactionSeen,
        fact="ledger",
        says="number {}",
    ),
    _Kind(
        name="Event of the contract",
        promises=(
            "the expected contract was called",
            "the expected contract paid the recipient",
            EXACT_AMOUNT,
        ),
    ),
    _Kind(
        name="Balances",
        promises=(
            "what was not earned goes back to the payer, to the last stroop",
            "the recipient's balance grew by the payment",
        ),
        says="the recipient's grew by {} stroops",
    ),
)
"""What comes after the request. The promises are those of `acceptance/checks/settlement.py`."""

_SAID_BY = {
    "Transaction": "the receipt names a transaction",
    "Balances": "the recipient's balance grew by the payment",
}
"""Stages in which it is not the last assertion that names what was seen."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: milliseconds since the request, None where it was not reached; `seen` is in a few words."""

    name: str
    outcome: ReportStatus
    seen: str
    after_ms: int | None = None


def stages(step_events: Sequence[StepEvent]) -> tuple[Stage, ...]:
    """Return the stages of the first settlement in a scenario's events; () where none was asked for."""
    place = next((at for at, each in enumerate(step_events) if each.purpose == SETTLE), None)
    if place is None:
        return ()
    request, since = step_events[place], step_events[place + 1 :]
    until = next((at for at, each in enumerate(since) if each.purpose == SETTLE), len(since))
    answer = request.words.rpartition("→")[2].partition("(")[0].strip()
    first = Stage(name="Request", outcome=request.outcome, seen=f"answered {answer}", after_ms=request.duration_ms)
    return (first, *(_stage(kind, since[:until], request.at_ms) for kind in KINDS))


def _stage(kind: _Kind, since: Sequence[StepEvent], asked_ms: int) -> Stage:
    shown = [each for each in since if each.words in kind.promises or (kind.event and each.kind is kind.event)]
    if not shown:
        return Stage(name=kind.name, outcome=ReportStatus.SKIPPED, seen="not seen")
    red = next((each for each in shown if each.outcome in RED), None)
    last = red or shown[-1]
    return Stage(
        name=kind.name,
        outcome=last.outcome,
        seen=_seen(kind, shown, red),
        after_ms=last.at_ms + last.duration_ms - asked_ms,
    )


def _seen(kind: _Kind, shown: Sequence[StepEvent], red: StepEvent | None) -> str:
    if red is not None:
        return dict(red.facts).get("seen", "")
    if kind.event is not None:
        named = next((each for each in shown if each.kind is kind.event), None)
        return kind.says.format(dict(named.facts).get(kind.fact, "")) if named else ""
    said_by = _SAID_BY.get(kind.name, shown[-1].words)
    named = next((each for each in shown if each.words == said_by), shown[-1])
    return kind.says.format(dict(named.facts).get("seen", ""))
