"""Creating, listing and reading streams, in v1 and v2."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from streampay_sandbox.service import idempotency
from streampay_sandbox.service.clock import iso_now
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.orders import json_object, order
from streampay_sandbox.service.settlement import Escrow, or_refused
from streampay_sandbox.service.streams import Status, Stream, StreamStore, new_stream_id
from streampay_sandbox.service.views import page, stream_v1, stream_v2, tagged
from streampay_sandbox.service.wire import HttpAnswer, HttpCall

Visible = Callable[[str, Stream], bool]
"""Whether a caller may see a stream in a list."""

MOST_UPDATES = 100
"""Streams that one call may change."""

_PRIVATE = {"cache-control": "private, max-age=0, must-revalidate"}


def own_streams(caller: str, stream: Stream) -> bool:
    """Return whether the stream is the caller's: nobody sees anybody else's."""
    return stream.tenant == caller


class Catalogue:
    """The handlers of the collections and items."""

    def __init__(self, store: StreamStore, escrow: Escrow, visible: Visible) -> None:
        self._store = store
        self._escrow = escrow
        self._visible = visible
        self._seen_etags: set[tuple[str, str]] = set()

    def create_v1(self, call: HttpCall) -> HttpAnswer:
        """Escrow one schedule period and answer 201 with the draft."""
        stream = self._created(call)
        links = {"self": f"/api/streams/{stream.id}"}
        return HttpAnswer(status=201, document={"data": stream_v1(stream), "links": links})

    def create_v2(self, call: HttpCall) -> HttpAnswer:
        """Escrow one schedule period and answer 201 with the bare draft."""
        return HttpAnswer(status=201, document=stream_v2(self._created(call)))

    def list_v1(self, call: HttpCall) -> HttpAnswer:
        """List the caller's streams, oldest first, page by page."""
        shown = page(call, self._streams_for(call))
        document = {
            "data": [stream_v1(stream) for stream in shown.streams],
            "links": {"self": f"/api/streams?limit={shown.limit}"},
            "meta": shown.meta,
        }
        return tagged(call, document, _PRIVATE)

    def list_v2(self, call: HttpCall) -> HttpAnswer:
        """List the caller's streams in the v2 shape."""
        shown = page(call, self._streams_for(call))
        return HttpAnswer(
            document={
                "streams": [stream_v2(stream) for stream in shown.streams],
                "meta": shown.meta,
                "links": {"self": f"/api/v2/streams?limit={shown.limit}"},
            },
            headers=_PRIVATE,
        )

    def item_v1(self, call: HttpCall) -> HttpAnswer:
        """Return one stream to the tenant that the header x-tenant-id names and the caller is."""
        tenant = call.header("x-tenant-id")
        if not tenant:
            raise Refusal(400, "MISSING_TENANT", "The header x-tenant-id is required.")
        if tenant != call.caller:
            raise Refusal(404, "STREAM_NOT_FOUND", "There is no such stream.")
        stream = self._store.find(call.params["stream_id"], call.caller)
        document = {"data": stream_v1(stream), "links": {"self": f"/api/streams/{stream.id}"}}
        answer = tagged(call, document, _PRIVATE)
        seen = (stream.id, answer.headers["etag"])
        cache = "HIT" if seen in self._seen_etags else "MISS"
        self._seen_etags.add(seen)
        return answer.with_headers({"x-cache": cache})

    def item_v2(self, call: HttpCall) -> HttpAnswer:
        """Return one stream, its fields at the top level and again under `data`."""
        return _item(self._store.find(call.params["stream_id"], call.caller))

    def change_v2(self, call: HttpCall) -> HttpAnswer:
        """Change description, webhook_url or tags, and nothing else."""
        return _item(self._changed(call, call.params["stream_id"], _changes(json_object(call))))

    def change_many_v2(self, call: HttpCall) -> HttpAnswer:
        """Change up to 100 of the caller's streams as `change_v2` does: all of them, or none."""
        updates = json_object(call).get("updates")
        if not isinstance(updates, list) or len(updates) > MOST_UPDATES or not all(map(_is_update, updates)):
            raise Refusal(400, "BAD_REQUEST", f"updates must be up to {MOST_UPDATES} objects of id and data.")
        changes = [(update["id"], _changes(update["data"])) for update in updates]
        for stream_id, _ in changes:
            self._store.find(stream_id, call.caller)
        return HttpAnswer(document={"streams": [stream_v2(self._changed(call, *change)) for change in changes]})

    def _changed(self, call: HttpCall, stream_id: str, changes: Mapping[str, Any]) -> Stream:
        with self._store.held(stream_id, call.caller) as stream:
            changed = replace(stream, updated_at=iso_now(), **changes)
            self._store.save(changed)
        return changed

    def _streams_for(self, call: HttpCall) -> Sequence[Stream]:
        return [stream for stream in self._store.everything() if self._visible(call.caller, stream)]

    def _created(self, call: HttpCall) -> Stream:
        asked = order(call)
        stream_id = new_stream_id()
        key = call.header(idempotency.HEADER)
        # The same order under the same key finds an escrow again whose transaction was lost from sight.
        order_id = "\0".join((call.caller, call.route, key, idempotency.whole_request(call))) if key else stream_id
        chain_id = or_refused(
            "LEDGER_UNAVAILABLE",
            503,
            lambda: self._escrow(order_id, asked.recipient, asked.total_stroops, asked.duration_seconds),
        )
        now = iso_now()
        stream = Stream(
            id=stream_id,
            tenant=call.caller,
            recipient=asked.recipient,
            rate=asked.rate,
            schedule=asked.schedule,
            token=asked.token,
            status=Status.DRAFT,
            created_at=now,
            updated_at=now,
            chain_id=chain_id,
        )
        self._store.add(stream)
        return stream


def _item(stream: Stream) -> HttpAnswer:
    document = stream_v2(stream)
    return HttpAnswer(
        document={**document, "data": document, "links": {"self": f"/api/v2/streams/{stream.id}"}},
        headers={"etag": f'W/"{stream.updated_at}"', **_PRIVATE},
    )


def _is_update(update: Any) -> bool:
    return isinstance(update, dict) and isinstance(update.get("id"), str) and isinstance(update.get("data"), dict)


def _changes(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields as a stream holds them; raises Refusal (400) for one that is not the caller's to change."""
    for name, value in fields.items():
        _check_change(name, value)
    return {**fields, "tags": tuple(fields["tags"])} if "tags" in fields else fields


def _check_change(name: str, value: Any) -> None:
    texts = isinstance(value, list) and all(isinstance(tag, str) for tag in value)
    if (name in {"description", "webhook_url"} and isinstance(value, str)) or (name == "tags" and texts):
        return
    raise Refusal(400, "VALIDATION_ERROR", f"{name!r} cannot be changed, or not to this value.")
