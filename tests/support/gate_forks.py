"""Runs commands of the gate in forks of a process that has imported it: most of a short run is imports.

Each is a process all the same, with arguments, variables, folder and streams of its own. What has to do with how a
process starts (an installation that is broken, streams that are closed) needs one that is started anew.

As a program this is the process that forks: a line of JSON on standard input is a request, the exit code its answer.
"""

import gc
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

LOOK_SECONDS = 0.004


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`python -m PROGRAM ARGUMENTS...` in a folder; what it prints goes to two files."""

    program: str
    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    stdout: str
    stderr: str
    within_seconds: float


class Forks:
    """A process that forks for one request after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._printed = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-m", Path(__file__).stem],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._printed.cleanup()

    def run(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        within_seconds: float,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end: as `subprocess.run` does, but that one which takes too long is killed."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        stdout, stderr = (Path(self._printed.name, name) for name in ("stdout", "stderr"))
        request = Request(
            program=program,
            arguments=arguments,
            folder=str(folder),
            environ=environ,
            stdout=str(stdout),
            stderr=str(stderr),
            within_seconds=within_seconds,
        )
        with self._lock:
            asked.write(msgspec.json.encode(request) + b"\n")
            asked.flush()
            code = int(answers.readline())
            command = [sys.executable, "-m", program, *arguments]
            return subprocess.CompletedProcess(command, code, stdout.read_text(), stderr.read_text())


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Fork for each request; a fork returns from here with SystemExit, as Python itself does from `-m`."""
    programs = _imported()
    gc.freeze()  # what is there is shared with the forks, as long as nobody writes to it
    for line in requests:
        request = msgspec.json.decode(line, type=Request)
        child = os.fork()
        if not child:
            _move_to(request)
            sys.exit(programs[request.program]())
        answers.write(b"%d\n" % _ended(child, request.within_seconds))
        answers.flush()


def _imported() -> Mapping[str, Callable[[], int]]:
    """Import what runs need, and return the programs."""
    import behave.__main__  # noqa: F401 - what both need

    import streampay_sandbox
    import streampay_smoke
    from streampay_smoke.__main__ import main as streampay_smoke_main
    from streampay_smoke.runner.behave_command import main as behave_main

    for package in (streampay_smoke, streampay_sandbox):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    return {"behave": behave_main, "streampay_smoke": streampay_smoke_main}


def _move_to(request: Request) -> None:
    os.environ.clear()
    os.environ.update(request.environ)
    os.chdir(request.folder)
    opened = [os.open(request.stdout, _WRITTEN, 0o600), os.open(request.stderr, _WRITTEN, 0o600)]
    for stream, file in enumerate([os.open(os.devnull, os.O_RDONLY), *opened]):
        os.dup2(file, stream)
        os.close(file)
    sys.argv = [request.program, *request.arguments]
    sys.path[0] = request.folder


_WRITTEN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def _ended(child: int, within_seconds: float) -> int:
    ends_at = time.monotonic() + within_seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends_at:
            os.kill(child, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
