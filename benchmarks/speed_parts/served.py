"""A sandbox in a process of its own, as a deployment is: its CPU and memory are its own.

Run as a program it serves one until its standard input ends, and prints the variables that point a run at it.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from speed_parts.gate import environment
from streampay_sandbox.stack import start_sandbox


@contextlib.contextmanager
def served_sandbox(close_seconds: float) -> Iterator[Mapping[str, str]]:
    """Serve a sandbox with its limits as measured; gives the variables that point a run at it."""
    folder = Path(__file__).resolve().parents[1]
    environ = {**environment(), "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "speed_parts.served", str(close_seconds)]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def main() -> None:
    """Serve until standard input ends."""
    with start_sandbox(close_seconds=float(sys.argv[1])) as sandbox:
        print(json.dumps(sandbox.ready_document()["env"]), flush=True)
        os.read(sys.stdin.fileno(), 1)


if __name__ == "__main__":
    main()
