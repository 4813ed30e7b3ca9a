"""Who has to agree to what: authorisation trees recorded in simulation and verified when a transaction is applied.

Sources: the Soroban authorisation framework of protocol 20 and the address-bound credentials of CAP-71.
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Protocol

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from stellar_sdk import StrKey, xdr

from streampay_sandbox.ledger.failures import ErrorCode, ErrorType, HostError, host_error
from streampay_sandbox.ledger.footprint import Footprint
from streampay_sandbox.ledger.keys import Key, account_key, code_key, instance_key, nonce_key
from streampay_sandbox.ledger.state import Draft, load_account, load_instance, nonce_row
from streampay_sandbox.ledger.values import ADDRESS, WrongValue, map_items, sc_address, strkey, vec_items

Credentials = xdr.SorobanCredentialsType
MAX_SIGNATURE_LEDGERS = 3_110_400


class Frame:
    """One contract call on the stack."""

    __slots__ = ("arguments", "contract", "function")

    def __init__(self, contract: str, function: str, arguments: list[xdr.SCVal]) -> None:
        self.contract = contract
        self.function = function
        self.arguments = arguments

    def authorized_function(self) -> xdr.SorobanAuthorizedFunction:
        """Return the call as authorisations name it."""
        return xdr.SorobanAuthorizedFunction(
            xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN,
            contract_fn=xdr.InvokeContractArgs(
                sc_address(self.contract), xdr.SCSymbol(self.function.encode()), self.arguments
            ),
        )


def signed_entries(entries: Sequence[xdr.SorobanAuthorizationEntry]) -> int:
    """Count the entries with a signature of their own: the source account's is that of the transaction."""
    return sum(_address_credentials(entry.credentials) is not None for entry in entries)


class Authorizer(Protocol):
    """Is asked whenever a contract requires an address to agree to the current call."""

    def require(self, address: str, frames: Sequence[Frame]) -> None:
        """Note or check that `address` agrees to the innermost of `frames`; raises HostError."""


class _Node:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.children: list[_Node] = []

    def invocation(self) -> xdr.SorobanAuthorizedInvocation:
        return xdr.SorobanAuthorizedInvocation(
            self.frame.authorized_function(), [child.invocation() for child in self.children]
        )


class AuthRecorder:
    """Writes down what every address would have to sign.

    `credentials` is the type recorded for addresses other than the transaction's source account; `nonroot` allows
    addresses that agree only to an inner call. What they sign may be used until ledger `nonces_live_until`.
    """

    def __init__(
        self,
        *,
        source: str,
        credentials: Credentials,
        nonroot: bool,
        footprint: Footprint,
        draft: Draft,
        nonces_live_until: int,
    ) -> None:
        self._source = source
        self._credentials = credentials
        self._nonroot = nonroot
        self._footprint = footprint
        self._draft = draft
        self._nonces_live_until = nonces_live_until
        self._roots: list[tuple[str, _Node]] = []
        self._nodes: dict[tuple[str, int], _Node] = {}

    def require(self, address: str, frames: Sequence[Frame]) -> None:
        frame = frames[-1]
        if (address, id(frame)) in self._nodes:
            return
        node = self._nodes[address, id(frame)] = _Node(frame)
        for outer in reversed(frames[:-1]):
            parent = self._nodes.get((address, id(outer)))
            if parent is not None:
                parent.children.append(node)
                return
        if len(frames) > 1 and not self._nonroot:
            raise host_error(
                ErrorType.SCE_AUTH,
                ErrorCode.SCEC_INVALID_ACTION,
                "[recording authorization only] encountered authorization not tied to the root contract invocation "
                "for an address. Use `require_auth()` in the top invocation or enable non-root authorization.",
                ADDRESS.encode(address),
            )
        self._roots.append((address, node))

    def entries(self) -> list[xdr.SorobanAuthorizationEntry]:
        """Return what simulation hands to the client to sign; their nonces are part of the footprint from here on."""
        return [xdr.SorobanAuthorizationEntry(self._credentials_of(address), tree) for address, tree in self.trees()]

    def trees(self) -> list[tuple[str, xdr.SorobanAuthorizedInvocation]]:
        """Return who agreed to what, in the order it was asked for."""
        return [(address, node.invocation()) for address, node in self._roots]

    def _credentials_of(self, address: str) -> xdr.SorobanCredentials:
        if address == self._source:
            return xdr.SorobanCredentials(Credentials.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT)
        nonce = int.from_bytes(secrets.token_bytes(8), signed=True)
        _use_nonce(self._footprint, self._draft, address, nonce, self._nonces_live_until)
        for key in self._read_of(address):
            self._footprint.reading(key)
        unsigned = xdr.SorobanAddressCredentials(
            address=sc_address(address),
            nonce=xdr.Int64(nonce),
            signature_expiration_ledger=xdr.Uint32(0),
            signature=xdr.SCVal(xdr.SCValType.SCV_VOID),
        )
        if self._credentials == Credentials.SOROBAN_CREDENTIALS_ADDRESS_V2:
            return xdr.SorobanCredentials(self._credentials, address_v2=unsigned)
        return xdr.SorobanCredentials(self._credentials, address=unsigned)

    def _read_of(self, address: str) -> Iterator[Key]:
        """Yield what is looked at to see whether an address agrees: an account, or a contract and its code."""
        if StrKey.is_valid_ed25519_public_key(address):
            yield account_key(address)
            return
        yield instance_key(address)
        instance = load_instance(self._draft, address)
        if instance is not None and instance.executable.wasm_hash is not None:
            yield code_key(instance.executable.wasm_hash.hash)


