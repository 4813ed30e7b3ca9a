"""Control probes, at the start of a run and beside a failure: is it the ledger, this runner, or the release?

Each probe asks something the failed check did not depend on. What they find is evidence; the rules that use it
are in `streampay_smoke.gate.attribution`.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from json import loads
from urllib.parse import urlsplit

from msgspec.structs import replace

from streampay_smoke.chain.adapter import ContractMissing
from streampay_smoke.chain.progress import STANDS_STILL_SECONDS, LedgerProgress
from streampay_smoke.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Probed, Recorder, ServiceSeen
from streampay_smoke.gate.attribution import (
    CLOCK_PROBE,
    CONTRACT_PROBE,
    CREDENTIAL_PROBE,
    DEPENDENCY_REPORT_PROBE,
    EGRESS_PROBE,
    LEDGER_PROBE,
    NETWORK_AGE_PROBE,
    SHOWN_AGAIN_PROBE,
    STABLE_PROBE,
)
from streampay_smoke.http import NoAnswer, new_client
from streampay_smoke.ledger_health import ask_ledger_health
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.identity import SCRAPER, Credential
from streampay_smoke.service.records import LEDGER_DEPENDENCY
from streampay_smoke.service.replay import NO_ANSWER, Asked
from streampay_smoke.suite.side_by_side import Probe, side_by_side
from streampay_smoke.surroundings import Surroundings

ALL_PROBES_SECONDS = 2.0
"""Limit of all probes that are made side by side."""

PROBE_SECONDS = 1.8
"""Limit of one request of a probe."""

CLOCK_SECONDS = 60
"""How far this runner's clock may be off."""

STABLE_PEER = "stable"
"""The peer that exchanges with the stable release are recorded under: they say nothing of the one that is judged."""

SHOWN_AGAIN_TIMES = 4
"""How often a refused credential is shown again: one of two instances that accepts it is met 15 times in 16."""

_ACCEPTED, _REFUSED = 200, frozenset({401, 403})
_NO_TRANSACTION = "0" * 64
_DAY_SECONDS = 86_400

RESET_DAYS = 7.0
"""A test network that has lived for longer than this was not reset just now: its contracts are there or never were."""


def probes_at_start(surroundings: Surroundings) -> Iterator[AnyEvent]:
    """Make every probe that needs no failure, before the first scenario; yields their evidence."""
    yield from side_by_side(
        {
            **_common(surroundings),
            STABLE_PROBE: lambda record: stable_readiness_probe(surroundings, record),
            CREDENTIAL_PROBE: lambda record: credential_probe(surroundings, None, record),
        },
        within_seconds=ALL_PROBES_SECONDS,
    )


def control_probes(surroundings: Surroundings, asked: Asked | None) -> Iterator[AnyEvent]:
    """Make every probe beside a failure of the request that was `asked`, None for none; yields their evidence."""
    yield from side_by_side(
        {
            **_common(surroundings),
            STABLE_PROBE: lambda record: stable_replay_probe(surroundings, asked, record),
            CREDENTIAL_PROBE: lambda record: credential_probe(surroundings, asked, record),
            SHOWN_AGAIN_PROBE: lambda record: shown_again_probe(surroundings, asked, record),
        },
        within_seconds=ALL_PROBES_SECONDS,
    )
    contract = contract_probe(surroundings)
    yield contract
    if contract.ok is False:
        yield network_age_probe(surroundings.settings.rpc_url)


def _common(surroundings: Surroundings) -> Mapping[str, Probe]:
    settings = surroundings.settings

    def dependency_report(record: Recorder) -> Probed:
        with contextlib.closing(_probing(surroundings, settings.base_url, record)) as deployment:
            return dependency_report_probe(deployment)

    def clock(record: Recorder) -> Probed:
        with contextlib.closing(_probing(surroundings, settings.base_url, record)) as deployment:
            return clock_probe(service_date(deployment), ledger_time(settings.rpc_url))

    return {
        LEDGER_PROBE: lambda record: ledger_probe(settings.rpc_url, surroundings.ledger_progress),
        EGRESS_PROBE: lambda record: egress_probe(settings.base_url, settings.baseline_url),
        DEPENDENCY_REPORT_PROBE: dependency_report,
        CLOCK_PROBE: clock,
    }


