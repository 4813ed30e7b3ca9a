"""What else than the release explains a missed objective, and where each explanation begins and ends."""

import pytest
from gate_stories import LATE_READS, MONEY, READY, RED_CHECK, planned, started
from msgspec.structs import replace

from streampay_smoke.core.errors import Blame
from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry
from streampay_smoke.evidence.objectives import Objective
from streampay_smoke.gate.cpu_wait import cpu_wait_share, without_cpu_wait
from streampay_smoke.gate.history import RunHistory, ScenarioHistory, fold
from streampay_smoke.gate.misses import misses
from streampay_smoke.gate.verdict import Check, ObjectiveResult

WAY, STABLE_PACE = "way to the deployment", "pace of the stable release"


def explained(run: RunHistory, *checks: Check, missed: ObjectiveResult = LATE_READS) -> tuple[Blame, str]:
    """Return who is blamed, and what explains the miss: "" where nothing does."""
    (miss,) = misses((missed,), run, (), checks)
    return miss.blame, miss.text.partition("; not the release's alone: ")[2]


def timed(name: str, *took_ms: float | None) -> list[events.Probed]:
    return [events.Probed(name=name, ok=True, detail="", took_ms=each) for each in took_ms]


RELEASE = (Blame.PRODUCT, "")
DISTURBED = (Blame.HARNESS, "it pays was disturbed (the-rule)")


def with_red(*, lane: int = 0, later_lane: int | None = None, kind: str = "", ended: bool = True) -> RunHistory:
    """A run with a red check, and another scenario after it where a lane for that is named."""
    red = ScenarioHistory(id=RED_CHECK.id, started_at_ms=1, lane=lane)
    if kind:
        red.failure = events.Failure(kind=kind, blame=Blame.HARNESS, message="it broke")
    scenarios = {red.id: red}
    if later_lane is not None:
        scenarios["a/later"] = ScenarioHistory(id="a/later", started_at_ms=2, lane=later_lane)
    return RunHistory(scenarios=scenarios, interrupted=events.Interrupted(reason="deadline") if ended else None)


@pytest.mark.parametrize(
    ("check", "run", "found"),
    [
        (RED_CHECK, RunHistory(), DISTURBED),
        (replace(RED_CHECK, status="passed"), RunHistory(), RELEASE),
        (replace(RED_CHECK, status="failed", attribution="product"), RunHistory(), RELEASE),
        (replace(RED_CHECK, status="blocked"), RunHistory(), DISTURBED),
        (replace(RED_CHECK, status="blocked", attribution="product"), RunHistory(), RELEASE),
        (RED_CHECK, with_red(ended=False, kind="fixture_missing"), RELEASE),
        (RED_CHECK, with_red(ended=False, kind="chain_unavailable"), DISTURBED),
        (RED_CHECK, with_red(ended=False), DISTURBED),
        (RED_CHECK, with_red(), RELEASE),
        (RED_CHECK, with_red(later_lane=1), RELEASE),
        (RED_CHECK, with_red(later_lane=0), DISTURBED),
        (replace(RED_CHECK, attribution="dependency"), with_red(), (Blame.DEPENDENCY, DISTURBED[1])),
    ],
    ids=[
        "a check nobody saw the course of",
        "a check that passed",
        "a failure of the release's own",
        "blocked by another's",
        "blocked by the release's",
        "the environment lacks something",
        "something failed",
        "it broke and went on",
        "cut off by the end of the run",
        "cut off in its lane",
        "broken before the end of the run",
        "a dependency broke it at the end of the run",
    ],
)
def test_what_broke_a_check_explains_a_miss_where_it_may_have_slowed_the_run_down(
    check: Check, run: RunHistory, found: tuple[Blame, str]
) -> None:
    assert explained(run, check) == found


@pytest.mark.parametrize(
    ("asked", "measured", "interrupted", "because"),
    [
        ([True], None, True, ""),
        ([True, True], None, True, ""),
        ([None, True], None, True, ""),
        ([True, None], None, True, "it was not asked"),
        ([], None, True, "it was not asked"),
        ([True], None, False, "it was not asked"),
        ([], events.Measured(ledger_ok=True), True, ""),
        ([True], events.Measured(ledger_ok=False, ledger_detail="503"), True, "503"),
        ([True], events.Measured(), True, "it was not asked"),
    ],
)
def test_a_run_that_was_cut_off_takes_the_ledgers_last_health_instead_of_that_at_the_end(
    asked: list[bool | None], measured: events.Measured | None, interrupted: bool, because: str
) -> None:
    run = RunHistory(
        probes_at_start=[events.Probed(name="ledger", ok=ok, detail="") for ok in asked],
        measured=measured,
        interrupted=events.Interrupted(reason="deadline") if interrupted else None,
    )
    late = replace(LATE_READS, kind="settlement_time")
    why = f"the ledger did not prove its health: {because}"
    assert explained(run, missed=late) == ((Blame.DEPENDENCY, why) if because else RELEASE)


