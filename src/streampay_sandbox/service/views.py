"""What a caller gets to see of a stream, and lists page by page."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.streams import ACTIONS, NEXT_ACTION, Status, Stream, StreamWithdrawal
from streampay_sandbox.service.wire import HttpAnswer, HttpCall, json_bytes

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

Document = dict[str, Any]


def stream_v1(stream: Stream) -> Document:
    """Return a stream as v1 shows it; private fields are nobody's business."""
    document: Document = {
        "id": stream.id,
        "recipient": stream.recipient,
        "rate": stream.rate,
        "schedule": stream.schedule,
        "status": str(stream.status),
        "token": stream.token,
        "createdAt": stream.created_at,
        "updatedAt": stream.updated_at,
    }
    if stream.status in NEXT_ACTION:
        document["nextAction"] = NEXT_ACTION[stream.status]
    if stream.paused_at:
        document["pausedAt"] = stream.paused_at
    if stream.settlement:
        document["settlementTxHash"] = stream.settlement.tx_hash
        document["settlement"] = settlement(stream)
    if stream.withdrawal:
        document["withdrawal"] = withdrawal(stream.withdrawal)
    return document


def stream_v2(stream: Stream) -> Document:
    """Return a stream as v2 shows it: the v1 fields and more, with `settlement` null until there is one."""
    actions = [action for action, rule in ACTIONS.items() if stream.status in rule.allowed]
    return {
        **stream_v1(stream),
        "actions": actions,
        "allowed_actions": actions,
        "created_at": stream.created_at,
        "settlement": settlement(stream),
        **({"description": stream.description} if stream.description else {}),
        **({"webhook_url": stream.webhook_url} if stream.webhook_url else {}),
        **({"tags": list(stream.tags)} if stream.tags else {}),
    }


def settlement(stream: Stream) -> Document | None:
    """Return when and in which transaction a stream was settled, None before."""
    if stream.settlement is None:
        return None
    return {"settledAt": stream.settlement.settled_at, "txHash": stream.settlement.tx_hash}


def withdrawal(record: StreamWithdrawal) -> Document:
    """Return a withdrawal's state."""
    optional = {
        "settlementTxHash": record.settlement_tx_hash,
        "confirmedTxHash": record.confirmed_tx_hash,
        "failureCode": record.failure_code,
    }
    return {
        "state": record.state,
        "attempts": record.attempts,
        "requestedAt": record.requested_at,
        "lastCheckedAt": record.last_checked_at,
        **{name: value for name, value in optional.items() if value},
    }


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list. `total` counts what is left from this page on, as measured."""

    streams: tuple[Stream, ...]
    next_cursor: str
    total: int
    limit: int

    @property
    def meta(self) -> Document:
        """The `meta` object of an answer."""
        return {"hasNext": bool(self.next_cursor), "nextCursor": self.next_cursor or None, "total": self.total}


def page(call: HttpCall, streams: Sequence[Stream]) -> Page:
    """Return the page a list call asks for; raises Refusal (422) for a bad limit, status or cursor."""
    limit = _limit(call.query.get("limit"))
    status = _status(call.query.get("status"))
    left = _after(call.query.get("cursor"), streams)
    if status is not None:
        left = [stream for stream in left if stream.status == status]
    shown = tuple(left[:limit])
    more = len(left) > limit
    return Page(
        streams=shown,
        next_cursor=base64.b64encode(shown[-1].id.encode()).decode() if more else "",
        total=len(left),
        limit=limit,
    )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= MAX_LIMIT:
        raise Refusal(422, "INVALID_LIMIT", f"limit must be a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    if text not in tuple(Status):
        raise Refusal(422, "INVALID_STATUS", f"status must be one of {', '.join(Status)}.")
    return Status(text)


def _after(cursor: str | None, streams: Sequence[Stream]) -> Sequence[Stream]:
    if cursor is None:
        return streams
    try:
        last_id = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, ValueError):
        last_id = ""
    for position, stream in enumerate(streams):
        if stream.id == last_id:
            return streams[position + 1 :]
    raise Refusal(422, "INVALID_CURSOR", "cursor is none that this list gave out.")


def tagged(call: HttpCall, document: Document, headers: Mapping[str, str]) -> HttpAnswer:
    """Return the document under a strong ETag of its bytes, or 304 when the caller has it."""
    etag = f'"{hashlib.sha256(json_bytes(document)).hexdigest()}"'
    headers = {"etag": etag, **headers}
    known = {tag.strip().removeprefix("W/") for tag in call.header("if-none-match").split(",")}
    if etag in known or "*" in known:
        return HttpAnswer(status=304, headers=headers)
    return HttpAnswer(document=document, headers=headers)
