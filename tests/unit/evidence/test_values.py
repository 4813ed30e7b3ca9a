"""Values are shown in words, never as Python writes them."""

from typing import Any

import pytest

from streampay_smoke.evidence.values import in_words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("draft", "draft"),
        ("", "nothing"),
        (None, "nothing"),
        (True, "yes"),
        (3, "3"),
        ([], "nothing"),
        (["a", "b"], "a, b"),
        (("draft", ""), "draft, nothing"),
        ({"b", "a"}, "a, b"),
        ({"API v1": {"b", "a"}, "API v2": set()}, "API v1: a, b; API v2: nothing"),
    ],
)
def test_a_value_in_words(value: Any, words: str) -> None:
    assert in_words(value) == words
