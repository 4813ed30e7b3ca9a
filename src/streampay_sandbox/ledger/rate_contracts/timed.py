"""The line of v0.2 that only counts: an optional end, pauses, batches; nobody's tokens move.

Source: src/lib.rs of Streampay-Org/StreamPay-Contracts at 915ff4c6.
"""

from typing import Final

from msgspec.structs import replace

from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint, entry_points
from streampay_sandbox.ledger.failures import panic
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.rate_contracts import streams
from streampay_sandbox.ledger.rate_contracts.streams import STREAM_ID, RateStream, Rows
from streampay_sandbox.ledger.values import ADDRESS, BOOL, I128, U32, U64, VOID, Record, Vector

MOST_IN_A_BATCH: Final = 25

_ROW: Final = Record(
    "StreamInfo",
    RateStream,
    (
        ("payer", ADDRESS),
        ("recipient", ADDRESS),
        ("rate_per_second", I128),
        ("balance", I128),
        ("start_time", U64),
        ("end_time", U64),
        ("is_active", BOOL),
        ("paused_at", U64),
    ),
)
_STREAMS: Final = Rows(_ROW, RateStream)


def _end_bound(stream: RateStream, now: int) -> int:
    return min(now, stream.end_time) if stream.end_time else now


def _is_over(stream: RateStream, now: int) -> bool:
    return stream.end_time != 0 and now >= stream.end_time


def _settled(stream: RateStream, now: int) -> tuple[RateStream, int]:
    """Return the stream with what was earned taken off, and how much that was; a pause and the end earn nothing."""
    until = _end_bound(stream, now)
    if stream.paused_at:
        until = min(until, stream.paused_at)
        stream = replace(stream, start_time=max(stream.start_time, stream.paused_at))
    amount = streams.earned(stream, until)
    return replace(stream, balance=stream.balance - amount, start_time=until), amount


def _create(env: Env, payer: str, recipient: str, rate_per_second: int, initial_balance: int, end_time: int) -> int:
    env.require_auth(payer)
    streams.check_new(rate_per_second, initial_balance)
    stream = RateStream(
        payer=payer,
        recipient=recipient,
        rate_per_second=rate_per_second,
        balance=initial_balance,
        end_time=end_time,
    )
    return _STREAMS.add(env, stream)


def _start(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if stream.is_active or stream.start_time > 0:
        raise panic("stream already active")
    if _is_over(stream, env.now):
        raise panic("end_time must be in the future")
    _STREAMS.keep(env, stream_id, replace(stream, is_active=True, start_time=env.now, paused_at=0))


def _end(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if not stream.is_active:
        raise panic("stream not active")
    end = _end_bound(stream, env.now)
    settled, _ = _settled(stream, env.now)
    _STREAMS.keep(env, stream_id, replace(settled, is_active=False, end_time=end, paused_at=0))


def _settle_row(env: Env, stream_id: int) -> int | None:
    """Settle one stream and return how much it earned, None for one that does not run."""
    stream = _STREAMS.load(env, stream_id)
    if not stream.is_active:
        return None
    settled, amount = _settled(stream, env.now)
    if _is_over(stream, env.now):
        settled = replace(settled, is_active=False, paused_at=0)
    _STREAMS.keep(env, stream_id, settled)
    return amount


def _settle(env: Env, stream_id: int) -> int:
    return _settle_row(env, stream_id) or 0


def _batch_settle(env: Env, stream_ids: list[int]) -> list[int]:
    if len(stream_ids) > MOST_IN_A_BATCH:
        raise panic("batch too large")
    return [_settle(env, stream_id) for stream_id in stream_ids]


def _pause(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if not stream.is_active or stream.paused_at:
        raise panic("cannot pause inactive stream, or stream already paused")
    settled, _ = _settled(stream, env.now)
    if _is_over(stream, env.now):
        settled = replace(settled, is_active=False)
    else:
        settled = replace(settled, paused_at=_end_bound(stream, env.now))
    _STREAMS.keep(env, stream_id, settled)


def _resume(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if not stream.is_active or not stream.paused_at:
        raise panic("cannot resume inactive stream, or stream is not paused")
    if _is_over(stream, env.now):
        _STREAMS.keep(env, stream_id, replace(stream, is_active=False, paused_at=0))
        return
    _STREAMS.keep(env, stream_id, replace(stream, start_time=env.now, paused_at=0))


def _archive(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if stream.is_active or stream.balance:
        raise panic("cannot archive active stream, or one with unsettled balance")
    _STREAMS.archive(env, stream_id)


TIMED_CONTRACT: Final = ContractModel(
    name="streampay-contracts-timed",
    version="0.2.0",
    entry_points=entry_points(
        EntryPoint(
            name="create_stream",
            inputs=(
                ("payer", ADDRESS),
                ("recipient", ADDRESS),
                ("rate_per_second", I128),
                ("initial_balance", I128),
                ("end_time", U64),
            ),
            output=U32,
            body=_create,
        ),
        EntryPoint(name="start_stream", inputs=STREAM_ID, output=VOID, body=_start),
        EntryPoint(name="stop_stream", inputs=STREAM_ID, output=VOID, body=_end),
        EntryPoint(name="cancel_stream", inputs=STREAM_ID, output=VOID, body=_end),
        EntryPoint(name="settle_stream", inputs=STREAM_ID, output=I128, body=_settle),
        EntryPoint(name="batch_settle", inputs=(("stream_ids", Vector(U32)),), output=Vector(I128), body=_batch_settle),
        EntryPoint(name="max_batch_settle_size", inputs=(), output=U32, body=lambda _: MOST_IN_A_BATCH),
        EntryPoint(name="pause_stream", inputs=STREAM_ID, output=VOID, body=_pause),
        EntryPoint(name="resume_stream", inputs=STREAM_ID, output=VOID, body=_resume),
        EntryPoint(name="archive_stream", inputs=STREAM_ID, output=VOID, body=_archive),
        EntryPoint(name="get_stream_info", inputs=STREAM_ID, output=_ROW, body=_STREAMS.load),
        streams.VERSION_ENTRY,
    ),
    records=(_ROW,),
)
