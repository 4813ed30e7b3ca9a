"""The command from end to end, in worker processes, with a gate that says what it is told to."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from streampay_smoke import cli
from streampay_smoke.errors import SettingsInvalid
from streampay_smoke.sandbox.faults import FAULTS
from streampay_smoke.selftest import command, pool
from streampay_smoke.selftest.command import Wanted, selftest
from streampay_smoke.selftest.committed import committed_results
from streampay_smoke.selftest.corpus import CORPUS
from streampay_smoke.selftest.measuring import Plan, commit_of
from streampay_smoke.selftest.playing import Played
from streampay_smoke.selftest.results import Results, collected, from_json
from streampay_smoke.selftest.weather import CALM, Weather

ROOT = Path(__file__).parents[3]
FAKE = (sys.executable, str(ROOT / "tests" / "support" / "fake_gate.py"))
FAULT, NOISE = "settle-lies", "cold start"


@pytest.mark.parametrize(
    ("only", "says", "code"),
    [
        ((FAULT,), ["FAIL", "product", "settlement/x"], 0),
        ((FAULT,), ["PASS", "none"], 1),
        ((NOISE,), ["PASS", "none"], 0),
        ((NOISE,), ["FAIL", "product", "readiness/x"], 1),
    ],
)
def test_it_is_red_for_a_missed_fault_and_for_a_false_alarm_and_green_for_neither(
    only: tuple[str, ...], says: Sequence[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    assert selftest(Wanted(only=only, jobs=1, json_file=told), gate=(*FAKE, *says)) == code
    (case,) = from_json(told.read_bytes()).cases
    assert (case.name, case.outcomes[0].word, case.hurried) == (only[0], says[0], True)
    assert ("MISSED" in capsys.readouterr().out) is bool(code)


def test_results_are_written_beside_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(plan: Plan, **_: object) -> Results:
        answers = [Played(case=name, seed=0, word="PASS", attribution="none") for name in plan.names]
        return collected(CORPUS, answers, commit="abc", hurried=plan.hurried)

    monkeypatch.setattr(command, "measure", measured)
    monkeypatch.setattr(command, "project_root", lambda: tmp_path)
    for only in (NOISE, "undisturbed"):
        assert selftest(Wanted(full=True, only=(only,), write=True)) == 0
    written = committed_results(tmp_path)
    assert written is not None
    assert {case.name for case in written.cases} == {NOISE, "undisturbed"}
    assert (tmp_path / "docs/selftest/chart.svg").is_file()


def test_the_command_line_lists_the_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest", "--list", "--only", FAULT, NOISE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["fault", "noise"]
    assert FAULTS[FAULT].story in lines[0]


def test_a_case_that_does_not_exist_is_named_with_its_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest", "--only", "settle-lie"]) == 2
    assert "did you mean 'settle-lies'" in capsys.readouterr().err
    with pytest.raises(SettingsInvalid, match="no case"):
        selftest(Wanted(only=("zzzzzzzz",)))


@pytest.mark.parametrize("option", [["--jobs", "0"], ["--seeds", "-1"], ["--quick", "--full"]])
def test_options_that_make_no_sense_are_refused(option: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["selftest", *option])
    assert caught.value.code == 2


def test_every_fault_of_the_sandbox_is_in_the_corpus() -> None:
    assert FAULTS.keys() <= CORPUS.keys()
    for name, fault in FAULTS.items():
        case = CORPUS[name]
        assert (case.faults, case.truth, case.caught_by, case.story) == (
            (name,),
            fault.truth,
            fault.caught_by,
            fault.story,
        )


def test_the_corpus_is_as_large_as_is_claimed() -> None:
    assert sum(case.is_fault for case in CORPUS.values()) >= 75
    assert sum(not case.is_fault for case in CORPUS.values()) >= 40


def test_in_a_hurry_a_case_plays_what_it_is_about() -> None:
    assert CORPUS["list-open"].selection(hurried=True) == "@streams"
    assert CORPUS["list-open"].selection(hurried=False) == "@smoke"
    assert CORPUS["rpc-duplicate"].selection(hurried=True) == "@chain"
    assert CORPUS["nothing selected"].selection(hurried=False) == "@smok"
    assert CORPUS["undisturbed"].selection(hurried=True) == "@smoke"


def test_a_plan_begins_with_what_takes_longest() -> None:
    plan = Plan(names=(FAULT, NOISE, "undisturbed"), hurried=True)
    tasks = plan.tasks({FAULT: 1.0, NOISE: 9.0})
    assert [task.case for task in tasks] == ["undisturbed", NOISE, FAULT], "what was never timed may be the longest"
    full = Plan(names=(FAULT, NOISE, "undisturbed"), hurried=False)
    seeds = [task.case for task in full.tasks({})]
    assert (seeds.count(FAULT), seeds.count("undisturbed")) == (4, 750)
    noises = sum(not case.is_fault for case in CORPUS.values()) - 1
    assert seeds.count(NOISE) * noises >= 3000
    assert len(Plan(names=(FAULT,), hurried=False, seeds=7).tasks({})) == 7


def test_the_same_seed_brings_the_same_weather() -> None:
    assert Weather.of("a", CALM) == Weather(seed=CALM)
    drawn = [Weather.of("a", seed) for seed in range(1, 30)]
    assert drawn == [Weather.of("a", seed) for seed in range(1, 30)]
    assert len({(each.close_seconds, each.jitter_seconds, each.auth_mode) for each in drawn}) > 10
    assert drawn != [Weather.of("b", seed) for seed in range(1, 30)]


def test_results_say_which_code_they_are_of(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"
    assert len(commit_of(ROOT).removesuffix("+changes")) == 12


def doubled(number: int) -> int:
    if number == 3:
        os._exit(9)
    if number == 4:
        raise RuntimeError("four")
    return 2 * number


def test_a_worker_that_dies_or_fails_costs_its_own_task_only() -> None:
    lost: list[tuple[int, str]] = []

    def losing(task: int, why: str) -> int:
        lost.append((task, why))
        return -1

    results = dict(pool.played([1, 2, 3, 4, 5, 6], doubled, jobs=2, lost=losing))
    assert results == {1: 2, 2: 4, 3: -1, 4: -1, 5: 10, 6: 12}
    assert sorted(lost) == [(3, "the worker died with exit code 9"), (4, "RuntimeError: four")]


@pytest.fixture
def ours() -> Iterator[tuple["Connection[int, int | str]", "Connection[int | str, int]"]]:
    here, there = Pipe()
    yield here, there
    here.close()


def test_a_worker_answers_until_nobody_asks(
    ours: tuple["Connection[int, int | str]", "Connection[int | str, int]"],
) -> None:
    here, there = ours
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    answers: list[int | str] = []

    def ask() -> None:
        for number in (1, 4):
            here.send(number)
            answers.append(here.recv())
        here.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        pool._work(there, doubled)
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    asking.join()
    assert answers == [2, "RuntimeError: four"]
