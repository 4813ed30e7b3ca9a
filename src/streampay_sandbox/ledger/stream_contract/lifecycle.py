"""A stream's life: created or drafted, started, paused, resumed, withdrawn from, amended, settled or cancelled."""

from functools import partial

from msgspec.structs import replace

from streampay_sandbox.ledger.contracts import EntryPoint
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.stream_contract import arithmetic, guards, records, storage
from streampay_sandbox.ledger.stream_contract.payouts import Payout, transfer
from streampay_sandbox.ledger.stream_contract.records import STREAM, Code, Stream, emit, failure
from streampay_sandbox.ledger.values import ADDRESS, I128, U32, U64, VOID, ResultOf


def _create_stream(
    env: Env, sender: str, recipient: str, token: str, total_amount: int, start_time: int, end_time: int, fee_bps: int
) -> int:
    guards.not_paused(env)
    env.require_auth(sender)
    limit = storage.singleton(env, storage.MAX_STREAMS, U64, storage.DEFAULT_MAX_STREAMS)
    if storage.sender_count(env, sender) >= limit:
        raise failure(Code.StreamLimitExceeded)
    storage.check_and_start_cooloff(env, sender)
    guards.fee_bps(fee_bps)
    guards.positive(total_amount)
    if sender == recipient:
        raise failure(Code.SelfStream)
    guards.token_allowed(env, token)
    env.call(token, "balance", ADDRESS.encode(recipient))  # a recipient who cannot hold the token stops it here
    if end_time <= start_time or start_time < env.now:
        raise failure(Code.InvalidTimeRange)
    stream_id = storage.next_stream_id(env)
    transfer(env, token, sender, env.contract, total_amount)
    duration = end_time - start_time
    stream = Stream(
        id=stream_id,
        sender=sender,
        recipient=recipient,
        token=token,
        total_amount=total_amount,
        released_amount=0,
        start_time=start_time,
        end_time=end_time,
        duration=duration,
        last_update=start_time,
        status="Active",
        paused_at=0,
        total_paused_duration=0,
        fee_bps=fee_bps,
    )
    storage.keep_stream(env, stream)
    emit(env, records.CREATED, stream_id, sender, recipient, token, total_amount, fee_bps, duration, env.now)
    return stream_id


def _create_draft_stream(env: Env, sender: str, recipient: str, token: str, total_amount: int, duration: int) -> int:
    guards.not_paused(env)
    env.require_auth(sender)
    storage.check_and_start_cooloff(env, sender)
    guards.positive(total_amount)
    if sender == recipient:
        raise failure(Code.InvalidState)
    guards.token_allowed(env, token)
    if duration == 0:
        raise failure(Code.InvalidTimeRange)
    stream_id = storage.next_stream_id(env)
    transfer(env, token, sender, env.contract, total_amount)
    stream = Stream(
        id=stream_id,
        sender=sender,
        recipient=recipient,
        token=token,
        total_amount=total_amount,
        released_amount=0,
        start_time=0,
        end_time=0,
        duration=duration,
        last_update=0,
        status="Draft",
        paused_at=0,
        total_paused_duration=0,
        fee_bps=0,
    )
    storage.keep_stream(env, stream)
    storage.set_stream_fee(env, stream_id, 0)
    storage.count_stream(env, sender)
    emit(env, records.CREATED, stream_id, sender, recipient, token, total_amount, 0, duration, env.now)
    return stream_id


def _start_stream(env: Env, stream_id: int) -> Stream:
    guards.not_paused(env)
    stream = storage.existing_stream(env, stream_id)
    env.require_auth(stream.sender)
    guards.in_status(stream, "Draft")
    now = env.now
    started = replace(
        stream,
        status="Active",
        start_time=now,
        last_update=now,
        end_time=arithmetic.checked_time(now + stream.duration),
    )
    storage.keep_stream(env, started)
    emit(env, records.STARTED, stream_id, now, started.end_time, now)
    return started


def _pause(env: Env, stream_id: int) -> Stream:
    stream = storage.existing_stream(env, stream_id)
    env.require_auth(stream.sender)
    guards.in_status(stream, "Active")
    paused = replace(stream, status="Paused", paused_at=env.now, last_update=env.now)
    storage.keep_stream(env, paused)
    emit(env, records.PAUSED, stream_id, stream.sender, env.now, env.now)
    return paused


def _resume(env: Env, stream_id: int) -> Stream:
    stream = storage.existing_stream(env, stream_id)
    env.require_auth(stream.sender)
    guards.in_status(stream, "Paused")
    paused_for = arithmetic.checked_time(env.now - stream.paused_at)
    resumed = replace(
        stream,
        status="Active",
        paused_at=0,
        last_update=env.now,
        total_paused_duration=arithmetic.checked_time(stream.total_paused_duration + paused_for),
        end_time=arithmetic.checked_time(stream.end_time + paused_for),
    )
    storage.keep_stream(env, resumed)
    emit(env, records.RESUMED, stream_id, stream.sender, resumed.end_time, env.now)
    return resumed


def _withdraw(payout: Payout, env: Env, caller: str, stream_id: int, amount: int) -> int:
    guards.not_paused(env)
    guards.positive(amount)
    stream = storage.existing_stream(env, stream_id)
    _require_withdrawer(env, stream, caller)
    if stream.status == "Settled":
        raise failure(Code.AlreadySettled)
    guards.in_status(stream, "Active", "Paused")
    if amount > arithmetic.withdrawable(stream, env.now):
        raise failure(Code.OverWithdraw)
    stream = replace(stream, released_amount=stream.released_amount + amount, last_update=env.now)
    drained = stream.released_amount == stream.total_amount
    if drained:
        stream = replace(stream, status="Settled")
        storage.release_stream(env, stream.sender)
    _pay_with_fee(payout, env, stream, amount)
    storage.keep_stream(env, stream)
    emit(env, records.WITHDRAWN, stream_id, stream.recipient, amount, env.now)
    if drained:
        emit(env, records.SETTLED, stream_id, stream.recipient, stream.total_amount, env.now)
    return amount


