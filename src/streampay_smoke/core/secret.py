"""A secret value that cannot be shown by accident."""

import re

import msgspec

_WORD = re.compile(r"[\w.@+-][\w .@+-]{0,38}", re.ASCII)


class Secret(msgspec.Struct, frozen=True):
    """Wraps a secret; only `reveal()` gives it away."""

    _value: str

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__


class SecretAddress(Secret, frozen=True):
    """An address that is a secret as a whole; only its host may be shown."""


def secrets_of(settings: msgspec.Struct) -> tuple[Secret, ...]:
    """Return every secret in the fields of a struct, those in its dicts too."""
    held = (getattr(settings, name) for name in settings.__struct_fields__)
    values = (each for value in held for each in (value.values() if isinstance(value, dict) else (value,)))
    return tuple(value for value in values if isinstance(value, Secret))


def quoted(given: str) -> str:
    """Return a value for a message: a word as it is, and of anything else only how long it is.

    People paste addresses and tokens into the wrong variable.
    """
    return repr(given) if _WORD.fullmatch(given) else f"a text of {len(given)} characters, which is not shown"
