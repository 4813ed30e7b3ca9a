"""Plays tasks in worker processes; a worker that dies costs its task an answer, and never the others theirs."""

import contextlib
import logging
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Generic, TypeVar

_PRELOADED = ("streampay_selftest.case_run", "streampay_selftest.corpus")
"""Imported once, by the process the workers are forked from: the sandbox costs half a second to import."""

STOP_SECONDS = 5.0

Task = TypeVar("Task")
Result = TypeVar("Result")


def played(
    tasks: Sequence[Task],
    player: Callable[[Task], Result],
    *,
    jobs: int,
    lost: Callable[[Task, str], Result],
    began: Callable[[Task], None] = lambda task: None,
) -> Generator[tuple[Task, Result]]:
    """Yield each task with its result, as they end; in the place of a result that never came, what `lost` makes of it.

    `began` is told each task that is handed to a worker.
    `player`, tasks and results travel between processes: all of them can be pickled. Leaving the iteration early ends
    the workers.
    """
    waiting = deque(tasks)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(context, player)) for _ in range(min(jobs, len(tasks)))]
        for worker in workers:
            began(waiting[0])
            worker.give(waiting.popleft())
        while busy := {worker.connection: worker for worker in workers if worker.task is not None}:
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]
                done = worker.result(lost)
                if waiting:
                    began(waiting[0])
                    worker.give(waiting.popleft())
                yield done


class _Worker(Generic[Task, Result]):
    """One process that plays a task at a time, and is replaced when it dies."""

    task: Task | None

    def __init__(self, context: "multiprocessing.context.ForkServerContext", player: Callable[[Task], Result]) -> None:
        self._context = context
        self._player = player
        self._start()

    def give(self, task: Task) -> None:
        """Hand a task over; a dead worker is found out when its result is asked for."""
        self.task = task
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def result(self, lost: Callable[[Task, str], Result]) -> tuple[Task, Result]:
        """Return the task it was given, and its result."""
        task, self.task = self.task, None
        assert task is not None
        try:
            outcome = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            died = lost(task, f"the worker died with exit code {self._process.exitcode}")
            self._start()
            return task, died
        return task, lost(task, outcome) if isinstance(outcome, str) else outcome

    def __enter__(self) -> "_Worker[Task, Result]":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        self._process.kill()

    def _start(self) -> None:
        self.task = None
        self.connection, theirs = multiprocessing.Pipe()
        self._process = self._context.Process(target=_work, args=(theirs, self._player), daemon=True)
        self._process.start()
        theirs.close()


def _work(connection: "Connection[Result | str, Task]", player: Callable[[Task], Result]) -> None:
    """Play what comes until the other end is closed; what goes wrong in a task is told as text."""
    logging.disable(logging.CRITICAL)  # a sandbox that is stopped logs each request that is still under way
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked for the work ends it
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(EOFError):
        while True:
            task = connection.recv()
            try:
                connection.send(player(task))
            except Exception as problem:  # noqa: BLE001 - whatever it is, the task has no result and the run goes on
                connection.send(f"{type(problem).__name__}: {problem}")


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
