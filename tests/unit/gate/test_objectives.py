"""Objectives, both ways: kept, missed, and the honest third answer; and what a miss does to the verdict."""

from collections.abc import Callable
from typing import get_args

import pytest
from gate_stories import HELD, MONEY, READY, SETTLED, ended, planned, played, started

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.events import AnyEvent
from streampay_smoke.evidence.journal import JournalRead
from streampay_smoke.evidence.objectives import KINDS, Kind, Objective
from streampay_smoke.gate import objectives
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import ObjectiveResult, Verdict, VerdictStatus

WriteJournal = Callable[..., JournalRead]

REAL, HERE = "https://api.example", "http://127.0.0.1:4000"
SPOKEN = events.ServiceSeen(release="r1")
HEALTHY = events.Measured(ledger_ok=True, ledger_detail="healthy")


def objective(kind: Kind, threshold: float, *, quantile: float = 0.95, gates: bool = False) -> Objective:
    return Objective(name=f"the {kind}", kind=kind, threshold=threshold, quantile=quantile, gates=gates)


def asked(purpose: str = "list", status: int | None = 200, duration_ms: int = 10, **more: object) -> events.Exchanged:
    return events.Exchanged(
        peer="service",
        method="GET",
        target="/api/streams",
        status=status,
        duration_ms=duration_ms,
        purpose=purpose,
        **more,  # type: ignore[arg-type]
    )


def pair(candidate_us: int, stable_us: int, **more: object) -> events.PairSampled:
    facts: dict[str, object] = {"candidate_first": True, "candidate_status": 200, "stable_status": 200, **more}
    return events.PairSampled(candidate_us=candidate_us, stable_us=stable_us, **facts)  # type: ignore[arg-type]


def run(
    *stated: Objective,
    evidence: tuple[AnyEvent, ...] = (),
    after: tuple[AnyEvent, ...] = (HEALTHY,),
    ready: list[AnyEvent] | None = None,
) -> list[object]:
    return [
        started(),
        events.ObjectivesSet(objectives=stated),
        planned(READY, MONEY),
        ready or played(READY, SPOKEN, HELD),
        played(MONEY, HELD, *evidence, SETTLED),
        list(after),
        ended(readiness__ready="passed", settlement__paid="passed"),
    ]


def the_only(verdict: Verdict) -> ObjectiveResult:
    (only,) = verdict.objectives
    return only


def test_an_environment_without_objectives_has_no_answers(journaled: WriteJournal) -> None:
    assert judge(journaled(*run())).objectives == ()


def test_enough_quick_reads_keep_the_objective(journaled: WriteJournal) -> None:
    only = the_only(judge(journaled(*run(objective("read_latency", 500), evidence=(asked(),) * 130))))
    assert (only.decision, only.samples, only.estimate, only.unit) == ("pass", 130, 10, "ms")
    assert (only.low, only.high, only.confidence) == (10, 10, 0.99)


def test_few_quick_reads_are_no_pass(journaled: WriteJournal) -> None:
    verdict = judge(journaled(*run(objective("read_latency", 500, gates=True), evidence=(asked(),) * 30)))
    assert (the_only(verdict).decision, verdict.verdict) == ("insufficient_sample", VerdictStatus.PASS)


def test_no_reads_are_no_pass(journaled: WriteJournal) -> None:
    only = the_only(judge(journaled(*run(objective("read_latency", 500)))))
    assert (only.decision, only.samples, only.estimate) == ("insufficient_sample", 0, None)


def test_many_slow_reads_miss_the_objective_and_are_only_shown(journaled: WriteJournal) -> None:
    slow = (asked(duration_ms=900),) * 10
    verdict = judge(journaled(*run(objective("read_latency", 500), evidence=slow)))
    assert (the_only(verdict).decision, verdict.verdict) == ("fail", VerdictStatus.PASS)


