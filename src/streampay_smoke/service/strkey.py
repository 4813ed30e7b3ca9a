"""Stellar's text form of keys and contract ids (SEP-23): base32 of version byte, 32 bytes and a CRC16.

Here because stellar-sdk costs more start-up time than the rest of a run, and signing in needs this much of it.
"""

import base64
import binascii
import hashlib
import re
import struct

from streampay_smoke.core.errors import SettingsInvalid

KEY_BYTES = 32
_VERSION_ADDRESS = 6 << 3  # "G"
_VERSION_CONTRACT = 2 << 3  # "C"
_VERSION_SEED = 18 << 3  # "S"
_TEXT_LENGTH = 56
_CONTRACT_ID = re.compile(r"\bC[A-Z2-7]{55}\b")


def address_of(public_key: bytes) -> str:
    """Return the address (G...) of a 32-byte Ed25519 public key."""
    return _encoded(_VERSION_ADDRESS, public_key)


def is_address(text: str) -> bool:
    """Return whether a text is an address (G...) with its checksum."""
    return _decoded(_VERSION_ADDRESS, text) is not None


def is_contract(text: str) -> bool:
    """Return whether a text is a contract's id (C...) with its checksum."""
    return _decoded(_VERSION_CONTRACT, text) is not None


def contracts_named(text: str) -> tuple[str, ...]:
    """Return the contract ids that a text names, each once."""
    return tuple(word for word in dict.fromkeys(_CONTRACT_ID.findall(text)) if is_contract(word))


def native_token_contract(network_id: bytes) -> str:
    """Return the id (C...) of the contract that a network's native token has; it follows from the network's id."""
    # A HashIDPreimage in XDR: a contract's id (8) on this network, made from an asset (1), the native one (0).
    preimage = struct.pack(">I32sII", 8, network_id, 1, 0)
    return _encoded(_VERSION_CONTRACT, hashlib.sha256(preimage).digest())


def seed_text(seed: bytes) -> str:
    """Return the text form (S...) of a 32-byte seed; secret."""
    return _encoded(_VERSION_SEED, seed)


def seed_bytes(text: str, *, name: str = "SMOKE_SIGNER_SEED") -> bytes:
    """Return the 32 bytes of a seed (S...); raises SettingsInvalid, without quoting it, when it is none."""
    seed = _decoded(_VERSION_SEED, text)
    if seed is None:
        raise SettingsInvalid(
            f"{name} is not a Stellar seed",
            next_step="give 56 characters that begin with S, of a key made for a test network",
        )
    return seed


def _decoded(version: int, text: str) -> bytes | None:
    """Return the 32 bytes behind a text form of this version, None where it is none."""
    try:
        raw = base64.b32decode(text.encode("ascii")) if len(text) == _TEXT_LENGTH else b""
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw[1:-2] if raw and raw[0] == version and _checksum(raw[:-2]) == raw[-2:] else None


def _encoded(version: int, key: bytes) -> str:
    if len(key) != KEY_BYTES:
        raise ValueError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(key)}")
    payload = bytes((version,)) + key
    return base64.b32encode(payload + _checksum(payload)).decode("ascii")


def _checksum(payload: bytes) -> bytes:
    return binascii.crc_hqx(payload, 0).to_bytes(2, "little")