def _require_withdrawer(env: Env, stream: Stream, caller: str) -> None:
    if caller != stream.recipient and caller not in storage.withdrawers(env, stream.id):
        raise failure(Code.Unauthorized)
    env.require_auth(caller)


def _pay_with_fee(payout: Payout, env: Env, stream: Stream, amount: int) -> None:
    """Pay the net amount to the recipient and the fee to the collector, to the recipient where there is none."""
    fee = arithmetic.fee(amount, stream.fee_bps)
    collector = storage.singleton(env, storage.FEE_COLLECTOR, ADDRESS)
    payout(env, stream.token, stream.recipient, amount - fee)
    if fee == 0:
        return
    payout(env, stream.token, collector or stream.recipient, fee)
    if collector is not None:
        emit(env, records.FEE_CHARGED, stream.id, fee, stream.fee_bps, collector, env.now)


def _settle(payout: Payout, env: Env, stream_id: int) -> None:
    guards.not_paused(env)
    stream = storage.existing_stream(env, stream_id)
    if stream.status == "Settled":
        return
    guards.in_status(stream, "Active", "Paused")
    if env.now < stream.end_time:
        raise failure(Code.InvalidState)
    due = arithmetic.checked_i128(stream.total_amount - stream.released_amount)
    if due > 0:
        payout(env, stream.token, stream.recipient, due)
        stream = replace(stream, released_amount=stream.total_amount)
    stream = replace(stream, status="Settled", last_update=env.now)
    storage.release_stream(env, stream.sender)
    storage.keep_stream(env, stream)
    emit(env, records.SETTLED, stream_id, stream.recipient, stream.released_amount, env.now)


def _cancel_stream(refund: Payout, env: Env, stream_id: int) -> Stream:
    stream = storage.existing_stream(env, stream_id)
    env.require_auth(stream.sender)
    if stream.status in ("Settled", "Cancelled"):
        raise failure(Code.InvalidState)
    vested = arithmetic.vested(stream, env.now)
    to_recipient = arithmetic.checked_i128(vested - stream.released_amount)
    to_sender = arithmetic.checked_i128(stream.total_amount - vested)
    if to_recipient > 0:
        transfer(env, stream.token, env.contract, stream.recipient, to_recipient)
        stream = replace(stream, released_amount=vested)
    if to_sender > 0:
        refund(env, stream.token, stream.sender, to_sender)
    stream = replace(stream, status="Cancelled", last_update=env.now)
    storage.release_stream(env, stream.sender)
    storage.keep_stream(env, stream)
    emit(env, records.CANCELLED, stream_id, stream.sender, to_sender, to_recipient, env.now)
    return stream


def _amend_stream(env: Env, stream_id: int, new_rate_per_second: int, new_end_time: int) -> Stream:
    guards.not_paused(env)
    stream = storage.existing_stream(env, stream_id)
    env.require_auth(stream.sender)
    if stream.status in ("Settled", "Cancelled"):
        raise failure(Code.InvalidState)
    guards.positive(new_rate_per_second)
    if new_end_time <= env.now or new_end_time <= stream.start_time:
        raise failure(Code.InvalidTimeRange)
    duration = new_end_time - stream.start_time
    arithmetic.checked_i128(stream.total_amount * duration)
    amended = replace(stream, end_time=new_end_time, duration=duration, last_update=env.now)
    storage.keep_stream(env, amended)
    emit(env, records.AMENDED, stream_id, stream.sender, new_rate_per_second, new_end_time, env.now)
    return amended


_STREAM_ID = (("stream_id", U64),)
_PARTIES = (("sender", ADDRESS), ("recipient", ADDRESS), ("token", ADDRESS), ("total_amount", I128))


def lifecycle(payout: Payout, refund: Payout) -> tuple[EntryPoint, ...]:
    """Return the entry points of a stream's life, paying out by `payout` and giving back by `refund`."""
    return (
        EntryPoint(
            name="create_stream",
            inputs=(*_PARTIES, ("start_time", U64), ("end_time", U64), ("fee_bps", U32)),
            output=ResultOf(U64),
            body=_create_stream,
        ),
        EntryPoint(
            name="create_draft_stream",
            inputs=(*_PARTIES, ("duration", U64)),
            output=ResultOf(U64),
            body=_create_draft_stream,
        ),
        EntryPoint(name="start_stream", inputs=_STREAM_ID, output=ResultOf(STREAM), body=_start_stream),
        EntryPoint(name="pause", inputs=_STREAM_ID, output=ResultOf(STREAM), body=_pause),
        EntryPoint(name="resume", inputs=_STREAM_ID, output=ResultOf(STREAM), body=_resume),
        EntryPoint(
            name="withdraw",
            inputs=(("caller", ADDRESS), ("stream_id", U64), ("amount", I128)),
            output=ResultOf(I128),
            body=partial(_withdraw, payout),
        ),
        EntryPoint(name="settle", inputs=_STREAM_ID, output=ResultOf(VOID), body=partial(_settle, payout)),
        EntryPoint(
            name="cancel_stream", inputs=_STREAM_ID, output=ResultOf(STREAM), body=partial(_cancel_stream, refund)
        ),
        EntryPoint(
            name="amend_stream",
            inputs=(("stream_id", U64), ("new_rate_per_second", I128), ("new_end_time", U64)),
            output=ResultOf(STREAM),
            body=_amend_stream,
        ),
    )