def test_a_gating_miss_is_the_release_s(journaled: WriteJournal) -> None:
    slow = (asked(duration_ms=900),) * 10
    verdict = judge(journaled(*run(objective("read_latency", 500, gates=True), evidence=slow)))
    assert (verdict.verdict, verdict.attribution, verdict.reason_code) == (
        VerdictStatus.FAIL,
        "product",
        "objective_missed",
    )
    assert "p95 900 ms, promised 500 ms, 10 of 10 reads too slow" in verdict.message_long


@pytest.mark.parametrize(
    "left_out",
    [
        asked(duration_ms=900, opened_connection=True),
        asked(duration_ms=900, purpose=""),
        asked(duration_ms=900, status=429),
        asked(duration_ms=900, status=500),
        asked(duration_ms=900, purpose="sign-in"),
    ],
)
def test_what_is_no_sample_is_left_out(journaled: WriteJournal, left_out: events.Exchanged) -> None:
    only = the_only(judge(journaled(*run(objective("read_latency", 500), evidence=(left_out,) * 10 + (asked(),) * 11))))
    assert (only.samples, only.decision) == (11, "insufficient_sample")
    assert only.warm_up == (10 if left_out.opened_connection else 0)


def test_a_service_that_closes_its_connections_is_measured_all_the_same(journaled: WriteJournal) -> None:
    cold = asked(duration_ms=900, opened_connection=True)
    only = the_only(judge(journaled(*run(objective("read_latency", 500), evidence=(cold,) * 10))))
    assert (only.samples, only.decision, only.warm_up) == (10, "fail", 0)


def test_what_comes_before_the_service_spoke_is_warm_up(journaled: WriteJournal) -> None:
    early = played(READY, asked(duration_ms=900), SPOKEN, asked(), HELD)
    only = the_only(judge(journaled(*run(objective("read_latency", 500), ready=early))))
    assert (only.samples, only.warm_up, only.estimate) == (1, 1, 10)


def test_answers_of_others_are_no_samples(journaled: WriteJournal) -> None:
    foreign = events.Exchanged(peer="stable", method="GET", target="/", status=200, duration_ms=900, purpose="list")
    assert the_only(judge(journaled(*run(objective("read_latency", 500), evidence=(foreign,))))).samples == 0


def test_writes_are_measured_apart_from_reads(journaled: WriteJournal) -> None:
    both = (asked("create", 201, 70), asked("start", 200, 80), asked("show"))
    only = the_only(judge(journaled(*run(objective("write_latency", 500), evidence=both))))
    assert (only.samples, only.estimate) == (2, 80)


def test_refusals_that_are_wanted_are_no_failures(journaled: WriteJournal) -> None:
    mixed = (asked(), asked(status=401, purpose=""), asked(status=409, purpose=""), asked("create", 201))
    only = the_only(judge(journaled(*run(objective("success_ratio", 0.99), evidence=mixed))))
    assert (only.samples, only.estimate) == (2, 1.0)


@pytest.mark.parametrize("bad", [asked(status=500), asked(status=None), asked(status=404)])
def test_requests_that_fail_miss_the_success_ratio(journaled: WriteJournal, bad: events.Exchanged) -> None:
    only = the_only(judge(journaled(*run(objective("success_ratio", 0.99), evidence=(bad,) * 4 + (asked(),) * 6))))
    assert (only.decision, only.estimate) == ("fail", 0.6)
    assert only.low is not None
    assert only.high is not None
    assert only.low < 0.6 < only.high < 0.99


def test_a_request_that_was_sent_again_counts_once(journaled: WriteJournal) -> None:
    cutover = events.Retried(target="GET /api/streams", attempt=2, because="refused")
    story = (asked(status=None), cutover, asked(status=502), cutover, asked())
    verdict = judge(journaled(*run(objective("success_ratio", 0.99), objective("flaky_ratio", 0.05), evidence=story)))
    success, flaky = verdict.objectives
    assert (success.samples, success.estimate) == (1, 1.0)
    assert (flaky.samples, flaky.estimate, flaky.decision) == (2, 0.5, "insufficient_sample")
    assert objectives.result_description(flaky) == "1 of 2 checks needed a second attempt (50 %), promised at most 5 %"


