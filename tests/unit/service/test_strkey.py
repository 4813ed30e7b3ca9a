"""Stellar key texts, held against stellar-sdk's own reading of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Asset, Keypair, StrKey

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import ALLOWED, Network
from streampay_smoke.service.strkey import (
    address_of,
    contracts_named,
    is_address,
    is_contract,
    native_token_contract,
    seed_bytes,
    seed_text,
)


@given(st.binary(min_size=32, max_size=32))
def test_texts_agree_with_stellar_sdk(key: bytes) -> None:
    assert seed_text(key) == StrKey.encode_ed25519_secret_seed(key)
    assert address_of(key) == StrKey.encode_ed25519_public_key(key)
    assert seed_bytes(seed_text(key)) == key
    assert is_address(address_of(key))
    assert is_contract(StrKey.encode_contract(key))
    assert not is_contract(address_of(key))


@pytest.mark.parametrize("network", ALLOWED.values(), ids=ALLOWED)
def test_the_native_tokens_contract_agrees_with_stellar_sdk(network: Network) -> None:
    assert native_token_contract(network.network_id) == Asset.native().contract_id(network.passphrase)


@given(st.text(), st.binary(min_size=32, max_size=32), st.text())
def test_contracts_are_found_in_any_text_and_nothing_else_is(before: str, key: bytes, after: str) -> None:
    contract = StrKey.encode_contract(key)
    assert contract in contracts_named(f"{before} {contract}, {contract} {after}")
    assert all(map(is_contract, contracts_named(f"{before}{contract}{after} {address_of(key)} {contract[:-1]}A")))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_has_no_text(length: int) -> None:
    with pytest.raises(ValueError, match=f"32 bytes, not {length}"):
        address_of(b"x" * length)


GOOD = Keypair.from_raw_ed25519_seed(b"\7" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.public_key,
        GOOD.secret[:-1],
        GOOD.secret + "A",
        GOOD.secret[:-1] + ("A" if GOOD.secret[-1] != "A" else "B"),
        GOOD.secret.lower(),
        "1" * 56,
        "é" * 56,
    ],
    ids=["empty", "an address", "short", "long", "mistyped", "lower case", "not base32", "not ascii"],
)
def test_what_is_no_seed_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"^SMOKE_RECIPIENT_SEED is not a Stellar seed$") as caught:
        seed_bytes(text, name="SMOKE_RECIPIENT_SEED")
    assert caught.value.next_step
    assert text[:10] not in str(caught.value) or not text


@pytest.mark.parametrize(
    "text", ["", GOOD.secret, GOOD.public_key[:-1], GOOD.public_key + "A", GOOD.public_key.lower(), "1" * 56, "é" * 56]
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert not is_address(text)
