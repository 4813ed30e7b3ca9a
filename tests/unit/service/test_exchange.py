"""How exchanges are shown: enough to understand a failure, nothing that is a secret or somebody's business."""

import json
from typing import Any

import pytest

from streampay_smoke.service.exchange import MAX_SHOWN_CHARACTERS, Answer, parsed, shown_body, shown_message

ISSUER = "G" + "A" * 55


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-API-Key", "x-csrf-token", "Set-Cookie", "proxy-authorization"]
)
def test_secret_headers_are_hidden(name: str) -> None:
    shown = shown_message("GET /", [(name, "hunter2"), ("x-plain", "seen")], "")
    assert shown == f"GET /\n{name}: <redacted>\nx-plain: seen"


def test_a_message_has_start_line_head_and_body() -> None:
    assert shown_message("HTTP 200", [("a", "1")], '{"b": 2}') == 'HTTP 200\na: 1\n\n{"b":2}'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signature", "c2ln"),
        ("token", "tok_abc"),
        ("token", "eyJhbGciOiJIUzI1NiJ9.e30.x"),
        ("access_token", "abc"),
        ("refreshToken", "abc"),
        ("csrf-token", "abc"),
        ("apiKey", "abc"),
        ("seed", "abc"),
        ("password", 12345),
        ("email", "ada@example.org"),
        ("memo", "rent"),
        ("partnerId", "p-1"),
    ],
)
def test_secret_and_private_fields_are_hidden_at_any_depth(field: str, value: Any) -> None:
    shown = shown_body(json.dumps({"data": [{field: value, "id": "s1"}]}))
    assert json.loads(shown) == {"data": [{field: "<redacted>", "id": "s1"}]}


@pytest.mark.parametrize(
    "document",
    [
        {"token": "XLM"},
        {"token": f"USDC:{ISSUER}"},
        {"token": None},
        {"token": {"code": "XLM"}},
        {"signature": None, "seed": True},
        {"d": 1, "k": 2},
        [1, "two", None],
    ],
)
def test_what_is_neither_stays(document: Any) -> None:
    assert json.loads(shown_body(json.dumps(document))) == document


def test_key_material_of_a_published_key_is_hidden() -> None:
    shown = json.loads(shown_body('{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "current"}]}'))
    assert shown == {"keys": [{"kty": "oct", "k": "<redacted>", "kid": "current"}]}


def test_a_secret_in_a_body_that_is_no_json_is_hidden() -> None:
    assert shown_body('{"access_token": "abcdefghijklmnop", "cut') == '{"access_token": "<redacted>", "cut'
    assert shown_body("plain words") == "plain words"


def test_heads_and_bodies_are_bounded() -> None:
    shown = shown_message("HTTP 200", [("a", "x " * 4500)], "y " * 4500)
    assert len(shown) < 2 * MAX_SHOWN_CHARACTERS + 200
    assert f"… ({9000 - MAX_SHOWN_CHARACTERS} more characters)" in shown


def test_a_cut_makes_no_half_of_a_secret() -> None:
    words = "y " * (MAX_SHOWN_CHARACTERS // 2 - 5)
    shown = shown_body(f"{words}{'k3Y' * 10} and more")
    assert "k3Y" in shown_message("HTTP 200", [], shown[-40:])
    assert "k3Y" not in shown_message("HTTP 200", [], shown)


@pytest.mark.parametrize("text", ["", "<html>", "{", "NaN", '{"a": Infinity}', "[" * 100_000])
def test_what_is_no_json_parses_to_none(text: str) -> None:
    assert parsed(text) is None


def test_an_answer_shows_no_body_in_its_repr() -> None:
    answer = Answer(
        method="GET",
        path="/a",
        status=200,
        headers={"set-cookie": "hunter2"},
        body_text="hunter2",
        json="hunter2",
        request_id="r1",
        release="",
        simulated=False,
        duration_ms=1,
    )
    assert repr(answer) == "Answer(GET /a -> 200, request_id='r1')"
