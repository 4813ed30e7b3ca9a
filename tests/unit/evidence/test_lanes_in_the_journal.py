"""A journal of scenarios that were played side by side is read as one of scenarios that were played in turn."""

from pathlib import Path

from streampay_smoke.evidence.events import (
    AnyEvent,
    Awaiting,
    Checked,
    ExpectedScenario,
    Interrupted,
    ResourceReleased,
    RunFinished,
    RunPlanned,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
)
from streampay_smoke.evidence.journal import Journal, read
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.history import fold

STEP = "When it is asked"
FINISHED = RunFinished(failed=False, hook_failures=0, statuses={})


def planned(*ids: str) -> RunPlanned:
    return RunPlanned(
        tags="@smoke",
        expected=tuple(
            ExpectedScenario(id=name, feature="F", scenario=name, location="f:1", tags=(), steps=(STEP,))
            for name in ids
        ),
    )


def scenario(name: str) -> list[AnyEvent]:
    return [
        ScenarioStarted(id=name),
        StepStarted(text=STEP, budget_seconds=9),
        Checked(promise=f"{name} is kept", held=True),
        StepFinished(text=STEP, status="passed", duration_ms=1),
        ScenarioFinished(id=name, status="passed", duration_ms=1),
    ]


def released(name: str) -> ResourceReleased:
    return ResourceReleased(kind="stream", id=name)


def written(folder: Path, *story: tuple[int, AnyEvent]) -> Path:
    path = folder / "journal.jsonl"
    with Journal(path, Redactor()) as journal:
        for at, (lane, event) in enumerate(story):
            journal.append(event, lane=lane, at_ms=1_000 + at)
    return path


def side_by_side(*lanes: list[AnyEvent]) -> list[tuple[int, AnyEvent]]:
    longest = max(len(lane) for lane in lanes)
    return [(number, lane[at]) for at in range(longest) for number, lane in enumerate(lanes, 1) if at < len(lane)]


def test_scenarios_stand_together_in_the_order_of_the_plan_and_the_chain_holds(tmp_path: Path) -> None:
    plan = planned("ready", "b/1", "a/1", "a/2", "alone")
    lanes = side_by_side([*scenario("a/1"), *scenario("a/2"), released("of a")], [*scenario("b/1"), released("of b")])
    before: list[AnyEvent] = [plan, *scenario("ready"), Awaiting(what="to be signed in")]
    after: list[AnyEvent] = [*scenario("alone"), FINISHED]
    path = written(tmp_path, *((0, event) for event in before), *lanes, *((0, event) for event in after))
    found = read(path)
    assert not found.tampered_at
    assert not found.truncated
    assert [entry.event for entry in found.entries] == [
        *before,
        *scenario("b/1"),
        *scenario("a/1"),
        *scenario("a/2"),
        *scenario("alone"),
        released("of b"),
        released("of a"),
        FINISHED,
    ]
    assert sorted(entry.seq for entry in found.entries) == list(range(1, len(found.entries) + 1))


def test_each_scenario_keeps_its_own_evidence(tmp_path: Path) -> None:
    story = side_by_side(scenario("a/1"), scenario("b/1"))
    run = fold(read(written(tmp_path, (0, planned("a/1", "b/1")), *story, (0, FINISHED))).entries)
    for name in ("a/1", "b/1"):
        assert [check.promise for check in run.scenarios[name].checks] == [f"{name} is kept"]
        assert run.scenarios[name].finished is not None
    assert run.ended_at_ms == 1_000 + len(story) + 1


def test_what_every_lane_was_doing_is_known_of_a_run_that_was_killed(tmp_path: Path) -> None:
    story = side_by_side(scenario("a/1")[:2], scenario("b/1")[:3])
    killed = (0, Interrupted(reason="killed"))
    run = fold(read(written(tmp_path, (0, planned("a/1", "b/1")), *story, killed)).entries)
    assert run.doing.count(STEP) == 2
    assert {scenario.id for scenario in run.last_scenarios} == {"a/1", "b/1"}
    assert run.interrupted is not None


def test_a_journal_without_lanes_is_read_as_it_is_written(tmp_path: Path) -> None:
    story: list[AnyEvent] = [planned("a/1", "b/1"), *scenario("b/1"), *scenario("a/1"), FINISHED]
    path = written(tmp_path, *((0, event) for event in story))
    assert [entry.event for entry in read(path).entries] == story
    assert b'"lane"' not in path.read_bytes()
