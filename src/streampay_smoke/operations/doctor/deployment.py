"""Looks at the deployment and the ledger, as a run would meet them; nothing is written there."""

from collections.abc import Iterator
from typing import NamedTuple

from streampay_smoke.acceptance.actions.operations import read_metrics
from streampay_smoke.acceptance.checks.readiness import refuse_real_money
from streampay_smoke.acceptance.checks.settlement import TX_HASH
from streampay_smoke.acceptance.observations.listing import LARGEST_PAGE
from streampay_smoke.acceptance.observations.settings_mismatch import (
    refuse_another_application,
    refuse_another_contract_named,
    refuse_another_network,
    refuse_another_release,
)
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.chain.adapter import ChainUnavailable
from streampay_smoke.chain.versions import NEWEST_TESTED_PROTOCOL, installed_sdk
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.http.ledger_health import ledger_time, measured_seconds_per_ledger
from streampay_smoke.operations.doctor.look import DoctorCheck, DoctorLook, look_at, ok, problem, warning
from streampay_smoke.run.bake import look_at_metrics
from streampay_smoke.run.probes.deployments import at_candidate
from streampay_smoke.run.probes.runner import clock_probe, quickest_answer_seconds, service_date
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.exchange import REFUSED
from streampay_smoke.service.records import Readiness
from streampay_smoke.settings import Settings
from streampay_smoke.settings.deadline import derived_deadline_seconds, quickest_seconds


def _user(run_context: RunContext) -> Iterator[DoctorCheck]:
    user = run_context.user
    seed = "SMOKE_SIGNER_SEED" if run_context.settings.signer_seed else "the environment's name"
    yield ok("synthetic user", f"{user.address} (from {seed}, auth mode {user.mode})")


