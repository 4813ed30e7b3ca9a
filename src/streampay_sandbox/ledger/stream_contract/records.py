"""The contract's types: the stream, its states, its error enum and its events."""

from enum import IntEnum
from typing import Final, Literal

import msgspec

from streampay_sandbox.ledger.contracts import EventShape
from streampay_sandbox.ledger.failures import HostError, contract_error
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.values import (
    ADDRESS,
    BOOL,
    I128,
    SYMBOL,
    U32,
    U64,
    Kind,
    Optional,
    Record,
    Variants,
    Vector,
    vec,
)

Status = Literal["Draft", "Active", "Paused", "Settled", "Ended", "Cancelled"]
STATUS: Final = Variants("StreamStatus", ("Draft", "Active", "Paused", "Settled", "Ended", "Cancelled"))


class Code(IntEnum):
    """The contract's error enum."""

    NotFound = 1
    Unauthorized = 2
    ContractPaused = 3
    InvalidAmount = 4
    InvalidTimeRange = 5
    InvalidState = 6
    OverWithdraw = 7
    AlreadySettled = 8
    TokenNotAllowed = 9
    Overflow = 10
    StreamLimitExceeded = 11
    SelfStream = 12
    AlreadyInitialized = 13
    NonceTooLow = 14
    NonceOutOfOrder = 15
    RecipientTrustlineMissing = 16
    FeeTooHigh = 17
    InvalidFeeBps = 18
    SweepNoFees = 19
    SweepAmountMismatch = 20
    AdminCooldown = 21
    CooloffActive = 22


def failure(code: Code) -> HostError:
    """Return the error a contract function ends with."""
    return contract_error(code)


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A payment stream. Amounts are in the token's smallest unit, times Unix seconds, durations seconds."""

    id: int
    sender: str
    recipient: str
    token: str
    total_amount: int
    released_amount: int
    start_time: int
    end_time: int
    duration: int
    last_update: int
    status: Status
    paused_at: int
    total_paused_duration: int
    fee_bps: int


STREAM: Final = Record(
    "Stream",
    Stream,
    (
        ("id", U64),
        ("sender", ADDRESS),
        ("recipient", ADDRESS),
        ("token", ADDRESS),
        ("total_amount", I128),
        ("released_amount", I128),
        ("start_time", U64),
        ("end_time", U64),
        ("duration", U64),
        ("last_update", U64),
        ("status", STATUS),
        ("paused_at", U64),
        ("total_paused_duration", U64),
        ("fee_bps", U32),
    ),
)


class StreamPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of streams; `next_cursor` is what to pass as `start_after` for the next one, None on the last."""

    streams: list[Stream]
    next_cursor: int | None


STREAM_PAGE: Final = Record("StreamPage", StreamPage, (("streams", Vector(STREAM)), ("next_cursor", Optional(U64))))

_ID: Final = ("stream_id", U64)
_AT: Final = ("timestamp", U64)


def _event(name: str, topic: str, *data: tuple[str, Kind]) -> EventShape:
    return EventShape(name=name, topics=("stream", topic), data=data)


CREATED: Final = _event(
    "StreamCreated",
    "created",
    _ID,
    ("sender", ADDRESS),
    ("recipient", ADDRESS),
    ("token", ADDRESS),
    ("total_amount", I128),
    ("fee_bps", U32),
    ("duration", U64),
    _AT,
)
STARTED: Final = _event("StreamStarted", "started", _ID, ("start_time", U64), ("end_time", U64), _AT)
WITHDRAWN: Final = _event("StreamWithdrawn", "withdrawn", _ID, ("recipient", ADDRESS), ("amount", I128), _AT)
SETTLED: Final = _event("StreamSettled", "settled", _ID, ("recipient", ADDRESS), ("total_amount", I128), _AT)
PAUSED: Final = _event("StreamPaused", "paused", _ID, ("sender", ADDRESS), ("paused_at", U64), _AT)
RESUMED: Final = _event("StreamResumed", "resumed", _ID, ("sender", ADDRESS), ("end_time", U64), _AT)
CANCELLED: Final = _event(
    "StreamCancelled",
    "cancelled",
    _ID,
    ("cancelled_by", ADDRESS),
    ("returned_amount", I128),
    ("released_amount", I128),
    _AT,
)
AMENDED: Final = _event(
    "StreamAmended",
    "amended",
    _ID,
    ("amended_by", ADDRESS),
    ("new_rate_per_second", I128),
    ("new_end_time", U64),
    _AT,
)
DEPRECATED_ENTRYPOINT: Final = _event(
    "DeprecatedEntrypoint", "deprecated_entrypoint", ("caller", ADDRESS), ("entrypoint", SYMBOL), _AT
)
PUBLISHED_EVENTS: Final = (
    CREATED,
    STARTED,
    WITHDRAWN,
    SETTLED,
    PAUSED,
    RESUMED,
    CANCELLED,
    AMENDED,
    DEPRECATED_ENTRYPOINT,
)

# These the contract emits by hand: they are on the ledger but not in its spec.
PAUSE_SET: Final = _event("PauseSet", "set_pause", ("admin", ADDRESS), ("paused", BOOL), _AT)
ADMIN_SET: Final = _event("AdminSet", "set_admin", ("admin", ADDRESS), ("new_admin", ADDRESS), _AT)
TOKEN_SET: Final = _event("TokenSet", "set_token", ("admin", ADDRESS), ("token", ADDRESS), ("allowed", BOOL), _AT)
COLLECTOR_SET: Final = _event("CollectorSet", "set_fee_c", ("admin", ADDRESS), ("collector", ADDRESS), _AT)
DEFAULT_FEE_SET: Final = _event("DefaultFeeSet", "set_dfee", ("admin", ADDRESS), ("fee_bps", U32), _AT)
FEE_CHARGED: Final = _event(
    "FeeCharged", "fee", _ID, ("fee_amount", I128), ("fee_bps", U32), ("collector", ADDRESS), _AT
)
COOLOFF_SET: Final = _event("CooloffSet", "cooloff", ("admin", ADDRESS), ("duration", U64), _AT)


def emit(env: Env, event: EventShape, *values: object) -> None:
    """Publish `event` with its data in order."""
    env.emit(
        [SYMBOL.encode(topic) for topic in event.topics],
        vec(*(kind.encode(value) for (_, kind), value in zip(event.data, values, strict=True))),
    )
