"""Secrets of every known shape, and every secret the redactor was told of, are gone; the rest stays."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streampay_smoke.core.secret_shapes import REDACTED
from streampay_smoke.evidence.redaction import Redactor

SEED = "S" + "A2B3C4D5E6F7" * 4 + "GHIJKLM"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXBhcnQ"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"seed {SEED} used", SEED),
        (f"token {JWT}", JWT),
        (f"unsigned {JWT.rsplit('.', 1)[0]}.", JWT.rsplit(".", 1)[0]),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("authorization: basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("ApiKey k-123456789", "k-123456789"),
        ("tok_R0FCQ0RFRkdISUpLTE1OT1BR", "tok_R0FCQ0RFRkdISUpLTE1OT1BR"),
        ("https://user:hunter22@host/path", "user:hunter22"),
        ("https://host/path?token=abcdef123&x=1", "abcdef123"),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----", "MC4CAQ"),
    ],
)
def test_known_shapes_are_redacted(text: str, secret: str) -> None:
    redacted = Redactor().text(text)
    assert secret not in redacted
    assert REDACTED in redacted


@pytest.mark.parametrize(
    "text",
    [
        "ab" * 32,
        "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF",
        "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM",
        "https://host:8000/rpc?limit=20",
        "the bearer of bad news",
        '{"token":"XLM","rate":"0.7777777"}',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


@given(st.text(min_size=8, max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_it_was_told_of_never_gets_through(secret: str, before: str, after: str) -> None:
    assume(secret not in REDACTED)
    redactor = Redactor()
    redactor.learn(secret)
    assert secret not in redactor.text(f"{before}{secret}{after}").replace(REDACTED, "")


def test_a_known_secret_is_found_in_its_other_forms() -> None:
    redactor = Redactor()
    redactor.learn("p@ss/word!")
    text = f"{quote('p@ss/word!', safe='')} {base64.b64encode(b'p@ss/word!').decode()}"
    assert redactor.text(text).startswith(f"{REDACTED} {REDACTED}")


def test_the_longer_of_two_secrets_goes_first() -> None:
    redactor = Redactor()
    redactor.learn("abcdefgh")
    redactor.learn("abcdefghijkl")
    assert redactor.text("abcdefghijkl") == REDACTED


@pytest.mark.parametrize("harmless", ["", None, "short"])
def test_what_is_too_short_to_be_a_secret_is_not_learned(harmless: str | None) -> None:
    redactor = Redactor()
    redactor.learn(harmless)
    assert redactor.text("a short text") == "a short text"


def test_structures_keep_their_shape_and_their_keys() -> None:
    redactor = Redactor()
    redactor.learn("statuses")
    assert redactor.value({"statuses": ["statuses", 1, None, ("x", True)]}) == {
        "statuses": [REDACTED, 1, None, ["x", True]]
    }


def test_a_text_that_was_clean_is_looked_at_again_once_a_secret_is_learnt() -> None:
    redactor = Redactor()
    text = "the key is 7Gh2-pQ9z-Kd31-Xw8v"
    assert [redactor.text(text), redactor.text(text)] == [text, text]
    redactor.learn("7Gh2-pQ9z-Kd31-Xw8v")
    assert [redactor.text(text), redactor.text(text)] == [f"the key is {REDACTED}"] * 2
    assert redactor.value({"a": [text]}) == {"a": [f"the key is {REDACTED}"]}
