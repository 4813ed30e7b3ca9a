"""The deployments that probes ask: with little patience, and the stable one under a name of its own."""

from msgspec.structs import replace

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Probed, Recorder
from streampay_smoke.run.probes.limits import PROBE_SECONDS
from streampay_smoke.service.deployment import Deployment

STABLE_PEER = "stable"
"""The peer that exchanges with the stable release are recorded under: they say nothing of the one that is judged."""


def at_candidate(run_context: RunContext, record: Recorder) -> Deployment:
    """Return the deployment that is judged, with connections of its own; nothing is sent."""
    return _probing(run_context, run_context.settings.base_url, record)


def at_stable(run_context: RunContext, record: Recorder) -> Deployment:
    """Return the stable release, which must be named; nothing is sent."""
    return _probing(run_context, run_context.settings.baseline_url, as_stable(record), stable=True)


def no_stable(name: str) -> Probed:
    """Return what a probe says where no stable release is named."""
    return Probed(name=name, ok=None, detail="SMOKE_BASELINE_URL names no stable release")


def _probing(run_context: RunContext, base_url: str, record: Recorder, *, stable: bool = False) -> Deployment:
    return run_context.deployment_at(
        base_url, record=record, timeout_seconds=PROBE_SECONDS, throttle_seconds=0.0, stable=stable
    )


def as_stable(record: Recorder) -> Recorder:
    """Return a recorder of what is asked of the stable release: nothing it says passes for the one that is judged."""

    def under_its_own_name(event: AnyEvent) -> None:
        if isinstance(event, Exchanged | Awaiting):
            record(replace(event, peer=STABLE_PEER))

    return under_its_own_name
