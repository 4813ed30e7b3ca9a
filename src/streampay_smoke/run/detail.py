"""How much a run tells while it is played, and each exchange of one that tells everything."""

from collections.abc import Iterator
from enum import StrEnum

from streampay_smoke.evidence.events import Exchanged, ScenarioStarted, StepFinished
from streampay_smoke.evidence.journal import Entry


class Detail(StrEnum):
    """What is printed: the verdict only, the scenarios as behave shows them, or each exchange as the journal has it."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


def lines_of(entry: Entry) -> Iterator[str]:
    """Yield what is told of a journal line: scenarios, steps, exchanges; each with its lane where there are several."""
    lane = f"{entry.lane}| " if entry.lane else ""
    match entry.event:
        case ScenarioStarted(id=scenario_id):
            yield f"{lane}{scenario_id}"
        case Exchanged() as asked:
            answer = asked.status if asked.status is not None else asked.error or "no answer"
            yield f"{lane}    {asked.peer}: {asked.method} {asked.target} -> {answer} ({asked.duration_ms} ms)"
        case StepFinished() as step:
            yield f"{lane}  {step.text} ... {step.status} ({step.duration_ms} ms)"
            if step.failure is not None:
                yield f"{lane}    {step.failure.kind}: {step.failure.message}"
