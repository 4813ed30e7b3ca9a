"""`streampay-smoke doctor`: what a run, a rollback and a bake need, looked at one by one. Nothing is changed.

Each module here has a table of looks; the first three need no settings that are right, so that all problems are told at
once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from streampay_smoke import settings as configuration
from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.evidence.events import AnyEvent, Warned
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.http.client import Client, NoAnswer
from streampay_smoke.operations.doctor.deployment import DEPLOYMENT
from streampay_smoke.operations.doctor.given import SETTINGS
from streampay_smoke.operations.doctor.look import (
    DoctorCheck,
    DoctorState,
    exit_code,
    look_at,
    ok,
    problem,
    problems_of,
    skipped,
    table,
    warning,
)
from streampay_smoke.operations.doctor.machine import MACHINE
from streampay_smoke.operations.doctor.rollback import ROLLBACK, RollbackLookedAt
from streampay_smoke.runner.session import effective_settings
from streampay_smoke.settings import Settings
from streampay_smoke.settings.actuator import load_rollback
from streampay_smoke.settings.reading import read

__all__ = ["DoctorCheck", "DoctorState", "doctor", "exit_code", "table"]


def doctor(options: Mapping[str, str], redactor: Redactor) -> list[DoctorCheck]:
    """Look at everything; where settings cannot be used, at all that does without them. `options` as in `load`."""
    return list(_once(_all(options, redactor)))


def _once(checks: Iterable[DoctorCheck]) -> Iterator[DoctorCheck]:
    """Yield each problem once, under the name it was met with first."""
    told: set[str] = set()
    for check in checks:
        if check.state is not DoctorState.PROBLEM or check.text not in told:
            yield check
        told.add(check.text)


def _all(options: Mapping[str, str], redactor: Redactor) -> Iterator[DoctorCheck]:
    yield from look_at(configuration.load_evidence(options), MACHINE)
    try:
        with effective_settings(options) as settings:
            redactor.learn(*settings.redacted())
            yield from look_at(settings, SETTINGS)
            if settings.rehearsal:
                yield from skipped(["rollback"], "a rehearsal has no release to put back; see rollback --drill")
            else:
                yield from _rollback(options, redactor)
            yield from _deployment(settings, redactor)
    except SmokeError as error:
        yield from problems_of("settings", error)
        yield from _rollback(options, redactor)
        yield from _reached(options)
        yield from skipped(("sign-in", "ledger", "contract"), "not looked at: the settings cannot be used")


def _rollback(options: Mapping[str, str], redactor: Redactor) -> Iterator[DoctorCheck]:
    """Look at rollbacks, which need less of the settings."""
    try:
        yield from look_at(RollbackLookedAt(load_rollback(options), redactor), ROLLBACK)
    except SmokeError as error:
        yield from problems_of("rollback", error)


def _reached(options: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Look whether anything answers at the service's address, where that is all that is known."""
    try:
        raw = read(options)
        url = raw.parsed("SMOKE_BASE_URL")
    except SmokeError:
        url = ""
    if not url:
        yield from skipped(("service",), "not looked at: its address is not known")
        return
    try:
        with Client(timeout_seconds=REQUEST_SECONDS) as client:
            status = client.request("GET", url).status
    except (NoAnswer, SettingsInvalid) as silence:
        yield problem("service", f"{url}: {silence}", "see whether it runs, and how it is reached", _UNREACHED)
    else:
        yield ok("service", f"something answers at {url} (status {status}); more was not looked at")


_UNREACHED = VerdictStatus.INCONCLUSIVE


def _deployment(settings: Settings, redactor: Redactor) -> list[DoctorCheck]:
    checks: list[DoctorCheck] = []
    run_context = RunContext(
        _impatient(settings), record=warnings_to(checks), learn_secret=redactor.learn, run_id="doctor"
    )
    try:
        for check in look_at(run_context, DEPLOYMENT):
            checks.append(check)  # noqa: PERF402 - warnings come between them
    finally:
        run_context.close()
    return checks


def warnings_to(checks: list[DoctorCheck]) -> Callable[[AnyEvent], None]:
    """Return a recorder that keeps the warnings of what is looked at, and nothing else."""

    def record(event: AnyEvent) -> None:
        if isinstance(event, Warned):
            checks.append(warning("credentials", event.text, "finish the rotation: move slot B's value to slot A"))

    return record


def _impatient(settings: Settings) -> Settings:
    """Return the settings without the patience of a run: a doctor looks once."""
    service = msgspec.structs.replace(settings.facts.service, cutover_seconds=0.0)
    return msgspec.structs.replace(settings, facts=msgspec.structs.replace(settings.facts, service=service))