def test_a_probe_counts_wherever_it_was_made() -> None:
    lost = events.Probed(name="egress", ok=False, detail="")
    during = ScenarioHistory(id="a/b", started_at_ms=1, probes=[lost])
    for run in (
        RunHistory(probes_at_start=[lost]),
        RunHistory(scenarios={"a/b": during}),
        RunHistory(probes_in_bake=[lost]),
    ):
        assert explained(run) == (Blame.HARNESS, "this runner's way to the deployment failed")


SAME = (Blame.DEPENDENCY, "the stable release took as long at the same moment (800 ms)")


@pytest.mark.parametrize(
    ("took_ms", "found"),
    [
        ((800.0,), SAME),
        ((501.0, 800.0, 10.0), SAME),
        ((800.0, 10.0), SAME),
        ((800.0, 10.0, 10.0), RELEASE),
        ((500.0, 500.0), RELEASE),
        ((800.0, None, None), SAME),
    ],
)
def test_a_stable_release_that_is_late_half_of_the_times_explains_a_late_one(
    took_ms: tuple[float | None, ...], found: tuple[Blame, str]
) -> None:
    """At the promise exactly it is not late."""
    way = timed(WAY, 0.0, 0.0, 0.0, 0.0)
    assert explained(RunHistory(probes_at_start=[*way, *timed(STABLE_PACE, *took_ms)])) == found


def test_a_way_that_nobody_could_time_explains_slow_reads_unless_the_stable_release_was_timed() -> None:
    untimed = timed(WAY, None)
    assert explained(RunHistory(probes_at_start=untimed)) == (
        Blame.HARNESS,
        "nobody could time this runner's way there",
    )
    assert explained(RunHistory(probes_at_start=[*untimed, *timed(STABLE_PACE, 10.0)])) == RELEASE
    assert explained(RunHistory(probes_at_start=timed("clock", None))) == RELEASE


@pytest.mark.parametrize(
    ("answers_ms", "slow"), [([501] * 3, True), ([501] * 2, False), ([500] * 3, False), ([9, 501, 501], True)]
)
def test_a_ledger_that_answers_as_late_explains_slow_reads(answers_ms: list[int], slow: bool) -> None:
    why = "this runner waited as long for each answer of the ledger"
    assert explained(RunHistory(ledger_answers_ms=answers_ms)) == ((Blame.HARNESS, why) if slow else RELEASE)


def test_silence_on_the_way_explains_second_attempts_and_silence_at_the_edge_does_not() -> None:
    missed = replace(LATE_READS, kind="flaky_ratio", threshold=0.00001, samples=2, estimate=1.0, unit="ratio")
    flaky = [replace(RED_CHECK, id=each, status="passed", flaky=True) for each in ("a/one", "a/two")]

    def retried(*because: str) -> RunHistory:
        return RunHistory(
            scenarios={
                check.id: ScenarioHistory(
                    id=check.id,
                    started_at_ms=1,
                    retries=[events.Retried(target="GET /", attempt=2, because=each)],
                )
                for check, each in zip(flaky, because, strict=False)
            }
        )

    lost = (Blame.HARNESS, "requests met with silence, and may have been lost on this runner's way")
    assert explained(retried("refused", "http 502"), *flaky, missed=missed) == RELEASE
    assert explained(retried("timeout", "timeout"), *flaky, missed=missed) == lost
    assert explained(retried("timeout"), *flaky, missed=missed) == lost, "of one nothing was kept"
    steady = [replace(each, flaky=False) for each in flaky]
    assert explained(retried("refused", "refused"), *steady, missed=missed) == lost


READS = Objective(name="reads", kind="read_latency", threshold=500, quantile=0.95, gates=True)


def answered(number: int, duration_ms: int) -> list[events.Exchanged]:
    one = events.Exchanged(
        peer="service", method="GET", target="/", status=200, duration_ms=duration_ms, purpose="list"
    )
    return [one] * number


def history(*story: events.AnyEvent, stated: tuple[Objective, ...] = (READS,)) -> tuple[RunHistory, list[Entry]]:
    told = [started(), events.ObjectivesSet(objectives=stated), planned(READY, MONEY), *story]
    entries = [Entry(seq=at, at_ms=at, prev="", event=event) for at, event in enumerate(told, 1)]
    return fold(entries), entries


