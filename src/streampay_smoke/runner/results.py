"""What behave keeps of steps and scenarios, made fit to be shown before any formatter or reporter reads it.

Secrets are left out, and a failure that the gate has a name for is told in words: a traceback is for unforeseen errors.

Some of them (`--junit`, allure-behave) write into folders by themselves, past every stream of ours.
"""

from typing import Protocol

from behave.capture import Captured, ManyCaptured
from behave.configuration import Configuration
from behave.formatter.base import Formatter, StreamOpener
from behave.model import Feature, Step
from behave.reporter.base import Reporter
from behave.runner import Runner

from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.redaction import Redactor


class BehaveResult(Protocol):
    """What a step and a scenario have in common."""

    exception: BaseException | None
    error_message: str | None

    @property
    def captured(self) -> ManyCaptured:
        """What was printed and logged meanwhile."""
        ...


def redact_results(runner: Runner, redactor: Redactor) -> None:
    """Let a runner's formatters and reporters see no secret; the formatters must have been made."""
    runner.formatters.insert(0, _StepsFirst(runner.config, redactor))
    runner.config.reporters.insert(0, _ScenariosFirst(runner.config, redactor))


class _StepsFirst(Formatter):
    """Redacts each step that ended, as the first formatter."""

    def __init__(self, config: Configuration, redactor: Redactor) -> None:
        super().__init__(StreamOpener(), config)
        self._redactor = redactor

    def result(self, step: Step) -> None:
        """Redact what is left of a step."""
        _redact(step, self._redactor)


class _ScenariosFirst(Reporter):
    """Redacts each scenario of a feature that ended, as the first reporter."""

    def __init__(self, config: Configuration, redactor: Redactor) -> None:
        super().__init__(config)
        self._redactor = redactor

    def feature(self, feature: Feature) -> None:
        """Redact what is left of its scenarios; a step that was the last when a run was ended is redacted here."""
        for scenario in feature.walk_scenarios():
            _redact(scenario, self._redactor)
            for step in scenario.all_steps:
                _redact(step, self._redactor)


def _redact(result: BehaveResult, redactor: Redactor) -> None:
    if isinstance(result.exception, SmokeError) and not isinstance(result.exception, AssertionError):
        result.error_message = _in_words(result.exception)
    if result.exception is not None:
        result.exception = _telling_no_secret(result.exception, redactor)
    if result.error_message is not None:
        result.error_message = redactor.text(result.error_message)
    parts = [
        Captured(
            stdout=redactor.text(part.stdout),
            stderr=redactor.text(part.stderr),
            log=redactor.text(part.log),
            name=part.name,
            failed=part.failed,
        )
        for part in result.captured.captures
    ]
    result.captured.reset()
    for part in parts:
        result.captured.add_captured(part, use_merge=False)


def _in_words(error: SmokeError) -> str:
    next_step = f"\nNext: {error.next_step}" if error.next_step else ""
    return f"{error.kind}: {error}{next_step}"


def _telling_no_secret(error: BaseException, redactor: Redactor) -> BaseException:
    """Return an error as it is, or one of the same name that says the same without its secrets."""
    text = str(error)
    redacted = redactor.text(text)
    if redacted == text:
        return error
    base = AssertionError if isinstance(error, AssertionError) else Exception
    stand_in: BaseException = type(type(error).__name__, (base,), {})(redacted)
    return stand_in.with_traceback(error.__traceback__)