def test_a_poll_that_was_sent_again_takes_no_failure_back(journaled: WriteJournal) -> None:
    cutover = events.Retried(target="GET /api/healthz", attempt=2, because="refused")
    story = (asked(status=500), asked(status=None, purpose=""), cutover, asked(purpose=""))
    only = the_only(judge(journaled(*run(objective("success_ratio", 0.99), evidence=story))))
    assert (only.samples, only.estimate) == (1, 0.0)


def test_the_time_to_the_ledger_begins_with_the_request(journaled: WriteJournal) -> None:
    seen = events.TransactionSeen(tx_hash=SETTLED.tx_hash, ledger=7, closed_at=1)
    story = (asked("settle", duration_ms=4_000), asked("settle", duration_ms=5), seen, seen)
    only = the_only(judge(journaled(*run(objective("settlement_time", 60), evidence=story))))
    assert (only.samples, only.estimate, only.unit) == (1, 4.02, "s")


def test_a_settlement_the_ledger_never_showed_is_no_sample(journaled: WriteJournal) -> None:
    only = the_only(judge(journaled(*run(objective("settlement_time", 60), evidence=(asked("settle"),)))))
    assert only.decision == "insufficient_sample"


def late(seconds: int) -> tuple[AnyEvent, ...]:
    seen = events.TransactionSeen(tx_hash=SETTLED.tx_hash, ledger=7, closed_at=1)
    return (asked("settle", duration_ms=seconds * 1000), seen)


def test_one_time_out_misses_an_objective_about_every_sample(journaled: WriteJournal) -> None:
    stated = objective("settlement_time", 90, quantile=1.0, gates=True)
    verdict = judge(journaled(*run(stated, evidence=late(91))))
    assert (the_only(verdict).decision, verdict.verdict) == ("fail", VerdictStatus.FAIL)
    verdict = judge(journaled(*run(stated, evidence=late(89))))
    assert (the_only(verdict).decision, the_only(verdict).method) == ("pass", "every sample")
    assert the_only(judge(journaled(*run(stated)))).decision == "insufficient_sample"


@pytest.mark.parametrize(
    "after",
    [
        (),
        (events.Measured(),),
        (events.Measured(ledger_ok=False, ledger_detail="getHealth answered 503"),),
    ],
)
def test_without_proof_of_a_healthy_ledger_a_late_settlement_blames_nobody(
    journaled: WriteJournal, after: tuple[AnyEvent, ...]
) -> None:
    stated = objective("settlement_time", 90, quantile=1.0, gates=True)
    verdict = judge(journaled(*run(stated, evidence=late(91), after=after)))
    assert (verdict.verdict, verdict.attribution) == (VerdictStatus.INCONCLUSIVE, "dependency")
    assert verdict.reason_code == "objective_unattributed"


def test_a_ledger_that_was_sick_in_between_explains_a_late_settlement(journaled: WriteJournal) -> None:
    sick = events.Probed(name="ledger", ok=False, detail="behind")
    stated = objective("settlement_time", 90, quantile=1.0, gates=True)
    verdict = judge(journaled(*run(stated, evidence=(sick, *late(91)))))
    assert (verdict.verdict, verdict.attribution) == (VerdictStatus.INCONCLUSIVE, "dependency")


def test_a_broken_way_out_explains_requests_without_an_answer(journaled: WriteJournal) -> None:
    lost = events.Probed(name="egress", ok=False, detail="no way")
    stated = objective("success_ratio", 0.99, gates=True)
    verdict = judge(journaled(*run(stated, evidence=(lost, *(asked(status=None),) * 9))))
    assert (verdict.verdict, verdict.attribution) == (VerdictStatus.INCONCLUSIVE, "harness")


def test_a_disturbed_check_explains_a_miss(journaled: WriteJournal) -> None:
    failure = events.Failure(kind="chain_unavailable", blame=Blame.DEPENDENCY, message="the RPC is silent")
    story = run(objective("read_latency", 500, gates=True), evidence=(asked(duration_ms=900),) * 10)
    story[3] = played(READY, SPOKEN, HELD, status="error", failure=failure)
    story[-1] = ended(failed=True, readiness__ready="error", settlement__paid="passed")
    verdict = judge(journaled(*story))
    assert (verdict.verdict, verdict.attribution) == (VerdictStatus.INCONCLUSIVE, "dependency")


