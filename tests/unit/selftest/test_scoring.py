"""The score of results, each target both ways, and what is told about it."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from msgspec.structs import replace

from streampay_sandbox.fault import Severity, Truth
from streampay_selftest import committed, progress_output
from streampay_selftest.case import Case
from streampay_selftest.case_run import CONTRADICTION, NO_ANSWER, CaseRun
from streampay_selftest.chart import chart
from streampay_selftest.page import page
from streampay_selftest.results import Results, collected, described, from_json, merged, to_json
from streampay_selftest.scoring import (
    DISTURBED_RUNS,
    FAULT_SEEDS,
    TARGETS,
    UNDISTURBED_RUNS,
    SampleSize,
    Share,
    confusion,
    missed,
    score,
)

CORPUS = {
    case.name: case
    for case in (
        Case(name="open", story="a door is open", severity=Severity.CATASTROPHIC, caught_by="streams/"),
        Case(name="rude", story="an answer is rude", severity=Severity.SERIOUS, caught_by="streams/"),
        Case(name="mainnet", story="m", severity=Severity.CATASTROPHIC, truth=Truth.SAFETY, caught_by="guard"),
        Case(name="undisturbed", story="nothing", severity=Severity.DISTURBANCE, truth=Truth.NONE),
        Case(
            name="rpc",
            story="the RPC stumbles",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            or_else=(Truth.NONE,),
        ),
        Case(name="typo", story="a typo", severity=Severity.DISTURBANCE, truth=Truth.CONFIG),
    )
}


def answer(case: str, status: str, attribution: str, caught_by: str = "", **more: object) -> CaseRun:
    told = {
        "case": case,
        "seed": 0,
        "status": status,
        "attribution": attribution,
        "caught_by": caught_by,
        "seconds": 1.5,
        "cpu_seconds": 0.5,
    }
    return msgspec.convert({**told, **more}, CaseRun)


RIGHT = (
    answer("open", "FAIL", "product", "streams/a"),
    answer("rude", "FAIL", "product", "streams/b", seconds=9.0),
    answer("mainnet", "SAFETY", "safety", "guard_refused"),
    answer("undisturbed", "PASS", "none"),
    answer("rpc", "INCONCLUSIVE", "dependency"),
    answer("rpc", "PASS", "none", seed=1),
    answer("typo", "CONFIG", "config"),
)


def results(*instead: CaseRun, of: Sequence[CaseRun] = RIGHT) -> Results:
    """The right answers, with those of some cases replaced."""
    replaced = {each.case for each in instead}
    kept = [each for each in of if each.case not in replaced]
    return collected(CORPUS, [*kept, *instead], commit="abc", hurried=False)


def test_a_gate_that_is_right_meets_every_target() -> None:
    of = score(results())
    assert not missed(of)
    assert (of.recall, of.named, of.precision) == (Share(hits=3, of=3),) * 3
    assert of.attribution == Share(hits=7, of=7)
    assert of.false_alarms == Share(hits=0, of=4)
    assert of.false_alarms_ridden_out == Share(hits=0, of=3)
    assert of.recall_by_severity == {"catastrophic": Share(hits=2, of=2), "serious": Share(hits=1, of=1)}
    assert (of.seconds_to_fail, of.seconds_to_pass, of.cpu_seconds) == ((1.5, 9.0), (1.5, 1.5), 0.5)


WRONG = [
    (answer("open", "PASS", "none"), "every fault is caught"),
    (answer("open", "PASS", "none"), "no PASS where something is wrong"),
    (answer("open", "INCONCLUSIVE", "harness"), "every fault is caught"),
    (answer("open", "FAIL", "product"), "and by the check that is named for it"),
    (answer("undisturbed", "FAIL", "product"), "no disturbance is called a fault of the release"),
    (answer("typo", "SAFETY", "safety"), "no disturbance is called a fault of the release"),
    (answer("rpc", "INCONCLUSIVE", "harness"), "the attribution is right in 99% of the runs"),
    (answer("rpc", "FAIL", "product"), "no dependency is called product"),
    (answer("typo", "PASS", "none"), "no PASS where something is wrong"),
    (answer("undisturbed", "INCONCLUSIVE", "harness"), "at most 0.5% of the undisturbed runs are INCONCLUSIVE"),
    (answer("typo", CONTRADICTION, "config"), "every run ends in one clear answer"),
    (answer("typo", NO_ANSWER, ""), "every run ends in one clear answer"),
    (answer("typo", "INCONCLUSIVE", "harness"), "no case is wrong each time it is played"),
]


@pytest.mark.parametrize(("wrong", "target"), WRONG)
def test_a_gate_that_is_wrong_misses_the_target_that_says_so(wrong: CaseRun, target: str) -> None:
    assert target in {each.about for each in missed(score(results(wrong)))}


def test_every_target_can_be_missed() -> None:
    assert {target for _, target in WRONG} == {target.about for target in TARGETS}


def test_a_target_that_too_few_runs_stand_behind_is_not_met() -> None:
    of = score(results())
    assert {target.described(of) for target in TARGETS} == {
        "not yet shown (3 of 12 whole runs)",
        "not yet shown (3 of 3,000 whole runs)",
        "not yet shown (6 of 3,012 whole runs)",
        "not yet shown (1 of 750 whole runs)",
    }
    assert "not yet shown (3 of 12 whole runs)" in page(results())


def test_a_target_is_met_by_enough_whole_runs_of_every_fault() -> None:
    disturbances = [("rpc", DISTURBED_RUNS), ("undisturbed", UNDISTURBED_RUNS)]
    disturbed = [answer(name, "PASS", "none", seed=seed) for name, runs in disturbances for seed in range(runs)]
    faulty = [replace(each, seed=seed) for each in RIGHT[:3] for seed in range(FAULT_SEEDS)]
    runs = [*disturbed, *faulty]
    whole = score(collected(CORPUS, runs, commit="abc", hurried=False))
    assert {target.described(whole) for target in TARGETS} == {"met"}
    hurried = score(collected(CORPUS, runs, commit="abc", hurried=True))
    assert not any(target.described(hurried) == "met" for target in TARGETS)
    one_too_often = [*runs[:-1], replace(faulty[0], seed=FAULT_SEEDS)]
    of = score(collected(CORPUS, one_too_often, commit="abc", hurried=False))
    assert of.behind_faults == SampleSize(runs=11, needed=12), (
        "a fault that was played more often does not stand for another"
    )


def test_one_wrong_run_of_many_is_a_share_and_not_a_case() -> None:
    many = [answer("rpc", "INCONCLUSIVE", "dependency", seed=seed) for seed in range(300)]
    of = score(results(*many, answer("rpc", "INCONCLUSIVE", "harness", seed=300)))
    assert not missed(of)
    assert of.attribution == Share(hits=305, of=306)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Share(hits=300, of=300), "100.0 % (300 of 300; 98.8 % to 100.0 %)"),
        (Share(hits=0, of=3000), "0.0 % (0 of 3,000; 0.0 % to 0.12 %)"),
        (Share(hits=2999, of=3000), "99.97 % (2,999 of 3,000; 99.81 % to >99.99 %)"),
        (Share(hits=1, of=100_000), "<0.01 % (1 of 100,000; <0.01 % to <0.01 %)"),
        (Share(hits=0, of=0), "not played"),
    ],
)
def test_a_share_is_told_with_exact_bounds(share: Share, words: str) -> None:
    assert share.description == words


def test_the_confusion_names_what_is_wrong() -> None:
    matrix = confusion(results(answer("typo", "PASS", "none"), answer("open", NO_ANSWER, "")))
    assert matrix.rows == ["product", "safety", "none", "dependency", "config"]
    assert matrix.columns[-1] == NO_ANSWER
    assert (matrix.counts["config", "PASS none"], matrix.wrong["config", "PASS none"]) == (1, 1)
    assert (matrix.counts["dependency", "PASS none"], matrix.wrong["dependency", "PASS none"]) == (1, 0)


def test_results_are_written_and_read() -> None:
    written = results()
    assert from_json(to_json(written)) == written
    assert len(to_json(written).splitlines()) == len(CORPUS) + 5


def test_a_later_run_replaces_its_own_cases_and_drops_those_that_are_gone() -> None:
    later = collected(CORPUS, [answer("open", "PASS", "none")], commit="def", hurried=True)
    both = merged([name for name in CORPUS if name != "typo"], results(), later)
    assert [case.name for case in both.cases] == [name for name in CORPUS if name != "typo"]
    assert (both.by_name["open"].commit, both.by_name["rude"].commit) == ("def", "abc")


def test_the_page_and_the_chart_are_made_of_the_results() -> None:
    wrong = results(answer("open", "PASS", "none"), *[each for each in RIGHT if each.case == "rpc"])
    made = page(wrong)
    for words in (
        "every fault is caught: **MISSED**",
        "- **WRONG: PASS** (product)\n  - `none`: ",
        "`streams/` was to be red: open",
        "`abc`",
        "**1 wrong**",
    ):
        assert words in made
    drawn = chart(wrong)
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "recall, 2 of 3" in drawn
    assert chart(results(of=())).startswith("<svg")


def test_the_page_tells_how_long_a_run_takes_at_each_pace_of_the_ledger() -> None:
    paced = {
        name: Case(name=name, story="s", severity=Severity.DISTURBANCE, truth=Truth.NONE, close_seconds=seconds)
        for name, seconds in (("slow", 6.0), ("at once", 0.0))
    }
    runs = [answer("slow", "PASS", "none", seed=seed, seconds=100.0 + seed) for seed in range(3)]
    told = page(collected(paced, [*runs, answer("at once", "PASS", "none")], commit="abc", hurried=False))
    assert told.index("| 0 s | at once | PASS | 1 | 1.5 s") < told.index("| 6 s | slow | PASS | 3 |")
    assert "median 101.0 s, p95 102.0 s" in told
    kept = collected(paced, runs, commit="abc", hurried=False)
    assert from_json(to_json(kept)).cases[0].close_seconds == 6.0
    assert described(kept.cases[0]) == described(paced["slow"])
    assert described(kept.cases[0]) != described(replace(paced["slow"], close_seconds=5.0))


def test_a_person_is_told_what_was_wrong_and_what_right() -> None:
    wrong = answer("open", "PASS", "none", message="PASS: all is well", red=["ledger/x"])
    line = progress_output.line(CORPUS["open"], wrong, right=False)
    for words in ("WRONG", "open: PASS none", "not product, seen by streams/", "red: ledger/x", "PASS: all is well"):
        assert words in line
    assert progress_output.line(CORPUS["rpc"], RIGHT[5], right=True) == "ok      1.5 s  rpc seed 1: PASS none"
    assert progress_output.line(CORPUS["open"], RIGHT[0], right=True).endswith("open: FAIL product, streams/a")
    mixed = results(wrong, answer("rpc", "PASS", "none"), answer("rpc", "FAIL", "product"))
    summary = progress_output.summary(mixed, score(mixed))
    assert re.search(r"! fault +open +0/1  PASS none", summary)
    assert re.search(r"! disturbance +rpc +1/2  FAIL product x1, PASS none x1", summary)
    assert "always wrong: open" in summary


def test_while_runs_are_played_it_is_said_how_many_and_which(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_output.ProgressOutput(3)
    for name in ("open", "open", "rpc"):
        progress.begin(name)
    progress.show(CORPUS["open"], RIGHT[0])
    assert progress.count(10, is_live=False) == "1 of 3 runs, about 20 s left; 10 s; 0 wrong, playing open, rpc"
    progress.show(CORPUS["open"], answer("open", "PASS", "none"))
    assert progress.count(10, is_live=False) == "2 of 3 runs, about 5 s left; 10 s; 1 wrong, playing rpc"
    assert "ok      1.5 s  open" in capsys.readouterr().out


@pytest.fixture
def root(tmp_path: Path) -> Path:
    committed.write(tmp_path, results())
    return tmp_path


def test_what_is_committed_is_about_this_corpus(root: Path) -> None:
    assert list(committed.drift(root, CORPUS)) == []


def test_no_results_are_a_difference(tmp_path: Path) -> None:
    (line,) = committed.drift(tmp_path, CORPUS)
    assert "docs/selftest/results.json is missing" in line
    (tmp_path / "docs/selftest").mkdir(parents=True)
    (tmp_path / "docs/selftest/results.json").write_text("[]")
    assert committed.committed_results(tmp_path) is None


@pytest.mark.parametrize("name", ["README.md", "chart.svg"])
def test_a_page_that_was_edited_is_a_difference(root: Path, name: str) -> None:
    path = root / "docs/selftest" / name
    path.write_text(path.read_text().replace("recall", "fame"))
    (line,) = committed.drift(root, CORPUS)
    assert line.startswith(f"docs/selftest/{name} is not what results.json makes of it")


def test_a_case_that_is_new_changed_or_gone_is_a_difference(root: Path) -> None:
    new = replace(CORPUS["open"], name="new")
    changed = replace(CORPUS["open"], caught_by="settlement/")
    corpus = {"open": changed, "new": new, **{name: CORPUS[name] for name in CORPUS if name not in {"open", "typo"}}}
    lines = "\n".join(committed.drift(root, corpus))
    for name in ("open", "new"):
        again = f"run streampay-smoke selftest --full --write --only '{name}'"
        assert f"'{name}' is new, or not what it was when it was played; {again}" in lines
    assert "has 'typo', which is in the corpus no more" in lines
