"""Watches every signature this process makes, and works out by itself what it commits to and what it can cost."""

import hashlib
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from unittest import mock

import xdrlib3
from nacl.signing import SignedMessage, SigningKey
from stellar_sdk import FeeBumpTransactionEnvelope, TransactionEnvelope, xdr

from streampay_smoke.core.networks import ALLOWED, PUBLIC_PASSPHRASE, Network
from streampay_smoke.service.dialects.app_v1 import CHALLENGE_PREFIX

AnyEnvelope = TransactionEnvelope | FeeBumpTransactionEnvelope

HASH_BYTES = 32
TAKING = frozenset({b"transfer", b"transfer_from", b"burn", b"burn_from", b"approve"})
"""Token functions by which money leaves whoever authorises them (SEP-41)."""

_KIND_OF_TRANSACTION = b"\0\0\0\2"
_KIND_OF_FEE_BUMP = b"\0\0\0\5"


class Signatures:
    """Keeps what was signed, at the one function every Ed25519 signature of the package goes through."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._patch = mock.patch.object(SigningKey, "sign", self._spy())

    def _spy(self) -> Any:
        messages, sign = self.messages, SigningKey.sign

        def spied(key: SigningKey, message: bytes, *arguments: Any, **options: Any) -> SignedMessage:
            messages.append(bytes(message))
            return sign(key, message, *arguments, **options)

        return spied

    def __enter__(self) -> Self:
        self._patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.stop()


def hash_on(passphrase: str, envelope: AnyEnvelope) -> bytes:
    """Return what a signature under `envelope` signs on the network with this passphrase, past the SDK."""
    network_id = hashlib.sha256(passphrase.encode()).digest()
    written = envelope.to_xdr_object()
    if written.fee_bump is not None:
        return hashlib.sha256(network_id + _KIND_OF_FEE_BUMP + written.fee_bump.tx.to_xdr_bytes()).digest()
    assert written.v1 is not None
    return hashlib.sha256(network_id + _KIND_OF_TRANSACTION + written.v1.tx.to_xdr_bytes()).digest()


def signed_only_for(network: Network, handed: Iterable[AnyEnvelope], messages: Iterable[bytes]) -> int:
    """Return how many transactions were signed; raises AssertionError for any that `network` would not be right for.

    `handed` are all envelopes that came near a key. A 32-byte message that belongs to none of them is refused too:
    every Stellar signature is one over 32 bytes.
    """
    signed = [message for message in messages if len(message) == HASH_BYTES]
    for message in messages:
        assert len(message) == HASH_BYTES or message.startswith(CHALLENGE_PREFIX.encode()), "who asked for that?"
    if signed:
        envelopes = [envelope for envelope in handed if _can_be_written(envelope)]
        right = {hash_on(network.passphrase, envelope) for envelope in envelopes}
        public = {hash_on(PUBLIC_PASSPHRASE, envelope) for envelope in envelopes}
        assert network.passphrase in {allowed.passphrase for allowed in ALLOWED.values()}
        assert not public & set(signed), "a transaction was signed for the public network"
        assert set(signed) <= right, f"something was signed that is no transaction on {network.name}"
    return len(signed)


def _can_be_written(envelope: AnyEnvelope) -> bool:
    """Whether any bytes are this envelope: an RPC may ask for numbers that no transaction can hold."""
    try:
        envelope.to_xdr()
    except (ValueError, xdrlib3.Error):
        return False
    return True


def can_cost(signed: Iterable[TransactionEnvelope]) -> int:
    """Return the most these signed transactions can take from their signer if everybody else is a thief, in stroops.

    A ledger applies one transaction for each sequence number of an account, so of those only the dearest counts.
    """
    dearest: dict[tuple[str, int], int] = {}
    for envelope in signed:
        slot = (envelope.transaction.source.account_id, envelope.transaction.sequence)
        dearest[slot] = max(dearest.get(slot, 0), _most_taken(envelope))
    return sum(dearest.values())


def _most_taken(envelope: TransactionEnvelope) -> int:
    written = envelope.to_xdr_object().v1
    assert written is not None
    calls = (operation.body.invoke_host_function_op for operation in written.tx.operations)
    entries = [entry for call in calls if call is not None for entry in call.auth]
    return written.tx.fee.uint32 + sum(_taken(entry.root_invocation) for entry in entries)


def _taken(tree: xdr.SorobanAuthorizedInvocation) -> int:
    call = tree.function.contract_fn
    own = 0
    if call is not None and call.function_name.sc_symbol in TAKING:
        own = max([0, *(amount for argument in call.args for amount in _numbers(argument))])
    return own + sum(_taken(inner) for inner in tree.sub_invocations)


def _numbers(value: xdr.SCVal) -> Iterator[int]:
    if value.i128 is not None:
        yield (value.i128.hi.int64 << 64) | value.i128.lo.uint64
    elif value.u128 is not None:
        yield (value.u128.hi.uint64 << 64) | value.u128.lo.uint64
    for item in value.vec.sc_vec if value.vec is not None else ():
        yield from _numbers(item)
    for entry in value.map.sc_map if value.map is not None else ():
        yield from _numbers(entry.key)
        yield from _numbers(entry.val)
