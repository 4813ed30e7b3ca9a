"""What the admin, and a stream's sender for withdrawers, may set."""

from streampay_sandbox.ledger.contracts import EntryPoint
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.stream_contract import arithmetic, guards, records, storage
from streampay_sandbox.ledger.stream_contract.records import Code, emit, failure
from streampay_sandbox.ledger.values import ADDRESS, BOOL, U32, U64, VOID, Optional, ResultOf, Vector


def _initialize(env: Env, admin: str) -> None:
    _become_admin(env, admin)
    emit(env, records.DEPRECATED_ENTRYPOINT, admin, "initialize", env.now)


def _init_with_token_allowlist(env: Env, admin: str, tokens: list[str]) -> None:
    _become_admin(env, admin)
    for token in tokens:
        storage.set_token_allowed(env, token, True)


def _become_admin(env: Env, admin: str) -> None:
    """Whoever calls first owns the contract: only the named admin signs."""
    if storage.singleton(env, storage.ADMIN, ADDRESS) is not None:
        raise failure(Code.AlreadyInitialized)
    env.require_auth(admin)
    storage.set_singleton(env, storage.ADMIN, ADDRESS, admin)
    storage.set_singleton(env, storage.PAUSED, BOOL, False)


def _set_paused(env: Env, admin: str, paused: bool) -> None:
    guards.admin(env, admin)
    storage.set_singleton(env, storage.PAUSED, BOOL, paused)
    emit(env, records.PAUSE_SET, admin, paused, env.now)


def _set_admin(env: Env, admin: str, new_admin: str) -> None:
    guards.admin(env, admin)
    storage.set_singleton(env, storage.ADMIN, ADDRESS, new_admin)
    emit(env, records.ADMIN_SET, admin, new_admin, env.now)


def _set_token_allowed(env: Env, admin: str, token: str, allowed: bool) -> None:
    guards.admin(env, admin)
    storage.set_token_allowed(env, token, allowed)
    emit(env, records.TOKEN_SET, admin, token, allowed, env.now)


def _set_fee_collector(env: Env, admin: str, collector: str) -> None:
    guards.admin(env, admin)
    storage.set_singleton(env, storage.FEE_COLLECTOR, ADDRESS, collector)
    emit(env, records.COLLECTOR_SET, admin, collector, env.now)


def _set_default_fee_bps(env: Env, admin: str, fee_bps: int) -> None:
    guards.admin(env, admin)
    guards.fee_bps(fee_bps)
    storage.set_singleton(env, storage.DEFAULT_FEE_BPS, U32, fee_bps)
    emit(env, records.DEFAULT_FEE_SET, admin, fee_bps, env.now)


def _set_fee_bps(env: Env, admin: str, fee_bps: int) -> None:
    guards.admin(env, admin)
    if fee_bps > arithmetic.MAX_FEE_BPS:
        raise failure(Code.InvalidAmount)
    storage.set_singleton(env, storage.FEE_BPS, U32, fee_bps)


def _set_max_streams_per_sender(env: Env, admin: str, limit: int) -> None:
    guards.admin(env, admin)
    storage.set_singleton(env, storage.MAX_STREAMS, U64, limit)


def _set_cooloff_duration(env: Env, admin: str, duration: int) -> None:
    guards.admin(env, admin)
    storage.set_singleton(env, storage.COOLOFF_DURATION, U64, duration)
    emit(env, records.COOLOFF_SET, admin, duration, env.now)


def _add_withdrawer(env: Env, stream_id: int, withdrawer: str) -> None:
    env.require_auth(storage.existing_stream(env, stream_id).sender)
    known = storage.withdrawers(env, stream_id)
    if withdrawer not in known:
        storage.set_withdrawers(env, stream_id, [*known, withdrawer])


def _remove_withdrawer(env: Env, stream_id: int, withdrawer: str) -> None:
    env.require_auth(storage.existing_stream(env, stream_id).sender)
    known = storage.withdrawers(env, stream_id)
    if withdrawer in known:
        storage.set_withdrawers(env, stream_id, [address for address in known if address != withdrawer])


def _get_withdrawer_allowlist(env: Env, stream_id: int) -> list[str]:
    storage.existing_stream(env, stream_id)
    return storage.withdrawers(env, stream_id)


def _get_stream_fee_bps(env: Env, stream_id: int) -> int:
    storage.existing_stream(env, stream_id)
    return storage.stream_fee(env, stream_id)