SLOW = (asked(duration_ms=900),) * 10
READS = objective("read_latency", 500, gates=True)


def cut_off(*evidence: AnyEvent) -> list[object]:
    """A run that met its deadline in its second scenario, after slow reads in the first."""
    return [
        started(),
        events.ObjectivesSet(objectives=(READS,)),
        planned(READY, MONEY),
        played(READY, SPOKEN, HELD, *evidence),
        [events.ScenarioStarted(id=MONEY.id), events.StepStarted(text=MONEY.steps[0])],
        events.Interrupted(reason="deadline", detail="behave did not end by itself"),
    ]


def test_slow_reads_need_no_complete_run(journaled: WriteJournal) -> None:
    verdict = judge(journaled(*cut_off(*SLOW)))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.FAIL, "objective_missed")
    assert verdict.evidence.missing_ids == (MONEY.id,)


def test_a_run_that_met_its_deadline_with_quick_reads_is_held(journaled: WriteJournal) -> None:
    verdict = judge(journaled(*cut_off(*(asked(),) * 10)))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "deadline")


def test_a_run_that_somebody_ended_proves_no_miss(journaled: WriteJournal) -> None:
    verdict = judge(journaled(*cut_off(*SLOW)[:-1], events.Interrupted(reason="SIGTERM")))
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "terminated")


@pytest.mark.parametrize(
    ("timed", "expected_status"),
    [
        ((events.Probed(name="way to the deployment", ok=True, detail="", took_ms=30.0),), VerdictStatus.FAIL),
        ((events.Probed(name="way to the deployment", ok=True, detail="", took_ms=450.0),), VerdictStatus.INCONCLUSIVE),
        ((events.Probed(name="way to the deployment", ok=True, detail="", took_ms=0.0),), VerdictStatus.FAIL),
        ((events.Probed(name="way to the deployment", ok=True, detail="by a proxy"),), VerdictStatus.INCONCLUSIVE),
        ((events.Probed(name="pace of the stable release", ok=True, detail="", took_ms=80.0),), VerdictStatus.FAIL),
        (
            (events.Probed(name="pace of the stable release", ok=True, detail="", took_ms=880.0),),
            VerdictStatus.INCONCLUSIVE,
        ),
        (
            (events.Exchanged(peer="ledger", method="POST", target="r", status=200, duration_ms=9),) * 3,
            VerdictStatus.FAIL,
        ),
        (
            (events.Exchanged(peer="ledger", method="POST", target="r", status=200, duration_ms=999),) * 3,
            VerdictStatus.INCONCLUSIVE,
        ),
    ],
)
def test_slowness_of_the_runner_s_own_way_is_held(
    journaled: WriteJournal, timed: tuple[AnyEvent, ...], expected_status: VerdictStatus
) -> None:
    whole, short = judge(journaled(*run(READS, evidence=(*SLOW, *timed)))), judge(journaled(*cut_off(*SLOW, *timed)))
    assert (whole.verdict, short.verdict) == (expected_status, expected_status)
    assert whole.reason_code == (
        "objective_missed" if expected_status is VerdictStatus.FAIL else "objective_unattributed"
    )


