"""A secret value that cannot be shown by accident."""

import msgspec


class Secret(msgspec.Struct, frozen=True):
    """Wraps a secret; only `reveal()` gives it away."""

    _value: str

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__
