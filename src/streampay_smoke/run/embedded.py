"""The only way from the gate to the sandbox: started inside this process, served, or started as a fleet.

Everything is imported when it is called: a run against a deployment never pays for the sandbox.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streampay_sandbox.fleet import Fleet
    from streampay_sandbox.stack import Sandbox


CONTRACT_PROFILES = ("streampay-stream", "streampay-contracts-v0.2")
"""The contracts of the sandbox that a run can be pointed at, by the names of their profiles."""


def start_sandbox(contract_profile: str) -> "Sandbox":
    """Start a ledger and a StreamPay on it in this process; stops at the end of a `with` block or by `stop()`.

    A run of a profile that the sandbox has no contract of meets the usual one, and finds that it is another.
    """
    from streampay_sandbox import stack

    known = contract_profile in CONTRACT_PROFILES
    return stack.start_sandbox(contract_profile=contract_profile if known else CONTRACT_PROFILES[0])


def start_fleet(stable: str) -> "Fleet":
    """Start a fleet with the release STABLE live, for a rollback drill; stops like `start_sandbox`."""
    from streampay_sandbox.fleet import Fleet

    return Fleet(stable)


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
    contract_file: Path | None = None,
    contract_profile: str,
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
        contract_profile=contract_profile,
    )