@pytest.mark.parametrize(
    ("cpu_wait_ms", "simulated", "base_url", "expected_status"),
    [
        (450, False, REAL, VerdictStatus.INCONCLUSIVE),  # 450 ms of 900 are left, and 500 are promised
        (350, False, REAL, VerdictStatus.FAIL),
        (0, False, REAL, VerdictStatus.FAIL),
        (None, False, REAL, VerdictStatus.FAIL),
        (350, True, HERE, VerdictStatus.INCONCLUSIVE),  # its server waits for the same CPUs
        (350, True, REAL, VerdictStatus.FAIL),
        (350, False, HERE, VerdictStatus.FAIL),
        (200, True, HERE, VerdictStatus.FAIL),
    ],
)
def test_the_time_in_which_the_runner_had_no_cpu_is_not_the_release_s(
    journaled: WriteJournal, cpu_wait_ms: int | None, simulated: bool, base_url: str, expected_status: VerdictStatus
) -> None:
    story = run(READS, evidence=(asked(duration_ms=900, cpu_wait_ms=cpu_wait_ms),) * 10)
    story[0] = started(base_url=base_url, service_simulated=simulated)
    verdict = judge(journaled(*story))
    held = expected_status is VerdictStatus.INCONCLUSIVE
    expected = ("objective_unattributed", "harness") if held else ("objective_missed", "product")
    assert (verdict.verdict, verdict.reason_code, verdict.attribution) == (expected_status, *expected)
    said = f"this runner had no CPU for {(cpu_wait_ms or 0) / 9:.2g} % of the time of its reads"
    assert (said in verdict.message_long) is held
    assert (the_only(verdict).decision, the_only(verdict).estimate) == ("fail", 900)


def test_a_wait_for_a_cpu_keeps_no_objective(journaled: WriteJournal) -> None:
    slow = (asked(duration_ms=900, cpu_wait_ms=890),) * 2
    quick = (asked(),) * 250
    found = [the_only(judge(journaled(*run(READS, evidence=evidence)))) for evidence in ((*quick, *slow), quick)]
    assert [(answer.decision, answer.bad) for answer in found] == [("insufficient_sample", 2), ("pass", 0)]


@pytest.mark.parametrize(
    ("because", "expected_status"),
    [("refused", VerdictStatus.FAIL), ("http 502", VerdictStatus.FAIL), ("timeout", VerdictStatus.INCONCLUSIVE)],
)
def test_silence_that_may_be_lost_on_the_way_blames_nobody(
    journaled: WriteJournal, because: str, expected_status: VerdictStatus
) -> None:
    silence = (asked(status=None), events.Retried(target="GET /", attempt=2, because=because), asked())
    stated = objective("flaky_ratio", 0.00001, gates=True)
    verdict = judge(journaled(*run(stated, evidence=silence, ready=played(READY, SPOKEN, HELD, *silence))))
    assert (the_only(verdict).decision, verdict.verdict) == ("fail", expected_status)


def test_a_quarantined_scenario_misses_no_objective(journaled: WriteJournal) -> None:
    failure = events.Failure(kind="promise_broken", blame=Blame.PRODUCT, message="500")
    entry = events.QuarantineEntry(id=MONEY.id, owner="o", ticket="t", until="2026-12-01")
    story = run(objective("success_ratio", 0.99, gates=True))
    story[4] = played(MONEY, HELD, *(asked(status=500),) * 9, status="failed", failure=failure)
    story[-1] = ended(failed=True, readiness__ready="passed", settlement__paid="failed")
    assert judge(journaled(*story)).verdict is VerdictStatus.FAIL
    story.insert(2, events.QuarantineRead(today="2026-11-01", entries=(entry,)))
    assert judge(journaled(*story)).verdict is VerdictStatus.PASS


def test_a_difference_nobody_notices_is_none(journaled: WriteJournal) -> None:
    stated = Objective(name="no slower", kind="read_comparison", threshold=1.1, least_ms=25)
    near, far = (judge(journaled(*run(stated, after=(*(pair(us, 5_000),) * 40, HEALTHY)))) for us in (10_000, 60_000))
    assert (near.verdict, far.verdict) == (VerdictStatus.PASS, VerdictStatus.FAIL)


def test_pairs_of_a_slower_release_miss_the_comparison(journaled: WriteJournal) -> None:
    pairs = (pair(9_000, 1_000, warm_up=True), *(pair(2_000, 1_000),) * 20)
    verdict = judge(journaled(*run(objective("read_comparison", 1.1, gates=True), after=(*pairs, HEALTHY))))
    only = the_only(verdict)
    assert (only.decision, only.samples, only.warm_up, only.estimate) == ("fail", 20, 1, 2.0)
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.FAIL, "objective_missed")
    assert (only.confidence, only.method) == (0.999, "paired betting test")