def scenario(name: str, *evidence: events.AnyEvent) -> list[events.AnyEvent]:
    return [
        events.ScenarioStarted(id=name),
        *evidence,
        events.ScenarioFinished(id=name, status="passed", duration_ms=1),
    ]


OWN_WAY = "this runner's own way there takes 450 ms for a round trip"


def test_the_time_of_the_way_is_the_upper_median_of_the_round_trips() -> None:
    spoke = events.ServiceSeen(release="r1")
    for ways in ((450.0,), (1.0, 450.0), (1.0, 450.0, 450.0), (1.0, 450.0, 900.0)):
        run, entries = history(spoke, *timed(WAY, *ways), *timed("clock", 1.0), *scenario(READY.id, *answered(10, 900)))
        (miss,) = misses((LATE_READS,), run, entries, ())
        assert miss.text.endswith(OWN_WAY)


def test_what_a_quarantined_scenario_measured_does_not_hold_a_miss_against_the_release() -> None:
    """Without it nothing is late once the way is taken off; other objectives of the run are of no matter."""
    other = Objective(name="second attempts", kind="flaky_ratio", threshold=0.1, gates=True)
    run, entries = history(
        events.ServiceSeen(release="r1"),
        *timed(WAY, 450.0),
        *scenario(READY.id, *answered(10, 900)),
        *scenario(MONEY.id, *answered(10, 5_000)),
        stated=(READS, other),
    )
    quarantined = replace(RED_CHECK, id=MONEY.id, status="quarantined")
    (held,) = misses((LATE_READS,), run, entries, (quarantined,))
    assert held.text.endswith(OWN_WAY)
    (blamed,) = misses((LATE_READS,), run, entries, (replace(quarantined, status="passed"),))
    assert blamed.blame is Blame.PRODUCT


def test_a_miss_of_nothing_that_is_stated_any_more_is_not_held_against_the_release() -> None:
    assert explained(RunHistory(probes_at_start=timed(WAY, 450.0))) == (Blame.HARNESS, OWN_WAY)


def on_a_busy_runner(duration_ms: int, cpu_wait_ms: int, base_url: str = "http://localhost") -> tuple[Blame, str]:
    """Who is blamed for slow reads of a sandbox, beside which other reads were quarantined that waited for nothing."""
    one = replace(answered(1, duration_ms)[0], cpu_wait_ms=cpu_wait_ms)
    begun = started(base_url=base_url, service_simulated=True)
    story = [
        events.ServiceSeen(release="r1"),
        *scenario(READY.id, *[one] * 10),
        *scenario(MONEY.id, *answered(50, 900)),
    ]
    told = [begun, events.ObjectivesSet(objectives=(READS,)), planned(READY, MONEY), *story]
    entries = [Entry(seq=at, at_ms=at, prev="", event=event) for at, event in enumerate(told, 1)]
    (miss,) = misses((LATE_READS,), fold(entries), entries, (replace(RED_CHECK, id=MONEY.id, status="quarantined"),))
    return miss.blame, miss.text.partition("; not the release's alone: ")[2]


def no_cpu(percent: str) -> tuple[Blame, str]:
    return Blame.HARNESS, f"this runner had no CPU for {percent} % of the time of its reads"


def test_a_runner_without_a_cpu_explains_reads_that_were_late_by_its_own_wait() -> None:
    assert on_a_busy_runner(1_000, 500) == no_cpu("50")
    assert on_a_busy_runner(1_000, 899) == no_cpu("90")
    assert on_a_busy_runner(1_000, 499, "http://192.0.2.1") == RELEASE, "501 ms are left, and 500 are promised"
    assert on_a_busy_runner(1_000, 250) == no_cpu("25"), "its server waits for the same CPUs"
    assert on_a_busy_runner(1_000, 249) == RELEASE


def test_a_request_takes_no_less_than_nothing_without_its_wait() -> None:
    waited = replace(answered(1, 5)[0], cpu_wait_ms=9)
    (kept,) = without_cpu_wait([Entry(seq=1, at_ms=1, prev="", event=waited)])
    assert kept.event == replace(waited, duration_ms=0)


def test_the_share_of_waiting_is_that_of_all_reads_whatever_they_went_over() -> None:
    warm = replace(answered(1, 100)[0], cpu_wait_ms=50)
    cold = replace(warm, duration_ms=900, opened_connection=True)
    _, entries = history(events.ServiceSeen(release="r1"), warm, cold, cold)
    assert cpu_wait_share("read_latency", entries, ()) == pytest.approx(150 / 1_900)
