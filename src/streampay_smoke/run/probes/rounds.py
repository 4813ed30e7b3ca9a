"""Which probes are made when: at the start of a run, and beside a failure."""

from collections.abc import Iterator, Mapping

from streampay_smoke.acceptance.observations.settings_mismatch import ContractUnexpected
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent, Probed, Recorder
from streampay_smoke.gate.attribution import (
    CLOCK_PROBE,
    CREDENTIAL_PROBE,
    DEPENDENCY_REPORT_PROBE,
    EGRESS_PROBE,
    LEDGER_PROBE,
    NAMED_DEPENDENCY_PROBE,
    SHOWN_AGAIN_PROBE,
    STABLE_PROBE,
    STABLE_READY_PROBE,
    WAITING_WRITES,
)
from streampay_smoke.http.ledger_health import ledger_time
from streampay_smoke.run.probes.credentials import credential_probe, shown_again_probe
from streampay_smoke.run.probes.deployments import at_candidate
from streampay_smoke.run.probes.ledger import contract_probe, ledger_probe, network_age_probe, traffic_probe
from streampay_smoke.run.probes.limits import ALL_PROBES_SECONDS, PROBE_SECONDS
from streampay_smoke.run.probes.release import (
    dependency_report_probe,
    named_dependency_probe,
    stable_readiness_probe,
    stable_ready_probe,
    stable_replay_probe,
)
from streampay_smoke.run.probes.runner import clock_probe, egress_probe, service_date
from streampay_smoke.run.probes.side_by_side import Probe, side_by_side
from streampay_smoke.run.probes.stable_contract import stable_contract_probe
from streampay_smoke.service.replay import ObservedRequest


def probes_at_start(run_context: RunContext) -> Iterator[AnyEvent]:
    """Make every probe that needs no failure, before the first scenario; yields their evidence."""
    yield from side_by_side(
        {
            **_common(run_context),
            STABLE_PROBE: lambda record: stable_readiness_probe(run_context, record),
            CREDENTIAL_PROBE: lambda record: credential_probe(run_context, None, record),
        },
        within_seconds=ALL_PROBES_SECONDS,
    )


def control_probes(
    run_context: RunContext, asked: ObservedRequest | None, error: BaseException | None = None
) -> Iterator[AnyEvent]:
    """Make every probe beside a failure of the request that was `asked`, None for none; yields their evidence.

    `error` is what failed, where there is something to ask that only such a failure calls for.
    """

    def named_dependency(record: Recorder) -> Probed:
        with at_candidate(run_context, record) as deployment:
            return named_dependency_probe(deployment)

    yield from side_by_side(
        {
            **_common(run_context),
            STABLE_PROBE: lambda record: stable_replay_probe(run_context, asked, record),
            CREDENTIAL_PROBE: lambda record: credential_probe(run_context, asked, record),
            SHOWN_AGAIN_PROBE: lambda record: shown_again_probe(run_context, asked, record),
            NAMED_DEPENDENCY_PROBE: named_dependency,
            STABLE_READY_PROBE: lambda record: stable_ready_probe(run_context, record),
        },
        within_seconds=ALL_PROBES_SECONDS,
    )
    contract = contract_probe(run_context)
    yield contract
    if contract.ok is False:
        yield network_age_probe(run_context.settings.rpc_url)
    if isinstance(error, SmokeError) and error.kind in WAITING_WRITES and asked is not None and asked.call.writes:
        yield traffic_probe(run_context)
    if isinstance(error, ContractUnexpected):
        yield stable_contract_probe(run_context)


def _common(run_context: RunContext) -> Mapping[str, Probe]:
    settings = run_context.settings

    def dependency_report(record: Recorder) -> Probed:
        with at_candidate(run_context, record) as deployment:
            return dependency_report_probe(deployment)

    def clock(record: Recorder) -> Probed:
        with at_candidate(run_context, record) as deployment:
            return clock_probe(service_date(deployment), ledger_time(settings.rpc_url, timeout_seconds=PROBE_SECONDS))

    return {
        LEDGER_PROBE: lambda record: ledger_probe(settings.rpc_url, run_context.ledger_progress),
        EGRESS_PROBE: lambda record: egress_probe(settings.base_url, settings.baseline_url),
        DEPENDENCY_REPORT_PROBE: dependency_report,
        CLOCK_PROBE: clock,
    }
