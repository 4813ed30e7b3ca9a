"""Values in words, as evidence and messages show them: never as Python writes them."""

from collections.abc import Mapping, Set
from typing import Any

NOTHING = "nothing"
"""An empty text, an empty collection, or no value at all."""


def in_words(value: Any) -> str:
    """Return a value in words: the members of a collection with commas, a set's in order, a mapping's with names."""
    if isinstance(value, str):
        return value or NOTHING
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{in_words(name)}: {in_words(each)}" for name, each in value.items()) or NOTHING
    if isinstance(value, Set):
        return ", ".join(sorted(map(in_words, value))) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or NOTHING
    return str(value)
