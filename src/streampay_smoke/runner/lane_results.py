"""What behave does with scenarios that another process plays: it is told of them, and shows them as its own."""

import io
from collections.abc import Callable

from behave.capture import Captured
from behave.configuration import Configuration
from behave.formatter.base import Formatter, StreamOpener
from behave.model import Scenario, Step

from streampay_smoke.runner.lane_wire import Output, Printed, Sender, StepPlayed

PASSED = "passed"
_FAILED = "failed"


class StepReporter(Formatter):
    """In a lane: tells each step that ended."""

    def __init__(self, config: Configuration, sender: Sender, id_of: Callable[[Scenario], str]) -> None:
        super().__init__(StreamOpener(), config)
        self._sender = sender
        self._id_of = id_of
        self._scenario_id = ""

    def scenario(self, scenario: Scenario) -> None:
        """Take note of the scenario that begins."""
        self._scenario_id = self._id_of(scenario)

    def result(self, step: Step) -> None:
        """Tell a step as it ended."""
        error = step.exception
        self._sender.send(
            StepPlayed(
                scenario_id=self._scenario_id,
                status=step.status.name,
                seconds=step.duration,
                error=type(error).__name__ if error is not None else "",
                says=str(error) if error is not None else "",
                error_message=step.error_message or "",
                output=tuple(
                    Output(
                        name=part.name or "", stdout=part.stdout, stderr=part.stderr, log=part.log, failed=part.failed
                    )
                    for part in step.captured.captures
                ),
            )
        )


class Shown(Formatter):
    """In the process of the run: gives a step that a lane played what it left there, before others show it."""

    def __init__(self, config: Configuration, played: Callable[[], StepPlayed | None]) -> None:
        super().__init__(StreamOpener(), config)
        self._played = played

    def result(self, step: Step) -> None:
        """Give the step its own words."""
        played = self._played()
        if played is None or played.status == PASSED:
            return
        step.error_message = played.error_message or step.error_message
        step.captured.reset()
        for part in played.output:
            told = Captured(stdout=part.stdout, stderr=part.stderr, log=part.log, name=part.name, failed=part.failed)
            step.captured.add_captured(told, use_merge=False)


def raise_again(played: StepPlayed) -> None:
    """Raise what a step was ended by in its lane, by its name; nothing for one that passed."""
    if played.status == PASSED:
        return
    base = AssertionError if played.status == _FAILED else Exception
    raise type(played.error or "StepNotPlayed", (base,), {})(played.says)


class LaneOutput(io.TextIOBase):
    """In a lane: hands what is printed to the process of the run."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def write(self, text: str) -> int:
        """Send a text."""
        self._sender.send(Printed(text=text))
        return len(text)
