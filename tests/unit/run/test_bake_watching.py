"""What a bake looks at, and when it stops: against a small StreamPay, on a clock that only waiting moves."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from step_parts import Says, SmallStreamPay, Witness, run_context_of, settings_for, small_environ

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.evidence.bake import Bake, CountersWatched, RatioQueried
from streampay_smoke.evidence.events import AnyEvent, BakeEnded, BakeStarted, BurnRead, Probed, Watched
from streampay_smoke.run.bake import _NothingSeen, summed, watch

COUNTERS = CountersWatched(requests="answers_total", errors='answers_total{status=~"5..", app="a"}')
STEADY = Bake(reads_per_minute=60)


@pytest.fixture
def small() -> Iterator[SmallStreamPay]:
    service = SmallStreamPay()
    yield service
    service.close()


def around(small: SmallStreamPay, bake: Bake, **environ: str) -> RunContext:
    settings = settings_for(small_environ(small, **environ))
    return run_context_of(replace(settings, facts=replace(settings.facts, bake=bake)), Witness())


class Clock:
    """Seconds that pass while somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds + 0.001


def watched(run_context: RunContext, seconds: float = 20) -> list[AnyEvent]:
    clock = Clock()
    return list(watch(run_context, seconds=seconds, wait=clock.wait, clock=clock))


def looks(events: list[AnyEvent], source: str) -> list[tuple[int, int]]:
    return [(event.good, event.bad) for event in events if isinstance(event, Watched) and event.source == source]


def test_a_release_that_answers_is_watched_to_the_end(small: SmallStreamPay) -> None:
    began, *seen, end = watched(around(small, STEADY))
    assert isinstance(began, BakeStarted)
    assert (began.seconds, began.bake) == (20, STEADY)
    assert isinstance(end, BakeEnded)
    assert (end.reason, round(end.watched_seconds)) == ("over", 20)
    assert set(looks(seen, "reads")) == {(1, 0)}
    assert 19 <= len(seen) <= 21
    assert not small.writes
    assert sum(asked.path == "/api/auth/wallet" for asked in small.asked) == 2, "one sign-in is enough"


def test_a_release_that_stops_answering_ends_the_bake_early(small: SmallStreamPay) -> None:
    small.lie("GET /api/streams", Says(status=500, json={"error": {"code": "INTERNAL", "message": "m"}}))
    *seen, end = watched(around(small, STEADY), seconds=600)
    assert isinstance(end, BakeEnded)
    assert end.reason == "burning"
    assert end.watched_seconds < 20
    assert {probe.name for probe in seen if isinstance(probe, Probed)} >= {"egress", "ledger", "stable release"}
    assert "500" in next(event.detail for event in seen if isinstance(event, Watched))


def test_a_throttle_is_about_the_caller(small: SmallStreamPay) -> None:
    small.lie("GET /api/streams", Says(status=429, headers={"retry-after": "60"}))
    *seen, end = watched(around(small, STEADY))
    assert set(looks(seen, "reads")) == {(0, 0)}
    assert isinstance(end, BakeEnded)
    assert end.reason == "over"


def test_a_credential_that_ran_out_is_about_the_caller(small: SmallStreamPay) -> None:
    small.lie("GET /api/streams", Says(status=401, json={"error": {"code": "UNAUTHORIZED", "message": "m"}}))
    run_context = around(small, STEADY, SMOKE_AUTH_MODE="api-key", SMOKE_API_KEY="a-key-that-was-rotated")
    seen = watched(run_context)
    assert set(looks(seen, "reads")) == {(0, 0)}


def exposition(good: int, bad: int) -> str:
    return (
        "# TYPE answers_total counter\n"
        f'answers_total{{status="200",app="a"}} {good}\nanswers_total{{status="503",app="a"}} {bad}\n'
        'answers_total{status="500",app="b"} 7\n'
    )


def scrapes(small: SmallStreamPay, *texts: str) -> None:
    told = iter(texts)
    last = texts[-1]
    small.lie("GET /api/metrics", lambda asked, honest: Says(text=next(told, last)))


