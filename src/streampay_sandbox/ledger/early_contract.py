"""A model of the early contract, StreamPay-Contracts v0.1: 32-bit ids, panics instead of errors, no token moves."""

import msgspec

from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint, entry_points
from streampay_sandbox.ledger.failures import panic
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.values import ADDRESS, BOOL, I128, SYMBOL, U32, U64, VOID, Record, vec

VERSION = 1000


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of the early contract; the balance is a number, nothing is held in escrow."""

    payer: str
    recipient: str
    rate_per_second: int
    balance: int
    start_time: int
    end_time: int
    is_active: bool


STREAM_INFO = Record(
    "StreamInfo",
    StreamInfo,
    (
        ("payer", ADDRESS),
        ("recipient", ADDRESS),
        ("rate_per_second", I128),
        ("balance", I128),
        ("start_time", U64),
        ("end_time", U64),
        ("is_active", BOOL),
    ),
)
_COUNT = SYMBOL.encode("next_id")


def _load(env: Env, stream_id: int) -> StreamInfo:
    stream: StreamInfo | None = env.instance_get(vec(SYMBOL.encode("stream"), U32.encode(stream_id)), STREAM_INFO)
    if stream is None:
        raise panic("stream not found")
    return stream


def _keep(env: Env, stream_id: int, stream: StreamInfo) -> None:
    env.instance_put(vec(SYMBOL.encode("stream"), U32.encode(stream_id)), STREAM_INFO, stream)


def _create_stream(env: Env, payer: str, recipient: str, rate_per_second: int, initial_balance: int) -> int:
    env.require_auth(payer)
    if rate_per_second <= 0 or initial_balance <= 0:
        raise panic("rate and balance must be positive")
    stream_id: int = env.instance_get(_COUNT, U32) or 1
    stream = StreamInfo(
        payer=payer,
        recipient=recipient,
        rate_per_second=rate_per_second,
        balance=initial_balance,
        start_time=0,
        end_time=0,
        is_active=False,
    )
    _keep(env, stream_id, stream)
    env.instance_put(_COUNT, U32, stream_id + 1)
    return stream_id


def _start_stream(env: Env, stream_id: int) -> None:
    stream = _load(env, stream_id)
    env.require_auth(stream.payer)
    if stream.is_active:
        raise panic("stream already active")
    _keep(env, stream_id, msgspec.structs.replace(stream, is_active=True, start_time=env.now, end_time=0))


def _stop_stream(env: Env, stream_id: int) -> None:
    stream = _load(env, stream_id)
    env.require_auth(stream.payer)
    if not stream.is_active:
        raise panic("stream not active")
    _keep(env, stream_id, msgspec.structs.replace(stream, is_active=False, end_time=env.now))


def _settle_stream(env: Env, stream_id: int) -> int:
    stream = _load(env, stream_id)
    if not stream.is_active:
        return 0
    amount = min((env.now - stream.start_time) * stream.rate_per_second, stream.balance)
    _keep(env, stream_id, msgspec.structs.replace(stream, balance=stream.balance - amount, start_time=env.now))
    return amount


_STREAM_ID = (("stream_id", U32),)

MODEL = ContractModel(
    name="streampay-contracts",
    version="0.1.0",
    entry_points=entry_points(
        EntryPoint(
            name="create_stream",
            inputs=(
                ("payer", ADDRESS),
                ("recipient", ADDRESS),
                ("rate_per_second", I128),
                ("initial_balance", I128),
            ),
            output=U32,
            body=_create_stream,
        ),
        EntryPoint(name="start_stream", inputs=_STREAM_ID, output=VOID, body=_start_stream),
        EntryPoint(name="stop_stream", inputs=_STREAM_ID, output=VOID, body=_stop_stream),
        EntryPoint(name="settle_stream", inputs=_STREAM_ID, output=I128, body=_settle_stream),
        EntryPoint(name="get_stream_info", inputs=_STREAM_ID, output=STREAM_INFO, body=_load),
        EntryPoint(name="version", inputs=(), output=U32, body=lambda _: VERSION),
    ),
    records=(STREAM_INFO,),
)
