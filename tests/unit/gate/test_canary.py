"""A candidate beside the stable release: who answered, what is proved, and what a verdict makes of it."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from gate_stories import HELD, READY, ended, planned, played, started
from msgspec.structs import replace

from streampay_smoke.evidence.canary import CANARY_ERRORS, CANARY_READS, CANARY_WRITES, Canary, CanaryAnswer
from streampay_smoke.evidence.events import (
    AnyEvent,
    CanaryEnded,
    CanaryPaired,
    CanaryStarted,
    ObjectivesSet,
    RunFinished,
    RunPlanned,
)
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.gate.canary import (
    BETS,
    CANDIDATE,
    STABLE,
    ComparedPair,
    SlownessTest,
    Timed,
    compared,
    confidence_each,
    errors_decision,
    fewest_pairs,
    latency_decision,
)
from streampay_smoke.gate.history import fold
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.statistics import PairedTest
from streampay_smoke.gate.verdict import FAIL, INSUFFICIENT, PASS, Action, ObjectiveResult, Verdict, VerdictStatus

Told = Callable[..., JournalRead]

LIMITS = Canary()
SURE = confidence_each(writes=True)
STEPS = ("list", "create", "show", "start", "show again", "stop")
WRITES = frozenset({"create", "start", "stop"})
MS = 1_000
STARTED = CanaryStarted(
    canary=LIMITS,
    journeys=10,
    seed=1,
    seconds=900,
    fewest_pairs=fewest_pairs(writes=True),
    candidate="v2",
    at_candidate="v2",
    at_stable="v1",
)
ENDED = CanaryEnded(reason="10 journeys were made", journeys=10, at_candidate="v2", at_stable="v1")


def answer(asked: str, ms: float = 50, release: str | None = None, failed: str = "", **more: object) -> CanaryAnswer:
    named = {CANDIDATE: "v2", STABLE: "v1", "": ""}[asked] if release is None else release
    return CanaryAnswer(
        asked=asked,
        release=named,
        status=500 if failed else 200,
        microseconds=round(ms * MS),
        failed=failed,
        **more,  # type: ignore[arg-type]
    )


def paired(step: str, candidate: CanaryAnswer, stable: CanaryAnswer, number: int = 0) -> CanaryPaired:
    first, second = (candidate, stable) if number % 2 else (stable, candidate)
    return CanaryPaired(step=step, writes=step in WRITES, first=first, second=second)


def journeys(number: int, make: Callable[[str, int], tuple[CanaryAnswer, CanaryAnswer]]) -> list[CanaryPaired]:
    return [
        paired(step, *make(step, place), place)
        for place, step in enumerate(itertools.chain.from_iterable(itertools.repeat(STEPS, number)))
    ]


def equal(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
    return answer(CANDIDATE), answer(STABLE)


def verdict_on(
    journaled: Told,
    pairs: Sequence[AnyEvent],
    *,
    begin: CanaryStarted | None = STARTED,
    end: CanaryEnded | None = ENDED,
    alone: bool = True,
    more: Sequence[AnyEvent] = (),
) -> Verdict:
    plan = RunPlanned(tags="", expected=(), whole_suite=False, comparison_only=alone)
    return judge(
        journaled(
            started(canary_journeys=10),
            *more,
            plan,
            *([begin] if begin else []),
            *pairs,
            *([end] if end else []),
            RunFinished(failed=False, hook_failures=0, statuses={}),
        )
    )


def decisions(verdict: Verdict) -> dict[str, str]:
    return {each.kind: each.decision for each in verdict.objectives}


def test_an_equal_candidate_passes_and_promotes_nothing_by_itself(journaled: Told) -> None:
    verdict = verdict_on(journaled, journeys(10, equal))
    assert (verdict.verdict, verdict.reason_code, verdict.action) == (
        VerdictStatus.PASS,
        "candidate_no_worse",
        Action.HOLD,
    )
    assert decisions(verdict) == {CANARY_READS: PASS, CANARY_WRITES: PASS, CANARY_ERRORS: PASS}
    assert "v2 is no worse than the stable release v1" in verdict.message_long


def test_five_journeys_are_enough_where_all_pairs_agree(journaled: Told) -> None:
    assert verdict_on(journaled, journeys(5, equal)).verdict is VerdictStatus.PASS
    assert verdict_on(journaled, journeys(4, equal)).reason_code == "canary_too_few_pairs"


@pytest.mark.parametrize(
    ("worse", "kind"),
    [
        (lambda step, n: (answer(CANDIDATE, 50 if step in WRITES else 200), answer(STABLE)), CANARY_READS),
        (lambda step, n: (answer(CANDIDATE, 200 if step in WRITES else 50), answer(STABLE)), CANARY_WRITES),
        (lambda step, n: (answer(CANDIDATE, failed="promise_broken" if n % 3 else ""), answer(STABLE)), CANARY_ERRORS),
    ],
)
def test_a_worse_candidate_fails_by_what_is_worse(
    journaled: Told, worse: Callable[[str, int], tuple[CanaryAnswer, CanaryAnswer]], kind: str
) -> None:
    verdict = verdict_on(journaled, journeys(10, worse))
    assert (verdict.verdict, verdict.reason_code, verdict.attribution) == (
        VerdictStatus.FAIL,
        "canary_worse",
        "product",
    )
    assert [each for each, decision in decisions(verdict).items() if decision == FAIL] == [kind]


def test_one_slow_request_among_quick_ones_is_found_with_more_journeys(journaled: Told) -> None:
    def slow_list(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer(CANDIDATE, 300 if step == "list" else 50), answer(STABLE)

    assert decisions(verdict_on(journaled, journeys(10, slow_list)))[CANARY_READS] == INSUFFICIENT
    assert decisions(verdict_on(journaled, journeys(20, slow_list)))[CANARY_READS] == FAIL


def test_a_candidate_that_is_equally_bad_is_not_blamed(journaled: Told) -> None:
    def both_fail(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        failed = "promise_broken" if number % 3 == 0 else ""
        return answer(CANDIDATE, failed=failed), answer(STABLE, failed=failed)

    failing = verdict_on(journaled, journeys(20, both_fail))
    assert (failing.verdict, failing.reason_code, failing.attribution) == (
        VerdictStatus.INCONCLUSIVE,
        "canary_both_bad",
        "dependency",
    )
    limit = ObjectivesSet(objectives=(Objective(name="reads", kind="read_latency", threshold=40),))
    slow = verdict_on(journaled, journeys(10, equal), more=(limit,))
    assert (slow.verdict, slow.reason_code) == (VerdictStatus.INCONCLUSIVE, "canary_both_bad")


def test_a_candidate_that_never_answers_is_named(journaled: Told) -> None:
    def stable_answers(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer("", release="v1"), answer("", release="v1")

    weighted = replace(STARTED, at_candidate="", at_stable="", weight=30.0)
    verdict = verdict_on(journaled, journeys(20, stable_answers), begin=weighted)
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "canary_not_hit")
    assert "the candidate v2 answered 0 of 240 requests" in verdict.message_long


@pytest.mark.parametrize(
    ("begin", "end", "pairs", "code"),
    [
        (None, None, [], "canary_too_few_pairs"),
        (STARTED, replace(ENDED, reason="the candidate could not be asked"), [], "canary_too_few_pairs"),
        (STARTED, None, journeys(10, equal), "canary_too_few_pairs"),
        (replace(STARTED, candidate="", at_candidate="", at_stable=""), ENDED, journeys(10, equal), "canary_not_hit"),
    ],
)
def test_nothing_is_never_a_pass(
    journaled: Told, begin: CanaryStarted | None, end: CanaryEnded | None, pairs: list[AnyEvent], code: str
) -> None:
    verdict = verdict_on(journaled, pairs, begin=begin, end=end)
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, code)


def test_a_run_of_no_scenarios_that_compares_nothing_is_set_up_wrongly(journaled: Told) -> None:
    assert verdict_on(journaled, journeys(10, equal), alone=False).reason_code == "nothing_selected"


def test_who_answered_is_told_by_the_release() -> None:
    def seen(*pairs: CanaryPaired, begin: CanaryStarted = STARTED, end: CanaryEnded = ENDED) -> tuple[int, int, int]:
        run = fold([])
        run.canary, run.canary_ended, run.canary_pairs = begin, end, list(pairs)
        found = compared(run)
        return len(found.pairs), found.by_candidate, found.unidentified

    swapped = paired("list", answer(CANDIDATE, release="v1"), answer(STABLE, release="v2"))
    same = paired("list", answer(CANDIDATE, release="v1"), answer(STABLE))
    unnamed = paired("list", answer(CANDIDATE, release=""), answer(STABLE, release=""))
    assert seen(swapped) == (1, 1, 0), "by what they name, whoever was asked"
    assert seen(same) == (0, 0, 0), "both are the stable release's"
    assert seen(unnamed) == (1, 1, 0), "the addresses have said whose they are"
    assert seen(unnamed, same) == (0, 0, 1), "the candidate's address has named another release too"
    assert seen(unnamed, end=replace(ENDED, at_candidate="v1")) == (0, 0, 1), "it is another one at the end"
    shared = paired("list", answer("", release=""), answer("", release="v1"))
    assert seen(shared) == (0, 0, 1), "an address of both proves nothing"


def test_what_says_nothing_of_a_release_does_not_count(journaled: Told) -> None:
    def dns(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer(CANDIDATE, failed="host_unresolved" if number % 5 == 0 else ""), answer(STABLE)

    assert verdict_on(journaled, journeys(20, dns)).verdict is VerdictStatus.PASS

    def connecting(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer(CANDIDATE, 500, opened_connection=True), answer(STABLE)

    assert verdict_on(journaled, journeys(20, connecting)).reason_code == "canary_too_few_pairs"
    throttled = [replace(pair, throttled=True) for pair in journeys(20, equal)]
    assert verdict_on(journaled, throttled).reason_code == "canary_too_few_pairs"


def test_failures_of_nobody_keep_from_a_pass_and_blame_nobody(journaled: Told) -> None:
    weighted = replace(STARTED, at_candidate="", at_stable="", weight=50.0)

    def gateway(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        if number % 2:
            return answer("", release="", failed="service_unavailable"), answer("", release="v1")
        return answer("", release="v2"), answer("", release="v1")

    verdict = verdict_on(journaled, journeys(20, gateway), begin=weighted)
    assert (verdict.verdict, decisions(verdict)[CANARY_ERRORS]) == (VerdictStatus.INCONCLUSIVE, INSUFFICIENT)


def test_a_worse_candidate_is_rolled_back_beside_a_whole_suite_that_passed(journaled: Told) -> None:
    slow = journeys(10, lambda step, n: (answer(CANDIDATE, 300), answer(STABLE)))
    alone = verdict_on(journaled, slow)
    assert alone.action is Action.HOLD
    beside = judge(
        journaled(
            started(canary_journeys=10),
            RunPlanned(tags="@smoke", expected=(), whole_suite=True),
            STARTED,
            *slow,
            ENDED,
            RunFinished(failed=False, hook_failures=0, statuses={}),
        )
    )
    assert (beside.reason_code, beside.action) == ("canary_worse", Action.ROLLBACK)


def times(candidate: Iterator[float], stable: Iterator[float], number: int) -> list[Timed]:
    return [Timed(step=STEPS[place % 3], candidate=next(candidate), stable=next(stable)) for place in range(number)]


def test_an_equal_candidate_on_a_noisy_network_is_never_blamed() -> None:
    draw = random.Random(7)
    noise = iter(lambda: 200_000 * draw.lognormvariate(0, 0.7), None)
    answers = [latency_decision(times(noise, noise, 120), LIMITS, SURE) for _ in range(100)]
    assert FAIL not in answers
    assert answers.count(PASS) > 80


def test_evidence_against_a_candidate_that_proves_nothing_is_no_pass() -> None:
    near = times(itertools.cycle([190_000.0]), itertools.cycle([100_000.0]), 8)
    well = times(itertools.cycle([100_000.0]), itertools.cycle([100_000.0]), 20)
    assert latency_decision(well, LIMITS, SURE) == PASS
    assert latency_decision([*well, *near, *near], LIMITS, SURE) != PASS


def test_a_difference_that_nobody_notices_is_none() -> None:
    assert latency_decision(times(itertools.cycle([24_000.0]), itertools.cycle([1_000.0]), 60), LIMITS, SURE) == PASS


def test_wealth_is_shared_among_steps_that_were_not_seen_yet() -> None:
    assert SlownessTest(LIMITS).slower == pytest.approx(1.0)


def test_errors_need_proof_in_both_directions() -> None:
    well, bad = (False, False), (True, False)
    assert errors_decision([well] * 30, LIMITS, SURE) == PASS
    assert errors_decision([well] * 20, LIMITS, SURE) == INSUFFICIENT
    assert errors_decision([bad] * 15, LIMITS, SURE) == FAIL
    assert errors_decision([*[well] * 100, *[bad] * 6], LIMITS, SURE) == INSUFFICIENT, "not proved, and no PASS either"
    assert errors_decision([*[bad, (False, True)] * 40], LIMITS, SURE) == INSUFFICIENT
    assert errors_decision([well] * 30, LIMITS, SURE, unknown=15) == INSUFFICIENT


@pytest.mark.parametrize(
    "wrong",
    [
        {"slower_than": 0.9},
        {"slower_than": 2.0, "within": 2.0},
        {"least_ms": -1},
        {"errors_within": 1.0},
        {"hit_probability": 0.0},
        {"within_seconds": 0},
    ],
)
def test_limits_that_make_no_comparison_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="canary: "):
        Canary(**wrong)


def test_the_fewest_pairs_are_what_the_bets_need_where_every_pair_says_the_same() -> None:
    assert (fewest_pairs(writes=True), fewest_pairs(writes=False)) == (15, 15)


def slower(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
    return answer(CANDIDATE, 200), answer(STABLE)


def failing(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
    return answer(CANDIDATE, failed="promise_broken" if number % 3 else ""), answer(STABLE)


def both_failing(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
    failed = "promise_broken" if number % 3 == 0 else ""
    return answer(CANDIDATE, failed=failed), answer(STABLE, failed=failed)


def slow_list(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
    return answer(CANDIDATE, 300 if step == "list" else 50), answer(STABLE)


def behind_one_address(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
    return answer("", release=""), answer("", release="v1")


NOT_ASKED = {"at_candidate": "", "at_stable": ""}
ALL_PAIRS = "0 of 60 requests failed on the candidate alone, 0 on the stable release"
NONE_COMPARED = "of the 15 pairs it takes, 0 of reads and 0 of writes and 0 in all could be compared"


@pytest.mark.parametrize(
    ("pairs", "more", "told"),
    [
        (
            journeys(10, equal),
            {},
            (
                "the candidate v2 is no worse than the stable release v1: "
                f"reads 1 times as slow (30 pairs); writes 1 times as slow (30 pairs); {ALL_PAIRS}"
            ),
        ),
        (
            journeys(10, equal),
            {"begin": replace(STARTED, no_writes_because="no key")},
            f"the candidate v2 is no worse than the stable release v1: reads 1 times as slow (30 pairs); {ALL_PAIRS}",
        ),
        (
            journeys(10, slower),
            {},
            (
                "the candidate v2 is worse than the stable release v1: "
                "reads 4 times as slow (30 pairs); writes 4 times as slow (30 pairs)"
            ),
        ),
        (
            journeys(10, failing),
            {},
            (
                "the candidate v2 is worse than the stable release v1: "
                "40 of 60 requests failed on the candidate alone, 0 on the stable release"
            ),
        ),
        (
            journeys(20, both_failing),
            {},
            (
                "candidate and stable release are equally bad: "
                "40 of 120 requests failed on the stable release, 40 on the candidate"
            ),
        ),
        (
            journeys(10, equal),
            {
                "more": (
                    ObjectivesSet(
                        objectives=(
                            Objective(name="reads", kind="read_latency", threshold=40),
                            Objective(name="slow reads", kind="read_latency", threshold=45),
                            Objective(name="writes", kind="write_latency", threshold=49.5),
                        )
                    ),
                )
            },
            (
                "candidate and stable release are equally bad: half of the reads take more than 50 ms on both, "
                "promised 40 ms; half of the writes take more than 50 ms on both, promised 49.5 ms"
            ),
        ),
        ([], {"begin": None, "end": None}, "candidate and stable release were not compared"),
        (
            [],
            {"end": replace(ENDED, reason="the candidate could not be asked")},
            f"{NONE_COMPARED}; it ended: the candidate could not be asked",
        ),
        ([], {"end": None}, NONE_COMPARED),
        (journeys(10, equal), {"end": None}, "the comparison did not come to its end"),
        (
            journeys(4, equal),
            {},
            (
                "the candidate v2 answered 24 of 48 requests, the stable release 24: of the 15 pairs it takes, "
                "12 of reads and 12 of writes could be compared; it ended: 10 journeys were made"
            ),
        ),
        (
            journeys(10, equal),
            {"begin": replace(STARTED, candidate="", **NOT_ASKED)},
            (
                "the candidate, which nobody named, answered 0 of 120 requests, the stable release 0, 120 named no "
                f"release: {NONE_COMPARED}; it ended: 10 journeys were made"
            ),
        ),
        (
            journeys(10, behind_one_address),
            {"begin": replace(STARTED, weight=30.0, **NOT_ASKED)},
            (
                "the candidate v2 answered 0 of 120 requests, the stable release 60, 60 named no release: "
                f"{NONE_COMPARED}; it ended: 10 journeys were made"
            ),
        ),
        (
            journeys(10, slow_list),
            {},
            "neither worse nor as good is proved: reads 1 times as slow (30 pairs); compare more journeys",
        ),
    ],
)
def test_what_a_comparison_came_to_is_told_with_its_numbers(
    journaled: Told, pairs: list[AnyEvent], more: dict[str, Any], told: str
) -> None:
    said = verdict_on(journaled, pairs, **more).message_long
    assert said.partition(". Attributed to ")[0] == told


def test_each_question_is_answered_with_what_it_was_measured_on(journaled: Told) -> None:
    reads, writes, errors = verdict_on(journaled, journeys(10, failing)).objectives
    latency = ObjectiveResult(
        name="reads are no slower on the candidate",
        kind=CANARY_READS,
        method="paired betting test",
        threshold=1.1,
        unit="x",
        samples=10,
        estimate=1.0,
        low=None,
        high=None,
        confidence=0.999667,
        decision=INSUFFICIENT,
        gates=True,
        warm_up=20,
        note="passes where less than 2 times as slow is proved",
    )
    assert reads == latency
    assert writes == replace(latency, name="writes are no slower on the candidate", kind=CANARY_WRITES)
    assert errors == ObjectiveResult(
        name="requests fail no more often on the candidate",
        kind=CANARY_ERRORS,
        method="binomial confidence sequence of pairs with one failure",
        threshold=0.3,
        unit="ratio",
        samples=60,
        estimate=0.6667,
        low=0.3893,
        high=0.8836,
        confidence=0.999667,
        decision=FAIL,
        gates=True,
        bad=40,
        note="0 failed on the stable release",
    )


def test_the_bounds_of_a_latency_are_told(journaled: Told) -> None:
    def uneven(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer(CANDIDATE, 60 + 2 * number), answer(STABLE)

    read, *_ = verdict_on(journaled, journeys(10, uneven)).objectives
    assert read.low is not None
    assert read.high is not None
    assert 1.2 < read.low < (read.estimate or 0) < read.high < 3.6


def test_an_answer_quicker_than_the_clock_counts_as_the_least_it_can_tell(journaled: Told) -> None:
    def at_once(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer(CANDIDATE, 0), answer(STABLE, 0)

    assert [each.estimate for each in verdict_on(journaled, journeys(10, at_once)).objectives] == [1.0, 1.0, 0.0]


def test_what_was_promised_exactly_is_kept_and_an_objective_that_does_not_gate_promises_nothing(
    journaled: Told,
) -> None:
    exactly = Objective(name="reads", kind="read_latency", threshold=50)
    aim = Objective(name="writes", kind="write_latency", threshold=1, gates=False)
    limits = ObjectivesSet(objectives=(exactly, aim))
    assert verdict_on(journaled, journeys(10, equal), more=(limits,)).reason_code == "candidate_no_worse"


@pytest.mark.parametrize(("failures", "pairs", "bad"), [(1, 1, False), (2, 1, True), (5, 10, False), (6, 10, True)])
def test_a_stable_release_that_fails_a_tenth_and_twice_is_no_measure(
    journaled: Told, failures: int, pairs: int, bad: bool
) -> None:
    def at_first(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        failed = "promise_broken" if number < failures else ""
        return answer(CANDIDATE, failed=failed), answer(STABLE, failed=failed)

    assert (verdict_on(journaled, journeys(pairs, at_first)).reason_code == "canary_both_bad") is bad


def test_a_failure_on_one_side_is_counted_on_that_side() -> None:
    failed_here = paired("list", answer(CANDIDATE, failed="promise_broken"), answer(STABLE))
    failed_there = paired("list", answer(CANDIDATE), answer(STABLE, failed="promise_broken"))
    shared = paired("list", answer("", release="", failed="service_unavailable"), answer("", release="v1"))
    runners = paired("list", answer("", release="", failed="proxy_failed"), answer("", release=""))
    run = fold([])
    run.canary, run.canary_ended = STARTED, ENDED
    run.canary_pairs = [failed_here, failed_there, shared, shared, runners]
    found = compared(run)
    assert [(each.counts_for_errors, each.counts_for_latency) for each in found.pairs] == [(True, False)] * 2
    assert (found.by_candidate, found.by_stable, found.unidentified, found.failed_unidentified) == (2, 4, 4, 2)
    assert found.stable_releases == ("v1",)


@pytest.mark.parametrize("kind", ["host_unresolved", "proxy_failed", "certificate_untrusted", "throttled"])
@pytest.mark.parametrize("side", [CANDIDATE, STABLE])
def test_a_failure_of_the_runner_leaves_its_pair_out(kind: str, side: str) -> None:
    answers = {each: answer(each, failed=kind if each == side else "") for each in (CANDIDATE, STABLE)}
    pair = ComparedPair(step="list", candidate=answers[CANDIDATE], stable=answers[STABLE], writes=False)
    assert not pair.counts_for_errors


def test_two_answers_over_new_connections_are_compared() -> None:
    fresh = {side: answer(side, opened_connection=True) for side in (CANDIDATE, STABLE)}
    pair = ComparedPair(step="list", candidate=fresh[CANDIDATE], stable=fresh[STABLE], writes=False)
    assert pair.counts_for_latency


@pytest.mark.parametrize(("pairs", "code"), [(14, "canary_not_hit"), (15, "canary_too_few_pairs")])
def test_a_candidate_that_answered_often_enough_was_hit(journaled: Told, pairs: int, code: str) -> None:
    assert verdict_on(journaled, journeys(3, equal)[:pairs]).reason_code == code


def test_each_stable_release_that_answered_is_named(journaled: Told) -> None:
    def rolling(step: str, number: int) -> tuple[CanaryAnswer, CanaryAnswer]:
        return answer(CANDIDATE), answer(STABLE, release="v0" if number > 30 else "v1")

    said = verdict_on(journaled, journeys(10, rolling)).message_long
    assert "is no worse than the stable release v1, v0: " in said


def test_without_a_comparison_no_answer_is_anybodys() -> None:
    run = fold([])
    run.canary_pairs = [paired("list", *equal("list", 0))]
    found = compared(run)
    assert (found.pairs, found.by_candidate, found.by_stable, found.unidentified) == ((), 0, 0, 2)


def test_what_was_asked_and_not_compared_is_counted_by_question(journaled: Told) -> None:
    pairs = journeys(1, equal)[:3]
    reads, writes, errors = verdict_on(journaled, pairs).objectives
    assert [(each.samples, each.warm_up) for each in (reads, writes, errors)] == [(2, 0), (1, 0), (3, 0)]
    throttled = [replace(pairs[0], throttled=True), *pairs[1:]]
    reads, writes, errors = verdict_on(journaled, throttled).objectives
    assert [(each.samples, each.warm_up) for each in (reads, writes, errors)] == [(1, 1), (1, 0), (2, 1)]


def test_what_is_bet_on_one_pair_is_shared_between_all_steps_and_its_own() -> None:
    """Three wagers on steps: one that won, two that wait."""
    test, alone = SlownessTest(LIMITS), PairedTest(LIMITS.slower_than, least_more=LIMITS.least_ms * MS, bets=BETS)
    test.add(Timed(step="list", candidate=150_000.0, stable=100_000.0))
    alone.add(150_000.0, 100_000.0)
    assert test.slower == pytest.approx(0.7 * alone.slower + 0.3 * (alone.slower + 2) / 3)


@pytest.mark.parametrize(("pairs", "decision"), [(15, INSUFFICIENT), (16, PASS)])
def test_a_slow_answer_now_and_then_takes_more_pairs_to_pass(pairs: int, decision: str) -> None:
    now_and_then = itertools.cycle([150_000.0, *[100_000.0] * 3])
    assert latency_decision(times(now_and_then, itertools.cycle([100_000.0]), pairs), LIMITS, SURE) == decision


def test_slow_writes_are_seen_where_no_read_was_compared(journaled: Told) -> None:
    limit = ObjectivesSet(objectives=(Objective(name="writes", kind="write_latency", threshold=40),))
    pairs = [paired("create", *equal("create", number), number) for number in range(20)]
    said = verdict_on(journaled, pairs, more=(limit,)).message_long
    assert "half of the writes take more than 50 ms on both, promised 40 ms" in said


def test_a_comparison_beside_the_suite_is_part_of_the_praise(journaled: Told) -> None:
    verdict = judge(
        journaled(
            started(canary_journeys=10),
            planned(READY),
            played(READY, HELD),
            STARTED,
            *journeys(10, equal),
            ENDED,
            ended(readiness__ready="passed"),
        )
    )
    assert verdict.verdict is VerdictStatus.PASS
    assert "1 assertions, the candidate v2 is no worse than the stable release v1: " in verdict.message_long


def test_a_worse_candidate_is_about_availability(journaled: Told) -> None:
    assert [cause.concern for cause in verdict_on(journaled, journeys(10, slower)).causes] == ["availability"]
