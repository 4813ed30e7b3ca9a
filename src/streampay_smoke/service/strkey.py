"""Stellar's text form of Ed25519 keys (SEP-23): base32 of version byte, 32 bytes and a CRC16.

Here because stellar-sdk costs more start-up time than the rest of a run, and signing in needs this much of it.
"""

import base64
import binascii

from streampay_smoke.core.errors import SettingsInvalid

KEY_BYTES = 32
_VERSION_ADDRESS = 6 << 3  # "G"
_VERSION_SEED = 18 << 3  # "S"
_TEXT_LENGTH = 56


def address_of(public_key: bytes) -> str:
    """Return the address (G...) of a 32-byte Ed25519 public key."""
    return _encoded(_VERSION_ADDRESS, public_key)


def is_address(text: str) -> bool:
    """Return whether a text is an address (G...) with its checksum."""
    try:
        raw = base64.b32decode(text.encode("ascii")) if len(text) == _TEXT_LENGTH else b""
    except (binascii.Error, UnicodeEncodeError):
        return False
    return bool(raw) and raw[0] == _VERSION_ADDRESS and _checksum(raw[:-2]) == raw[-2:]


def seed_text(seed: bytes) -> str:
    """Return the text form (S...) of a 32-byte seed; secret."""
    return _encoded(_VERSION_SEED, seed)


def seed_bytes(text: str, *, name: str = "SMOKE_SIGNER_SEED") -> bytes:
    """Return the 32 bytes of a seed (S...); raises SettingsInvalid, without quoting it, when it is none."""
    try:
        raw = base64.b32decode(text.encode("ascii")) if len(text) == _TEXT_LENGTH else b""
    except (binascii.Error, UnicodeEncodeError):
        raw = b""
    if not raw or raw[0] != _VERSION_SEED or _checksum(raw[:-2]) != raw[-2:]:
        raise SettingsInvalid(
            f"{name} is not a Stellar seed",
            next_step="give 56 characters that begin with S, of a key made for a test network",
        )
    return raw[1:-2]


def _encoded(version: int, key: bytes) -> str:
    if len(key) != KEY_BYTES:
        raise ValueError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(key)}")
    payload = bytes((version,)) + key
    return base64.b32encode(payload + _checksum(payload)).decode("ascii")


def _checksum(payload: bytes) -> bytes:
    return binascii.crc_hqx(payload, 0).to_bytes(2, "little")
