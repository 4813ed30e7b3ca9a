"""Is it this runner? Its way to the deployment, and its clock."""

import socket
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from streampay_smoke.chain.ledger_time import CLOCK_SKEW_SECONDS
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent, Exchanged, Probed
from streampay_smoke.gate.attribution import CLOCK_PROBE, EGRESS_PROBE
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.http.proxies import route_to
from streampay_smoke.run.probes.limits import PROBE_SECONDS
from streampay_smoke.service.deployment import Deployment


def egress_probe(base_url: str, baseline_url: str = "") -> Probed:
    """Find out whether this runner reaches the deployment's host, by its proxy where it has one for that host.

    Without one, a refusal is an answer of that host.

    Silence is the way's trouble, unless the stable release's host is reached at the same moment: without that
    control nobody knows whether a packet of this run ever got there.
    """
    host, port = _address(base_url)
    if route_to(base_url).proxy is not None:
        return _egress_by_proxy(base_url, baseline_url)
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


_OF_THE_HOST = frozenset({"tls", "untrusted", "body", "too large"})
_OF_THE_HOST_IN_A_TUNNEL = _OF_THE_HOST | {"reset", "timeout", "protocol"}
_GATEWAY_STATUSES = frozenset({502, 503, 504})


def _egress_by_proxy(base_url: str, baseline_url: str) -> Probed:
    """Ask the host by the proxy: its own word about the way there is no evidence without a control."""
    host, route = urlsplit(base_url).hostname, route_to(base_url)
    there, detail = _asked_by_proxy(base_url)
    if there:
        return Probed(name=EGRESS_PROBE, ok=True, detail=f"{host} is reached {route.description}")
    stable = _is_reached(baseline_url)
    control = "the stable release's host is reached" if stable else "and no stable release shows a way there"
    return Probed(
        name=EGRESS_PROBE, ok=stable, detail=f"{host} is not reached {route.description} ({detail}), {control}"
    )


def _asked_by_proxy(url: str) -> tuple[bool, str]:
    """Return whether the host itself answered, and what came in words."""
    tunnelled = urlsplit(url).scheme == "https"
    try:
        with Client(timeout_seconds=PROBE_SECONDS / 2) as client:
            reply = client.request("GET", url)
    except NoAnswer as problem:
        return problem.cause in (_OF_THE_HOST_IN_A_TUNNEL if tunnelled else _OF_THE_HOST), problem.cause
    # A gateway's status may be the proxy's own word; a service that is not ready says so in JSON.
    own = tunnelled or reply.status not in _GATEWAY_STATUSES or reply.text.lstrip().startswith("{")
    return own, f"status {reply.status}"


def _is_reached(url: str) -> bool:
    if not url:
        return False
    if route_to(url).proxy is not None:
        return _asked_by_proxy(url)[0]
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
    off = min(ahead) > CLOCK_SKEW_SECONDS or max(ahead) < -CLOCK_SKEW_SECONDS
    detail = f"ahead of the service by {ahead[0]:.0f} s, of the newest ledger by {ahead[1]:.0f} s"
    return Probed(name=CLOCK_PROBE, ok=not off, detail=detail)


def quickest_answer_seconds(evidence: Iterable[AnyEvent]) -> float | None:
    """Return how long the quickest answer took of the service, or of the ledger where that is longer; None for none."""
    quickest_ms: dict[str, int] = {}
    for event in evidence:
        if isinstance(event, Exchanged) and event.status is not None and event.peer in _ASKED:
            quickest_ms[event.peer] = min(event.duration_ms, quickest_ms.get(event.peer, event.duration_ms))
    return max(quickest_ms.values()) / 1000 if quickest_ms else None


_ASKED = frozenset({"service", "ledger"})


def service_date(deployment: Deployment) -> float | None:
    """Return what the service's Date header says, in Unix seconds."""
    try:
        deployment.readiness()
        return parsedate_to_datetime(deployment.last_headers.get("date", "")).timestamp()
    except (SmokeError, ValueError):
        return None
