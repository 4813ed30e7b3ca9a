"""A release that is watched: what burns its error budget, what does not, and what nobody saw."""

from collections.abc import Callable

import pytest
from gate_stories import HELD, READY, ended, planned, played, started

from streampay_smoke.evidence.bake import Bake, CountersWatched, RatioQueried
from streampay_smoke.evidence.events import AnyEvent, BakeEnded, BakeStarted, BurnRead, Probed, Watched
from streampay_smoke.evidence.journal import Entry, JournalRead
from streampay_smoke.gate.bake import DARK_LOOKS, ERROR, LONG_SECONDS, BurnTest, error_each, query_burns, results
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import Verdict, VerdictStatus

Told = Callable[..., JournalRead]

BAKE = Bake(success_target=0.995, burn_rate=14.4)
ALL = Bake(
    counters=CountersWatched(requests="a", errors="b"), query=RatioQueried(url="http://p", ratio="rate(x[{window}])")
)
GOOD, BAD, DARK = (
    Watched(source="reads", good=g, bad=b, detail=d) for g, b, d in ((1, 0, ""), (0, 1, "500"), (0, 0, "?"))
)


def test_an_outage_burns_within_a_few_reads() -> None:
    test = BurnTest(BAKE, error=ERROR)
    for number in range(10):
        test.add(number * 1_000, good=1, bad=0)
    bad = 0
    while not test.burns:
        test.add((10 + bad) * 1_000, good=0, bad=1)
        bad += 1
    assert 3 <= bad <= 10


def test_what_the_budget_allows_does_not_burn() -> None:
    test = BurnTest(BAKE, error=ERROR)
    for number in range(2_000):
        test.add(number * 1_000, good=int(number % 20 != 0), bad=int(number % 20 == 0))  # 5 %, 7.2 % is the limit
    assert not test.burns


def test_a_storm_that_is_over_does_not_burn_any_more() -> None:
    over, raging = BurnTest(BAKE, error=ERROR), BurnTest(BAKE, error=ERROR)
    for test, now in ((over, {"good": 1, "bad": 0}), (raging, {"good": 0, "bad": 1})):
        test.add(0, good=1_000, bad=0)
        test.add(1_800_000, good=0, bad=70)  # a busy hour makes little of it
        assert not test.burns
        test.add(3_700_000, **now)  # that hour is forgotten, and only the storm is left
    assert (over.burns, raging.burns) == (False, True)


def test_the_long_window_forgets() -> None:
    test = BurnTest(BAKE, error=ERROR)
    test.add(0, good=0, bad=3)
    later_ms = int(LONG_SECONDS * 1000) + 1_000
    for number in range(3):
        test.add(later_ms + number, good=0, bad=1)
    assert not test.burns
    assert test.failed == 6


def test_more_requests_than_the_arithmetic_takes_still_burn() -> None:
    test = BurnTest(BAKE, error=ERROR)
    test.add(0, good=900_000, bad=100_000)
    assert test.burns


@pytest.mark.parametrize(
    ("short", "long", "burns"), [(0.1, 0.1, True), (0.1, 0.07, False), (0.07, 0.1, False), (None, 0.1, False)]
)
def test_prometheus_has_to_see_it_over_both_windows(short: float | None, long: float, burns: bool) -> None:
    assert query_burns(BurnRead(short_ratio=short, long_ratio=long), BAKE) is burns


def test_sources_share_the_error() -> None:
    assert (error_each(BAKE), error_each(ALL)) == (ERROR, ERROR / 2)


def watched(journaled: Told, *looks: AnyEvent, bake: Bake = BAKE, ending: str = "over", **facts: object) -> Verdict:
    end = [BakeEnded(reason=ending, watched_seconds=60)] if ending else []
    return judge(
        journaled(
            started(bake_seconds=60.0, **facts),
            planned(READY),
            played(READY, HELD),
            BakeStarted(seconds=60, bake=bake),
            list(looks),
            end,
            ended(readiness__ready="passed"),
        )
    )


def test_a_release_that_keeps_answering_passes(journaled: Told) -> None:
    verdict = watched(journaled, *[GOOD] * 200)
    assert verdict.verdict is VerdictStatus.PASS
    assert "watched for 60 s" in verdict.message
    (answer,) = verdict.objectives
    assert (answer.decision, answer.samples, answer.estimate, answer.unit) == ("pass", 200, 0.0, "x budget")


def test_few_reads_are_no_proof_and_no_failure(journaled: Told) -> None:
    verdict = watched(journaled, *[GOOD] * 5)
    assert (verdict.verdict, verdict.objectives[0].decision) == (VerdictStatus.PASS, "insufficient_sample")


