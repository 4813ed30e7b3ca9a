"""The sandbox's models do what recordings of the real host say that the real contracts did."""

from collections import Counter

import msgspec
import pytest
from recorded_executions import Execution, Recreation, executions

EXECUTIONS = executions()
AT_LEAST = 150


@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda execution: execution.id)
def test_the_model_does_as_recorded(execution: Execution) -> None:
    ledger = Recreation(execution)
    for number, step in enumerate(execution.steps, start=1):
        found = ledger.play(step)
        stated = {
            "fails": step.fails,
            **({} if step.gives is msgspec.UNSET else {"gives": step.gives}),
            **({} if step.auth is None else {"auth": step.auth}),
            **({} if step.events is None else {"events": step.events}),
        }
        assert {name: found.get(name) for name in stated} == stated, (
            f"step {number}, {step.call}, of {execution.source}"
        )
    for stream_id, fields in execution.streams.items():
        shown = ledger.stream(stream_id)
        assert {name: shown.get(name) for name in fields} == fields, f"stream {stream_id} of {execution.source}"
    assert {name: ledger.balance(name) for name in execution.balances} == execution.balances
    assert {what: ledger.live_until(what) for what in execution.live_until} == execution.live_until


def test_there_are_enough_executions_and_each_names_its_own_source() -> None:
    assert len(EXECUTIONS) >= AT_LEAST
    assert max(Counter(each.id for each in EXECUTIONS).values()) == 1
    assert all("@" in each.source for each in EXECUTIONS)
