"""The command from end to end, in worker processes, with a gate that says what it is told to."""

import itertools
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from streampay_sandbox.fault import Truth
from streampay_sandbox.faults import FAULTS
from streampay_selftest import command, measurement, pool
from streampay_selftest.case_run import CaseRun
from streampay_selftest.case_selection import SHARE_OF, share
from streampay_selftest.command import Wanted, selftest
from streampay_selftest.commits import commit_of
from streampay_selftest.committed import committed_results
from streampay_selftest.corpus import CORPUS, NOT_LOOKED_AT
from streampay_selftest.measurement import Measurement, Plan, Task, measure
from streampay_selftest.results import collected, from_json
from streampay_selftest.run_variation import NO_VARIATION, RunVariation
from streampay_smoke import cli
from streampay_smoke.core.errors import SettingsInvalid

ROOT = Path(__file__).parents[3]
FAKE = (sys.executable, str(ROOT / "tests" / "support" / "fake_gate.py"))
FAULT, DISTURBANCE = "settle-lies", "cold start"


@pytest.mark.parametrize(
    ("only", "says", "code"),
    [
        ((FAULT,), ["FAIL", "product", "settlement/x"], 0),
        ((FAULT,), ["PASS", "none"], 1),
        ((DISTURBANCE,), ["PASS", "none"], 0),
        ((DISTURBANCE,), ["FAIL", "product", "readiness/x"], 1),
    ],
)
def test_it_is_red_for_a_missed_fault_and_for_a_false_alarm_and_green_for_neither(
    only: tuple[str, ...], says: Sequence[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    assert selftest(Wanted(only=only, jobs=1, json_file=told), gate=(*FAKE, *says)) == code
    (case,) = from_json(told.read_bytes()).cases
    assert (case.name, case.outcomes[0].status, case.hurried) == (only[0], says[0], True)
    assert ("MISSED" in capsys.readouterr().out) is bool(code)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, whose results are made up: a disturbance is ridden out, and a fault is too."""

    def measured(plan: Plan, **_: object) -> Measurement:
        answers = [CaseRun(case=name, seed=0, status="PASS", attribution="none") for name in plan.names]
        stopped = "" if len(plan.names) < len(CORPUS) else "it was told to stop"
        return Measurement(results=collected(CORPUS, answers, commit="abc", hurried=plan.hurried), stopped=stopped)

    monkeypatch.setattr(command, "measure", measured)
    monkeypatch.setattr(command, "project_root", lambda: tmp_path)
    return tmp_path


def test_what_was_stopped_is_not_green(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disturbances = {name: case for name, case in CORPUS.items() if Truth.NONE in case.truths}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "CORPUS", disturbances)
        patch.setattr(sys.modules[__name__], "CORPUS", disturbances)
        assert selftest(Wanted(every_case=True)) == 3
    assert "stopped: it was told to stop. The same command goes on" in capsys.readouterr().out


def test_a_quick_run_plays_what_a_commit_draws_and_all_that_is_new(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    selftest(Wanted(every_case=True, write=True))
    capsys.readouterr()
    selftest(Wanted())
    said = capsys.readouterr().out.splitlines()[0]
    drawn = f"{len(CORPUS)} cases: 1 of {SHARE_OF} as commit unknown draws them, and 0 that are new"
    assert re.match(rf"\d+ of {drawn}", said)
    (root / "docs/selftest/results.json").unlink()
    selftest(Wanted())
    assert f"{len(CORPUS)} of {len(CORPUS)} cases" in capsys.readouterr().out.splitlines()[0]


def test_shares_differ_and_none_of_the_corpus_is_never_drawn() -> None:
    shares = [set(share(CORPUS, str(commit), frozenset())) for commit in range(80)]
    assert shares[0] == set(share(CORPUS, "0", frozenset())) != shares[1]
    assert set.union(*shares) == CORPUS.keys()
    faults = sum(case.is_fault for case in CORPUS.values())
    assert {sum(CORPUS[name].is_fault for name in each) for each in shares} == {-(-faults // SHARE_OF)}
    assert all("undisturbed" in each for each in shares)
    assert {"cold start", "slow"} <= set(share(CORPUS, "0", frozenset({"cold start", "slow"})))


def test_results_are_written_beside_those_that_are_there(root: Path) -> None:
    for only in (DISTURBANCE, "undisturbed"):
        assert selftest(Wanted(full=True, only=(only,), write=True)) == 0
    written = committed_results(root)
    assert written is not None
    assert {case.name for case in written.cases} == {DISTURBANCE, "undisturbed"}
    assert (root / "docs/selftest/chart.svg").is_file()


def test_the_command_line_lists_the_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest", "--list", "--only", FAULT, DISTURBANCE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["fault", "disturbance"]
    assert FAULTS[FAULT].story in lines[0]


def test_a_case_that_does_not_exist_is_named_with_its_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest", "--only", "settle-lie"]) == 2
    assert "did you mean 'settle-lies'" in capsys.readouterr().err
    with pytest.raises(SettingsInvalid, match="no case"):
        selftest(Wanted(only=("zzzzzzzz",)))


def test_an_installation_without_the_selftest_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "streampay_selftest"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    assert cli.main(["selftest", "--list"]) == 2
    assert "Next: run it in a checkout of the project" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--jobs", "0"], ["--seeds", "-1"], ["--quick", "--full"], ["--every-case", "--full"]]
)
def test_options_that_make_no_sense_are_refused(option: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["selftest", *option])
    assert caught.value.code == 2


def test_every_fault_of_the_sandbox_is_in_the_corpus() -> None:
    assert FAULTS.keys() - NOT_LOOKED_AT <= CORPUS.keys()
    assert FAULTS.keys() - CORPUS.keys() >= NOT_LOOKED_AT
    for name, fault in FAULTS.items():
        if name in NOT_LOOKED_AT:
            continue
        case = CORPUS[name]
        assert (case.faults, case.truth, case.caught_by, case.story) == (
            (name,),
            fault.truth,
            fault.caught_by,
            fault.story,
        )


def test_the_corpus_is_as_large_as_is_claimed() -> None:
    assert sum(case.is_fault for case in CORPUS.values()) >= 150
    assert sum(not case.is_fault for case in CORPUS.values()) >= 100


def test_in_a_hurry_a_case_plays_what_it_is_about() -> None:
    assert CORPUS["list-open"].selection(hurried=True) == "@streams"
    assert CORPUS["list-open"].selection(hurried=False) == "@smoke"
    assert CORPUS["rpc-duplicate"].selection(hurried=True) == "@chain"
    assert CORPUS["nothing selected"].selection(hurried=False) == "@smok"
    assert CORPUS["undisturbed"].selection(hurried=True) == "@smoke"


def test_every_case_in_a_hurry_plays_a_feature_that_is_there() -> None:
    there = set(
        re.findall(
            r"@[\w-]+", "".join(path.read_text() for path in (Path(__file__).parents[3] / "features").glob("*.feature"))
        )
    )
    played = {name: set(re.findall(r"@[\w-]+", case.selection(hurried=True))) for name, case in CORPUS.items()}
    assert {name for name, tags in played.items() if not tags <= there} == {"nothing selected"}


def test_in_a_hurry_a_plan_begins_with_what_takes_longest() -> None:
    plan = Plan(names=(FAULT, DISTURBANCE, "undisturbed"), hurried=True)
    tasks = plan.tasks({FAULT: 1.0, DISTURBANCE: 9.0})
    assert [task.case for task in tasks] == ["undisturbed", DISTURBANCE, FAULT], (
        "what was never timed may be the longest"
    )


def test_a_plan_of_many_rounds_mixes_what_waits_with_what_computes() -> None:
    slow = [name for name, case in CORPUS.items() if not case.is_fault][:10]
    full = Plan(names=tuple(CORPUS), hurried=False)
    turns = [number for number, task in enumerate(full.tasks(dict.fromkeys(slow, 120.0))) if task.case in slow]
    between = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert len(turns) > 100
    assert sum(gap == 1 for gap in between) < 50, "ten cases in a row would leave the cores idle"


def test_a_plan_plays_every_case_as_often_as_the_targets_ask() -> None:
    full = Plan(names=(FAULT, DISTURBANCE, "undisturbed"), hurried=False)
    seeds = [task.case for task in full.tasks({})]
    half = seeds[: len(seeds) // 2]
    assert half.count(FAULT) == 2, "what is stopped half-way is half of everything"
    assert half.count("undisturbed") in range(370, 381)
    assert len(full.tasks({}, {(FAULT, 3), ("undisturbed", 7)})) == len(seeds) - 2
    assert (seeds.count(FAULT), seeds.count("undisturbed")) == (4, 750)
    disturbances = sum(not case.is_fault for case in CORPUS.values()) - 1
    assert seeds.count(DISTURBANCE) * disturbances >= 3000
    assert len(Plan(names=(FAULT,), hurried=False, seeds=7).tasks({})) == 7


def test_the_same_seed_brings_the_same_variation() -> None:
    assert RunVariation.of("a", NO_VARIATION) == RunVariation(seed=NO_VARIATION)
    drawn = [RunVariation.of("a", seed) for seed in range(1, 30)]
    assert drawn == [RunVariation.of("a", seed) for seed in range(1, 30)]
    assert len({(each.close_seconds, each.jitter_seconds, each.auth_mode) for each in drawn}) > 10
    assert drawn != [RunVariation.of("b", seed) for seed in range(1, 30)]


def test_results_say_which_code_they_are_of(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"
    assert len(commit_of(ROOT).removesuffix("+changes")) == 12


class Told:
    """Plays tasks in this process: what each says is what it is told to."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, int]] = []
        self.meanwhile: dict[int, Callable[[], object]] = {}
        for name in ("src", "features", "environments"):
            (root / name).mkdir()
            (root / name / "code.py").write_text(name)
        (root / "behave.ini").write_text("[behave]")
        monkeypatch.setattr(measurement, "played", self._played)

    def _played(self, tasks: Sequence[Task], *_: object, **__: object) -> Iterator[tuple[Task, CaseRun]]:
        for number, task in enumerate(tasks):
            self.asked.append((task.case, task.seed))
            self.meanwhile.get(number, bool)()
            yield task, CaseRun(case=task.case, seed=task.seed, status="PASS", attribution="none")


WHOLE = Plan(names=(DISTURBANCE, "undisturbed"), hurried=False, seeds=3)


def test_a_long_run_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    told = Told(tmp_path, monkeypatch)
    told.meanwhile[2] = lambda: signal.raise_signal(signal.SIGTERM)
    first = measure(WHOLE, root=tmp_path, commit="abc")
    assert (first.stopped, [case.runs for case in first.results.cases]) == ("it was told to stop", [1, 1])
    assert signal.getsignal(signal.SIGTERM) is before
    (kept,) = (tmp_path / "artifacts/selftest").glob("runs-*.jsonl")
    assert json.loads(kept.read_text().splitlines()[-1])["commit"] == "abc"
    with kept.open("a") as file:
        file.write('{"case": "cold st')  # killed while it wrote
    told.meanwhile.clear()
    second = measure(WHOLE, root=tmp_path, commit="def")
    assert (second.stopped, [case.runs for case in second.results.cases]) == ("", [3, 3])
    assert sorted(told.asked[3:]) == sorted(
        {(name, seed) for name in WHOLE.names for seed in range(3)} - {*told.asked[:2]}
    )
    assert "2 runs are kept in artifacts/selftest/runs-" in capsys.readouterr().out
    assert not measure(WHOLE, root=tmp_path).stopped
    assert len(told.asked) == 7, "what is kept is not played again"


@pytest.mark.parametrize("changed", ["src/code.py", "features/code.py", "environments/new.toml", "behave.ini"])
def test_runs_of_one_state_of_the_code_are_not_added_to_those_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    told = Told(tmp_path, monkeypatch)
    told.meanwhile[1] = lambda: (tmp_path / changed).write_text("changed")
    ended = measure(WHOLE, root=tmp_path)
    assert ended.stopped.startswith("the code has changed")
    assert sum(case.runs for case in ended.results.cases) == 1
    told.meanwhile.clear()
    assert sum(case.runs for case in measure(WHOLE, root=tmp_path).results.cases) == 6
    assert len(told.asked) == 2 + 6


def test_a_quick_run_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Told(tmp_path, monkeypatch)
    measure(Plan(names=(DISTURBANCE,), hurried=True), root=tmp_path)
    assert not (tmp_path / "artifacts").exists()


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
        logging.disable(logging.NOTSET)
        for number, handler in before.items():
            signal.signal(number, handler)
    asking.join()
    assert answers == [2, "RuntimeError: four"]
