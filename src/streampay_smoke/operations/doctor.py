"""`streampay-smoke doctor`: what a run needs, looked at one by one, each with its next step. Nothing is changed."""

import contextlib
import importlib.metadata
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from streampay_smoke.acceptance.checks.readiness import refuse_real_money
from streampay_smoke.acceptance.observations.settings_mismatch import (
    refuse_another_application,
    refuse_another_network,
    refuse_another_release,
)
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.addresses import host_only
from streampay_smoke.evidence.events import AnyEvent, Warned
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import EXIT_CODES, GRAVITY, STATUS_WITHOUT_RUN, VerdictStatus
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.http.ledger_health import ledger_time, measured_seconds_per_ledger
from streampay_smoke.http.proxies import route_to
from streampay_smoke.publish.report import allure_missing_because
from streampay_smoke.run.probes.runner import clock_probe, service_date
from streampay_smoke.runner import manifest
from streampay_smoke.runner.plan import all_scenarios
from streampay_smoke.runner.quarantine import FILE, read_quarantine, today
from streampay_smoke.service.claims import claims_of, seconds_left
from streampay_smoke.service.credentials import ANONYMOUS
from streampay_smoke.service.exchange import REFUSED
from streampay_smoke.service.records import Readiness
from streampay_smoke.settings import Settings
from streampay_smoke.settings.deadline import LEDGER_STEPS
from streampay_smoke.settings.folders import FEATURES, folders_description, project_root, read_from, suite_root

DISTRIBUTION = "streampay-smoke"
OLDEST_PYTHON = (3, 11)

EXPIRY_WARNING_DAYS = 7
SPARE_SECONDS = 30.0
"""What a whole smoke needs of its deadline beside its waits for ledgers."""

_DAY_SECONDS = 86_400


