"""Is it this runner? Its way to the deployment, and its clock."""

import socket
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import Probed
from streampay_smoke.gate.attribution import CLOCK_PROBE, EGRESS_PROBE
from streampay_smoke.run.probes.limits import CLOCK_SECONDS, PROBE_SECONDS
from streampay_smoke.service.deployment import Deployment


def egress_probe(base_url: str, baseline_url: str = "") -> Probed:
    """Find out whether this runner reaches the deployment's host; a refusal is an answer of that host.

    Silence is the way's trouble, unless the stable release's host is reached at the same moment: without that
    control nobody knows whether a packet of this run ever got there.
    """
    host, port = _address(base_url)
    began_seconds = time.monotonic()
    try:
        _connect(host, port)
        took_ms = round((time.monotonic() - began_seconds) * 1000, 1)
    except ConnectionRefusedError:
        return Probed(name=EGRESS_PROBE, ok=True, detail=f"{host} refuses connections on port {port}")
    except socket.gaierror as problem:
        return Probed(name=EGRESS_PROBE, ok=False, detail=f"{host} does not resolve here: {problem.strerror}")
    except OSError as problem:
        stable = _is_reached(baseline_url)
        control = "the stable release's host is reached" if stable else "and no stable release shows a way there"
        return Probed(name=EGRESS_PROBE, ok=stable, detail=f"{host} is silent ({problem}), {control}")
    detail = f"{host} accepts connections on port {port}"
    return Probed(name=EGRESS_PROBE, ok=True, detail=detail, took_ms=took_ms)


def _is_reached(url: str) -> bool:
    if not url:
        return False
    try:
        _connect(*_address(url))
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=PROBE_SECONDS / 2).close()


def clock_probe(service_seconds: float | None, ledger_seconds: float | None) -> Probed:
    """Compare this runner's clock with the service's and the ledger's (Unix seconds, None where unknown)."""
    if service_seconds is None or ledger_seconds is None:
        return Probed(name=CLOCK_PROBE, ok=None, detail="the service or the ledger does not tell the time")
    now = time.time()
    ahead = (now - service_seconds, now - ledger_seconds)
    off = min(ahead) > CLOCK_SECONDS or max(ahead) < -CLOCK_SECONDS
    detail = f"ahead of the service by {ahead[0]:.0f} s, of the newest ledger by {ahead[1]:.0f} s"
    return Probed(name=CLOCK_PROBE, ok=not off, detail=detail)


def service_date(deployment: Deployment) -> float | None:
    """Return what the service's Date header says, in Unix seconds."""
    try:
        deployment.readiness()
        return parsedate_to_datetime(deployment.last_headers.get("date", "")).timestamp()
    except (SmokeError, ValueError):
        return None
