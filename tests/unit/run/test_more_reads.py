"""Reads beyond those of the scenarios: made where a promise is in doubt, until it is not, and within limits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from streampay_smoke.evidence.events import AnyEvent, Exchanged, ServiceSeen
from streampay_smoke.evidence.journal import Entry, Journal
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.objectives import results
from streampay_smoke.run.more_reads import MOST_MORE_READS, doubts, more_reads
from streampay_smoke.service.transport import NoServiceAnswer

READS = Objective(name="reads", kind="read_latency", threshold=1_000)
QUICK_MS, SLOW_MS = 10, 2_000


def read_of(duration_ms: int, *, status: int | None = 200, opened_connection: bool = False) -> Exchanged:
    return Exchanged(
        peer="service",
        method="GET",
        target="/api/v2/streams",
        status=status,
        duration_ms=duration_ms,
        purpose="list",
        opened_connection=opened_connection,
    )


@pytest.fixture(name="journal_of")
def a_journal(tmp_path: Path) -> Callable[..., tuple[Entry, ...]]:
    def written(*events: AnyEvent) -> tuple[Entry, ...]:
        with Journal(tmp_path / "journal.jsonl", Redactor()) as journal:
            for event in events:
                journal.append(event)
            return journal.entries()

    return written


def scenarios(slow: int, quick: int) -> Sequence[AnyEvent]:
    return [ServiceSeen(), *[read_of(SLOW_MS)] * slow, *[read_of(QUICK_MS)] * quick]


class ReadingRun:
    """A run whose deployment answers reads as told, the last answer again and again."""

    def __init__(self, *answers: Exchanged, objectives: tuple[Objective, ...] = (READS,)) -> None:
        self.settings = self.facts = self
        self.objectives = objectives
        self.base_url = "http://127.0.0.1:9"
        self.credential = object()
        self.answers = answers
        self.reads = 0

    def deployment_at(self, base_url: str, *, record: Callable[[AnyEvent], None], **limits: Any) -> "ReadingRun":
        self.record = record
        return self

    def streams_answer(self, credential: object) -> None:
        answer = self.answers[min(self.reads, len(self.answers) - 1)]
        self.reads += 1
        self.record(answer)
        if answer.status is None:
            raise NoServiceAnswer("GET /api/v2/streams: no answer", cause="timeout")

    def close(self) -> None:
        pass


def read(run: ReadingRun, entries: Sequence[Entry], left_seconds: float = 100) -> list[AnyEvent]:
    return list(more_reads(run, entries, left_seconds=left_seconds))  # type: ignore[arg-type]


@pytest.mark.parametrize(("slow", "quick"), [(0, 45), (2, 43), (30, 15), (0, 0)])
def test_none_are_made_where_nothing_is_in_doubt(journal_of: Callable[..., Any], slow: int, quick: int) -> None:
    run = ReadingRun(read_of(SLOW_MS))
    assert read(run, journal_of(*scenarios(slow, quick))) == []


def test_a_miss_is_proved_by_reading_on(journal_of: Callable[..., Any]) -> None:
    before = scenarios(slow=9, quick=36)
    entries = journal_of(*before)
    assert [answer.decision for answer in results([READS], entries, ())] == ["insufficient_sample"]
    run = ReadingRun(read_of(QUICK_MS), read_of(SLOW_MS))
    seen = read(run, entries)
    assert 1 < run.reads < 10
    assert [answer.decision for answer in results([READS], journal_of(*seen), ())] == ["fail"]


def test_doubt_ends_where_further_reads_are_quick(journal_of: Callable[..., Any]) -> None:
    run = ReadingRun(read_of(QUICK_MS))
    read(run, journal_of(*scenarios(slow=3, quick=42)))
    assert run.reads == 15, "3 of 60 are within 5 %"


def test_reads_that_wait_for_a_connection_are_no_samples(journal_of: Callable[..., Any]) -> None:
    run = ReadingRun(read_of(SLOW_MS, opened_connection=True))
    read(run, journal_of(*scenarios(slow=9, quick=36)))
    assert run.reads == MOST_MORE_READS


def test_silence_ends_it_and_is_evidence(journal_of: Callable[..., Any]) -> None:
    last = read_of(0, status=None)
    run = ReadingRun(read_of(SLOW_MS), last)
    assert read(run, journal_of(*scenarios(slow=9, quick=36))) == [read_of(SLOW_MS), last]


@pytest.mark.parametrize("status", [429, 500])
def test_an_answer_that_is_not_the_list_ends_it(journal_of: Callable[..., Any], status: int) -> None:
    run = ReadingRun(read_of(SLOW_MS), read_of(QUICK_MS, status=status))
    assert len(read(run, journal_of(*scenarios(slow=9, quick=36)))) == run.reads == 2


def test_no_time_left_ends_it(journal_of: Callable[..., Any]) -> None:
    run = ReadingRun(read_of(SLOW_MS))
    assert len(read(run, journal_of(*scenarios(slow=9, quick=36)), left_seconds=0)) == 1


@pytest.mark.parametrize(
    "objective",
    [
        Objective(name="shown", kind="read_latency", threshold=1_000, gates=False),
        Objective(name="every", kind="read_latency", threshold=1_000, quantile=1.0),
        Objective(name="writes", kind="write_latency", threshold=1_000),
    ],
)
def test_only_a_gating_quantile_of_reads_is_in_doubt(journal_of: Callable[..., Any], objective: Objective) -> None:
    assert doubts([objective], journal_of(*scenarios(slow=9, quick=36))) == []
    assert doubts([READS], journal_of()) != []
