"""Stories drawn cheaply: hypothesis pays for each draw, so that a story is read off one draw of bytes."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as some

Item = TypeVar("Item")
Story = TypeVar("Story")


class Dice:
    """Bytes to choose by; zeros, to which hypothesis shrinks, choose the first of everything."""

    def __init__(self, thrown: bytes) -> None:
        self._thrown = thrown
        self._next = 0

    def number(self, below: int) -> int:
        """Return a number from 0 to `below` - 1, all about as likely."""
        width = (below.bit_length() + 15) // 8
        taken = self._thrown[self._next : self._next + width]
        self._next += width
        return int.from_bytes(taken, "big") % below

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of `items`; one that stands in it twice is twice as likely."""
        return items[self.number(len(items))]

    def several(self, make: Callable[[], Item], at_most: int) -> list[Item]:
        """Return up to `at_most` of something."""
        return [make() for _ in range(self.number(at_most + 1))]


def drawn(make: Callable[[Dice], Story], *, size: int = 64) -> some.SearchStrategy[Story]:
    """Return the strategy of stories that `make` reads off at most `size` bytes."""
    return some.binary(min_size=size, max_size=size).map(lambda thrown: make(Dice(thrown)))
