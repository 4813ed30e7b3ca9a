"""An environment of its own for each test of the actuator."""

from pathlib import Path

import pytest
from rollback_parts import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "rollback" / "staging.jsonl")
