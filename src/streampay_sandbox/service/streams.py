"""Streams: their record, their state machine, and the memory they live in."""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from streampay_sandbox.service.errors import Refusal

EVERYBODY = "*"
"""The tenant of a stream that is everybody's to open: the sandbox does not know beforehand who its user will be."""

NATIVE = "XLM"
"""The token of a stream that names none."""


class Status(StrEnum):
    """What the API calls a stream's state."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"


class StreamAction(msgspec.Struct, frozen=True, kw_only=True):
    """A lifecycle call: the states it may be made in and the state it leads to."""

    allowed: frozenset[Status]
    to: Status


ACTIONS: Mapping[str, StreamAction] = {
    "start": StreamAction(allowed=frozenset({Status.DRAFT, Status.PAUSED}), to=Status.ACTIVE),
    "pause": StreamAction(allowed=frozenset({Status.ACTIVE}), to=Status.PAUSED),
    "stop": StreamAction(allowed=frozenset({Status.ACTIVE, Status.DRAFT}), to=Status.ENDED),
    "settle": StreamAction(allowed=frozenset({Status.ACTIVE, Status.PAUSED}), to=Status.ENDED),
    "withdraw": StreamAction(allowed=frozenset({Status.ENDED, Status.WITHDRAWN}), to=Status.WITHDRAWN),
    "cancel": StreamAction(allowed=frozenset({Status.ACTIVE, Status.PAUSED}), to=Status.CANCELLED),
}

NEXT_ACTION: Mapping[Status, str] = {
    Status.DRAFT: "start",
    Status.ACTIVE: "pause",
    Status.PAUSED: "stop",
    Status.ENDED: "withdraw",
}
"""What the record proposes next; withdrawn and cancelled streams have no next action."""

LIVE = frozenset({Status.ACTIVE, Status.PAUSED})
_TERMINAL = frozenset({Status.ENDED, Status.WITHDRAWN, Status.CANCELLED})


class StreamSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """When and in which transaction the ledger settled a stream."""

    settled_at: str
    tx_hash: str


class StreamWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """How far the confirmation of a settlement is."""

    state: str
    attempts: int
    requested_at: str
    last_checked_at: str
    settlement_tx_hash: str = ""
    confirmed_tx_hash: str = ""
    failure_code: str = ""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's record. `chain_id` is its id in the contract, `private` what only its owner may see."""

    id: str
    tenant: str
    recipient: str
    rate: str
    schedule: str
    token: str
    status: Status
    created_at: str
    updated_at: str
    chain_id: int
    paused_at: str = ""
    settlement: StreamSettlement | None = None
    withdrawal: StreamWithdrawal | None = None
    description: str = ""
    webhook_url: str = ""
    tags: tuple[str, ...] = ()
    private: Mapping[str, str] = msgspec.field(default_factory=dict)

    def check_may(self, action: str) -> None:
        """Raise Refusal when `action` is not allowed in this state."""
        if self.status in ACTIONS[action].allowed:
            return
        if action == "cancel" and self.status in _TERMINAL:
            raise Refusal(409, "ALREADY_TERMINAL", f"The stream is already {self.status}.")
        if action == "cancel":
            raise Refusal(422, "STREAM_NOT_CANCELLABLE", "A draft has nothing to cancel.")
        raise Refusal(409, "INVALID_STREAM_STATE", f"A stream that is {self.status} takes no {action}.")


def new_stream_id() -> str:
    """Return an id as StreamPay makes them: "stream-" and 8 hex digits."""
    return f"stream-{secrets.token_hex(4)}"


class StreamStore:
    """Streams in the order of their creation; changes to one stream are made one at a time."""

    def __init__(self, seeds: tuple[Stream, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._seeds = seeds
        self._streams = {seed.id: seed for seed in seeds}
        self._locks = {seed.id: threading.Lock() for seed in seeds}

    def add(self, stream: Stream) -> None:
        """Store a new stream."""
        with self._lock:
            self._streams[stream.id] = stream
            self._locks[stream.id] = threading.Lock()

    def forget(self) -> None:
        """Lose every stream but those there were at first, as a process does that is started again."""
        with self._lock:
            self._streams = {seed.id: seed for seed in self._seeds}

    def save(self, stream: Stream) -> None:
        """Store a stream's new state."""
        with self._lock:
            self._streams[stream.id] = stream

    def remove(self, stream_id: str) -> None:
        """Forget a stream."""
        with self._lock:
            self._streams.pop(stream_id, None)

    def find(self, stream_id: str, tenant: str) -> Stream:
        """Return a stream of `tenant`; raises Refusal (404) for unknown ones and those of others alike."""
        with self._lock:
            stream = self._streams.get(stream_id)
        if stream is None or stream.tenant not in {tenant, EVERYBODY}:
            raise Refusal(404, "STREAM_NOT_FOUND", "There is no such stream.")
        return stream

    @contextmanager
    def held(self, stream_id: str, tenant: str) -> Iterator[Stream]:
        """Yield a stream of `tenant` that nobody else changes meanwhile; raises Refusal (404)."""
        self.find(stream_id, tenant)
        with self._locks[stream_id]:
            yield self.find(stream_id, tenant)

    def everything(self) -> tuple[Stream, ...]:
        """Return all streams of all tenants, oldest first."""
        with self._lock:
            return tuple(self._streams.values())