class _Authorized:
    """A node of a signed tree: each may be used once, children only inside the call their parent was used for."""

    def __init__(self, invocation: xdr.SorobanAuthorizedInvocation) -> None:
        self.function = invocation.function.to_xdr_bytes()
        self.children = [_Authorized(child) for child in invocation.sub_invocations]
        self.used_by: Frame | None = None

    def claim(self, frames: Sequence[Frame]) -> bool:
        """Use this node, or one below it, for the innermost frame; False where none fits."""
        frame = frames[-1]
        if self.used_by is None:
            if self.function != frame.authorized_function().to_xdr_bytes():
                return False
            self.used_by = frame
            return True
        if self.used_by is frame:
            return True
        if not any(outer is self.used_by for outer in frames):
            return False
        return any(child.claim(frames) for child in self.children)


class AuthVerifier:
    """Holds every `require_auth` against the entries a transaction carries, signatures, nonces and expiry included."""

    def __init__(
        self,
        entries: Sequence[xdr.SorobanAuthorizationEntry],
        *,
        source: str,
        network_id: bytes,
        ledger: int,
        footprint: Footprint,
        draft: Draft,
    ) -> None:
        self._network_id = network_id
        self._ledger = ledger
        self._footprint = footprint
        self._draft = draft
        self._trees = [(_signer(entry, source), entry, _Authorized(entry.root_invocation)) for entry in entries]
        self._verified: set[int] = set()

    def require(self, address: str, frames: Sequence[Frame]) -> None:
        for signer, entry, tree in self._trees:
            if signer == address and tree.claim(frames):
                if id(entry) not in self._verified:
                    self._verified.add(id(entry))
                    self._verify(entry)
                return
        raise host_error(
            ErrorType.SCE_AUTH,
            ErrorCode.SCEC_INVALID_ACTION,
            "Unauthorized function call for address",
            ADDRESS.encode(address),
        )

    def _verify(self, entry: xdr.SorobanAuthorizationEntry) -> None:
        credentials = _address_credentials(entry.credentials)
        if credentials is None:
            return  # the transaction's own signature speaks for its source account
        if entry.credentials.address_with_delegates is not None:
            raise _refused("delegated signatures are not played by this ledger", ErrorCode.SCEC_INVALID_ACTION)
        address = strkey(credentials.address)
        try:
            self._verify_signature(address, credentials.signature, self._payload(entry, credentials))
        except HostError as error:
            # The host tells every failure to authenticate alike, so that it is not taken for the contract's own.
            cause = xdr.SCVal(xdr.SCValType.SCV_ERROR, error=error.error)
            raise host_error(
                ErrorType.SCE_AUTH,
                ErrorCode.SCEC_INVALID_ACTION,
                f"failed account authentication with error: {error.reason}",
                ADDRESS.encode(address),
                cause,
            ) from error
        expires = credentials.signature_expiration_ledger.uint32
        if expires < self._ledger:
            raise _refused("signature has expired", ErrorCode.SCEC_INVALID_INPUT)
        if expires > self._ledger + MAX_SIGNATURE_LEDGERS:
            raise _refused("signature expiration is too late", ErrorCode.SCEC_INVALID_INPUT)
        _use_nonce(self._footprint, self._draft, address, credentials.nonce.int64, expires)

    def _verify_signature(self, address: str, signature: xdr.SCVal, payload: bytes) -> None:
        """Check the signature shape of Stellar accounts, `Vec<Map{public_key, signature}>`, with one master key."""
        if not StrKey.is_valid_ed25519_public_key(address):
            raise _refused("contract accounts are not played by this ledger", ErrorCode.SCEC_INVALID_ACTION)
        self._footprint.reading(account_key(address))
        if load_account(self._draft, address) is None:
            raise _refused("account does not exist", ErrorCode.SCEC_MISSING_VALUE)
        try:
            (only,) = vec_items(signature)
            fields = map_items(only)
            public_key, signed = fields["public_key"].bytes, fields["signature"].bytes
        except (WrongValue, KeyError, ValueError):
            raise _refused("malformed account signature", ErrorCode.SCEC_INVALID_INPUT) from None
        if public_key is None or signed is None:
            raise _refused("malformed account signature", ErrorCode.SCEC_INVALID_INPUT)
        if public_key.sc_bytes != StrKey.decode_ed25519_public_key(address):
            raise _refused("signer does not belong to account", ErrorCode.SCEC_INVALID_ACTION)
        try:
            VerifyKey(public_key.sc_bytes).verify(payload, signed.sc_bytes)
        except (BadSignatureError, ValueError):
            raise host_error(
                ErrorType.SCE_CRYPTO, ErrorCode.SCEC_INVALID_INPUT, "failed ED25519 verification"
            ) from None

    def _payload(self, entry: xdr.SorobanAuthorizationEntry, credentials: xdr.SorobanAddressCredentials) -> bytes:
        network_id = xdr.Hash(self._network_id)
        if entry.credentials.type == Credentials.SOROBAN_CREDENTIALS_ADDRESS:
            preimage = xdr.HashIDPreimage(
                xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION,
                soroban_authorization=xdr.HashIDPreimageSorobanAuthorization(
                    network_id,
                    credentials.nonce,
                    credentials.signature_expiration_ledger,
                    entry.root_invocation,
                ),
            )
        else:
            preimage = xdr.HashIDPreimage(
                xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION_WITH_ADDRESS,
                soroban_authorization_with_address=xdr.HashIDPreimageSorobanAuthorizationWithAddress(
                    network_id,
                    credentials.nonce,
                    credentials.signature_expiration_ledger,
                    credentials.address,
                    entry.root_invocation,
                ),
            )
        return hashlib.sha256(preimage.to_xdr_bytes()).digest()


def _refused(reason: str, code: xdr.SCErrorCode) -> HostError:
    return host_error(ErrorType.SCE_AUTH, code, reason)


def _signer(entry: xdr.SorobanAuthorizationEntry, source: str) -> str:
    credentials = _address_credentials(entry.credentials)
    return source if credentials is None else strkey(credentials.address)


def _address_credentials(credentials: xdr.SorobanCredentials) -> xdr.SorobanAddressCredentials | None:
    if credentials.address_with_delegates is not None:
        return credentials.address_with_delegates.address_credentials
    return credentials.address or credentials.address_v2


def _use_nonce(footprint: Footprint, draft: Draft, address: str, nonce: int, live_until: int) -> None:
    key = nonce_key(address, nonce)
    footprint.writing(key)
    if draft.get(key) is not None:
        raise _refused("nonce already exists for address", ErrorCode.SCEC_EXISTING_VALUE)
    draft.put(key, nonce_row(address, nonce), live_until)
