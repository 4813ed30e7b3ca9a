"""What a rollback says to the person who reads it at night: the ending first, then why, then what to do."""

from collections.abc import Iterator
from pathlib import Path

from streampay_smoke.core.times import iso
from streampay_smoke.rollback import log as logs
from streampay_smoke.rollback.log import AnyLogStep, DeployHistory, LogRead
from streampay_smoke.rollback.outcome import RollbackOutcome

_LABEL_WIDTH = 8


def outcome_block(outcome: RollbackOutcome, log_path: Path) -> str:
    """Return an outcome as a block of lines."""
    facts = [*outcome.facts, *([("Next", outcome.next_step)] if outcome.next_step else []), ("Log", str(log_path))]
    return "\n".join([outcome.headline, *(f"{label + ':':<{_LABEL_WIDTH}}{text}" for label, text in facts)])


def status(read: LogRead, where: str, log_path: Path, *, deploy: str = "") -> str:
    """Return what the log says: a line for each deploy, or every step of one."""
    if deploy:
        history = read.of(deploy)
        lines = [f"{iso(line.at_ms)}  {_step(line.step)}" for line in history.lines] or ["nothing is recorded"]
        return "\n".join([f"STATUS  {where}: {deploy}", *lines, f"{'Log:':<{_LABEL_WIDTH}}{log_path}"])
    lines = list(_deploys(read)) or ["no deploy is recorded; before each one run rollback --record --deploy ID"]
    return "\n".join([f"STATUS  {where}", *lines, f"{'Log:':<{_LABEL_WIDTH}}{log_path}"])


def _deploys(read: LogRead) -> Iterator[str]:
    for deploy, history in read.deploys.items():
        if history.last is not None:
            yield f"{iso(history.last.at_ms)}  {deploy}: {_state(history)}"


def _state(history: DeployHistory) -> str:
    recorded, intended = history.recorded, history.intended
    if history.proved is not None:
        return f"rolled back to {history.proved.release}, proved"
    if intended is not None:
        return f"rollback from {intended.failed_release} to {intended.target_release} begun, NOT proved; run it again"
    if recorded is not None and recorded.release:
        return f"{recorded.release} would be put back"
    return "nothing to put back"


def _step(step: AnyLogStep) -> str:
    """Return a step in words."""
    match step:
        case logs.TargetRecorded():
            return f"recorded {step.release or f'no release ({step.because})'} as the release to put back"
        case logs.RollbackIntended():
            return f"intended to put {step.target_release} back in place of {step.failed_release} ({step.seen})"
        case logs.EngineAsked():
            return f"asked the engine, attempt {step.attempt}"
        case logs.EngineAccepted():
            return f"the engine accepted{f': {step.said}' if step.said else ''}"
        case logs.EngineNotAccepted():
            return f"the engine did not accept: {step.why}"
        case logs.RollbackProved():
            return f"proved: {step.release} is live and healthy{''.join(f'; {note}' for note in step.notes)}"
        case logs.RollbackNotProved():
            return f"not proved: {step.why}"
        case logs.RollbackDeclined():
            return f"refused: {step.why}"
