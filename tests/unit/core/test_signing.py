"""Keys and envelopes: what is signed is what is read, byte for byte."""

import base64
from pathlib import Path

import msgspec
import pytest

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.signing import BadEnvelope, Envelope, PublicKey, Signature, SigningKey

# The first test vector of RFC 8032, 7.1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY = base64.b64encode(SEED).decode()
PKCS8 = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + SEED).decode()
SPKI = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + PUBLIC).decode()
KIND = "application/x-test"


def pem(kind: str, body: str, end: str = "\n") -> str:
    return f"-----BEGIN {kind} KEY-----{end}{body}{end}-----END {kind} KEY-----{end}"


def key() -> SigningKey:
    return SigningKey.given(KEY, variable="SMOKE_SIGNING_KEY")


@pytest.mark.parametrize("given", [KEY, f" {KEY}\n", pem("PRIVATE", PKCS8), pem("PRIVATE", PKCS8, end="\\n")])
def test_a_key_is_read_as_base64_and_as_pem(given: str) -> None:
    assert SigningKey.given(given, variable="SMOKE_SIGNING_KEY").public == PublicKey(PUBLIC)


@pytest.mark.parametrize(
    "given",
    [
        "not base64 at all!",
        base64.b64encode(SEED[:31]).decode(),
        base64.b64encode(SEED + b"x").decode(),
        pem("PRIVATE", base64.b64encode(b"another kind of key" * 3).decode()),
        pem("PUBLIC", SPKI),
        pem("RSA PRIVATE", PKCS8),
    ],
)
def test_a_key_that_cannot_sign_is_refused_without_being_shown(given: str) -> None:
    with pytest.raises(SettingsInvalid, match="SMOKE_SIGNING_KEY is no Ed25519 private key") as refused:
        SigningKey.given(given, variable="SMOKE_SIGNING_KEY")
    assert given.strip()[:20] not in f"{refused.value} {refused.value.next_step}"


def test_a_public_key_is_read_as_base64_and_from_files(tmp_path: Path) -> None:
    encoded = base64.b64encode(PUBLIC).decode()
    file, pem_file = tmp_path / "key", tmp_path / "key.pem"
    file.write_text(encoded + "\n")
    pem_file.write_text(pem("PUBLIC", SPKI))
    for given in (encoded, str(file), str(pem_file)):
        assert PublicKey.given(given).raw == PUBLIC


def test_a_public_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for given in ("", "nope", str(tmp_path / "binary"), str(tmp_path / "missing"), KEY[:20]):
        with pytest.raises(SettingsInvalid):
            PublicKey.given(given)


def test_an_envelope_signs_the_payload_as_dsse_says() -> None:
    from nacl.signing import VerifyKey

    envelope = key().sign(b"hello world", "http://example.com/HelloWorld")
    signed = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    VerifyKey(PUBLIC).verify(signed, base64.b64decode(envelope.signatures[0].sig))
    assert envelope.signatures[0].keyid == PublicKey(PUBLIC).id


def test_what_was_signed_is_verified() -> None:
    assert key().public.verify(key().sign(b"payload", KIND).to_json(), KIND) == b"payload"


def test_every_changed_byte_of_an_envelope_is_found() -> None:
    envelope = key().sign(b'{"verdict":"FAIL"}', KIND).to_json()
    for at in range(len(envelope)):
        for change in (1, 0x20, 0x80):
            changed = bytearray(envelope)
            changed[at] ^= change
            with pytest.raises(BadEnvelope):
                key().public.verify(bytes(changed), KIND)
    for longer_or_shorter in (envelope + b" ", envelope[:-1], b"", b" " + envelope, envelope[:-2]):
        with pytest.raises(BadEnvelope):
            key().public.verify(longer_or_shorter, KIND)


def test_another_key_another_type_and_another_count_of_signatures_are_found() -> None:
    other = SigningKey(b"\x01" * 32)
    envelope = key().sign(b"payload", KIND)
    with pytest.raises(BadEnvelope, match="signed by key"):
        other.public.verify(envelope.to_json(), KIND)
    with pytest.raises(BadEnvelope, match="holds"):
        key().public.verify(envelope.to_json(), "application/other")
    for signatures in ((), envelope.signatures * 2):
        with pytest.raises(BadEnvelope, match="signatures"):
            key().public.verify(msgspec.structs.replace(envelope, signatures=signatures).to_json(), KIND)


def test_a_signature_of_another_key_under_our_name_does_not_hold() -> None:
    foreign = SigningKey(b"\x01" * 32).sign(b"payload", KIND)
    renamed = msgspec.structs.replace(
        foreign, signatures=(Signature(keyid=key().public.id, sig=foreign.signatures[0].sig),)
    )
    with pytest.raises(BadEnvelope, match="does not hold"):
        key().public.verify(renamed.to_json(), KIND)


def test_loose_base64_is_no_envelope() -> None:
    envelope = key().sign(b"payload!", KIND)
    loose = msgspec.structs.replace(
        envelope, signatures=(Signature(keyid=key().public.id, sig=envelope.signatures[0].sig[:-3] + "B=="),)
    )
    with pytest.raises(BadEnvelope):
        key().public.verify(loose.to_json(), KIND)
    assert isinstance(envelope, Envelope)
