from collections.abc import Iterator

import pytest
from ledger_players import Running, Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Running() as client:
        yield client