def test_counters_are_compared_with_the_scrape_before(small: SmallStreamPay) -> None:
    scrapes(small, exposition(1_000, 100), exposition(1_090, 100), exposition(1_100, 101))
    run_context = around(small, Bake(reads_per_minute=1, counters=COUNTERS), SMOKE_METRICS_TOKEN="a-metrics-token")
    seen = watched(run_context, seconds=50)
    assert looks(seen, "counters")[:4] == [(0, 0), (90, 0), (10, 1), (0, 0)]
    assert small.asked[-1].headers["authorization"] == "Bearer a-metrics-token"


def test_counters_of_a_service_that_was_started_anew_count_from_nothing(small: SmallStreamPay) -> None:
    scrapes(small, exposition(1_000, 100), exposition(5, 1))
    seen = watched(around(small, Bake(reads_per_minute=1, counters=COUNTERS)), seconds=50)
    assert looks(seen, "counters")[:2] == [(0, 0), (12, 1)]


def test_counters_that_burn_end_the_bake(small: SmallStreamPay) -> None:
    scrapes(small, exposition(0, 0), exposition(50, 50))
    *_, end = watched(around(small, Bake(reads_per_minute=1, counters=COUNTERS)), seconds=600)
    assert isinstance(end, BakeEnded)
    assert (end.reason, end.watched_seconds < 15) == ("burning", True)


@pytest.mark.parametrize(
    "answer", [Says(status=503), Says(text="<html>"), Says(text="other_total 1\n"), Says(text='answers_total{x="')]
)
def test_an_endpoint_that_tells_nothing_is_seen_as_that(small: SmallStreamPay, answer: Says) -> None:
    small.lie("GET /api/metrics", answer)
    seen = watched(around(small, Bake(reads_per_minute=1, counters=COUNTERS)), seconds=25)
    dark = [event for event in seen if isinstance(event, Watched) and event.source == "counters"]
    assert {(event.good, event.bad) for event in dark} == {(0, 0)}
    assert all(event.detail for event in dark)


def test_all_series_of_a_selector_are_added_up() -> None:
    assert summed(exposition(3, 4), "answers_total") == 14
    assert summed(exposition(3, 4), 'answers_total{app="b"}') == 7
    assert summed(exposition(3, 4), 'answers_total{app="."}') == 0
    with pytest.raises(_NothingSeen, match="no counter"):
        summed(exposition(3, 4), "errors_total")


def prometheus(small: SmallStreamPay, answer: Any) -> RunContext:
    small.lie("GET /api/v1/query", answer)
    queried = RatioQueried(url=small.url, ratio="sum(rate(errors[{window}])) / sum(rate(all[{window}]))")
    return around(small, Bake(reads_per_minute=1, query=queried))


def vector(*values: str) -> Says:
    return Says(json={"status": "success", "data": {"result": [{"metric": {}, "value": [1, each]} for each in values]}})


def test_prometheus_is_asked_over_both_windows(small: SmallStreamPay) -> None:
    *seen, end = watched(prometheus(small, vector("0.001")), seconds=50)
    reads = [event for event in seen if isinstance(event, BurnRead)]
    assert reads == [BurnRead(short_ratio=0.001, long_ratio=0.001)] * 5
    asked = [each.query["query"] for each in small.asked if each.path == "/api/v1/query"]
    assert asked[:2] == [
        "sum(rate(errors[5m])) / sum(rate(all[5m]))",
        "sum(rate(errors[1h])) / sum(rate(all[1h]))",
    ]
    assert isinstance(end, BakeEnded)
    assert end.reason == "over"


def test_prometheus_that_sees_the_budget_burn_ends_the_bake(small: SmallStreamPay) -> None:
    *_, end = watched(prometheus(small, vector("0.2")), seconds=600)
    assert isinstance(end, BakeEnded)
    assert end.reason == "burning"


@pytest.mark.parametrize("answer", [vector(), vector("1", "2"), vector("NaN"), Says(status=400), Says(text="x")])
def test_prometheus_that_tells_no_number_is_seen_as_that(small: SmallStreamPay, answer: Says) -> None:
    seen = watched(prometheus(small, answer), seconds=5)
    read, *_ = [event for event in seen if isinstance(event, BurnRead)]
    assert (read.short_ratio, read.long_ratio) == (None, None)
    assert read.detail
