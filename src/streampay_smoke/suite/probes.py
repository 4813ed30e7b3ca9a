"""Control probes, made beside a failure: is it the ledger, is it this runner, or is it the release?

Each probe asks something the failed check did not depend on. What they find is evidence; the rules that use it
are in `streampay_smoke.gate.attribution`.
"""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from streampay_smoke.chain.adapter import ContractMissing
from streampay_smoke.errors import SmokeError
from streampay_smoke.evidence.events import Probed
from streampay_smoke.gate.attribution import CONTRACT_PROBE, DEPENDENCY_REPORT_PROBE, EGRESS_PROBE, LEDGER_PROBE
from streampay_smoke.http import NoAnswer, new_client
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.surroundings import Surroundings

PROBE_SECONDS = 3.0
"""Limit of one probe."""


def control_probes(surroundings: Surroundings) -> Iterator[Probed]:
    """Make every probe once."""
    ledger = ledger_probe(surroundings.settings.rpc_url)
    yield ledger
    yield egress_probe(surroundings.settings.base_url, ledger)
    yield dependency_report_probe(surroundings.deployment)
    yield contract_probe(surroundings)


def ledger_probe(rpc_url: str) -> Probed:
    """Ask the ledger's RPC for its health, past the service and past the SDK."""
    if not rpc_url:
        return Probed(name=LEDGER_PROBE, ok=None, detail="no RPC is configured")
    call = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    try:
        with new_client(timeout_seconds=PROBE_SECONDS) as client:
            reply = client.request("POST", rpc_url, json=call)
    except NoAnswer as problem:
        return Probed(name=LEDGER_PROBE, ok=False, detail=str(problem))
    healthy = reply.status == 200 and '"healthy"' in reply.text
    return Probed(name=LEDGER_PROBE, ok=healthy, detail=f"getHealth answered {reply.status}: {reply.text[:200]}")


def egress_probe(base_url: str, ledger: Probed) -> Probed:
    """Find out whether this runner reaches the deployment's host; a refusal is an answer of that host.

    A host that keeps silent is the runner's trouble only when the ledger, elsewhere, is silent too.
    """
    host = urlsplit(base_url).hostname or ""
    port = urlsplit(base_url).port or (443 if base_url.startswith("https:") else 80)
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except ConnectionRefusedError:
        return Probed(name=EGRESS_PROBE, ok=True, detail=f"{host} refuses connections on port {port}")
    except socket.gaierror as problem:
        return Probed(name=EGRESS_PROBE, ok=False, detail=f"{host} does not resolve here: {problem.strerror}")
    except OSError as problem:
        return Probed(name=EGRESS_PROBE, ok=ledger.ok is True, detail=f"{host} is silent: {problem}")
    return Probed(name=EGRESS_PROBE, ok=True, detail=f"{host} accepts connections on port {port}")


def contract_probe(surroundings: Surroundings) -> Probed:
    """Look the expected contract up on the ledger, past the service."""
    try:
        functions = surroundings.ledger.chain.spec(surroundings.settings.contract_id)
    except ContractMissing as problem:
        return Probed(name=CONTRACT_PROBE, ok=False, detail=str(problem))
    except SmokeError as problem:
        return Probed(name=CONTRACT_PROBE, ok=None, detail=f"the ledger could not be asked: {problem}")
    return Probed(name=CONTRACT_PROBE, ok=True, detail=f"it is there, with {len(functions)} functions")


def dependency_report_probe(deployment: Deployment) -> Probed:
    """Ask the service about its own dependencies, the ledger left out."""
    try:
        readiness = deployment.readiness()
    except Exception as problem:  # noqa: BLE001 - a probe reports whatever stopped it
        return Probed(name=DEPENDENCY_REPORT_PROBE, ok=None, detail=f"{type(problem).__name__}: {problem}")
    if not readiness.genuine:
        return Probed(name=DEPENDENCY_REPORT_PROBE, ok=False, detail=readiness.not_genuine_because)
    degraded = [
        f"{name}: {report.status} {report.message}".strip()
        for name, report in readiness.dependencies.items()
        if name != "stellar" and report.status != "ok"
    ]
    return Probed(name=DEPENDENCY_REPORT_PROBE, ok=not degraded, detail="; ".join(degraded) or "all others are ok")
