"""Names of ledger entries: every entry is stored under the XDR of its LedgerKey."""

import hashlib
from functools import lru_cache
from typing import Final

from stellar_sdk import Keypair, xdr

from streampay_sandbox.ledger.values import sc_address

Durability = xdr.ContractDataDurability
PERSISTENT: Final = Durability.PERSISTENT
TEMPORARY: Final = Durability.TEMPORARY
_DATA_TAG: Final = xdr.LedgerEntryType.CONTRACT_DATA.to_xdr_bytes()
_DURABILITY: Final = {durability: durability.to_xdr_bytes() for durability in Durability}
INSTANCE: Final = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)


class Key:
    """A LedgerKey with its XDR; equal and hashed by the XDR."""

    __slots__ = ("ledger_key", "raw")

    def __init__(self, ledger_key: xdr.LedgerKey, raw: bytes | None = None) -> None:
        self.ledger_key = ledger_key
        self.raw = ledger_key.to_xdr_bytes() if raw is None else raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Key({self.ledger_key.type.name}, {self.raw.hex()[:24]}...)"

    @property
    def hash(self) -> bytes:
        """SHA-256 of the key: what the TTL entry beside it is named after."""
        return hashlib.sha256(self.raw).digest()

    @property
    def durable(self) -> bool:
        """Whether it names contract state, which carries a time to live."""
        return is_durable(self.ledger_key)

    @property
    def temporary(self) -> bool:
        """Whether it names a row that vanishes at the end of its time to live."""
        data = self.ledger_key.contract_data
        return data is not None and data.durability == TEMPORARY


def is_durable(ledger_key: xdr.LedgerKey) -> bool:
    """Whether a key names contract state, which carries a time to live."""
    return ledger_key.type in (xdr.LedgerEntryType.CONTRACT_DATA, xdr.LedgerEntryType.CONTRACT_CODE)


@lru_cache(maxsize=4096)
def account_id(address: str) -> xdr.AccountID:
    """Return the AccountID of a G... address."""
    return Keypair.from_public_key(address).xdr_account_id()


@lru_cache(maxsize=4096)
def account_key(address: str) -> Key:
    """Return the key of an account."""
    return Key(xdr.LedgerKey(xdr.LedgerEntryType.ACCOUNT, account=xdr.LedgerKeyAccount(account_id(address))))


def data_key(contract: str, key: xdr.SCVal, durability: Durability = PERSISTENT) -> Key:
    """Return the key of a row of contract data; `contract` is the owner's C... (or, for a nonce, G...) strkey."""
    ledger_key = xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(sc_address(contract), key, durability),
    )
    return Key(ledger_key, _data_prefix(contract) + key.to_xdr_bytes() + _DURABILITY[durability])


@lru_cache(maxsize=4096)
def _data_prefix(contract: str) -> bytes:
    """Return how the XDR of every key of a contract's data begins."""
    return _DATA_TAG + sc_address(contract).to_xdr_bytes()


@lru_cache(maxsize=256)
def instance_key(contract: str) -> Key:
    """Return the key of a contract's instance."""
    return data_key(contract, INSTANCE)


@lru_cache(maxsize=64)
def code_key(wasm_hash: bytes) -> Key:
    """Return the key of uploaded contract code."""
    return Key(
        xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=xdr.LedgerKeyContractCode(xdr.Hash(wasm_hash)))
    )


def nonce_key(address: str, nonce: int) -> Key:
    """Return the key of the row that marks an authorisation nonce as used."""
    return data_key(address, nonce_value(nonce), TEMPORARY)


def nonce_value(nonce: int) -> xdr.SCVal:
    """Return the key value of a used nonce's row."""
    return xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(xdr.Int64(nonce)))
