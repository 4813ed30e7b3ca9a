"""JSON-RPC parameters: read with their types, refused as the real server refuses them."""

from collections.abc import Mapping
from typing import Any, Final

INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603


class RpcError(Exception):
    """An answer that is a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Parameters:
    """The named parameters of one call."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; raises RpcError where it is missing or no string."""
        return self._typed(name, str, default)  # type: ignore[no-any-return]

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number; raises RpcError."""
        return self._typed(name, int, default)  # type: ignore[no-any-return]

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean; raises RpcError."""
        return self._typed(name, bool, default)  # type: ignore[no-any-return]

    def items(self, name: str) -> list[Any]:
        """Return a list, empty where it is missing; raises RpcError."""
        return self._typed(name, list, [])  # type: ignore[no-any-return]

    def inner(self, name: str) -> "Parameters":
        """Return an object's fields, none where it is missing; raises RpcError."""
        return Parameters(self._typed(name, dict, {}))

    def has(self, name: str) -> bool:
        """Whether a parameter was given."""
        return self._values.get(name) is not None

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise RpcError(INVALID_PARAMS, f"invalid parameters: {name} is required")
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RpcError(INVALID_PARAMS, f"invalid parameters: {name} must be of type {kind.__name__}")
        return value
