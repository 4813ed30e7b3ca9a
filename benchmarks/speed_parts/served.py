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
from streampay_sandbox.service.limits import PER_MINUTE, TokenBuckets
from streampay_sandbox.stack import start_sandbox

BY_ADDRESS = ("challenge", "login")
"""The limits that count by address: a deployment whose callers come from several has as much for each."""


@contextlib.contextmanager
def served_sandbox(close_seconds: float, *, addresses: int = 1) -> Iterator[Mapping[str, str]]:
    """Serve a sandbox with the limits of so many addresses; gives the variables that point a run at it."""
    folder = Path(__file__).resolve().parents[1]
    environ = {**environment(), "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "speed_parts.served", str(close_seconds), str(addresses)]
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
    close_seconds, addresses = float(sys.argv[1]), int(sys.argv[2])
    per_minute = {tier: most * (addresses if tier in BY_ADDRESS else 1) for tier, most in PER_MINUTE.items()}
    buckets = TokenBuckets(per_minute) if addresses > 1 else None
    with start_sandbox(close_seconds=close_seconds, buckets=buckets) as sandbox:
        print(json.dumps(sandbox.ready_document()["env"]), flush=True)
        os.read(sys.stdin.fileno(), 1)


if __name__ == "__main__":
    main()
