"""What changed since the last green run, what disagrees, and how long verdicts take."""

from history_parts import check, latency, run_record

from streampay_smoke.history.changes import changes, last_green, since_green
from streampay_smoke.history.record import RunMark
from streampay_smoke.history.statistics import overviews

GREEN = run_record(1)


def test_the_last_green_run_is_a_whole_one_of_the_same_place_that_nobody_overrode() -> None:
    others = [
        run_record(9, "FAIL"),
        run_record(8, whole_suite=False),
        run_record(7, overridden=True),
        run_record(6, environment="production"),
        run_record(5, region="eu"),
        GREEN,
    ]
    assert last_green(others, "staging", "") == GREEN
    assert last_green(others, "staging", "eu") == others[4]
    assert last_green(others[:5], "staging", "") is None
    assert since_green(None, GREEN) == "No earlier green run of the whole suite is known here."


def test_an_equal_run_changed_in_nothing() -> None:
    assert since_green(GREEN, run_record(2)) == f"{GREEN.run_id}: nothing that is recorded changed."
    slightly = run_record(2, duration_ms=42_000, objectives=(latency(900.0),))
    assert list(changes(GREEN, slightly)) == []


def test_each_difference_is_told() -> None:
    run = run_record(
        2,
        "FAIL",
        releases=("v2",),
        contract_id="C2",
        duration_ms=80_000,
        checks=(check("pays", "failed"), check("ends")),
        objectives=(latency(1500.0),),
    )
    assert list(changes(GREEN, run)) == [
        "release v2 in place of v1",
        "contract C2 in place of none",
        '1 scenarios more ("ends")',
        'no longer passed: "pays"',
        "reads 1500 ms in place of 800 ms",
        "it took 80 s in place of 40 s",
    ]


def test_a_part_of_the_suite_lacks_no_scenarios_and_is_not_faster() -> None:
    assert list(changes(GREEN, run_record(2, whole_suite=False, checks=(), duration_ms=1))) == []


def test_many_names_are_counted() -> None:
    run = run_record(2, checks=tuple(check(name) for name in ("pays", "a", "b", "c", "d", "e")))
    assert list(changes(GREEN, run)) == ['5 scenarios more ("a", "b", "c" and 2 more)']
    assert list(changes(run, GREEN)) == ['5 scenarios less ("a", "b", "c" and 2 more)']


def test_a_place_is_told_by_its_runs_only() -> None:
    runs = [
        run_record(6, "INCONCLUSIVE", releases=(), duration_ms=90_000),
        run_record(5, "FAIL", checks=(check("pays", "failed"),)),
        run_record(4, region="eu"),
        run_record(3, checks=(check("pays", flaky=True),)),
        run_record(2, "CONFIG", whole_suite=None, releases=()),
        run_record(1, releases=("v0",)),
    ]
    alarm = RunMark(run_id=runs[1].run_id, mark="false-alarm", why="maintenance", at_ms=1)
    here, eu = overviews(runs, [alarm])
    assert (eu.region, eu.runs, eu.trend, eu.compared_runs, eu.last_green) == ("eu", 1, "P", 0, "")
    assert (here.trend, here.verdicts["FAIL"], here.inconclusive_in_a_row) == ("PCPFI", 1, 1)
    assert (here.flaky_runs, here.compared_runs, here.flaky_scenarios) == (1, 2, {"pays": 2})
    assert (here.alarms, here.false_alarms) == (2, (alarm,))
    assert (here.median_verdict_ms, here.p95_verdict_ms) == (40_000, 90_000)
    assert here.last_green == runs[3].run_id
    assert here.since_green.startswith(f"{runs[3].run_id}: ")
    (objective,) = here.objectives
    assert (objective.newest, objective.median_before) == (800.0, 800.0)


def test_the_last_mark_of_a_run_counts() -> None:
    run = run_record(1, "FAIL")
    marks = [
        RunMark(run_id=run.run_id, mark="false-alarm", why="so it seemed", at_ms=1),
        RunMark(run_id=run.run_id, mark="confirmed", why="it was paid twice", at_ms=2),
    ]
    (place,) = overviews([run], marks)
    assert (place.alarms, place.false_alarms) == (1, ())
