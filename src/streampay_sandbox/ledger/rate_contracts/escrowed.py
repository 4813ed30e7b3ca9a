"""The line of v0.2 that moves tokens: the payer's go into escrow, what is earned is claimable, the recipient withdraws.

Source: src/lib.rs of Streampay-Org/StreamPay-Contracts at 4de3d9c4; pauses and the creation's event as in the version
that joins both lines. Nothing leaves the escrow but by a withdrawal: what a stopped stream has not earned stays there.
"""

from typing import Final

from msgspec.structs import replace

from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint, entry_points
from streampay_sandbox.ledger.failures import panic
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.rate_contracts import streams
from streampay_sandbox.ledger.rate_contracts.streams import STREAM_ID, RateStream, Rows
from streampay_sandbox.ledger.stream_contract.payouts import Payout, transfer
from streampay_sandbox.ledger.values import ADDRESS, BOOL, I128, U32, U64, VOID, Record


class EscrowedStream(RateStream, frozen=True, kw_only=True):
    """A stream with its token; `claimable_balance` is earned and not withdrawn yet."""

    token: str
    claimable_balance: int = 0


_ROW: Final = Record(
    "StreamInfo",
    EscrowedStream,
    (
        ("payer", ADDRESS),
        ("recipient", ADDRESS),
        ("token", ADDRESS),
        ("rate_per_second", I128),
        ("balance", I128),
        ("claimable_balance", I128),
        ("start_time", U64),
        ("end_time", U64),
        ("is_active", BOOL),
        ("paused_at", U64),
    ),
)
_STREAMS: Final = Rows(_ROW, EscrowedStream)


def _settled(stream: EscrowedStream, until: int) -> EscrowedStream:
    """Return the stream with what was earned until then made claimable."""
    amount = streams.earned(stream, until)
    return replace(
        stream,
        balance=stream.balance - amount,
        claimable_balance=stream.claimable_balance + amount,
        start_time=max(until, stream.start_time),
    )


def _create(env: Env, payer: str, recipient: str, token: str, rate_per_second: int, initial_balance: int) -> int:
    env.require_auth(payer)
    streams.check_new(rate_per_second, initial_balance)
    transfer(env, token, payer, env.contract, initial_balance)
    stream = EscrowedStream(
        payer=payer, recipient=recipient, token=token, rate_per_second=rate_per_second, balance=initial_balance
    )
    return _STREAMS.add(env, stream)


def _start(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if stream.is_active:
        raise panic("stream already active")
    _STREAMS.keep(env, stream_id, replace(stream, is_active=True, start_time=env.now, paused_at=0))


def _stop(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if not stream.is_active:
        raise panic("stream not active")
    _STREAMS.keep(env, stream_id, replace(stream, is_active=False, end_time=env.now, paused_at=0))


def _pause(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if not stream.is_active or stream.paused_at:
        raise panic("cannot pause inactive stream, or stream already paused")
    _STREAMS.keep(env, stream_id, replace(_settled(stream, env.now), paused_at=env.now))


def _resume(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if not stream.is_active or not stream.paused_at:
        raise panic("cannot resume inactive stream, or stream is not paused")
    _STREAMS.keep(env, stream_id, replace(stream, start_time=env.now, paused_at=0))


def _settle(env: Env, stream_id: int) -> int:
    stream = _STREAMS.load(env, stream_id)
    if not stream.is_active:
        return 0
    settled = _settled(stream, stream.paused_at or env.now)
    _STREAMS.keep(env, stream_id, settled)
    return stream.balance - settled.balance


def _archive(env: Env, stream_id: int) -> None:
    stream = _STREAMS.of_payer(env, stream_id)
    if stream.is_active or stream.balance or stream.claimable_balance:
        raise panic("cannot archive an active stream, or one with unsettled or unclaimed balance")
    _STREAMS.archive(env, stream_id)


def escrowed_contract(payout: Payout) -> ContractModel:
    """Return the contract; `payout` is how it pays a recipient who withdraws."""

    def withdraw(env: Env, stream_id: int) -> int:
        stream = _STREAMS.load(env, stream_id)
        env.require_auth(stream.recipient)
        until = (stream.paused_at or env.now) if stream.is_active else stream.end_time
        settled = _settled(stream, until)
        _STREAMS.keep(env, stream_id, replace(settled, claimable_balance=0))
        if settled.claimable_balance:
            payout(env, stream.token, stream.recipient, settled.claimable_balance)
        return settled.claimable_balance

    return ContractModel(
        name="streampay-contracts-v0.2",
        version="0.2.0",
        entry_points=entry_points(
            EntryPoint(
                name="create_stream",
                inputs=(
                    ("payer", ADDRESS),
                    ("recipient", ADDRESS),
                    ("token", ADDRESS),
                    ("rate_per_second", I128),
                    ("initial_balance", I128),
                ),
                output=U32,
                body=_create,
            ),
            EntryPoint(name="start_stream", inputs=STREAM_ID, output=VOID, body=_start),
            EntryPoint(name="stop_stream", inputs=STREAM_ID, output=VOID, body=_stop),
            EntryPoint(name="pause_stream", inputs=STREAM_ID, output=VOID, body=_pause),
            EntryPoint(name="resume_stream", inputs=STREAM_ID, output=VOID, body=_resume),
            EntryPoint(name="settle_stream", inputs=STREAM_ID, output=I128, body=_settle),
            EntryPoint(name="withdraw_stream", inputs=STREAM_ID, output=I128, body=withdraw),
            EntryPoint(name="archive_stream", inputs=STREAM_ID, output=VOID, body=_archive),
            EntryPoint(name="get_stream_info", inputs=STREAM_ID, output=_ROW, body=_STREAMS.load),
            streams.VERSION_ENTRY,
        ),
        records=(_ROW,),
    )
