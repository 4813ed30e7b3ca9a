"""Transactions as they arrive: parsed, hashed for this network, and checked in stellar-core's order."""

import hashlib
from collections.abc import Sequence

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from stellar_sdk import StrKey, xdr

from streampay_sandbox.ledger.fees import BASE_FEE_STROOPS, beyond_limits, non_refundable_fee
from streampay_sandbox.ledger.state import EntryReader, load_account
from streampay_sandbox.ledger.values import account_strkey
from streampay_smoke.core.errors import SmokeError

Code = xdr.TransactionResultCode
_SOROBAN_OPERATIONS = frozenset(
    {
        xdr.OperationType.INVOKE_HOST_FUNCTION,
        xdr.OperationType.EXTEND_FOOTPRINT_TTL,
        xdr.OperationType.RESTORE_FOOTPRINT,
    }
)


class EnvelopeInvalid(SmokeError):
    """What was sent is no transaction envelope."""

    kind = "sandbox_envelope_invalid"


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed envelope. Fees are in stroops, time bounds Unix seconds with 0 for none."""

    envelope: xdr.TransactionEnvelope
    body: xdr.Transaction
    envelope_xdr: str
    hash: bytes
    source: str
    fee: int
    sequence: int
    min_time: int
    max_time: int
    size: int
    signatures: Sequence[xdr.DecoratedSignature]

    @property
    def operations(self) -> list[xdr.Operation]:
        """The operations in order."""
        return self.body.operations

    @property
    def soroban(self) -> xdr.SorobanTransactionData | None:
        """Declared resources, None for a classic transaction."""
        return self.body.ext.soroban_data

    @property
    def resource_fee(self) -> int:
        """The part of the fee meant for contract resources."""
        return self.soroban.resource_fee.int64 if self.soroban is not None else 0

    @property
    def inclusion_bid(self) -> int:
        """The part of the fee that bids for a place in a ledger."""
        return self.fee - self.resource_fee

    @property
    def inclusion_charge(self) -> int:
        """What a place costs while ledgers are not full."""
        return BASE_FEE_STROOPS * max(len(self.operations), 1)

    @property
    def charged_first(self) -> int:
        """What is taken before the operations run; part of it may be refunded."""
        return self.resource_fee + min(self.inclusion_bid, self.inclusion_charge)


def parse(envelope_xdr: str, network_id: bytes) -> Transaction:
    """Return the transaction in base64 `envelope_xdr`; raises EnvelopeInvalid."""
    try:
        envelope = xdr.TransactionEnvelope.from_xdr(envelope_xdr)
    except Exception as error:  # the codec raises whatever its unpacker trips over
        raise EnvelopeInvalid(f"not a transaction envelope: {error}") from error
    if envelope.v1 is None:
        raise EnvelopeInvalid(f"{envelope.type.name} is not played by this ledger")
    body = envelope.v1.tx
    content = body.to_xdr_bytes()
    tagged = network_id + xdr.EnvelopeType.ENVELOPE_TYPE_TX.value.to_bytes(4) + content
    minimum, maximum = _time_bounds(body.cond)
    return Transaction(
        envelope=envelope,
        body=body,
        envelope_xdr=envelope_xdr,
        hash=hashlib.sha256(tagged).digest(),
        source=account_of(body.source_account),
        fee=body.fee.uint32,
        sequence=body.seq_num.sequence_number.int64,
        min_time=minimum,
        max_time=maximum,
        size=len(content),
        signatures=envelope.v1.signatures,
    )


def account_of(account: xdr.MuxedAccount) -> str:
    """Return the G... address of an account, whether muxed or not."""
    key = account.ed25519 if account.ed25519 is not None else account.med25519.ed25519 if account.med25519 else None
    if key is None:
        raise EnvelopeInvalid("an account without a key")
    return account_strkey(key.uint256)


def _time_bounds(cond: xdr.Preconditions) -> tuple[int, int]:
    bounds = cond.time_bounds or (cond.v2.time_bounds if cond.v2 is not None else None)
    if bounds is None:
        return 0, 0
    return bounds.min_time.time_point.uint64, bounds.max_time.time_point.uint64


def refuse(transaction: Transaction, reader: EntryReader, wall_seconds: float) -> xdr.TransactionResult | None:
    """Return why the network would not take the transaction, None when it would.

    `wall_seconds` is the Unix time its time bounds are held against. The order of the checks is stellar-core's.
    """
    code = (
        _malformed(transaction)
        or _out_of_time(transaction, wall_seconds)
        or _fee_too_low(transaction)
        or _account_trouble(transaction, reader)
    )
    return None if code is None else rejection(transaction, code)


def rejection(transaction: Transaction, code: Code) -> xdr.TransactionResult:
    """Return the result of a transaction that was not taken; a low fee names the fee it takes."""
    result = xdr.TransactionResultResult(code)
    if code == Code.txFAILED:
        denied = xdr.OperationResult(xdr.OperationResultCode.opBAD_AUTH)
        result = xdr.TransactionResultResult(code, results=[denied for _ in transaction.operations])
    charged = transaction.resource_fee + transaction.inclusion_charge
    return xdr.TransactionResult(xdr.Int64(charged), result, xdr.TransactionResultExt(0))


def is_soroban(transaction: Transaction) -> bool:
    """Whether the transaction touches contracts."""
    return any(operation.body.type in _SOROBAN_OPERATIONS for operation in transaction.operations)


def _malformed(transaction: Transaction) -> Code | None:
    if not transaction.operations:
        return Code.txMISSING_OPERATION
    if not is_soroban(transaction):
        return Code.txMALFORMED if transaction.soroban is not None else None
    soroban = transaction.soroban
    if soroban is None or len(transaction.operations) != 1:
        return Code.txMALFORMED
    has_memo = transaction.body.memo.type != xdr.MemoType.MEMO_NONE
    least = non_refundable_fee(soroban.resources, transaction.size)
    if has_memo or not least <= transaction.resource_fee <= transaction.fee or beyond_limits(soroban.resources):
        return Code.txSOROBAN_INVALID
    return None


def _out_of_time(transaction: Transaction, wall_seconds: float) -> Code | None:
    if transaction.min_time > wall_seconds:
        return Code.txTOO_EARLY
    if transaction.max_time and transaction.max_time < wall_seconds:
        return Code.txTOO_LATE
    return None


def _fee_too_low(transaction: Transaction) -> Code | None:
    return Code.txINSUFFICIENT_FEE if transaction.inclusion_bid < transaction.inclusion_charge else None


def _account_trouble(transaction: Transaction, reader: EntryReader) -> Code | None:
    account = load_account(reader, transaction.source)
    if account is None:
        return Code.txNO_ACCOUNT
    if transaction.sequence != account.sequence + 1:
        return Code.txBAD_SEQ
    signed_by = {address for address in _signers(transaction) if _signed(transaction, address)}
    if transaction.source not in signed_by:
        return Code.txBAD_AUTH
    if account.available < transaction.charged_first:
        return Code.txINSUFFICIENT_BALANCE
    if signed_by != _signers(transaction):
        return Code.txFAILED
    return Code.txBAD_AUTH_EXTRA if len(transaction.signatures) > len(signed_by) else None


def _signers(transaction: Transaction) -> set[str]:
    """Return every account whose signature is needed: each has one master key here."""
    of_operations = {account_of(op.source_account) for op in transaction.operations if op.source_account is not None}
    return {transaction.source} | of_operations


def _signed(transaction: Transaction, address: str) -> bool:
    key = StrKey.decode_ed25519_public_key(address)
    return any(
        signature.hint.signature_hint == key[-4:] and _verifies(key, transaction.hash, signature.signature.signature)
        for signature in transaction.signatures
    )


def _verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """The network's first answer to a transaction: PENDING, DUPLICATE, TRY_AGAIN_LATER or ERROR with its reason."""

    status: str
    hash: str
    error: xdr.TransactionResult | None = None
