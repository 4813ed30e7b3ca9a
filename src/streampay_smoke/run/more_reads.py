"""More reads of the synthetic user's list, where those of the scenarios are too slow and too few to prove it.

Latencies are judged by confidence sequences, which hold at any number of samples: reading on until the question is
decided costs no confidence. A run whose reads keep their promise makes none of these.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence

import msgspec

from streampay_smoke.acceptance.run_context import REQUEST_SECONDS, RunContext
from streampay_smoke.core.errors import SmokeError
from streampay_smoke.evidence.events import AnyEvent, Exchanged, RateLimitWait
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import EVERY_SAMPLE, Objective
from streampay_smoke.gate.objectives import confidence_of, in_doubt, results

MOST_MORE_READS = 150
MOST_SECONDS = 60.0
"""How long they may take, waits for the service's limit apart."""

SPARED_SECONDS = 20.0
"""Left to the run's deadline when they end at the latest: pairs are read then, and the end is written."""

_OK = 200


class Doubt(msgspec.Struct, kw_only=True):
    """A gating objective of reads, and its samples so far."""

    objective: Objective
    confidence: float
    bad: int
    samples: int

    @property
    def is_open(self) -> bool:
        """Whether the samples look like a miss and do not prove one."""
        return in_doubt(self.bad, self.samples, 1 - self.objective.quantile, self.confidence)

    def add(self, duration_ms: float) -> None:
        """Take one more sample."""
        self.bad += duration_ms > self.objective.threshold
        self.samples += 1


def doubts(objectives: Sequence[Objective], entries: Sequence[Entry]) -> list[Doubt]:
    """Return the gating objectives of reads that the samples in a journal leave in doubt."""
    found = [
        Doubt(
            objective=objective,
            confidence=confidence_of(objective, objectives),
            bad=answer.bad or 0,
            samples=answer.samples,
        )
        for objective, answer in zip(objectives, results(objectives, entries, ()), strict=True)
        if objective.kind == "read_latency" and objective.gates and objective.quantile < EVERY_SAMPLE
    ]
    return [doubt for doubt in found if doubt.is_open]


def more_reads(run_context: RunContext, entries: Sequence[Entry], *, left_seconds: float) -> Iterator[AnyEvent]:
    """Read until nothing is in doubt or a limit is reached; yields what was sent and answered.

    `entries` are the run's so far, `left_seconds` the time to its deadline. A limit of the service is waited out where
    there is time; an answer that is none of the user's list ends it.
    """
    settings = run_context.settings
    open_doubts = doubts(settings.facts.objectives, entries)
    if not open_doubts:
        return
    last_at = time.monotonic() + left_seconds - SPARED_SECONDS
    ends_at = min(last_at, time.monotonic() + MOST_SECONDS)
    seen: list[AnyEvent] = []
    deployment = run_context.deployment_at(
        settings.base_url,
        record=seen.append,
        timeout_seconds=REQUEST_SECONDS,
        patience=lambda: last_at - time.monotonic(),
    )
    with contextlib.closing(deployment):
        for _ in range(MOST_MORE_READS):
            with contextlib.suppress(SmokeError):  # what came in place of an answer is recorded, and judged
                deployment.streams_answer(run_context.credential)
            yield from seen
            status = None
            for event in seen:
                if isinstance(event, RateLimitWait):
                    ends_at = min(last_at, ends_at + event.seconds)
                if isinstance(event, Exchanged):
                    status = event.status
                    if status == _OK and not event.opened_connection:
                        for doubt in open_doubts:
                            doubt.add(event.duration_ms)
            seen.clear()
            over = time.monotonic() >= ends_at
            if status != _OK or over or not any(doubt.is_open for doubt in open_doubts):
                return