def _service(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    try:
        readiness = run_context.deployment.readiness()
    except SmokeError as error:
        run_context.refuse_mistyped_port(error)
        raise
    refuse_another_application(run_context.deployment, readiness)
    if not readiness.ready:
        next_step = "see what the service waits for, or who answers at SMOKE_BASE_URL"
        yield problem("service", f"{settings.base_url}: {readiness.description}", next_step, VerdictStatus.INCONCLUSIVE)
    else:
        told = readiness.release or "that does not name itself"
        yield ok("service", f"{settings.base_url} is ready, release {told}")
    if readiness.genuine:
        yield from look_at(
            Answered(settings, readiness),
            (
                DoctorLook("its release", _release),
                DoctorLook("its network", _network),
                DoctorLook("its contract", _its_contract),
            ),
        )


class Answered(NamedTuple):
    """What the service said when it was asked whether it is ready."""

    settings: Settings
    readiness: Readiness


def _release(answered: Answered) -> Iterator[DoctorCheck]:
    settings, readiness = answered
    refuse_another_release(settings.expect_release, [readiness.release], told_by=settings.facts.service.release_told_by)
    told = readiness.release or "not told"
    yield ok("its release", f"{told}, and {settings.expect_release or 'any'} is expected")


def _network(answered: Answered) -> Iterator[DoctorCheck]:
    settings, readiness = answered
    facts = settings.facts
    if facts.money.settles:
        refuse_real_money(readiness)
    expected = facts.service.network
    refuse_another_network(
        readiness, expected=expected, gate=settings.network, rpc_url=settings.rpc_url, settles=facts.money.settles
    )
    if readiness.network:
        yield ok("its network", expected)
    else:
        yield problem(
            "its network",
            "the service names none",
            "see what its readiness says of its ledger",
            VerdictStatus.INCONCLUSIVE,
        )


def _its_contract(answered: Answered) -> Iterator[DoctorCheck]:
    settings, readiness = answered
    refuse_another_contract_named(readiness, expected=settings.contract_id, gate=settings.network)
    if readiness.contract_ids and settings.contract_id:
        yield ok("its contract", settings.contract_id)


def _sign_in(run_context: RunContext) -> Iterator[DoctorCheck]:
    credential = run_context.credential
    run_context.deployment.streams(credential, limit=1)
    if run_context.deployment.refusal(ANONYMOUS).status in REFUSED:
        yield ok("sign-in", f"the service takes {credential.shown_as}")
    else:
        yield warning(
            "sign-in",
            f"streams are shown to {credential.shown_as}, and without a credential too: that proves none",
            "see who may list streams here: a run fails for it",
        )


def _ledger(run_context: RunContext) -> Iterator[DoctorCheck]:
    info = run_context.ledger.chain.connect()
    kind = "simulated" if info.simulated else "real"
    rpc = host_only(run_context.settings.rpc_url)
    yield ok("ledger", f"{info.network} ({kind}) at {rpc}, ledger {info.latest_ledger}")


def _protocol(run_context: RunContext) -> Iterator[DoctorCheck]:
    chain = run_context.ledger.chain
    protocol, sdk = chain.connect().protocol_version, installed_sdk()
    try:
        rpc = chain.rpc_version() or "of a version it does not tell"
    except ChainUnavailable:
        rpc = "of a version it does not tell"
    text = f"the network runs protocol {protocol}, its RPC is {rpc}; {sdk.description}"
    if protocol <= max(sdk.protocol, NEWEST_TESTED_PROTOCOL):
        yield ok("protocol", text)
    else:
        yield warning(
            "protocol",
            f"{text}, and this gate was tested up to {NEWEST_TESTED_PROTOCOL}",
            "upgrade stellar-sdk and this gate: a run whose ledger cannot be read is INCONCLUSIVE",
        )


def _deadline(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    asked: list[AnyEvent] = []
    with at_candidate(run_context, asked.append) as deployment:
        for _ in range(2):  # the first one opens the connection
            service_date(deployment)
    yield deadline(
        settings,
        seconds_per_ledger=measured_seconds_per_ledger(
            settings.rpc_url, timeout_seconds=REQUEST_SECONDS, closes_on_demand=settings.network.simulated
        ),
        round_trip_seconds=quickest_answer_seconds(asked) or 0.0,
    )


def deadline(settings: Settings, *, seconds_per_ledger: float | None, round_trip_seconds: float) -> DoctorCheck:
    """Return the look at the time that a run has; `seconds_per_ledger` is None where the RPC does not tell."""
    pace = settings.network.seconds_per_ledger if seconds_per_ledger is None else seconds_per_ledger
    measured = "as its network has them" if seconds_per_ledger is None else "as measured"
    here = f"ledgers {pace:g} s apart ({measured}) and answers within {round_trip_seconds:.2f} s"
    most_seconds = derived_deadline_seconds(
        ready_within_seconds=settings.facts.service.ready_within_seconds,
        seconds_per_ledger=pace,
        round_trip_seconds=round_trip_seconds,
    )
    least_seconds = quickest_seconds(seconds_per_ledger=pace, round_trip_seconds=round_trip_seconds)
    if settings.deadline_is_derived:
        return ok("deadline", f"{max(settings.deadline_seconds, most_seconds):.0f} s, derived from {here}")
    text = f"{settings.deadline_seconds:g} s is set"
    next_step = f"leave SMOKE_DEADLINE_SECONDS (deadline_seconds) unset, or set it to {most_seconds:.0f}"
    if settings.deadline_seconds < least_seconds:
        short = f"{text}: too short, a whole smoke takes {least_seconds:.0f} s at least with {here}"
        return problem("deadline", short, next_step, VerdictStatus.INCONCLUSIVE)
    if settings.deadline_seconds < most_seconds:
        return warning("deadline", f"{text}: it may be too short, {most_seconds:.0f} s follows from {here}", next_step)
    return ok("deadline", f"{text}, and {most_seconds:.0f} s is enough with {here}")


def _friendbot(run_context: RunContext) -> Iterator[DoctorCheck]:
    url = run_context.ledger.chain.connect().friendbot_url
    host = host_only(url)  # its path may be a provider's key
    try:
        with Client(timeout_seconds=REQUEST_SECONDS) as client:
            status = client.request("GET", url).status
    except NoAnswer as silence:
        yield problem("friendbot", str(silence), "set SMOKE_STELLAR_FRIENDBOT_URL", VerdictStatus.INCONCLUSIVE)
        return
    if status >= 500:
        yield problem(
            "friendbot", f"{host} answers {status}", "wait, or use another friendbot", VerdictStatus.INCONCLUSIVE
        )
    else:
        yield ok("friendbot", f"{host} answers")


def _contract(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    run_context.ledger.contract.check_interface()
    yield ok("contract", f"{settings.contract_id} has the interface {settings.contract_profile}")
    called = _called_before(run_context)
    if called not in {"", settings.contract_id}:
        yield warning(
            "contract",
            f"the service settled on {called} before, as the synthetic user's streams show",
            "see whether SMOKE_CONTRACT_ID, or this release, is meant to be another: a run compares them",
        )


def _called_before(run_context: RunContext) -> str:
    """Return the contract that the newest settlement shown of the synthetic user called, "" where none is known."""
    streams = run_context.deployment.streams(run_context.credential, limit=LARGEST_PAGE).streams
    settled = [stream for stream in streams if TX_HASH.fullmatch(stream.settlement_tx_hash)]
    if not settled:
        return ""
    newest = max(settled, key=lambda stream: stream.updated_at)
    outcome = run_context.ledger.chain.transaction(newest.settlement_tx_hash)
    return outcome.contract_id if outcome else ""


def _stable_release(run_context: RunContext) -> Iterator[DoctorCheck]:
    url = run_context.settings.baseline_url
    if not url:
        return
    with run_context.deployment_at(
        url, record=lambda event: None, timeout_seconds=REQUEST_SECONDS, stable=True
    ) as stable:
        readiness = stable.readiness()
    if readiness.ready:
        yield ok("stable release", f"{url} is ready, release {readiness.release or 'that does not name itself'}")
    else:
        yield warning(
            "stable release",
            f"{url}: {readiness.description}",
            "correct SMOKE_BASELINE_URL, or unset it: without it nothing tells an older failure",
        )


def _metrics(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    if not settings.facts.service.metrics:
        return
    status = read_metrics(run_context.deployment, settings.metrics_token).status
    if status == 200:
        yield ok("metrics", "can be scraped")
    elif status in REFUSED and settings.metrics_token is None:
        yield warning("metrics", "ask for a token", "set SMOKE_METRICS_TOKEN")
    else:
        next_step = "correct SMOKE_METRICS_TOKEN, or service.metrics: a run fails for it"
        yield problem("metrics", f"are answered with {status}", next_step)


def _bake(run_context: RunContext) -> Iterator[DoctorCheck]:
    for source, nothing_because in look_at_metrics(run_context):
        if nothing_because:
            text = f"{source} tell nothing: {nothing_because}"
            yield warning("bake", text, "correct [bake]; a bake without them watches its own reads only")
        else:
            yield ok("bake", f"{source} can be watched")


def _kept_stream(run_context: RunContext) -> Iterator[DoctorCheck]:
    kept = run_context.settings.facts.service.canary_stream
    if not kept:
        return
    answer = run_context.deployment.stream_answer(run_context.credential, kept)
    if answer.status == 200:
        yield ok("kept stream", f"{kept} is there")
    else:
        yield problem(
            "kept stream",
            f"{kept} is answered with {answer.status}",
            "see whether the synthetic user owns it, or make one: streampay-smoke init --create-kept-stream",
        )


def _clocks(run_context: RunContext) -> Iterator[DoctorCheck]:
    rpc_url = run_context.settings.rpc_url
    clock = clock_probe(service_date(run_context.deployment), ledger_time(rpc_url, timeout_seconds=REQUEST_SECONDS))
    if clock.ok is False:
        yield problem("clocks", clock.detail, "set this machine's clock (NTP)", VerdictStatus.INCONCLUSIVE)
    else:
        yield ok("clocks", clock.detail) if clock.ok else warning("clocks", clock.detail, "look at them by hand")


DEPLOYMENT: tuple[DoctorLook[RunContext], ...] = (
    DoctorLook("synthetic user", _user),
    DoctorLook("service", _service),
    DoctorLook("stable release", _stable_release),
    DoctorLook("sign-in", _sign_in),
    DoctorLook("kept stream", _kept_stream),
    DoctorLook("metrics", _metrics),
    DoctorLook("bake", _bake),
    DoctorLook("ledger", _ledger),
    DoctorLook("protocol", _protocol),
    DoctorLook("deadline", _deadline),
    DoctorLook("friendbot", _friendbot),
    DoctorLook("contract", _contract),
    DoctorLook("clocks", _clocks),
)
