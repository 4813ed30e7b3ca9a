"""What both lines of v0.2 share: a stream's row, its time to live, and what it earns."""

from typing import Final, Generic, TypeVar

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.contracts import EntryPoint
from streampay_sandbox.ledger.failures import panic
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


class Rows(Generic[Stream]):
    """The streams of a contract, each a row: read, kept and told of."""

    def __init__(self, record: Record, kind: type[Stream]) -> None:
        self._record = record
        self._kind = kind

    def add(self, env: Env, stream: Stream) -> int:
        """Keep a new stream, tell of it, and return its id; ids count from 1."""
        stream_id: int = env.instance_get(_NEXT_ID, U32) or 1
        env.put(_key(stream_id), self._record, stream)
        env.instance_put(_NEXT_ID, U32, stream_id + 1)
        _extend(env, stream_id)
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

    def load(self, env: Env, stream_id: int) -> Stream:
        """Return a stream; panics where there is none."""
        stream = env.get(_key(stream_id), self._record)
        if not isinstance(stream, self._kind):
            raise panic("stream not found")
        return stream

    def of_payer(self, env: Env, stream_id: int) -> Stream:
        """Return a stream whose payer agrees to the call."""
        stream = self.load(env, stream_id)
        env.require_auth(stream.payer)
        return stream

    def keep(self, env: Env, stream_id: int, stream: Stream) -> None:
        """Write a stream back; its row and the contract live on."""
        env.put(_key(stream_id), self._record, stream)
        _extend(env, stream_id)

    def archive(self, env: Env, stream_id: int) -> None:
        """Remove a stream's row."""
        env.remove(_key(stream_id))
        env.instance_extend(THRESHOLD_LEDGERS, EXTEND_LEDGERS)


def check_new(rate_per_second: int, initial_balance: int) -> None:
    """Panic unless both are positive."""
    if rate_per_second <= 0 or initial_balance <= 0:
        raise panic("rate and balance must be positive")


def _extend(env: Env, stream_id: int) -> None:
    env.extend(_key(stream_id), THRESHOLD_LEDGERS, EXTEND_LEDGERS)
    env.instance_extend(THRESHOLD_LEDGERS, EXTEND_LEDGERS)


def _key(stream_id: int) -> xdr.SCVal:
    return vec(SYMBOL.encode("stream"), U32.encode(stream_id))
