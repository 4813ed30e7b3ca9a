"""Writes stories down as journals."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.journal import Journal, JournalRead, read
from streampay_smoke.evidence.redaction import Redactor


@pytest.fixture
def journaled(tmp_path: Path) -> Callable[..., JournalRead]:
    """Write events down and read them back, as the judge will."""

    def write(*story: AnyEvent | list[AnyEvent]) -> JournalRead:
        path = tmp_path / "journal.jsonl"
        path.unlink(missing_ok=True)
        clock = iter(range(1_000, 1_000_000, 10))
        with Journal(path, Redactor(), now_ms=lambda: next(clock)) as journal:
            for part in story:
                for event in part if isinstance(part, list) else [part]:
                    journal.append(event)
        return read(path)

    return write
