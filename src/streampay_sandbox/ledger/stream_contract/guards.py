"""Checks the entry points share."""

from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.stream_contract import storage
from streampay_sandbox.ledger.stream_contract.arithmetic import MAX_FEE_BPS
from streampay_sandbox.ledger.stream_contract.records import Code, Stream, failure
from streampay_sandbox.ledger.values import ADDRESS, BOOL


def not_paused(env: Env) -> None:
    """Fail with ContractPaused while the whole contract is paused."""
    if storage.singleton(env, storage.PAUSED, BOOL, False):
        raise failure(Code.ContractPaused)


def admin(env: Env, caller: str) -> None:
    """Require the caller's agreement, and the caller to be the stored admin."""
    env.require_auth(caller)
    stored = storage.singleton(env, storage.ADMIN, ADDRESS)
    if stored is None:
        raise failure(Code.NotFound)
    if stored != caller:
        raise failure(Code.Unauthorized)


def positive(amount: int) -> None:
    """Fail with InvalidAmount unless `amount` is positive."""
    if amount <= 0:
        raise failure(Code.InvalidAmount)


def fee_bps(value: int) -> None:
    """Fail with InvalidFeeBps above 100 %."""
    if value > MAX_FEE_BPS:
        raise failure(Code.InvalidFeeBps)


def token_allowed(env: Env, token: str) -> None:
    """Fail with TokenNotAllowed for a blocked token."""
    if storage.is_token_blocked(env, token):
        raise failure(Code.TokenNotAllowed)


def in_status(stream: Stream, *allowed: str) -> None:
    """Fail with InvalidState unless the stream is in one of the states."""
    if stream.status not in allowed:
        raise failure(Code.InvalidState)
