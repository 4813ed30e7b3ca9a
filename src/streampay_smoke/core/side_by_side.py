"""Calls that wait for answers, made at the same time."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Returned = TypeVar("Returned")


def side_by_side(calls: Sequence[Callable[[], Returned]]) -> tuple[Returned, ...]:
    """Make all calls at the same time and return what they return, in their order.

    Raises what the first of them raises that fails, once all have ended. Who is interrupted here leaves them behind:
    each ends by itself, and none keeps the process from ending.
    """
    running = [_Running(call) for call in calls]
    for each in running:
        each.thread.join()
    return tuple(each.returned() for each in running)


class _Running(Generic[Returned]):
    def __init__(self, call: Callable[[], Returned]) -> None:
        self._call = call
        self._returned: list[Returned] = []
        self._raised: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="side by side", daemon=True)
        self.thread.start()

    def returned(self) -> Returned:
        if self._raised is not None:
            raise self._raised
        return self._returned[0]

    def _run(self) -> None:
        try:
            self._returned.append(self._call())
        except BaseException as problem:  # noqa: BLE001 - it is raised where it was asked for
            self._raised = problem
