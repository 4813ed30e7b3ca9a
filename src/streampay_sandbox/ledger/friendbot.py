"""Friendbot: gives an account its first 10,000, or another 10,000 when it has less, as SDF's does."""

from typing import Any, Final

import msgspec
from stellar_sdk import Account as SdkAccount
from stellar_sdk import Asset, Keypair, StrKey, TransactionBuilder

from streampay_sandbox.ledger.node import Node
from streampay_sandbox.ledger.state import load_account
from streampay_sandbox.ledger.transactions import parse

STARTING_BALANCE: Final = 10_000
STARTING_BALANCE_STROOPS: Final = STARTING_BALANCE * 10_000_000
WAIT_SECONDS: Final = 25.0
_VALID_SECONDS: Final = 300
_TYPE: Final = "https://stellar.org/horizon-errors/"


class FriendbotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer of friendbot: JSON on success, a problem otherwise."""

    status: int
    body: dict[str, Any]


class Friendbot:
    """Funds accounts from a pool of its own, one transaction per account at a time."""

    def __init__(self, node: Node, *, passphrase: str) -> None:
        self._node = node
        self._passphrase = passphrase

    def fund(self, address: str) -> FriendbotAnswer:
        """Create or top up the account at `address` and answer when its ledger has closed."""
        if not StrKey.is_valid_ed25519_public_key(address):
            return _problem(400, "bad_request", "The request you sent was invalid in some way.", "invalid address")
        with self._node.lock:
            self._node.tick()
            known = load_account(self._node.state, address)
            if known is not None and known.balance >= STARTING_BALANCE_STROOPS:
                return _problem(400, "bad_request", "Bad Request", "account already funded to starting balance")
        envelope = self._node.wait_until(
            lambda: self._submit(address, create=known is None), within_seconds=WAIT_SECONDS
        )
        if envelope is None:
            return _problem(504, "timeout", "Timeout", "no account of friendbot is free")
        transaction = parse(envelope, self._node.network_id)
        closed = self._node.wait_for(transaction.hash.hex(), within_seconds=WAIT_SECONDS)
        if closed is None:
            return _problem(504, "timeout", "Timeout", "no ledger closed the funding transaction")
        if closed.status != "SUCCESS":
            return _problem(400, "transaction_failed", "Transaction Failed", "the funding transaction failed")
        return FriendbotAnswer(
            status=200,
            body={"successful": True, "hash": closed.hash, "envelope_xdr": closed.transaction.envelope_xdr},
        )

    def _submit(self, address: str, *, create: bool) -> str | None:
        """Send the funding transaction from an account that has none queued; None while all have."""
        free = next((bot for bot in self._node.birth.friendbots if not self._node.is_busy(bot.public_key)), None)
        if free is None:
            return None
        envelope = self._envelope(free, address, create=create)
        submission = self._node.accept(parse(envelope, self._node.network_id))
        return envelope if submission.status == "PENDING" else None

    def _envelope(self, bot: Keypair, address: str, *, create: bool) -> str:
        account = load_account(self._node.state, bot.public_key)
        sequence = account.sequence if account is not None else 0
        builder = TransactionBuilder(SdkAccount(bot.public_key, sequence), self._passphrase, base_fee=100)
        builder.add_time_bounds(0, int(self._node.clock.wall()) + _VALID_SECONDS)
        if create:
            builder.append_create_account_op(address, str(STARTING_BALANCE))
        else:
            builder.append_payment_op(address, Asset.native(), str(STARTING_BALANCE))
        envelope = builder.build()
        envelope.sign(bot)
        return envelope.to_xdr()


def _problem(status: int, kind: str, title: str, detail: str) -> FriendbotAnswer:
    return FriendbotAnswer(
        status=status, body={"type": _TYPE + kind, "title": title, "status": status, "detail": detail}
    )
