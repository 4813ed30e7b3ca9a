"""The only way from the gate to the sandbox: started inside this process, served, or started as a fleet.

Everything is imported when it is called: a run against a deployment never pays for the sandbox.
"""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid

if TYPE_CHECKING:
    import subprocess

    from streampay_sandbox.fleet import Fleet
    from streampay_sandbox.stack import Sandbox

REGIONS_START_SECONDS = 60.0
REGIONS_STOP_SECONDS = 10.0


def start_sandbox(contract_profile: str) -> "Sandbox":
    """Start a ledger and a StreamPay on it in this process; stops at the end of a `with` block or by `stop()`.

    Raises SettingsInvalid for a profile that the sandbox has no contract of.
    """
    from streampay_sandbox import stack

    return stack.start_sandbox(contract_profile=contract_profile)


def start_fleet(stable: str) -> "Fleet":
    """Start a fleet with the release STABLE live, for a rollback drill; stops like `start_sandbox`."""
    from streampay_sandbox.fleet import Fleet

    return Fleet(stable)


@contextlib.contextmanager
def start_canary(contract_profile: str, *, weight: float, faults: Sequence[str]) -> Iterator[dict[str, str]]:
    """Start two releases of the sandbox behind one address, and give the variables that point a run at them.

    The candidate has the faults, and `weight` percent of the traffic; 0 for none but what a header leads to it.
    Raises SettingsInvalid for a fault nobody knows, and for a profile that the sandbox has no contract of.
    """
    from streampay_sandbox.fleet import canary_fleet
    from streampay_sandbox.stack import refuse_unknown_profile

    refuse_unknown_profile(contract_profile)
    with canary_fleet(faults=faults, weight=weight) as fleet:
        yield {**fleet.environ(contract_profile=contract_profile), **fleet.canary_environ(by_weight=bool(weight))}


@contextlib.contextmanager
def start_regions(
    latencies_ms: Mapping[str, int], faults: Mapping[str, Sequence[str]], close_seconds: float, place: Path
) -> Iterator[dict[str, Any]]:
    """Start regions of the sandbox, and give the variables that point a run at each.

    They share as many processes as there are cores: one Python process uses one core, and many regions would wait for
    it. `place` is a folder for their ready files. Raises SettingsInvalid where they do not start.
    """
    import os  # a run of one deployment has no use for these
    import subprocess

    names, processes = list(latencies_ms), min(os.cpu_count() or 1, len(latencies_ms))
    started: dict[Path, subprocess.Popen[bytes]] = {}
    with contextlib.ExitStack() as running:
        for number in range(processes):
            own = names[number::processes]
            ready_file = place / f"sandbox-{number}.json"
            command = [sys.executable, "-m", "streampay_sandbox.regions", "--ready-file", str(ready_file)]
            command += [f"--latency={name}={latencies_ms[name]}" for name in own]
            command += [f"--fault={name}={fault}" for name in own for fault in faults.get(name, ())]
            command += ["--close-seconds", f"{close_seconds:g}", "--until-stdin-ends"]
            # In a session of its own: a terminal's Ctrl-C ends the runs first, which clean up with its help.
            process = running.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
            )
            running.callback(_stop_regions, process)
            started[ready_file] = process
        running.callback(_terminate, started.values())  # before the first is waited for: they end side by side
        environs: dict[str, Any] = {}
        for ready_file, process in started.items():
            environs |= _ready_regions(process, ready_file)
        yield environs


def _terminate(processes: "Iterable[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        process.terminate()


def _stop_regions(process: "subprocess.Popen[bytes]") -> None:
    import subprocess

    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(REGIONS_STOP_SECONDS)
    process.kill()


def _ready_regions(process: "subprocess.Popen[bytes]", ready_file: Path) -> dict[str, Any]:
    until = time.monotonic() + REGIONS_START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            regions: dict[str, Any] = msgspec.json.decode(ready_file.read_bytes())["regions"]
            return regions
        time.sleep(0.05)
    raise SettingsInvalid(
        f"the regions of the sandbox did not start within {REGIONS_START_SECONDS:g} s",
        next_step="see what it printed, and whether the machine is overloaded",
    )


def faults_of_the_sandbox() -> dict[str, dict[str, str]]:
    """Return the story of every fault by its name, by how bad it is, the worst first."""
    from streampay_sandbox.fault import Severity
    from streampay_sandbox.faults import FAULTS

    return {
        severity: {name: fault.story for name, fault in FAULTS.items() if fault.severity is severity}
        for severity in Severity
    }


def serve_sandbox(
    *,
    ready_file: Path | None,
    port: int,
    rpc_port: int,
    close_seconds: float,
    faults: Sequence[str],
    rpc_version: str | None,
    contract_file: Path | None,
    contract_profile: str | None,
) -> None:
    """Serve the sandbox until SIGTERM or SIGINT; see `streampay_sandbox.stack.serve`."""
    from streampay_sandbox import stack
    from streampay_sandbox.wire_versions import DEFAULT_WIRE_VERSION

    stack.serve(
        ready_file=ready_file,
        port=port,
        rpc_port=rpc_port,
        close_seconds=close_seconds,
        faults=faults,
        rpc_version=rpc_version or DEFAULT_WIRE_VERSION,
        contract_file=contract_file,
        contract_profile=contract_profile or stack.STREAM_CONTRACT,
    )
