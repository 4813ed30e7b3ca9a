"""What is opened one time in a run, and what comes of it: a value, or a failure."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, cast, overload

from streampay_smoke.core.errors import SmokeError

T = TypeVar("T")


class Opening(Protocol):
    """Keeps what was opened, and what failed to open, by name."""

    opened: dict[str, Any]
    failures: dict[str, SmokeError]


class once(Generic[T]):  # noqa: N801 - reads as the decorator it is
    """A property that is computed one time in a run: a failure is remembered like a value.

    What was waited for in vain is not waited for again by every scenario.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: Opening, owner: type) -> T: ...

    def __get__(self, instance: Opening | None, owner: type) -> "Self | T":
        """Return the value, computing it first where needed; raises what it raised before."""
        if instance is None:
            return self
        if self._name in instance.failures:
            raise instance.failures[self._name].with_traceback(None)
        if self._name not in instance.opened:
            try:
                instance.opened[self._name] = self._compute(instance)
            except SmokeError as error:
                instance.failures[self._name] = error
                raise
        return cast("T", instance.opened[self._name])