def ledger_probe(rpc_url: str, progress: LedgerProgress | None = None) -> Probed:
    """Ask the ledger's RPC for its health, past the service and past the SDK.

    A ledger that says "healthy" is not believed when nothing has closed since `progress` saw it last, or for so long
    that no clock of ours explains it.
    """
    if not rpc_url:
        return Probed(name=LEDGER_PROBE, ok=None, detail="no RPC is configured")
    answer = ask_ledger_health(rpc_url, timeout_seconds=PROBE_SECONDS)
    health = answer.told
    if health is None or not answer.well:
        return Probed(name=LEDGER_PROBE, ok=False, detail=answer.said)
    stood_seconds = (progress or LedgerProgress()).stood_for(health.latest_ledger)
    closed_ago_seconds = time.time() - health.latest_ledger_close_time if health.latest_ledger_close_time else 0.0
    if stood_seconds >= STANDS_STILL_SECONDS:
        standing = f"no ledger after {health.latest_ledger} closed for {stood_seconds:.0f} s"
    elif closed_ago_seconds > CLOCK_SECONDS + STANDS_STILL_SECONDS:
        standing = f"ledger {health.latest_ledger} closed {closed_ago_seconds:.0f} s ago by this runner's clock"
    else:
        return Probed(name=LEDGER_PROBE, ok=True, detail=answer.said)
    return Probed(name=LEDGER_PROBE, ok=False, detail=f"it says healthy, but stands still: {standing}")


def network_age_probe(rpc_url: str) -> Probed:
    """Estimate how long the ledger has lived: its number times its cadence; ok for one too old to be just reset."""
    answer = ask_ledger_health(rpc_url, timeout_seconds=PROBE_SECONDS)
    if answer.told is None:
        return Probed(name=NETWORK_AGE_PROBE, ok=None, detail=f"getHealth does not tell: {answer.said}")
    ledgers, seconds_each = answer.told.latest_ledger, answer.told.seconds_per_ledger
    days = ledgers * seconds_each / _DAY_SECONDS
    detail = f"ledger {ledgers} at {seconds_each:.1f} s each: about {days:.1f} days"
    return Probed(name=NETWORK_AGE_PROBE, ok=days >= RESET_DAYS, detail=detail)


def egress_probe(base_url: str, baseline_url: str = "") -> Probed:
    """Find out whether this runner reaches the deployment's host; a refusal is an answer of that host.

    Silence is the way's trouble, unless the stable release's host is reached at the same moment: without that
    control nobody knows whether a packet of this run ever got there.
    """
    host, port = _address(base_url)
    try:
        _connect(host, port)
    except ConnectionRefusedError:
        return Probed(name=EGRESS_PROBE, ok=True, detail=f"{host} refuses connections on port {port}")
    except socket.gaierror as problem:
        return Probed(name=EGRESS_PROBE, ok=False, detail=f"{host} does not resolve here: {problem.strerror}")
    except OSError as problem:
        stable = _is_reached(baseline_url)
        control = "the stable release's host is reached" if stable else "and no stable release shows a way there"
        return Probed(name=EGRESS_PROBE, ok=stable, detail=f"{host} is silent ({problem}), {control}")
    return Probed(name=EGRESS_PROBE, ok=True, detail=f"{host} accepts connections on port {port}")


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
        if name != LEDGER_DEPENDENCY and report.status != "ok"
    ]
    return Probed(name=DEPENDENCY_REPORT_PROBE, ok=not degraded, detail="; ".join(degraded) or "all others are ok")


def stable_readiness_probe(surroundings: Surroundings, record: Recorder) -> Probed:
    """Ask the stable release whether it is ready."""
    baseline_url = surroundings.settings.baseline_url
    if not baseline_url:
        return _no_stable(STABLE_PROBE)
    with contextlib.closing(_probing(surroundings, baseline_url, _as_stable(record))) as stable:
        there = stable.readiness_impression()
    return Probed(name=STABLE_PROBE, ok=there.kept, detail=f"readiness: {there.in_words}")


def stable_replay_probe(surroundings: Surroundings, asked: Asked | None, record: Recorder) -> Probed:
    """Put the request that failed to the stable release; for one that writes, ask only whether that release is ready.

    Not ok when it is red in the same way; does not apply where the answer itself was as promised.
    """
    baseline_url = surroundings.settings.baseline_url
    if not baseline_url:
        return _no_stable(STABLE_PROBE)
    if asked is None or asked.impression.kept:
        detail = "the last answer of the service was as promised, and what it says is not compared"
        return Probed(name=STABLE_PROBE, ok=None, detail=detail)
    here = asked.impression
    with contextlib.closing(_probing(surroundings, baseline_url, _as_stable(record))) as stable:
        if asked.call.writes:
            there = stable.readiness_impression()
            down = {NO_ANSWER, 5}
            same = not there.kept and there.status_class == here.status_class and here.status_class in down
            request = "its readiness"
        else:
            there = stable.replayed(asked, _credential_there(surroundings, stable, asked.credential))
            same = there.is_red_like(here)
            request = f"{asked.call.method} {asked.call.path}"
    detail = f"{request}: {there.in_words}; here: {here.in_words}"
    return Probed(name=STABLE_PROBE, ok=not same, detail=detail)


