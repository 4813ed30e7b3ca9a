"""Ed25519 keys and DSSE envelopes (the Dead Simple Signing Envelope, protocol version 1).

An envelope is read strictly: only the bytes that `to_json` would write are one, so that no byte of it can change
unnoticed. PyNaCl is loaded when a key is first used: most commands never need it.
"""

import base64
import binascii
import hashlib
import re
from pathlib import Path

import msgspec

from streampay_smoke.core.errors import SettingsInvalid

SEED_LENGTH = 32
KEY_LENGTH = 32

_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
"""What stands before the seed in a PKCS#8 private key (RFC 8410)."""

_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What stands before the key in a SubjectPublicKeyInfo (RFC 8410)."""

_PEM = re.compile(r"-----BEGIN (PRIVATE|PUBLIC) KEY-----(.*?)-----END \1 KEY-----", re.DOTALL)

_HOW = "set it to base64 of a 32-byte seed, or to an Ed25519 key in PKCS#8 PEM (openssl genpkey -algorithm ed25519)"


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature of an envelope, base64, and the id of the key that made it."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed payload, base64."""

    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: tuple[Signature, ...]

    def to_json(self) -> bytes:
        """Return the bytes of the envelope; the same envelope always gives the same bytes."""
        return msgspec.json.encode(self) + b"\n"

    @property
    def content(self) -> bytes:
        """The payload itself."""
        return base64.b64decode(self.payload, validate=True)


class BadEnvelope(Exception):
    """Something is no envelope, or its signature does not hold; the message says what differs."""


class PublicKey(msgspec.Struct, frozen=True):
    """The public half of an Ed25519 key."""

    raw: bytes

    @property
    def id(self) -> str:
        """The key's id: SHA-256 of its 32 bytes, in hex."""
        return hashlib.sha256(self.raw).hexdigest()

    @classmethod
    def given(cls, text_or_path: str) -> "PublicKey":
        """Read a public key given as base64 of its 32 bytes, or as a file with that or with PEM.

        Raises SettingsInvalid.
        """
        path = Path(text_or_path)
        try:
            text = path.read_text() if path.is_file() else text_or_path
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"the public key cannot be read: {type(error).__name__}") from error
        raw = _of_pem(text, "PUBLIC", _SPKI) or _of_base64(text)
        if raw is None or len(raw) != KEY_LENGTH:
            raise SettingsInvalid(
                "this is no Ed25519 public key",
                next_step="give base64 of its 32 bytes, or a file with that or with a PEM public key",
            )
        return cls(raw)

    def verify(self, envelope: bytes, payload_type: str) -> bytes:
        """Return the payload of an envelope this key signed; raises BadEnvelope."""
        try:
            read = msgspec.json.decode(envelope, type=Envelope)
            payload = read.content
            signatures = [(signature.keyid, _strict(signature.sig)) for signature in read.signatures]
        except (msgspec.DecodeError, binascii.Error, UnicodeError, ValueError) as error:
            raise BadEnvelope("the envelope cannot be read") from error
        if read.to_json() != envelope or base64.b64encode(payload).decode() != read.payload:
            raise BadEnvelope("the envelope was rewritten: it is not the bytes that were signed and written")
        if read.payload_type != payload_type:
            raise BadEnvelope(f"the envelope holds {read.payload_type!r}, not {payload_type!r}")
        if len(signatures) != 1:
            raise BadEnvelope(f"the envelope has {len(signatures)} signatures instead of one")
        keyid, signature = signatures[0]
        if keyid != self.id:
            raise BadEnvelope(f"the envelope was signed by key {keyid[:16]}, not by {self.id[:16]}")
        if not self._holds(_pre_authentication(payload_type, payload), signature):
            raise BadEnvelope("the signature does not hold for this payload")
        return payload

    def _holds(self, message: bytes, signature: bytes) -> bool:
        from nacl.exceptions import CryptoError
        from nacl.signing import VerifyKey

        try:
            VerifyKey(self.raw).verify(message, signature)
        except (CryptoError, ValueError):
            return False
        return True


class SigningKey:
    """An Ed25519 key that signs. It is never shown."""

    def __init__(self, seed: bytes) -> None:
        from nacl.signing import SigningKey as Ed25519Key

        self._key = Ed25519Key(seed)
        self.public = PublicKey(bytes(self._key.verify_key))

    @classmethod
    def given(cls, text: str, *, variable: str) -> "SigningKey":
        """Read a key given as base64 of its seed or as PKCS#8 PEM (a backslash and an n may stand for line ends).

        Raises SettingsInvalid, which names the variable and nothing of the key.
        """
        seed = _of_pem(text.replace("\\n", "\n"), "PRIVATE", _PKCS8) or _of_base64(text)
        if seed is None or len(seed) != SEED_LENGTH:
            raise SettingsInvalid(f"{variable} is no Ed25519 private key: no verdict could be signed", next_step=_HOW)
        return cls(seed)

    def sign(self, payload: bytes, payload_type: str) -> Envelope:
        """Return the envelope of a payload."""
        signature = self._key.sign(_pre_authentication(payload_type, payload)).signature
        return Envelope(
            payload=base64.b64encode(payload).decode(),
            payload_type=payload_type,
            signatures=(Signature(keyid=self.public.id, sig=base64.b64encode(signature).decode()),),
        )


def _pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: the type and the payload, each with its length (DSSE's PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _strict(text: str) -> bytes:
    """Decode base64 that has only one way to be written."""
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("base64 with loose bits")
    return content


def _of_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _of_pem(text: str, kind: str, prefix: bytes) -> bytes | None:
    found = _PEM.search(text)
    der = _of_base64(found[2]) if found and found[1] == kind else None
    return der.removeprefix(prefix) if der and der.startswith(prefix) else None
