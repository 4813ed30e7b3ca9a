"""`streampay-smoke rollback`, and `python -m streampay_smoke.rollback`, which loads nothing of the gate at all."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from streampay_smoke.core.errors import SettingsInvalid, SmokeError
from streampay_smoke.core.progress_line import Count, counted, told_while
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.actuator import Actuator
from streampay_smoke.rollback.configuration import actuation, deploy_of, known_id, log_path_of
from streampay_smoke.rollback.log import IntentLog, RollbackUnderWay, read_log
from streampay_smoke.rollback.options import DESCRIPTION, EXIT_CODES, add_arguments
from streampay_smoke.rollback.outcome import NoPreviousRelease, RollbackEnding, RollbackOutcome, RollbackRefused
from streampay_smoke.rollback.output import outcome_block, status
from streampay_smoke.rollback.verification import ReleaseVerifier
from streampay_smoke.rollback.wire import Wire
from streampay_smoke.settings.actuator import RollbackSettings, load_rollback
from streampay_smoke.settings.folders import project_root
from streampay_smoke.settings.options import given_options

if TYPE_CHECKING:
    from streampay_smoke.rollback.drill import DrillFleet

StartFleet = Callable[[str], "AbstractContextManager[DrillFleet]"]
"""Starts a fleet of the sandbox with this release live, and ends it."""

_ENDINGS: Mapping[type[SmokeError], RollbackEnding] = {
    NoPreviousRelease: RollbackEnding.NO_PREVIOUS,
    RollbackRefused: RollbackEnding.REFUSED,
    RollbackUnderWay: RollbackEnding.REFUSED,
}
_HEADLINES = {
    RollbackEnding.NO_PREVIOUS: "NO PREVIOUS RELEASE",
    RollbackEnding.REFUSED: "REFUSED",
    RollbackEnding.USAGE: "NOT STARTED",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="streampay-smoke rollback", description=DESCRIPTION, epilog=EXIT_CODES)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(chosen: argparse.Namespace, start_fleet: StartFleet | None = None) -> int:
    """Do what was chosen; every ending is said, and is an exit code. A drill needs the sandbox, which others bring."""
    redactor = Redactor()
    try:
        given = load_rollback(given_options(chosen))
        if chosen.status:
            return _say(redactor, _status(given))
        if chosen.drill:
            return _drilled(given, redactor, start_fleet)
        return _acted(given, redactor, record=chosen.record, failed=chosen.failed)
    except SmokeError as problem:
        return _refused(problem, redactor)


def _status(given: RollbackSettings) -> str:
    path = log_path_of(given)
    return status(read_log(path), given.environment, path, deploy=given.deploy)


def _drilled(given: RollbackSettings, redactor: Redactor, start_fleet: StartFleet | None) -> int:
    from streampay_smoke.rollback.drill import EXERCISES, STABLE, drill, page_of

    if start_fleet is None or given.environment != "sandbox":
        raise SettingsInvalid(
            "a drill is made on a fleet of the sandbox, and nowhere else",
            next_step="run streampay-smoke rollback --drill, without --env",
        )
    progress = Count("exercises", EXERCISES)
    progress.doing = "starting a fleet"
    with counted(progress), start_fleet(STABLE) as fleet:
        report, page = drill(fleet, log_path_of(given).parent / "drills", project_root(), progress)
    _say(redactor, f"{page_of(report)}\nreport: {page}")
    return RollbackEnding.VERIFIED if report.held else RollbackEnding.NOT_VERIFIED


def _acted(given: RollbackSettings, redactor: Redactor, *, record: bool, failed: str) -> int:
    deploy = deploy_of(given)
    if failed:
        known_id(failed, "--failed")
    settings = actuation(given, redactor)
    with IntentLog.held(settings.log_path, redactor) as log:
        actuator = Actuator(
            environment=settings.environment,
            where=settings.where,
            log=log,
            hook=settings.hook,
            wire=Wire(settings, record=lambda event: None),
            verifier=ReleaseVerifier(settings, redactor),
            within_seconds=settings.within_seconds,
        )
        what = f"{'recording what to go back to before' if record else 'rolling back'} {deploy}"
        try:
            with told_while(what, most_seconds=settings.within_seconds):
                outcome = actuator.record(deploy) if record else actuator.roll_back(deploy, failed)
        except (NoPreviousRelease, RollbackRefused) as refusal:
            outcome = _outcome_of(refusal, settings.where)
        except SmokeError as problem:
            if not actuator.acted:
                raise
            outcome = RollbackOutcome(
                ending=RollbackEnding.NOT_VERIFIED,
                headline=f"NOT VERIFIED  {settings.where}: the engine was asked, and then: {problem}",
                next_step=f"look at the engine now; {problem.next_step}",
            )
    _say(redactor, outcome_block(outcome, settings.log_path))
    return outcome.ending


def _refused(problem: SmokeError, redactor: Redactor) -> int:
    outcome = _outcome_of(problem)
    lines = [outcome.headline, *([f"Next:   {outcome.next_step}"] if outcome.next_step else [])]
    _say(redactor, "\n".join(lines))
    return outcome.ending


def _outcome_of(problem: SmokeError, where: str = "") -> RollbackOutcome:
    ending = _ENDINGS.get(type(problem), RollbackEnding.USAGE)
    return RollbackOutcome(
        ending=ending,
        headline=f"{_HEADLINES[ending]}  {f'{where}: ' if where else ''}{problem}",
        next_step=problem.next_step,
    )


def _say(redactor: Redactor, text: str) -> int:
    sys.stdout.write(f"{redactor.text(text)}\n")
    sys.stdout.flush()
    return RollbackEnding.VERIFIED
