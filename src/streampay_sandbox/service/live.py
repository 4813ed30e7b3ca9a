"""Live events: what happens to a stream, sent to subscribers as it happens (server-sent events)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streampay_sandbox.service.auth import Authenticator
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.streams import Stream, StreamStore
from streampay_sandbox.service.views import settlement
from streampay_sandbox.service.wire import HttpAnswer, HttpCall, json_bytes

UPDATED = "stream:updated"
SETTLED = "settle:finished"

Listener = Callable[[str], object]
"""Takes the text of one event; called from any thread."""

Subscribes = Callable[[str, str], bool]
"""Whether a caller may listen to what happens to a stream: (caller, whose the stream is)."""


class LiveEvents:
    """Who listens to which stream. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Listener]] = {}

    def publish(self, name: str, stream: Stream) -> None:
        """Tell everybody who listens to the stream what it is now."""
        event = {
            "id": stream.id,
            "status": str(stream.status),
            "updatedAt": stream.updated_at,
            "settlement": settlement(stream),
        }
        text = f"event: {name}\ndata: {json_bytes(event).decode()}\n\n"
        for listener in self._listening_to(stream.id):
            listener(text)

    @contextmanager
    def heard(self, stream_id: str, listener: Listener) -> Iterator[None]:
        """Let `listener` hear of a stream while the block runs."""
        with self._lock:
            self._listeners.setdefault(stream_id, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners[stream_id].remove(listener)

    def _listening_to(self, stream_id: str) -> tuple[Listener, ...]:
        with self._lock:
            return tuple(self._listeners.get(stream_id, ()))


def owner_subscribes(caller: str, tenant: str) -> bool:
    """Return whether the stream is the caller's."""
    return caller == tenant


class EventPages:
    """The handler of GET /api/streams/:id/events. The checks come in the order that was measured."""

    def __init__(
        self, store: StreamStore, live: LiveEvents, authenticator: Authenticator, subscribes: Subscribes
    ) -> None:
        self._store = store
        self._live = live
        self._authenticator = authenticator
        self._subscribes = subscribes

    def events(self, call: HttpCall) -> HttpAnswer:
        """Answer 401, 400, 404 or 403, or with a stream of events that ends with the connection."""
        caller = self._authenticator(call)
        if not call.header("x-tenant-id").strip():
            raise Refusal(400, "MISSING_TENANT", "The header x-tenant-id is required.")
        stream_id = call.params["stream_id"]
        owners = {stream.id: stream.tenant for stream in self._store.everything()}
        if stream_id not in owners:
            raise Refusal(404, "NOT_FOUND", "There is no such stream.")
        if not self._subscribes(caller, owners[stream_id]):
            raise Refusal(403, "FORBIDDEN", "Only its owner may listen to this stream.")
        return HttpAnswer(
            media_type="text/event-stream",
            headers={"cache-control": "no-cache, no-transform"},
            feed=None if call.method == "HEAD" else lambda listener: self._live.heard(stream_id, listener),
        )