def credential_probe(surroundings: Surroundings, asked: Asked | None, record: Recorder) -> Probed:
    """Show the stable release the credentials the operator supplied."""
    baseline_url = surroundings.settings.baseline_url
    if not baseline_url:
        return _no_stable(CREDENTIAL_PROBE)
    credentials = _supplied(surroundings, asked)
    if not credentials:
        return _nothing_supplied(CREDENTIAL_PROBE)
    with contextlib.closing(_probing(surroundings, baseline_url, _as_stable(record))) as stable:
        return _told_of(CREDENTIAL_PROBE, [_status_for(stable, credential) for credential in credentials])


def shown_again_probe(surroundings: Surroundings, asked: Asked | None, record: Recorder) -> Probed:
    """Show the deployment the credentials the operator supplied once more, until an instance of it accepts one.

    An old credential is refused however often it is shown, and one that instances disagree about is not old. Each
    time is over a connection of its own: kept ones stick to one instance.
    """
    credentials = _supplied(surroundings, asked)
    if not credentials:
        return _nothing_supplied(SHOWN_AGAIN_PROBE)
    statuses: list[int] = []
    with contextlib.closing(_probing(surroundings, surroundings.settings.base_url, record)) as deployment:
        for credential in credentials * SHOWN_AGAIN_TIMES:
            with deployment.fresh() as instance:
                statuses.append(_status_for(instance, credential))
            if statuses[-1] == _ACCEPTED:
                break
    return _told_of(SHOWN_AGAIN_PROBE, statuses)


def _supplied(surroundings: Surroundings, asked: Asked | None) -> list[Credential]:
    """Return what the operator supplied: the scraper's token where that was shown last, else the user's, by slot."""
    shown = asked.credential if asked is not None else None
    if shown is not None and shown.kind == SCRAPER:
        return [shown]
    if surroundings.settings.auth_mode == "wallet":
        return []
    slot_b = list(surroundings.settings.supplied_credentials.values())[1:]
    users = (surroundings.user, *(surroundings.user.in_slot_b(secret) for secret in slot_b))
    return [user.supplied_credential() for user in users]


def _nothing_supplied(name: str) -> Probed:
    return Probed(name=name, ok=None, detail="the synthetic user signs in: no credential is supplied")


def _status_for(deployment: Deployment, credential: Credential) -> int:
    """Return the status with which a deployment answers whoever shows this credential."""
    answer = deployment.metrics_answer if credential.kind == SCRAPER else deployment.refusal
    return answer(credential).status


def _told_of(name: str, statuses: Sequence[int]) -> Probed:
    ok = True if _ACCEPTED in statuses else False if _REFUSED.issuperset(statuses) else None
    return Probed(name=name, ok=ok, detail=f"it is answered {' and '.join(map(str, statuses))}")


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


def ledger_time(rpc_url: str) -> float | None:
    """Return when the newest ledger closed, in Unix seconds; every answer about a transaction tells it."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "getTransaction", "params": {"hash": _NO_TRANSACTION}}
    try:
        with new_client(timeout_seconds=PROBE_SECONDS) as client:
            return float(loads(client.request("POST", rpc_url, json=call).text)["result"]["latestLedgerCloseTime"])
    except (NoAnswer, ValueError, TypeError, KeyError):
        return None


def _no_stable(name: str) -> Probed:
    return Probed(name=name, ok=None, detail="SMOKE_BASELINE_URL names no stable release")


def _probing(surroundings: Surroundings, base_url: str, record: Recorder) -> Deployment:
    return surroundings.deployment_at(base_url, record=record, timeout_seconds=PROBE_SECONDS, throttle_seconds=0.0)


def _as_stable(record: Recorder) -> Recorder:
    """Return a recorder under which nothing the stable release says passes for the one that is judged."""

    def under_its_own_name(event: AnyEvent) -> None:
        match event:
            case Exchanged() | Awaiting():
                record(replace(event, peer=STABLE_PEER))
            case ServiceSeen():
                return
            case _:
                record(event)

    return under_its_own_name


def _credential_there(
    surroundings: Surroundings, stable: Deployment, credential: Credential | None
) -> Credential | None:
    """Return what shows the same user there: a token got by signing in is good where it was given out."""
    if credential is None or credential.kind != "wallet":
        return credential
    return stable.sign_in(surroundings.user)
