"""Ways in which streams are moved, changed or shown by callers whose they are not, or as only the ledger may."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.auth import CHECKS, bearer_token, unauthorized
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import (
    V2,
    V2_BATCH,
    V2_ITEM,
    Mutation,
    ServiceFault,
    around_with,
    is_create,
    is_known,
)
from streampay_sandbox.service.orders import json_object
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.streams import Status, StreamSettlement
from streampay_sandbox.service.views import stream_v1, stream_v2
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, json_bytes

NOBODY = "nobody"
"""Whose a stream is that a caller without a name creates."""

_V1_ITEM = "/api/streams/{stream_id}"
_LEDGERS_OWN = ("status", "settlementTxHash", "settlement", "tenant")

Applies = Callable[[Parts, HttpCall], bool]


def _as_owner(parts: Parts, call: HttpCall) -> HttpCall:
    """Return the call as the stream's owner would make it; a stream yet to be made is nobody's."""
    owners = {stream.id: stream.tenant for stream in parts.store.everything()}
    return _as(parts, call, owners.get(_stream_of(call), NOBODY))


def _stream_of(call: HttpCall) -> str:
    """Return the id of the stream a call is about, of the first one where it is about many, "" for none."""
    if call.route != V2_BATCH:
        return call.params.get("stream_id", "")
    updates = json_object(call).get("updates") or [{}]
    return str(updates[0].get("id", ""))


def _as(parts: Parts, call: HttpCall, name: str) -> HttpCall:
    token, _ = parts.tokens.issue(name)
    return replace(call, headers={**call.headers, "authorization": f"Bearer {token}"})


def _counts_as_owner(applies: Applies) -> Mutation:
    """Return the mutation that takes a caller for the stream's owner."""

    def layer(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
        return inner(_as_owner(parts, call) if applies(parts, call) else call)

    return around_with(layer)


def _writes_stream(call: HttpCall) -> bool:
    return call.is_write and call.route.startswith(("/api/streams", "/api/v2/streams"))


def _unauthorized_writes(enough: Applies) -> Applies:
    return lambda parts, call: _writes_stream(call) and not is_known(parts, call) and enough(parts, call)


def _has_expired(parts: Parts, call: HttpCall) -> bool:
    try:
        parts.tokens.subject(bearer_token(call), {**CHECKS, "verify_exp": False})
    except Refusal:
        return False
    return True


def _refuses_too_late(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    if not _writes_stream(call) or is_known(parts, call):
        return inner(call)
    inner(_as_owner(parts, call))
    raise unauthorized("This call needs a bearer token or an API key.")


def _believes_tenant(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    tenant = call.header("x-tenant-id")
    return inner(_as(parts, call, tenant) if call.route == _V1_ITEM and tenant else call)


def _create_merges(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if not is_create(call) or answer.status != 201:
        return answer
    v1 = "data" in answer.document
    row = answer.document["data"] if v1 else answer.document
    _merge(parts, row["id"], json_object(call))
    merged = next(stream for stream in parts.store.everything() if stream.id == row["id"])
    return answer.with_document({**answer.document, "data": stream_v1(merged)} if v1 else stream_v2(merged))


def _change_merges(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    if call.route != V2_ITEM or call.method != "PATCH":
        return inner(call)
    fields = json_object(call)
    answer = inner(replace(call, body=json_bytes(_harmless(fields))))
    if answer.status == 200:
        _merge(parts, call.params["stream_id"], fields)
    return answer


def _batch_merges(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    if call.route != V2_BATCH:
        return inner(call)
    updates = json_object(call)["updates"]
    harmless = [{**update, "data": _harmless(update["data"])} for update in updates]
    answer = inner(replace(call, body=json_bytes({"updates": harmless})))
    if answer.status == 200:
        for update in updates:
            _merge(parts, update["id"], update["data"])
    return answer


def _harmless(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _LEDGERS_OWN}


def _merge(parts: Parts, stream_id: str, fields: Mapping[str, Any]) -> None:
    """Write into a stream whatever a caller says of it."""
    stream = next(stream for stream in parts.store.everything() if stream.id == stream_id)
    claimed = fields.get("settlement")
    settlement = (
        StreamSettlement(settled_at=claimed["settledAt"], tx_hash=claimed["txHash"]) if claimed else stream.settlement
    )
    parts.store.save(replace(stream, status=Status(fields.get("status", stream.status)), settlement=settlement))


FAULTS: Final = (
    ServiceFault(
        name="writes-open",
        story="measured: creating and moving streams needs no credentials at all",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-caller-with-no-credential",
        mutation=_counts_as_owner(_unauthorized_writes(lambda parts, call: True)),
    ),
    ServiceFault(
        name="writes-accept-junk",
        story="measured: v2 creates for any Authorization text",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-caller-with-a-malformed",
        mutation=_counts_as_owner(_unauthorized_writes(lambda parts, call: bool(call.header("authorization")))),
    ),
    ServiceFault(
        name="v2-creates-for-any-text",
        story="measured: v2 creates for any Authorization text, while v1 asks for a good token",
        severity=Severity.CATASTROPHIC,
        caught_by="api_v2_access/a-caller-with-any-text-cannot-read-or-change-streams-through-api-v2",
        mutation=_counts_as_owner(
            _unauthorized_writes(lambda parts, call: call.route == V2 and bool(call.header("authorization")))
        ),
    ),
    ServiceFault(
        name="v2-changes-open",
        story="measured: v2 changes and deletes a stream for callers with no credential at all",
        severity=Severity.CATASTROPHIC,
        caught_by="api_v2_access/a-caller-with-no-credential-cannot-read-or-change-streams-through-api-v2",
        mutation=_counts_as_owner(_unauthorized_writes(lambda parts, call: call.route == V2_ITEM)),
    ),
    ServiceFault(
        name="v2-batch-for-any-bearer",
        story="measured: a change of many takes any text behind Bearer",
        severity=Severity.CATASTROPHIC,
        caught_by="api_v2_access/a-caller-with-a-malformed-token-cannot-read",
        mutation=_counts_as_owner(
            _unauthorized_writes(lambda parts, call: call.route == V2_BATCH and bool(bearer_token(call)))
        ),
    ),
    ServiceFault(
        name="writes-accept-expired",
        story="operations: the clock check was lost on the way that writes",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-caller-with-an-expired",
        mutation=_counts_as_owner(_unauthorized_writes(_has_expired)),
    ),
    ServiceFault(
        name="writes-refused-too-late",
        story="release: the refusal comes after the deed, as errors did in a build that was broken",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-caller-with-no-credential",
        mutation=around_with(_refuses_too_late),
    ),
    ServiceFault(
        name="others-act",
        story="operations: whoever is signed in moves any stream",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-second-user",
        mutation=_counts_as_owner(
            lambda parts, call: _writes_stream(call) and "stream_id" in call.params and is_known(parts, call)
        ),
    ),
    ServiceFault(
        name="item-open",
        story="measured: one stream is shown to anybody who knows its name",
        severity=Severity.CATASTROPHIC,
        caught_by="access/an-anonymous-caller",
        mutation=_counts_as_owner(
            lambda parts, call: call.route == V2_ITEM and not call.is_write and not is_known(parts, call)
        ),
    ),
    ServiceFault(
        name="item-shows-others",
        story="operations: one stream is shown to whoever is signed in",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-second-user",
        mutation=_counts_as_owner(
            lambda parts, call: call.route == V2_ITEM and not call.is_write and is_known(parts, call)
        ),
    ),
    ServiceFault(
        name="tenant-by-header",
        story="measured: whoever names a tenant in a header is shown what is theirs",
        severity=Severity.CATASTROPHIC,
        caught_by="access/an-anonymous-caller",
        mutation=around_with(_believes_tenant),
    ),
    ServiceFault(
        name="create-takes-anything",
        story="operations: an order is stored as it was sent, status and settlement included",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-user-cannot-mark",
        mutation=around_with(_create_merges),
    ),
    ServiceFault(
        name="change-takes-anything",
        story="operations: the check of what may be changed is lost",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-user-cannot-mark",
        mutation=around_with(_change_merges),
    ),
    ServiceFault(
        name="batch-takes-anything",
        story="measured: a change of many sets status and settlement",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-user-cannot-mark",
        mutation=around_with(_batch_merges),
    ),
)
