"""Looks at what a rollback would need: its engine, its intent log, the release that is to be put back."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.operations.doctor.look import DoctorCheck, DoctorLook, ok, problem, warning
from streampay_smoke.operations.doctor.machine import writable
from streampay_smoke.rollback.configuration import Actuation, actuation, log_path_of
from streampay_smoke.rollback.hooks.command import PYTHON
from streampay_smoke.rollback.log import read_log
from streampay_smoke.settings.actuator import RollbackSettings


class RollbackLookedAt(NamedTuple):
    """The settings of rollbacks, and who learns their secrets."""

    settings: RollbackSettings
    redactor: Redactor


def _engine(found: RollbackLookedAt) -> Iterator[DoctorCheck]:
    settings = found.settings
    if not settings.facts.rollback:
        file = f"environments/{settings.environment}.toml"
        yield ok("rollback", f"{file} has no [rollback]: whoever deploys puts a release back")
        return
    prepared = actuation(settings, found.redactor)
    name = settings.facts.rollback["hook"]
    yield ok("rollback", f"engine {name}, within {prepared.within_seconds:g} s, proved at {prepared.base_url}")
    yield from _programs(settings)
    yield from _live_release(prepared)


def _programs(settings: RollbackSettings) -> Iterator[DoctorCheck]:
    """Look for the programs of the engine `command`."""
    table = settings.facts.rollback.get("command", {})
    programs = {words[0] for words in table.values() if isinstance(words, list) and words} - {PYTHON}
    for program in sorted(programs):
        if shutil.which(program) is None:
            yield problem(
                "rollback program",
                f"{program} of [rollback.command] is no program that can be started from {Path.cwd()}",
                "install it, make it executable, or correct [rollback.command]",
            )
        else:
            yield ok("rollback program", f"{program} can be started")


def _live_release(prepared: Actuation) -> Iterator[DoctorCheck]:
    """Ask the engine, which changes nothing; a fleet of the sandbox has one only while a drill goes on."""
    if prepared.facts.service.simulated:
        return
    try:
        live = prepared.hook.live_release()
    except SmokeError as error:
        yield warning("rollback engine", str(error), error.next_step or "see what the engine says")
        return
    yield ok("rollback engine", f"it answers, and has {live or 'no release of its own word'} live")


def _intent_log(found: RollbackLookedAt) -> Iterator[DoctorCheck]:
    settings = found.settings
    if not settings.facts.rollback:
        return
    path = log_path_of(settings)
    yield writable("intent log", path.parent, "set SMOKE_ROLLBACK_LOG to a path on a disk that outlives the deploy")
    if not settings.deploy:
        return
    recorded = read_log(path).of(settings.deploy).recorded
    if recorded is not None and recorded.release:
        yield ok("rollback target", f"{recorded.release}, recorded before {settings.deploy}")
    else:
        yield warning(
            "rollback target",
            f"no release is recorded before {settings.deploy}: nothing could be put back",
            "before the deploy: streampay-smoke rollback --record --deploy ID",
        )


ROLLBACK: tuple[DoctorLook[RollbackLookedAt], ...] = (
    DoctorLook("rollback", _engine),
    DoctorLook("intent log", _intent_log),
)
