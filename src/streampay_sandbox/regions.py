"""Regions of the sandbox: a StreamPay and a ledger for each, as far away as it is said to be.

Each has a contract of its own, too. Ten deployments that create streams on one contract in the same ledger take each
other's numbers, and most of them would have to wait for a later one.
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from streampay_sandbox.stack import start_sandbox, stoppable, write_private


class Regions(contextlib.AbstractContextManager["Regions"]):
    """Serves from its making to the end of a `with` block. `environs` are the variables that point a run at each."""

    def __init__(
        self, latencies_ms: Mapping[str, int], *, close_seconds: float, faults: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.environs: dict[str, dict[str, str]] = {}
        with contextlib.ExitStack() as running:
            for name, latency_ms in latencies_ms.items():
                own_faults = [fault for region, fault in faults if region == name]
                sandbox = running.enter_context(
                    start_sandbox(close_seconds=close_seconds, faults=own_faults, latency_seconds=latency_ms / 1000)
                )
                environ: dict[str, str] = sandbox.ready_document()["env"]
                # The run's environment is another.
                self.environs[name] = {key: value for key, value in environ.items() if key != "SMOKE_ENV"}
            self._running = running.pop_all()

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def ready_document(self) -> dict[str, Any]:
        """Return the variables of each region; they hold secrets, which are made anew at each start."""
        return {"regions": self.environs}


def serve(
    *,
    ready_file: Path,
    latency: list[tuple[str, int]],
    fault: list[tuple[str, str]],
    close_seconds: float,
    until_stdin_ends: bool,
) -> None:
    """Serve regions until SIGTERM, SIGINT or SIGHUP; `ready_file` gets the ready document, and goes away at the end.

    `until_stdin_ends` ends it with the process that holds the other end of its standard input, too.
    """
    with stoppable() as wait, Regions(dict(latency), close_seconds=close_seconds, faults=fault) as regions:
        try:
            write_private(ready_file, msgspec.json.format(msgspec.json.encode(regions.ready_document())))
            sys.stdout.write(f"regions: {len(latency)} StreamPays (all simulated)\n")
            sys.stdout.flush()
            if until_stdin_ends:
                threading.Thread(target=_end_with_stdin, daemon=True).start()
            wait()
        finally:
            ready_file.unlink(missing_ok=True)


def _end_with_stdin() -> None:
    while os.read(0, 4096):  # not by sys.stdin: its lock, held by a thread, is an error at the end of Python
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _latency(text: str) -> tuple[str, int]:
    name, _, latency_ms = text.partition("=")
    return name, int(latency_ms)


def _fault(text: str) -> tuple[str, str]:
    region, _, name = text.partition("=")
    return region, name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=serve.__doc__)
    parser.add_argument("--ready-file", type=Path, required=True, metavar="FILE")
    parser.add_argument("--latency", type=_latency, action="append", required=True, metavar="REGION=MS")
    parser.add_argument("--fault", type=_fault, action="append", default=[], metavar="REGION=FAULT")
    parser.add_argument("--close-seconds", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--until-stdin-ends", action="store_true")
    serve(**vars(parser.parse_args()))
