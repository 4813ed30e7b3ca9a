"""Keys in addresses: found where providers put them, and words are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampay_smoke.evidence.addresses import host_only, keys_in
from streampay_smoke.evidence.redaction import Redactor

HEX = "7f3a9c1e5b2d4f60a8c7e9d1b3f5a7c9"


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        (f"https://aged-dawn.stellar-testnet.quiknode.pro/{HEX}/", (HEX,)),
        (f"https://rpc.example/v1/{HEX}/soroban/rpc", (HEX,)),
        ("https://rpc.example/3f2a9c1e-5b2d-4f60-a8c7-e9d1b3f5a7c9", ("3f2a9c1e-5b2d-4f60-a8c7-e9d1b3f5a7c9",)),
        ("https://rpc.example/AbCdEfGhIjKlMn", ("AbCdEfGhIjKlMn",)),
        ("https://rpc.example/abcdefghijklmnopqrstuvwx", ("abcdefghijklmnopqrstuvwx",)),
        (f"https://rpc.example/rpc?apikey={HEX}&network=testnet", (HEX,)),
        ("https://rpc.example/rpc?k=a%2Fb-long-one", ("a/b-long-one",)),
        ("http://localhost:8000/rpc", ()),
        ("https://soroban-testnet.stellar.org", ()),
        ("https://rpc.example/soroban/rpc/v1/stellar-testnet-v23", ()),
        ("https://rpc.example/friendbot/Stellar.Testnet", ()),
        ("https://rpc.example/rpc?net=test", ()),
        ("http://[::1", ()),
        ("", ()),
    ],
)
def test_keys_are_found_and_words_are_none(url: str, keys: tuple[str, ...]) -> None:
    assert keys_in(url) == keys


def test_an_address_is_shown_by_its_host() -> None:
    assert host_only(f"https://u:p@rpc.example:8443/{HEX}?k={HEX}#{HEX}") == "https://rpc.example:8443"
    assert host_only("http://[::1") == host_only("no address") == ""


@given(st.text(alphabet="0123456789abcdef", min_size=16, max_size=64).filter(lambda it: not it.isalpha()))
def test_no_text_shows_a_key_once_it_is_learned(key: str) -> None:
    redactor = Redactor()
    redactor.learn(*keys_in(f"https://rpc.example/{key}/rpc"))
    assert key not in redactor.text(f"asked https://rpc.example/{key}/rpc, by https%3A%2F%2Frpc.example%2F{key}")
