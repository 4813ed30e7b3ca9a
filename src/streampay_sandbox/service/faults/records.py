"""Ways in which receipts and records are wrong about money that moved as it should."""

import secrets
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.faults.fault import SETTLE, V2, V2_ITEM, Mutation, ServiceFault, around
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.streams import Status, Stream, StreamSettlement
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

LONG_AGO: Final = "2026-01-05T09:00:00.000Z"
SOMEBODY: Final = "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF"

Document = dict[str, Any]


def _receipts(change: Callable[[Document], Document]) -> Mutation:
    """Return the mutation that writes receipts otherwise."""

    def layer(inner: Handler, call: HttpCall) -> HttpAnswer:
        answer = inner(call)
        match answer.document:
            case {"data": {"settlement": _} as data} if call.route == SETTLE:
                return answer.with_document({**answer.document, "data": {**data, **change(data)}})
        return answer

    return around(layer)


def _settled_records(change: Callable[[Document], Document]) -> Mutation:
    """Return the mutation that shows the record of a settled stream otherwise, wherever one stream is shown."""

    def layer(inner: Handler, call: HttpCall) -> HttpAnswer:
        answer = inner(call)
        match answer.document:
            case {"settlementTxHash": _, "data": dict(data)} as document if call.route == V2_ITEM:
                changed = change(data)
                return answer.with_document({**document, **changed, "data": {**data, **changed}})
        return answer

    return around(layer)


def _newer_shows(change: Callable[[Document], Document]) -> Mutation:
    """Return the mutation that shows every stream otherwise by API v2, in lists and when it is opened."""

    def shown(item: Document) -> Document:
        return {**item, **change(item)}

    def layer(inner: Handler, call: HttpCall) -> HttpAnswer:
        answer = inner(call)
        match answer.document:
            case {"streams": list(rows)} as document if call.route == V2:
                return answer.with_document({**document, "streams": [shown(row) for row in rows]})
            case {"data": dict(data)} as document if call.route == V2_ITEM:
                return answer.with_document({**shown(document), "data": shown(data)})
        return answer

    return around(layer)


def _as_draft(*statuses: Status) -> Mutation:
    """Return the mutation that shows streams of these statuses as drafts in v2."""
    return _newer_shows(lambda item: {"status": "draft", "nextAction": "start"} if item["status"] in statuses else {})


def _another_hash(_: Document) -> Document:
    tx_hash = secrets.token_hex(32)
    return {"settlementTxHash": tx_hash, "settlement": {"settledAt": LONG_AGO, "txHash": tx_hash}}


def _backdated(parts: Parts) -> Parts:
    def settle(stream: Stream) -> StreamSettlement:
        return replace(parts.settle(stream), settled_at=LONG_AGO)

    return replace(parts, settle=settle)


FAULTS: Final = (
    ServiceFault(
        name="receipt-names-other-stream",
        story="operations: answers are mixed up between requests",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_receipts(lambda data: {"id": "stream-ada"}),
    ),
    ServiceFault(
        name="receipt-still-active",
        story="operations: the receipt is written before the state has moved",
        severity=Severity.SERIOUS,
        caught_by="settlement/a-settled-stream",
        mutation=_receipts(lambda data: {"status": "active"}),
    ),
    ServiceFault(
        name="receipt-backdated",
        story="operations: receipt and record tell a time that is not the ledger's",
        severity=Severity.SERIOUS,
        caught_by="settlement/",
        mutation=_backdated,
    ),
    ServiceFault(
        name="record-other-recipient",
        story="operations: the record is joined with another stream's row",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settled-stream",
        mutation=_settled_records(lambda data: {"recipient": SOMEBODY}),
    ),
    ServiceFault(
        name="record-other-amount",
        story="operations: the record rounds what was ordered",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settled-stream",
        mutation=_settled_records(lambda data: {"rate": "0.78"}),
    ),
    ServiceFault(
        name="record-final-as-draft",
        story="measured: v2 shows withdrawn and cancelled streams as drafts",
        severity=Severity.CATASTROPHIC,
        caught_by="records/api-v1-and-api-v2",
        mutation=_as_draft(Status.WITHDRAWN, Status.CANCELLED),
    ),
    ServiceFault(
        name="record-cancelled-as-draft",
        story="measured: v2 shows a cancelled stream as a draft that can still be started",
        severity=Severity.CATASTROPHIC,
        caught_by="records_cancelled/",
        mutation=_as_draft(Status.CANCELLED),
    ),
    ServiceFault(
        name="record-without-settlement",
        story="measured: v2 shows no settlement, even after one",
        severity=Severity.SERIOUS,
        caught_by="records/api-v1-and-api-v2",
        mutation=_newer_shows(lambda item: {"settlement": None}),
    ),
    ServiceFault(
        name="record-other-hash",
        story="operations: the record keeps the hash of an attempt that was given up",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settled-stream",
        mutation=_settled_records(_another_hash),
    ),
)
