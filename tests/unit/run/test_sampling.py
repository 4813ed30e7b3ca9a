"""The sampler's limits: pairs, seconds, patience; on readers that answer as told."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from streampay_smoke.chain.progress import LedgerProgress
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Measured, PairSampled, RateLimitWait
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.run import sampling

COMPARISON = Objective(name="reads", kind="read_comparison", threshold=1.1, within_seconds=10)


class Told:
    """A reader whose answers are told beforehand: microseconds and status, the last one again and again."""

    def __init__(self, *answers: tuple[int, int | None], connects_at: frozenset[int] = frozenset()) -> None:
        self._answers = answers
        self._connects_at = connects_at
        self.reads = 0
        self.microseconds, self.status = 0, None
        self.connected = False
        self.last: Exchanged | None = None

    def read(self) -> None:
        self.microseconds, self.status = self._answers[min(self.reads, len(self._answers) - 1)]  # type: ignore[assignment]
        self.connected = self.reads in self._connects_at
        self.reads += 1


def sampled(
    candidate: Told, stable: Told, *, seconds: float = 10, confidence: float = 0.999
) -> tuple[list[PairSampled], str]:
    pairs: list[PairSampled] = []
    coins = itertools.cycle([True, False])
    sampler = sampling._compared(candidate, stable, COMPARISON, confidence, seconds, lambda: next(coins))  # type: ignore[arg-type]
    while True:
        try:
            event = next(sampler)
        except StopIteration as end:
            return pairs, end.value
        assert isinstance(event, PairSampled)
        pairs.append(event)


def test_sampling_ends_when_the_question_is_decided() -> None:
    pairs, why = sampled(Told((2_000, 200)), Told((1_000, 200)))
    assert len(pairs) < 20
    assert "decided" in why


def test_no_more_than_forty_pairs_are_made_where_the_candidate_does_not_look_slower() -> None:
    pairs, why = sampled(Told((1_100, 200)), Told((1_000, 200)))
    assert sum(pair.counts for pair in pairs) == sampling.MOST_PAIRS == 40
    assert sum(pair.warm_up for pair in pairs) == sampling.WARM_UP_PAIRS
    assert why == "ended after 40 pairs: no more are made"


def test_a_candidate_that_looks_slower_is_compared_further() -> None:
    noisy = Told(*[(2_500, 200), (2_500, 200), (800, 200)] * 40)
    pairs, why = sampled(noisy, Told((1_000, 200)))
    assert sampling.MOST_PAIRS < sum(pair.counts for pair in pairs) < sampling.MOST_PAIRS_IN_DOUBT
    assert "decided" in why


def test_no_doubt_lasts_for_ever() -> None:
    noisy = Told(*[(2_500, 200), (2_500, 200), (2_500, 200), (800, 200)] * 40)
    pairs, why = sampled(noisy, Told((1_000, 200)), confidence=1 - 1e-12)
    assert sum(pair.counts for pair in pairs) == sampling.MOST_PAIRS_IN_DOUBT
    assert why == "ended after 100 pairs: no more are made"


def test_the_coin_decides_who_is_first() -> None:
    pairs, _ = sampled(Told((1_100, 200)), Told((1_000, 200)))
    assert [pair.candidate_first for pair in pairs[:4]] == [True, False, True, False]


@pytest.mark.parametrize("who", ["candidate", "stable"])
def test_a_rate_limit_ends_sampling(who: str) -> None:
    throttled, free = Told((1_000, 200), (1_000, 200), (1_000, 200), (1_000, 429)), Told((1_000, 200))
    pairs, why = sampled(*((throttled, free) if who == "candidate" else (free, throttled)))
    assert len(pairs) == 4
    assert "rate limit" in why


def test_three_pairs_in_a_row_without_answers_end_sampling() -> None:
    pairs, why = sampled(Told((1_000, 200), (1_000, None), (1_000, 200), (1_000, None)), Told((1_000, 200)))
    assert len(pairs) == 6
    assert "3 pairs in a row lacked an answer" in why


def test_the_seconds_end_sampling() -> None:
    pairs, why = sampled(Told((1_000, 200)), Told((1_000, 200)), seconds=0)
    assert len(pairs) == 1
    assert "0 s were over" in why


def test_a_pair_that_waited_for_a_connection_is_warm_up() -> None:
    pairs, _ = sampled(Told((1_000, 200), connects_at=frozenset({5})), Told((1_000, 200), connects_at=frozenset({7})))
    assert [number for number, pair in enumerate(pairs) if pair.warm_up] == [0, 1, 5, 7]


class SampledRun:
    def __init__(self, *objectives: Objective, baseline_url: str = "http://127.0.0.1:9") -> None:
        self.settings = self
        self.facts = self
        self.objectives = objectives
        self.baseline_url = baseline_url
        self.rpc_url = ""
        self.ledger_progress = LedgerProgress()


def measured(run: SampledRun, *, left_seconds: float = 100, failed: bool = False) -> list[AnyEvent]:
    found: Iterator[AnyEvent] = sampling.measure(run, left_seconds=left_seconds, failed=failed)  # type: ignore[arg-type]
    return list(found)


@pytest.mark.parametrize(
    ("run", "facts", "because"),
    [
        (SampledRun(COMPARISON, baseline_url=""), {}, "no stable release"),
        (SampledRun(COMPARISON), {"failed": True}, "a scenario failed"),
        (SampledRun(COMPARISON), {"left_seconds": 4.9}, "deadline is too near"),
    ],
)
def test_sampling_that_cannot_be_says_why(run: SampledRun, facts: dict[str, float], because: str) -> None:
    (only,) = measured(run, **facts)  # type: ignore[arg-type]
    assert isinstance(only, Measured)
    assert because in only.sampling
    assert only.ledger_ok is None


def test_the_ledger_is_asked_where_a_gate_needs_it() -> None:
    gate = Objective(name="time-out", kind="settlement_time", threshold=90, quantile=1, gates=True)
    (only,) = measured(SampledRun(gate))
    assert isinstance(only, Measured)
    assert (only.sampling, only.ledger_ok) == ("", False)
    assert "no RPC" in only.ledger_detail


class ThrottledRun:
    """A run that can wait 40 s for rate limits; its deployments remember how they were made."""

    def __init__(self) -> None:
        self.recorded: list[AnyEvent] = []
        self.record = self.recorded.append
        self.throttle_patience = lambda: 40.0
        self.at_sign_in: list[float] = []

    def deployment_at(self, base_url: str, **made_with: Any) -> dict[str, Any]:
        return made_with

    def signed_in_at(self, stable: dict[str, Any]) -> str:
        self.at_sign_in.append(stable["patience"]())
        for event in (RateLimitWait(seconds=3), Awaiting(what="POST /api/auth/wallet", peer="service")):
            stable["record"](event)
        return "credential"


def test_a_sign_in_before_reads_are_compared_waits_for_the_limit_and_reads_do_not() -> None:
    run = ThrottledRun()
    reader = sampling.ListReader(run, "http://127.0.0.1:9", stable=True)  # type: ignore[arg-type]
    reader.sign_in(run, patient=True)  # type: ignore[arg-type]
    reader.sign_in(run)  # type: ignore[arg-type]
    assert run.at_sign_in == [40, 0]
    assert reader._deployment["patience"]() == 0  # type: ignore[index]
    assert run.recorded == [RateLimitWait(seconds=3)] * 2, "the run is told how long it waits, not what was asked there"
