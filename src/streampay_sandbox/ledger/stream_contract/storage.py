"""Where the contract keeps things, and for how long. Times to live are in ledgers.

The contract passes "current ledger + constant" where the network wants a count of ledgers; so does this.
"""

from typing import Any, Final

from stellar_sdk import xdr

from streampay_sandbox.ledger.host import Env, instance_storage, storage_key
from streampay_sandbox.ledger.stream_contract.records import STREAM, Code, Stream, failure
from streampay_sandbox.ledger.values import ADDRESS, BOOL, U32, U64, U64_MAX, Kind, Vector

ROW_THRESHOLD, ROW_EXTEND = 241_920, 1_555_200
SINGLETON_THRESHOLD, SINGLETON_EXTEND = 120_960, 518_400
DEFAULT_MAX_STREAMS: Final = 10

ADMIN: Final = storage_key("Admin")
PAUSED: Final = storage_key("Paused")
STREAM_COUNT: Final = storage_key("StreamCount")
FEE_BPS: Final = storage_key("FeeBps")
DEFAULT_FEE_BPS: Final = storage_key("DefaultFeeBps")
FEE_COLLECTOR: Final = storage_key("FeeCollector")
MAX_STREAMS: Final = storage_key("MaxStreamsPerSender")
COOLOFF_DURATION: Final = storage_key("CooloffDuration")
WITHDRAWERS: Final = Vector(ADDRESS)


def initial_instance(admin: str, *, paused: bool = False) -> xdr.SCMap:
    """Return the instance rows `initialize` leaves behind."""
    return instance_storage([xdr.SCMapEntry(ADMIN, ADDRESS.encode(admin)), xdr.SCMapEntry(PAUSED, BOOL.encode(paused))])


def singleton(env: Env, key: xdr.SCVal, kind: Kind, default: Any = None) -> Any:
    """Return a value of the instance; finding one keeps the instance alive."""
    value = env.instance_get(key, kind)
    if value is None:
        return default
    _extend_instance(env)
    return value


def set_singleton(env: Env, key: xdr.SCVal, kind: Kind, value: Any) -> None:
    """Keep a value in the instance."""
    env.instance_put(key, kind, value)
    _extend_instance(env)


def _extend_instance(env: Env) -> None:
    env.instance_extend(env.ledger + SINGLETON_THRESHOLD, env.ledger + SINGLETON_EXTEND)


def row(env: Env, key: xdr.SCVal, kind: Kind, default: Any = None) -> Any:
    """Return a persistent row; finding one keeps it alive."""
    value = env.get(key, kind)
    if value is None:
        return default
    env.extend(key, env.ledger + ROW_THRESHOLD, env.ledger + ROW_EXTEND)
    return value


def set_row(env: Env, key: xdr.SCVal, kind: Kind, value: Any) -> None:
    """Write a persistent row."""
    env.put(key, kind, value)
    env.extend(key, env.ledger + ROW_THRESHOLD, env.ledger + ROW_EXTEND)


def stream_key(stream_id: int) -> xdr.SCVal:
    """Return the key of a stream's row."""
    return storage_key("Stream", U64.encode(stream_id))


def existing_stream(env: Env, stream_id: int) -> Stream:
    """Return a stream; fails with NotFound."""
    stream: Stream | None = row(env, stream_key(stream_id), STREAM)
    if stream is None:
        raise failure(Code.NotFound)
    return stream


def keep_stream(env: Env, stream: Stream) -> None:
    """Write a stream's row."""
    set_row(env, stream_key(stream.id), STREAM, stream)


def next_stream_id(env: Env) -> int:
    """Take the next id: sequential, from 1, so two creations in one ledger predict the same row."""
    stream_id: int = env.instance_get(STREAM_COUNT, U64) or 1
    set_singleton(env, STREAM_COUNT, U64, stream_id + 1)
    return stream_id


def stream_count_end(env: Env) -> int:
    """Return the id the next stream will get."""
    return env.instance_get(STREAM_COUNT, U64) or 1


def is_token_blocked(env: Env, token: str) -> bool:
    """Whether the admin blocked a token; tokens are allowed by default."""
    key = storage_key("TokenAllowed", ADDRESS.encode(token))
    allowed = env.get(key, BOOL)
    if allowed is None:
        return False
    env.extend(key, env.ledger + SINGLETON_THRESHOLD, env.ledger + SINGLETON_EXTEND)
    return not allowed


def set_token_allowed(env: Env, token: str, allowed: bool) -> None:
    """Allow or block a token."""
    key = storage_key("TokenAllowed", ADDRESS.encode(token))
    env.put(key, BOOL, allowed)
    env.extend(key, env.ledger + SINGLETON_THRESHOLD, env.ledger + SINGLETON_EXTEND)


def set_stream_fee(env: Env, stream_id: int, fee_bps: int) -> None:
    """Write the fee row beside a stream."""
    set_row(env, storage_key("StreamFeeBps", U64.encode(stream_id)), U32, fee_bps)


def stream_fee(env: Env, stream_id: int) -> int:
    """Return the fee row beside a stream, the default fee where there is none."""
    fee_bps: int | None = row(env, storage_key("StreamFeeBps", U64.encode(stream_id)), U32)
    return fee_bps if fee_bps is not None else singleton(env, DEFAULT_FEE_BPS, U32, 0)


def sender_count(env: Env, sender: str) -> int:
    """Return how many open streams are attributed to a sender."""
    count: int = row(env, _sender_key(sender), U64, 0)
    return count


def count_stream(env: Env, sender: str) -> None:
    """Attribute one more stream to a sender."""
    set_row(env, _sender_key(sender), U64, sender_count(env, sender) + 1)


def release_stream(env: Env, sender: str) -> None:
    """Attribute one stream less to a sender; nothing happens at zero."""
    count = sender_count(env, sender)
    if count > 0:
        set_row(env, _sender_key(sender), U64, count - 1)


def _sender_key(sender: str) -> xdr.SCVal:
    return storage_key("SenderStreamCount", ADDRESS.encode(sender))


def withdrawers(env: Env, stream_id: int) -> list[str]:
    """Return who besides the recipient may withdraw."""
    found: list[str] = row(env, _withdrawers_key(stream_id), WITHDRAWERS, [])
    return found


def set_withdrawers(env: Env, stream_id: int, addresses: list[str]) -> None:
    """Write who besides the recipient may withdraw."""
    set_row(env, _withdrawers_key(stream_id), WITHDRAWERS, addresses)


def _withdrawers_key(stream_id: int) -> xdr.SCVal:
    return storage_key("WithdrawerAllowlist", U64.encode(stream_id))


def cooloff_until(env: Env, sender: str) -> int:
    """Return until when a sender has to wait, 0 for not at all."""
    until: int = row(env, _cooloff_key(sender), U64, 0)
    return until


def check_and_start_cooloff(env: Env, sender: str) -> None:
    """Fail with CooloffActive while a sender has to wait; start the next wait."""
    duration = singleton(env, COOLOFF_DURATION, U64, 0)
    if duration == 0:
        return
    if env.now < cooloff_until(env, sender):
        raise failure(Code.CooloffActive)
    set_row(env, _cooloff_key(sender), U64, min(env.now + duration, U64_MAX))


def _cooloff_key(sender: str) -> xdr.SCVal:
    return storage_key("CooloffUntil", ADDRESS.encode(sender))
