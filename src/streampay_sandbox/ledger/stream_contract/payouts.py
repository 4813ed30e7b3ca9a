"""How the contract moves tokens, and the ways a broken release of it would pay wrongly."""

from collections.abc import Callable
from typing import Final

from stellar_sdk import Keypair

from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.values import ADDRESS, I128

Payout = Callable[[Env, str, str, int], None]
"""Pays `amount` of a token out of escrow: called as payout(env, token, recipient, amount)."""

SOMEBODY_ELSE: Final = Keypair.from_raw_ed25519_seed(b"streampay sandbox: somebody else").public_key


def transfer(env: Env, token: str, sender: str, recipient: str, amount: int) -> None:
    """Call the token's `transfer`."""
    env.call(token, "transfer", ADDRESS.encode(sender), ADDRESS.encode(recipient), I128.encode(amount))


def pay_recipient(env: Env, token: str, recipient: str, amount: int) -> None:
    """Pay what is due, once, to whom it is due."""
    transfer(env, token, env.contract, recipient, amount)


def pay_twice(env: Env, token: str, recipient: str, amount: int) -> None:
    """Pay again out of other streams' escrow."""
    transfer(env, token, env.contract, recipient, amount)
    transfer(env, token, env.contract, recipient, amount)


def pay_less(env: Env, token: str, recipient: str, amount: int) -> None:
    """Keep one unit back."""
    transfer(env, token, env.contract, recipient, max(amount - 1, 0))


def pay_more(env: Env, token: str, recipient: str, amount: int) -> None:
    """Pay one unit too many, out of other streams' escrow."""
    transfer(env, token, env.contract, recipient, amount + 1)


def pay_somebody_else(env: Env, token: str, _recipient: str, amount: int) -> None:
    """Pay an account that has nothing to do with the stream."""
    transfer(env, token, env.contract, SOMEBODY_ELSE, amount)
