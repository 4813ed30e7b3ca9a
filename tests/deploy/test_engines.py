"""The same verdict leads every engine to the right action, whatever else goes on: deploy/ is played, not parsed."""

from pathlib import Path

import pytest
from engines.adapters import ADAPTERS, Adapter
from engines.effects import Situation, Stage, right_effects
from engines.table import HEAD, PAGE, played, row, table_in

from streampay_smoke.gate.verdict import VerdictStatus


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_every_verdict_leads_to_the_right_action_in_every_situation(
    tmp_path: Path, adapter: Adapter, quick_disk: None
) -> None:
    seen = played(adapter, tmp_path)
    wrong = {
        (status, situation): effect
        for (status, situation), effect in seen.items()
        if effect not in right_effects(adapter.stage, status, answered=answered(adapter, situation))
    }
    assert len(seen) == len(VerdictStatus) * len(Situation)
    assert wrong == {}
    assert row(adapter, seen) in PAGE.read_text(), "play it anew: python -m engines.table (see its docstring)"


def answered(adapter: Adapter, situation: Situation) -> bool:
    return situation is not Situation.DOWN and (situation is not Situation.SLOW or adapter.slow_answers)


def test_the_page_holds_every_adapter_and_nothing_else() -> None:
    table = table_in(PAGE.read_text())
    assert table.startswith(HEAD)
    assert len(table.removeprefix(HEAD).splitlines()) == len(ADAPTERS)


def test_a_table_that_lets_everything_pass_would_be_no_table() -> None:
    for stage in Stage:
        right = right_effects(stage, VerdictStatus.PASS, answered=True)
        assert right.isdisjoint(right_effects(stage, VerdictStatus.FAIL, answered=True))
        assert right.isdisjoint(right_effects(stage, VerdictStatus.PASS, answered=False))
