"""What both lines of v0.2 share: a stream's row, its time to live, what it earns, and how the contract panics."""

from typing import Final, TypeVar

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.contracts import EntryPoint
from streampay_sandbox.ledger.failures import HostError, trap
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.values import ADDRESS, I128, SYMBOL, U32, Kind, Record, symbol_map, vec

VERSION: Final = 2_000
THRESHOLD_LEDGERS: Final = 17_280
EXTEND_LEDGERS: Final = 518_400
STREAM_ID: Final[tuple[tuple[str, Kind], ...]] = (("stream_id", U32),)
VERSION_ENTRY: Final = EntryPoint(name="version", inputs=(), output=U32, body=lambda _: VERSION)
_NEXT_ID: Final = SYMBOL.encode("next_id")


class RateStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream: `balance` is not earned yet, and earned from `start_time` on. Times are Unix seconds, 0 for none."""

    payer: str
    recipient: str
    rate_per_second: int
    balance: int
    start_time: int = 0
    end_time: int = 0
    is_active: bool = False
    paused_at: int = 0


Stream = TypeVar("Stream", bound=RateStream)


def earned(stream: RateStream, until: int) -> int:
    """Return what the recipient has earned since `start_time`, at most what is there."""
    return min(max(until - stream.start_time, 0) * stream.rate_per_second, stream.balance)


def panic(_message: str) -> HostError:
    """Return what a panic becomes: its message is not in a release build."""
    return trap("VM call trapped: UnreachableCodeReached")


def add(env: Env, record: Record, stream: RateStream) -> int:
    """Keep a new stream, tell of it, and return its id; ids count from 1."""
    stream_id: int = env.instance_get(_NEXT_ID, U32) or 1
    env.put(_key(stream_id), record, stream)
    env.instance_put(_NEXT_ID, U32, stream_id + 1)
    extend(env, stream_id)
    env.emit(
        [SYMBOL.encode("stream_created"), U32.encode(stream_id)],
        symbol_map(
            {
                "payer": ADDRESS.encode(stream.payer),
                "recipient": ADDRESS.encode(stream.recipient),
                "rate_per_second": I128.encode(stream.rate_per_second),
                "initial_balance": I128.encode(stream.balance),
            }
        ),
    )
    return stream_id


def load(env: Env, record: Record, stream_id: int, kind: type[Stream]) -> Stream:
    """Return a stream; panics where there is none."""
    stream = env.get(_key(stream_id), record)
    if not isinstance(stream, kind):
        raise panic("stream not found")
    return stream


def keep(env: Env, record: Record, stream_id: int, stream: RateStream) -> None:
    """Write a stream back; its row and the contract live on."""
    env.put(_key(stream_id), record, stream)
    extend(env, stream_id)


def extend(env: Env, stream_id: int) -> None:
    """Let a stream's row and the contract live for another 30 days."""
    env.extend(_key(stream_id), THRESHOLD_LEDGERS, EXTEND_LEDGERS)
    env.instance_extend(THRESHOLD_LEDGERS, EXTEND_LEDGERS)


def archive(env: Env, stream_id: int) -> None:
    """Remove a stream's row."""
    env.remove(_key(stream_id))
    env.instance_extend(THRESHOLD_LEDGERS, EXTEND_LEDGERS)


def check_new(rate_per_second: int, initial_balance: int) -> None:
    """Panic unless both are positive."""
    if rate_per_second <= 0 or initial_balance <= 0:
        raise panic("rate and balance must be positive")


def _key(stream_id: int) -> xdr.SCVal:
    return vec(SYMBOL.encode("stream"), U32.encode(stream_id))
