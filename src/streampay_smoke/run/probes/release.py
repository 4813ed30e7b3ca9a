"""Is it the release? Its own report of its dependencies, and the stable release, asked the same."""

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import Probed, Recorder
from streampay_smoke.gate.attribution import (
    DEPENDENCY_REPORT_PROBE,
    NAMED_DEPENDENCY_PROBE,
    STABLE_PROBE,
    STABLE_READY_PROBE,
)
from streampay_smoke.run.probes.deployments import at_stable, no_stable
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.records import LEDGER_DEPENDENCY
from streampay_smoke.service.replay import NO_ANSWER, ObservedRequest

SERVICE_UNAVAILABLE = 503
"""How a service that is not ready answers."""

OWN_REPORT = "config"
"""What the service reports of itself, among what it reports of others."""


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
        if name != LEDGER_DEPENDENCY and report.status != "ok"
    ]
    return Probed(name=DEPENDENCY_REPORT_PROBE, ok=not degraded, detail="; ".join(degraded) or "all others are ok")


def named_dependency_probe(deployment: Deployment) -> Probed:
    """Ask the service whether it is ready; not ok where it is not, and names something it stands on as the reason.

    Its own configuration is no such thing, and an answer of 200 that names trouble is trouble of another kind.
    """
    name = NAMED_DEPENDENCY_PROBE
    try:
        readiness = deployment.readiness()
    except SmokeError as problem:
        return Probed(name=name, ok=None, detail=str(problem))
    down = [dependency for dependency, report in readiness.dependencies.items() if not report.ok]
    if not readiness.genuine or readiness.status_code != SERVICE_UNAVAILABLE or OWN_REPORT in down:
        return Probed(name=name, ok=None, detail=readiness.description)
    return Probed(name=name, ok=not down, detail=readiness.description)


def stable_ready_probe(run_context: RunContext, record: Recorder) -> Probed:
    """Ask the stable release whether it is ready, by its own word."""
    if not run_context.settings.baseline_url:
        return no_stable(STABLE_READY_PROBE)
    with at_stable(run_context, record) as stable:
        readiness = stable.readiness()
    return Probed(name=STABLE_READY_PROBE, ok=readiness.ready, detail=readiness.description)


def stable_readiness_probe(run_context: RunContext, record: Recorder) -> Probed:
    """Ask the stable release whether it is ready."""
    if not run_context.settings.baseline_url:
        return no_stable(STABLE_PROBE)
    with at_stable(run_context, record) as stable:
        there = stable.readiness_summary()
    return Probed(name=STABLE_PROBE, ok=there.kept, detail=f"readiness: {there.description}")


def stable_replay_probe(run_context: RunContext, asked: ObservedRequest | None, record: Recorder) -> Probed:
    """Put the request that failed to the stable release; for one that writes, ask only whether that release is ready.

    Not ok when it is red in the same way; does not apply where the answer itself was as promised.
    """
    if not run_context.settings.baseline_url:
        return no_stable(STABLE_PROBE)
    if asked is None or asked.answer_summary.kept:
        detail = "the last answer of the service was as promised, and what it says is not compared"
        return Probed(name=STABLE_PROBE, ok=None, detail=detail)
    here = asked.answer_summary
    with at_stable(run_context, record) as stable:
        if asked.call.writes:
            there = stable.readiness_summary()
            down = {NO_ANSWER, 5}
            same = not there.kept and there.status_class == here.status_class and here.status_class in down
            request = "its readiness"
        else:
            there = stable.replayed(asked, _credential_there(run_context, stable, asked.credential))
            same = there.is_red_like(here)
            request = f"{asked.call.method} {asked.call.path}"
    detail = f"{request}: {there.description}; here: {here.description}"
    return Probed(name=STABLE_PROBE, ok=not same, detail=detail)


def _credential_there(run_context: RunContext, stable: Deployment, credential: Credential | None) -> Credential | None:
    """Return what shows the same user there: a token got by signing in is good where it was given out."""
    if credential is None or credential.kind != "wallet":
        return credential
    return run_context.signed_in_at(stable)
