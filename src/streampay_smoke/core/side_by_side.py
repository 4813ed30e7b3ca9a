"""Calls that wait for answers, made at the same time, while the thread that makes them keeps all notes."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Returned = TypeVar("Returned")


def side_by_side(calls: Sequence[Callable[[], Returned]], take: Callable[[Any], object]) -> tuple[Returned, ...]:
    """Make all calls at the same time and return what they return, in their order; see `as_they_end`.

    Raises what the first of them raises that fails, once all have ended. Who is interrupted here leaves them behind:
    each ends by itself, and none keeps the process from ending.
    """
    ended = dict(as_they_end(calls, take))
    return tuple(ended[at]() for at in range(len(calls)))


def as_they_end(
    calls: Sequence[Callable[[], Returned]], take: Callable[[Any], object], *, at_once: int = 0
) -> Iterator[tuple[int, Callable[[], Returned]]]:
    """Make calls, `at_once` or all at the same time; yield the place of each as it ends, and how it ended.

    What they hand over is taken in the thread that calls this, one item after the other.
    """
    handed: SimpleQueue[Any] = SimpleQueue()
    waiting = iter(enumerate(calls))
    under_way = 0
    for at, call in itertools.islice(waiting, at_once or len(calls)):
        _Running(at, call, handed)
        under_way += 1
    while under_way:
        item = handed.get()
        if not isinstance(item, _Running):
            take(item)
            continue
        under_way -= 1
        for at, call in itertools.islice(waiting, 1):
            _Running(at, call, handed)
            under_way += 1
        yield item.at, item.returned


def hand_over(item: Any) -> bool:
    """Hand something over to the thread that makes this call beside others; False where there is no such thread."""
    handed = _thread.handed
    if handed is not None:
        handed.put(item)
    return handed is not None


class _Thread(threading.local):
    handed: "SimpleQueue[Any] | None" = None


_thread = _Thread()


class _Running(Generic[Returned]):
    """One call in a thread of its own; it is put where things are handed over when it has ended."""

    def __init__(self, at: int, call: Callable[[], Returned], handed: SimpleQueue[Any]) -> None:
        self.at = at
        self._call = call
        self._handed = handed
        self._returned: list[Returned] = []
        self._raised: BaseException | None = None
        threading.Thread(target=self._run, name="side by side", daemon=True).start()

    def returned(self) -> Returned:
        if self._raised is not None:
            raise self._raised
        return self._returned[0]

    def _run(self) -> None:
        _thread.handed = self._handed
        try:
            self._returned.append(self._call())
        except BaseException as problem:  # noqa: BLE001 - it is raised where it was asked for
            self._raised = problem
        self._handed.put(self)