def _max_streams_per_sender(env: Env) -> int:
    limit: int = storage.singleton(env, storage.MAX_STREAMS, U64, storage.DEFAULT_MAX_STREAMS)
    return limit


def _remaining_sender_capacity(env: Env, sender: str) -> int:
    return max(0, _max_streams_per_sender(env) - storage.sender_count(env, sender))


_ADMIN = ("admin", ADDRESS)
_SENDER = (("sender", ADDRESS),)
_WITHDRAWER = (("stream_id", U64), ("withdrawer", ADDRESS))

ADMINISTRATION = (
    EntryPoint(name="initialize", inputs=(_ADMIN,), output=ResultOf(VOID), body=_initialize),
    EntryPoint(
        name="init_with_token_allowlist",
        inputs=(_ADMIN, ("tokens", Vector(ADDRESS))),
        output=ResultOf(VOID),
        body=_init_with_token_allowlist,
    ),
    EntryPoint(name="set_paused", inputs=(_ADMIN, ("paused", BOOL)), output=ResultOf(VOID), body=_set_paused),
    EntryPoint(name="set_admin", inputs=(_ADMIN, ("new_admin", ADDRESS)), output=ResultOf(VOID), body=_set_admin),
    EntryPoint(
        name="set_token_allowed",
        inputs=(_ADMIN, ("token", ADDRESS), ("allowed", BOOL)),
        output=ResultOf(VOID),
        body=_set_token_allowed,
    ),
    EntryPoint(
        name="set_fee_collector",
        inputs=(_ADMIN, ("collector", ADDRESS)),
        output=ResultOf(VOID),
        body=_set_fee_collector,
    ),
    EntryPoint(
        name="get_fee_collector",
        inputs=(),
        output=Optional(ADDRESS),
        body=lambda env: storage.singleton(env, storage.FEE_COLLECTOR, ADDRESS),
    ),
    EntryPoint(
        name="set_default_fee_bps", inputs=(_ADMIN, ("fee_bps", U32)), output=ResultOf(VOID), body=_set_default_fee_bps
    ),
    EntryPoint(
        name="get_default_fee_bps",
        inputs=(),
        output=U32,
        body=lambda env: storage.singleton(env, storage.DEFAULT_FEE_BPS, U32, 0),
    ),
    EntryPoint(name="get_stream_fee_bps", inputs=(("stream_id", U64),), output=ResultOf(U32), body=_get_stream_fee_bps),
    EntryPoint(name="set_fee_bps", inputs=(_ADMIN, ("fee_bps", U32)), output=ResultOf(VOID), body=_set_fee_bps),
    EntryPoint(name="fee_bps", inputs=(), output=U32, body=lambda env: storage.singleton(env, storage.FEE_BPS, U32, 0)),
    EntryPoint(
        name="set_max_streams_per_sender",
        inputs=(_ADMIN, ("limit", U64)),
        output=ResultOf(VOID),
        body=_set_max_streams_per_sender,
    ),
    EntryPoint(name="max_streams_per_sender", inputs=(), output=U64, body=_max_streams_per_sender),
    EntryPoint(name="sender_stream_count", inputs=_SENDER, output=U64, body=storage.sender_count),
    EntryPoint(name="remaining_sender_capacity", inputs=_SENDER, output=U64, body=_remaining_sender_capacity),
    EntryPoint(
        name="set_cooloff_duration",
        inputs=(_ADMIN, ("duration", U64)),
        output=ResultOf(VOID),
        body=_set_cooloff_duration,
    ),
    EntryPoint(
        name="get_cooloff_duration",
        inputs=(),
        output=U64,
        body=lambda env: storage.singleton(env, storage.COOLOFF_DURATION, U64, 0),
    ),
    EntryPoint(name="get_cooloff_until", inputs=_SENDER, output=U64, body=storage.cooloff_until),
    EntryPoint(name="add_withdrawer", inputs=_WITHDRAWER, output=ResultOf(VOID), body=_add_withdrawer),
    EntryPoint(name="remove_withdrawer", inputs=_WITHDRAWER, output=ResultOf(VOID), body=_remove_withdrawer),
    EntryPoint(
        name="get_withdrawer_allowlist",
        inputs=(("stream_id", U64),),
        output=ResultOf(Vector(ADDRESS)),
        body=_get_withdrawer_allowlist,
    ),
    EntryPoint(name="storage_version", inputs=(), output=U32, body=lambda _: 1),
)