@pytest.mark.parametrize(
    "no_pair",
    [
        pair(2_000, 1_000, warm_up=True),
        pair(2_000, 1_000, candidate_status=500),
        pair(2_000, 1_000, stable_status=None),
        pair(2_000, 0),
    ],
)
def test_what_cannot_be_compared_is_no_pair(journaled: WriteJournal, no_pair: events.PairSampled) -> None:
    ended_early = events.Measured(sampling="ended after 0 pairs: the rate limit was reached")
    stated = objective("read_comparison", 1.1, gates=True)
    verdict = judge(journaled(*run(stated, after=(*(no_pair,) * 40, ended_early))))
    assert (the_only(verdict).decision, verdict.verdict) == ("insufficient_sample", VerdictStatus.PASS)
    assert "rate limit" in the_only(verdict).note


def test_a_stable_release_that_is_as_slow_explains_slow_reads(journaled: WriteJournal) -> None:
    stated = (objective("read_latency", 500, gates=True), objective("read_comparison", 1.1))
    slow = (asked(duration_ms=900),) * 12
    verdict = judge(journaled(*run(*stated, evidence=slow, after=(*(pair(900_000, 990_000),) * 40, HEALTHY))))
    assert [answer.decision for answer in verdict.objectives] == ["fail", "pass"]
    assert (verdict.verdict, verdict.reason_code) == (VerdictStatus.INCONCLUSIVE, "objective_unattributed")


def test_the_candidate_s_release_in_a_pair_is_a_release_that_was_seen(journaled: WriteJournal) -> None:
    stated = objective("read_comparison", 1.1)
    verdict = judge(journaled(*run(stated, after=(pair(1_000, 1_000, release="r2"), HEALTHY))))
    assert "r2" in verdict.target.releases_observed


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_its_facts_and_is_decided_and_told(kind: Kind) -> None:
    (answer,) = objectives.results([objective(kind, 0.5)], (), ())
    assert answer.unit == KINDS[kind].unit
    assert objectives.result_description(answer).startswith("nothing measured, promised ")


def test_objectives_that_gate_share_one_error() -> None:
    stated = [objective("read_latency", 1, gates=True), objective("success_ratio", 0.9, gates=True)]
    stated.append(objective("flaky_ratio", 0.1))
    found = [objectives.confidence_of(each, stated) for each in stated]
    assert found == [0.9995, 0.9995, 0.99]


def test_a_journal_of_before_objectives_is_still_read(journaled: WriteJournal) -> None:
    story = run()
    del story[1]
    assert judge(journaled(*story)).objectives == ()


def test_bounds_are_told_as_far_as_they_are_known(journaled: WriteJournal) -> None:
    unknown = the_only(judge(journaled(*run(objective("read_latency", 500)))))
    assert objectives.bounds_description(unknown) == ""
    assert "nothing measured" in objectives.result_description(unknown)
    known = the_only(judge(journaled(*run(objective("read_latency", 500), evidence=(asked(),) * 9))))
    assert objectives.bounds_description(known) == "10 to ? ms"


@pytest.mark.parametrize(
    "facts",
    [
        {"name": " ", "kind": "read_latency", "threshold": 1},
        {"name": "a", "kind": "success_ratio", "threshold": 1},
        {"name": "a", "kind": "flaky_ratio", "threshold": 0},
        {"name": "a", "kind": "read_latency", "threshold": 0},
        {"name": "a", "kind": "read_latency", "threshold": 1, "quantile": 0},
        {"name": "a", "kind": "read_latency", "threshold": 1, "quantile": 1.1},
        {"name": "a", "kind": "read_comparison", "threshold": 1, "within_seconds": 61},
    ],
)
def test_what_makes_no_objective_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Objective(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "samples", "in_doubt"),
    [(0, 10, False), (1, 10, False), (2, 10, True), (10, 10, False), (20, 1_000, False)],
)
def test_more_bad_samples_than_the_budget_are_in_doubt_until_something_is_proved_by_them(
    bad: int, samples: int, in_doubt: bool
) -> None:
    assert objectives.in_doubt(bad, samples, 0.1, 0.99) is in_doubt