class DoctorState(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


class DoctorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. `verdict` is the verdict a run would come to for a problem."""

    name: str
    state: DoctorState
    said: str
    next_step: str = ""
    verdict: VerdictStatus = VerdictStatus.PASS


Looking = Callable[[], Iterator[DoctorCheck]]


def exit_code(looks: Sequence[DoctorCheck]) -> int:
    """Return 0 for no problem, 4 for safety, 2 for settings, 3 for what cannot be reached; the gravest wins."""
    found = {look.verdict for look in looks if look.state is DoctorState.PROBLEM}
    return next((EXIT_CODES[verdict] for verdict in GRAVITY if verdict in found), 0)


def look_at_machine() -> Iterator[DoctorCheck]:
    """Look at Python, the packages, and what the report is built with."""
    version = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield _ok("Python", version)
    else:  # pragma: no cover - the package does not install there
        yield _problem("Python", f"{version} is too old", "install Python 3.11 or newer")
    yield _packages(importlib.metadata.requires(DISTRIBUTION) or [])
    missing = allure_missing_because(project_root() / "report")
    if missing:
        yield _warning(
            "Allure reporter", f"{missing}; report.html is made without it", "install Node, then npm ci in report/"
        )
    else:
        yield _ok("Allure reporter", "Allure 3 builds the report")


def look_at_settings(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at the settings and what goes with them; nothing is sent."""
    yield _ok("settings", f"environments/{settings.environment}.toml: {settings.facts.description}")
    yield _ok("folders", folders_description(read_from()))
    yield _writable(settings.artifacts)
    yield from _looked("suite", _suite)
    yield from _quarantine()
    yield from _credentials(settings)


def look_around(run_context: RunContext) -> Iterator[DoctorCheck]:
    """Look at the synthetic user, the service and the ledger."""
    settings = run_context.settings
    yield from _looked("synthetic user", lambda: _user(run_context))
    yield from _looked("proxy", lambda: _ways(settings))
    yield from _looked("service", lambda: _service(run_context))
    yield from _looked("sign-in", lambda: _sign_in(run_context))
    yield from _looked("ledger", lambda: _ledger(run_context))
    yield from _looked("deadline", lambda: _deadline(run_context))
    yield from _looked("friendbot", lambda: _friendbot(run_context))
    yield from _looked("contract", lambda: _contract(run_context))
    clock = clock_probe(
        service_date(run_context.deployment), ledger_time(settings.rpc_url, timeout_seconds=REQUEST_SECONDS)
    )
    if clock.ok is False:
        yield _problem("clocks", clock.detail, "set this machine's clock (NTP)", VerdictStatus.INCONCLUSIVE)
    else:
        yield _ok("clocks", clock.detail) if clock.ok else _warning("clocks", clock.detail, "look at them by hand")


def problem_of(name: str, error: SmokeError) -> DoctorCheck:
    """Return the look at something that raised."""
    return _problem(name, str(error), error.next_step, STATUS_WITHOUT_RUN[error.blame])


def skipped(names: Sequence[str], because: str) -> Iterator[DoctorCheck]:
    """Yield what could not be looked at."""
    for name in names:
        yield DoctorCheck(name=name, state=DoctorState.SKIPPED, said=because)


def table(looks: Sequence[DoctorCheck]) -> str:
    """Return the looks as lines for a terminal, each with its next step below."""
    width = max(len(look.name) for look in looks)
    lines: list[str] = []
    for look in looks:
        lines.append(f"{look.state:<8} {look.name:<{width}}  {' '.join(look.said.split())}")
        if look.next_step and look.state is not DoctorState.OK:
            lines.append(f"{'':<8} {'':<{width}}  Next: {look.next_step}")
    counts = ", ".join(
        f"{count} {state}" for state in DoctorState if (count := sum(look.state is state for look in looks))
    )
    return "\n".join([*lines, "", f"doctor: {counts}"])


def _looked(name: str, look: Looking) -> Iterator[DoctorCheck]:
    try:
        yield from look()
    except SmokeError as error:
        yield problem_of(name, error)


def _user(run_context: RunContext) -> Iterator[DoctorCheck]:
    user = run_context.user
    seed = "SMOKE_SIGNER_SEED" if run_context.settings.signer_seed else "the environment's name"
    yield _ok("synthetic user", f"{user.address} (from {seed}, auth mode {user.mode})")


def _service(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    readiness = run_context.deployment.readiness()
    refuse_another_application(run_context.deployment, readiness)
    if not readiness.ready:
        next_step = "see what the service waits for, or who answers at SMOKE_BASE_URL"
        yield _problem(
            "service", f"{settings.base_url}: {readiness.description}", next_step, VerdictStatus.INCONCLUSIVE
        )
    else:
        release = readiness.release or "that does not name itself"
        yield _ok("service", f"{settings.base_url} is ready, release {release}")
    if readiness.genuine:
        yield from _looked("its release", lambda: _release(settings, readiness))
        yield from _looked("its network", lambda: _network(settings, readiness))


def _release(settings: Settings, readiness: Readiness) -> Iterator[DoctorCheck]:
    refuse_another_release(settings.expect_release, [readiness.release], told_by=settings.facts.service.release_told_by)
    release = readiness.release or "not told"
    yield _ok("its release", f"{release}, and {settings.expect_release or 'any'} is expected")


def _network(settings: Settings, readiness: Readiness) -> Iterator[DoctorCheck]:
    facts = settings.facts
    if facts.money.settles:
        refuse_real_money(readiness)
    expected = facts.service.network
    refuse_another_network(
        readiness, expected=expected, gate=settings.network, rpc_url=settings.rpc_url, settles=facts.money.settles
    )
    if readiness.network:
        yield _ok("its network", expected)
    else:
        yield _problem(
            "its network",
            "the service names none",
            "see what its readiness says of its ledger",
            VerdictStatus.INCONCLUSIVE,
        )


def _sign_in(run_context: RunContext) -> Iterator[DoctorCheck]:
    credential = run_context.credential
    run_context.deployment.streams(credential, limit=1)
    if run_context.deployment.refusal(ANONYMOUS).status in REFUSED:
        yield _ok("sign-in", f"the service takes {credential.shown_as}")
    else:
        yield _warning(
            "sign-in",
            f"streams are shown to {credential.shown_as}, and without a credential too: that proves none",
            "see who may list streams here: a run fails for it",
        )


def _ledger(run_context: RunContext) -> Iterator[DoctorCheck]:
    info = run_context.ledger.chain.connect()
    kind = "simulated" if info.simulated else "real"
    rpc = host_only(run_context.settings.rpc_url)
    yield _ok("ledger", f"{info.network} ({kind}) at {rpc}, ledger {info.latest_ledger}")


def _deadline(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    pace = measured_seconds_per_ledger(settings.rpc_url, timeout_seconds=REQUEST_SECONDS)
    if pace is None:
        yield _ok("deadline", f"{settings.deadline_seconds:g} s; the RPC does not tell how far apart its ledgers close")
        return
    waits_seconds = LEDGER_STEPS * pace
    text = (
        f"{settings.deadline_seconds:g} s; a whole smoke waits about {waits_seconds:.0f} s for ledgers {pace:g} s apart"
    )
    if settings.deadline_is_derived or settings.deadline_seconds > waits_seconds + SPARE_SECONDS:
        yield _ok("deadline", text)
    else:
        yield _warning("deadline", text, "leave SMOKE_DEADLINE_SECONDS unset, or set it (or deadline_seconds) higher")


def _friendbot(run_context: RunContext) -> Iterator[DoctorCheck]:
    url = run_context.ledger.chain.connect().friendbot_url
    host = host_only(url)  # its path may be a provider's key
    try:
        with Client(timeout_seconds=REQUEST_SECONDS) as client:
            status = client.request("GET", url).status
    except NoAnswer as problem:
        yield _problem("friendbot", str(problem), "set SMOKE_STELLAR_FRIENDBOT_URL", VerdictStatus.INCONCLUSIVE)
        return
    if status >= 500:
        yield _problem(
            "friendbot", f"{host} answers {status}", "wait, or use another friendbot", VerdictStatus.INCONCLUSIVE
        )
    else:
        yield _ok("friendbot", f"{host} answers")


def _ways(settings: Settings) -> Iterator[DoctorCheck]:
    """Look at which addresses are reached by a proxy; nothing is said where none is set."""
    addresses = {"service": settings.base_url, "RPC": settings.rpc_url, "friendbot": settings.friendbot_url}
    ways = {name: route_to(url).description for name, url in addresses.items() if url}
    text = "; ".join(f"{name} {way}" for name, way in ways.items() if way)
    if text:
        yield _ok("proxy", text)


def _contract(run_context: RunContext) -> Iterator[DoctorCheck]:
    settings = run_context.settings
    run_context.ledger.contract.check_interface()
    yield _ok("contract", f"{settings.contract_id} has the interface {settings.contract_profile}")


def _credentials(settings: Settings) -> Iterator[DoctorCheck]:
    slots = settings.supplied_credentials
    if not slots:
        yield _ok("credentials", "mode wallet signs in with a key of its own: there is nothing to expire")
    for variable, secret in slots.items():
        yield _expiry(variable, secret.reveal(), settings.auth_mode)


def _expiry(variable: str, token: str, mode: str) -> DoctorCheck:
    if mode == "jwt":
        return _ok(variable, "set; tokens of ten minutes are minted with it")
    left_seconds = seconds_left(token)
    if left_seconds is None:
        opaque = "set; it does not say when it ends, or whose it is" if not claims_of(token) else "set; it has no end"
        return _ok(variable, opaque)
    days = left_seconds / _DAY_SECONDS
    if days <= 0:
        return _problem(
            variable, "has expired", f"issue a new credential and set {variable} to it", VerdictStatus.CONFIG
        )
    if days < EXPIRY_WARNING_DAYS:
        next_step = f"rotate: set {variable.removesuffix('_B')}_B to a new one, then replace slot A"
        return _warning(variable, f"expires in {days:.1f} days", next_step)
    return _ok(variable, f"set; good for {days:.0f} days")


def _suite() -> Iterator[DoctorCheck]:
    root = suite_root(project_root())
    pins = manifest.accepted(root / FEATURES, root / manifest.INI)
    yield _ok("suite", f"its {len(pins)} scenarios and files are those that were accepted")


def _quarantine() -> Iterator[DoctorCheck]:
    root = project_root()
    read = read_quarantine(root, all_scenarios(suite_root(root) / FEATURES), today=today())
    if read is None:
        yield _ok("quarantine", f"there is no {FILE}: every check gates")
        return
    for problem in read.problems:
        yield _problem("quarantine", problem, f"correct {FILE}", VerdictStatus.CONFIG)
    for entry in read.entries:
        text = f"{entry.id} until {entry.until} ({entry.owner}, {entry.ticket})"
        if entry.until < read.today:
            yield _warning("quarantine", f"over: {text}", f"remove the entry from {FILE}: the check gates again")
        else:
            yield _warning("quarantine", f"does not gate: {text}", "mend the check before its day is over")


def _writable(folder: Path) -> DoctorCheck:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return _problem(
            "artifacts", f"{folder} cannot be written: {error.strerror}", "set SMOKE_ARTIFACTS to a writable folder"
        )
    return _ok("artifacts", f"{folder} can be written")


def _packages(required: Sequence[str]) -> DoctorCheck:
    names = [match[0] for line in required if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))]
    missing = []
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version(name)
            continue
        missing.append(name)
    if missing:
        return _problem("packages", f"not installed: {', '.join(missing)}", "run scripts/smoke.sh: it installs them")
    return _ok("packages", f"{len(names)} of {len(names)} are installed")


def warnings_to(looks: list[DoctorCheck]) -> Callable[[AnyEvent], None]:
    """Return a recorder that keeps the warnings of what is looked at, and nothing else."""

    def record(event: AnyEvent) -> None:
        if isinstance(event, Warned):
            looks.append(_warning("credentials", event.text, "finish the rotation: move slot B's value to slot A"))

    return record


def doctor(load: Callable[[], contextlib.AbstractContextManager[Settings]], redactor: Redactor) -> list[DoctorCheck]:
    """Look at everything; what comes after settings that cannot be used is skipped."""
    looks = list(look_at_machine())
    try:
        with load() as settings:
            redactor.learn(*settings.redacted())
            looks += look_at_settings(settings)
            run_context = RunContext(
                _impatient(settings), record=warnings_to(looks), learn_secret=redactor.learn, run_id="doctor"
            )
            try:
                for look in look_around(run_context):
                    looks.append(look)
            finally:
                run_context.close()
    except SmokeError as error:
        looks.append(problem_of("settings", error))
        looks += skipped(("service", "sign-in", "ledger", "contract"), "not looked at: the settings cannot be used")
    return looks


def _impatient(settings: Settings) -> Settings:
    """Return the settings without the patience of a run: a doctor looks once."""
    service = msgspec.structs.replace(settings.facts.service, cutover_seconds=0.0)
    return msgspec.structs.replace(settings, facts=msgspec.structs.replace(settings.facts, service=service))


def _ok(name: str, said: str) -> DoctorCheck:
    return DoctorCheck(name=name, state=DoctorState.OK, said=said)


def _warning(name: str, said: str, next_step: str) -> DoctorCheck:
    return DoctorCheck(name=name, state=DoctorState.WARNING, said=said, next_step=next_step)


def _problem(name: str, said: str, next_step: str, verdict: VerdictStatus = VerdictStatus.CONFIG) -> DoctorCheck:
    return DoctorCheck(name=name, state=DoctorState.PROBLEM, said=said, next_step=next_step, verdict=verdict)
