"""Starts behave in forks of a process that has imported it: a suite that is refused is refused sooner that way.

As a program it is that process: a line of JSON on its standard input is a request, the exit code its answer.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Self

import msgspec

LOOK_SECONDS = 0.004


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`behave ARGUMENTS...` in a folder; what it prints goes to the file `output` there."""

    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    within_seconds: float


class Forks:
    """A process that forks for one request after the other; one for each thread that asks."""

    def __enter__(self) -> Self:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mutators.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    def behave(self, request: Request) -> int:
        """Run it to its end; return its exit code (negative for a signal)."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(msgspec.json.encode(request) + b"\n")
        asked.flush()
        return int(answers.readline())


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Fork for each request; a fork returns from here with SystemExit, as Python itself does from `-m behave`."""
    from behave.__main__ import main

    import streampay_smoke.runner.runner  # noqa: F401 - what every fork needs

    for line in requests:
        request = msgspec.json.decode(line, type=Request)
        child = os.fork()
        if not child:
            _move_to(request)
            sys.exit(main(list(request.arguments)))
        answers.write(b"%d\n" % _ended(child, request.within_seconds))
        answers.flush()


def _move_to(request: Request) -> None:
    os.environ.clear()
    os.environ.update(request.environ)
    os.chdir(request.folder)
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(file, stream)
    sys.argv = ["behave", *request.arguments]
    sys.path[0] = request.folder


def _ended(child: int, within_seconds: float) -> int:
    ends_at = time.monotonic() + within_seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends_at:
            os.kill(child, 9)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
