"""What formatters and reporters read of steps and scenarios: no secret, and all else as it was."""

from types import SimpleNamespace
from typing import Any

import pytest
from behave.capture import Captured, ManyCaptured

from streampay_smoke.core.errors import PromiseBroken, SettingsInvalid
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.runner.results import redact_results

SECRET = "correct horse"


def result(error: BaseException | None = None, message: str | None = None, printed: str = "") -> Any:
    captured = ManyCaptured()
    for name in ("step", "after"):
        captured.add_captured(Captured(stdout=printed, stderr="", log=printed, name=name, failed=True))
    return SimpleNamespace(exception=error, error_message=message, captured=captured)


@pytest.fixture
def runner() -> Any:
    runner = SimpleNamespace(formatters=["theirs"], config=SimpleNamespace(reporters=["theirs"]))
    redactor = Redactor()
    redactor.learn(SECRET)
    redact_results(runner, redactor)
    return runner


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_steps_and_scenarios_are_redacted_before_anybody_else_reads_them(runner: Any) -> None:
    (steps, theirs), (scenarios, others) = runner.formatters, runner.config.reporters
    assert (theirs, others) == ("theirs", "theirs")
    step, late, scenario = (result(raised(PromiseBroken(f"saw {SECRET}")), f"m {SECRET}", f"p {SECRET}") for _ in "123")
    before = step.exception
    steps.result(step)
    scenario.all_steps = [step, late]
    scenarios.feature(SimpleNamespace(walk_scenarios=lambda: [scenario]))

    for each in (step, late, scenario):
        assert str(each.exception) == "saw <redacted>"
        assert type(each.exception).__name__ == "PromiseBroken"
        assert isinstance(each.exception, AssertionError), "it failed, and was no error"
        assert each.error_message == "m <redacted>"
        assert [part.name for part in each.captured.captures] == ["step", "after"]
        assert each.captured.stdout == each.captured.log == "p <redacted>\np <redacted>"
        assert each.captured.failed
    assert step.exception.__traceback__ is before.__traceback__
    steps.close()
    scenarios.end()


def test_an_error_that_is_no_failure_stays_one(runner: Any) -> None:
    step = result(raised(ValueError(SECRET)))
    runner.formatters[0].result(step)
    assert str(step.exception) == "<redacted>"
    assert isinstance(step.exception, Exception)
    assert not isinstance(step.exception, AssertionError)


def test_what_tells_no_secret_is_left_as_it_is(runner: Any) -> None:
    error = raised(PromiseBroken("nothing to hide"))
    step = result(error, "nothing to hide", "nothing to hide")
    runner.formatters[0].result(step)
    assert step.exception is error
    assert (step.error_message, step.captured.stdout) == ("nothing to hide", "nothing to hide\nnothing to hide")
    well = result()
    runner.formatters[0].result(well)
    assert (well.exception, well.error_message) == (None, None)


def test_a_failure_with_a_name_is_told_without_a_traceback(runner: Any) -> None:
    error = SettingsInvalid(f"{SECRET} was expected", next_step="give --expect-release")
    step = result(raised(error), "Traceback (most recent call last): ...")
    runner.formatters[0].result(step)
    assert step.error_message == "settings_invalid: <redacted> was expected\nNext: give --expect-release"


def test_an_unforeseen_error_keeps_its_traceback(runner: Any) -> None:
    step = result(raised(ValueError("a mistake of the suite")), "Traceback (most recent call last): ...")
    runner.formatters[0].result(step)
    assert step.error_message == "Traceback (most recent call last): ..."