def test_a_release_that_burns_its_budget_fails(journaled: Told) -> None:
    verdict = watched(journaled, *[GOOD] * 10, *[BAD] * 10, ending="burning")
    assert (verdict.verdict, verdict.attribution, verdict.reason_code) == (
        VerdictStatus.FAIL,
        "product",
        "objective_missed",
    )
    assert "10 of 20 failed" in verdict.objectives[0].note


@pytest.mark.parametrize(
    ("probe", "blame"), [("stable release", "dependency"), ("egress", "harness"), ("ledger", "product")]
)
def test_what_the_release_cannot_help_does_not_fail_it(journaled: Told, probe: str, blame: str) -> None:
    verdict = watched(journaled, *[BAD] * 10, Probed(name=probe, ok=False, detail="d"), ending="burning")
    assert verdict.attribution == blame
    assert (verdict.verdict is VerdictStatus.FAIL) is (blame == "product")


@pytest.mark.parametrize("looks", [[], [DARK] * 5, [*[GOOD] * 50, *[DARK] * DARK_LOOKS]])
def test_a_bake_that_sees_nothing_is_not_a_pass(journaled: Told, looks: list[AnyEvent]) -> None:
    verdict = watched(journaled, *looks)
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "bake_unobserved")


def test_a_look_that_failed_now_and_then_is_no_darkness(journaled: Told) -> None:
    assert watched(journaled, *[GOOD] * 20, DARK, DARK, GOOD).verdict is VerdictStatus.PASS


def test_a_look_that_saw_nothing_moves_no_window() -> None:
    """The busy hour would be forgotten, and its end alone burn."""
    looks = ((0, 1_000, 0), (3_500_000, 0, 1), (3_600_000, 0, 69), (3_600_001, 0, 0))
    entries = [
        Entry(seq=seq, at_ms=at_ms, prev="", event=Watched(source="reads", good=good, bad=bad))
        for seq, (at_ms, good, bad) in enumerate(looks, start=1)
    ]
    begun = Entry(seq=0, at_ms=0, prev="", event=BakeStarted(seconds=3_601, bake=BAKE))
    (answer,) = results(fold([begun, *entries]))
    assert answer.decision != "fail"
    spoken = Entry(seq=4, at_ms=3_600_001, prev="", event=Watched(source="reads", good=0, bad=1))
    (answer,) = results(fold([begun, *entries[:-1], spoken]))
    assert answer.decision == "fail"


def test_a_bake_that_was_cut_short_is_not_a_pass(journaled: Told) -> None:
    verdict = watched(journaled, *[GOOD] * 50, ending="")
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "bake_incomplete")


def test_a_bake_that_was_asked_for_and_never_began_is_not_a_pass(journaled: Told) -> None:
    story = journaled(started(bake_seconds=60.0), planned(READY), played(READY, HELD), ended(readiness__ready="passed"))
    assert judge(story).reason_code == "bake_incomplete"


def test_every_source_is_answered_for(journaled: Told) -> None:
    counted = Watched(source="counters", good=5_000, bad=0)
    calm = BurnRead(short_ratio=0.0, long_ratio=0.0)
    verdict = watched(journaled, GOOD, counted, calm, bake=ALL)
    assert verdict.verdict is VerdictStatus.PASS
    assert [answer.decision for answer in verdict.objectives] == ["insufficient_sample", "pass", "pass"]
    dark = watched(journaled, GOOD, counted, bake=ALL)
    assert (dark.verdict, dark.reason_code) == (VerdictStatus.INCONCLUSIVE, "bake_unobserved")
    assert "Prometheus" in dark.message
    burning = watched(journaled, GOOD, counted, BurnRead(short_ratio=0.5, long_ratio=0.2), bake=ALL, ending="burning")
    assert (burning.verdict, burning.objectives[2].estimate) == (VerdictStatus.FAIL, 100.0)


def test_another_release_that_answers_during_the_bake_is_seen(journaled: Told) -> None:
    verdict = watched(
        journaled, GOOD, Watched(source="reads", good=1, bad=0, release="r0"), GOOD, release_expected="r1"
    )
    assert verdict.target.releases_observed == ("r0",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reads_per_minute": 0},
        {"reads_per_minute": 601},
        {"success_target": 1},
        {"success_target": 0.5},  # at 14.4 times the budget every request may fail
        {"burn_rate": 0},
    ],
)
def test_numbers_that_make_no_alert_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="bake"):
        Bake(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("selector", ["a b", 'a{b="c"', "a{b=c}", 'a{b=~"("}', ""])
def test_a_selector_nobody_can_read_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match=r"bake\.counters"):
        CountersWatched(requests="a", errors=selector)


def test_paths_and_queries_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="path"):
        CountersWatched(requests="a", errors="b", path="metrics")
    with pytest.raises(ValueError, match="window"):
        RatioQueried(url="http://p", ratio="rate(x[5m])")
    with pytest.raises(ValueError, match="url"):
        RatioQueried(url="p:9090", ratio="{window}")
