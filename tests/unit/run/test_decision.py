"""The decision beside the verdict: how a row of INCONCLUSIVE answers is counted, and what is started when."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from fleet_parts import ROOT, environment_in
from msgspec.structs import replace

from streampay_sandbox.engine import EngineFault
from streampay_sandbox.fleet import Fleet
from streampay_smoke.evidence.chain import ChainRead
from streampay_smoke.evidence.events import RunPlanned
from streampay_smoke.gate.history import RunHistory
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.policy import Decision, ReleaseStep, RolledBack, decision_description, schema
from streampay_smoke.gate.verdict import SIGNAL_EXIT_CODES, Verdict, VerdictStatus, to_json
from streampay_smoke.history.record import RunRecord, record_of
from streampay_smoke.history.row import inconclusive_in_a_row
from streampay_smoke.rollback.command import main as rollback
from streampay_smoke.run import decision as decisions
from streampay_smoke.run import pins, whole_suite
from streampay_smoke.run.conclude import NOTHING_ASKED
from streampay_smoke.run.earlier_runs import EarlierRuns
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.settings import Settings, load

SMOKE = frozenset({"readiness/a", "streams/b"})


def verdict(word: str, *, environment: str = "staging", region: str = "", ids: frozenset[str] = SMOKE) -> Verdict:
    blank = judge(ChainRead(entries=(), sha256=""))
    return replace(
        blank,
        verdict=VerdictStatus(word),
        reason_code="promise_broken" if word == "FAIL" else "deadline",
        target=replace(blank.target, environment=environment, region=region),
        evidence=replace(blank.evidence, expected_ids=tuple(sorted(ids))),
    )


def row(*verdicts: Verdict | None, region: str = "") -> int:
    return inconclusive_in_a_row([recorded(each) if each else None for each in verdicts], "staging", region)


def recorded(verdict: Verdict) -> RunRecord:
    ids = verdict.evidence.expected_ids
    whole = whole_suite.is_whole(ids, SMOKE) if ids else None
    return record_of(verdict, run_id="a-run", whole_suite=whole, recorded_at_ms=1)


INCONCLUSIVE = verdict("INCONCLUSIVE")


def test_a_row_is_counted_from_the_newest_to_another_answer() -> None:
    assert row() == 0
    assert row(INCONCLUSIVE, INCONCLUSIVE, verdict("PASS"), INCONCLUSIVE) == 2
    assert row(verdict("FAIL"), INCONCLUSIVE) == 0
    assert row(verdict("SAFETY"), INCONCLUSIVE) == 0


def test_runs_that_judged_nothing_neither_go_on_with_a_row_nor_end_it() -> None:
    assert row(verdict("CONFIG"), INCONCLUSIVE) == 1


@pytest.mark.parametrize("code", SIGNAL_EXIT_CODES.values())
def test_a_run_that_somebody_ended_neither_goes_on_with_a_row_nor_ends_it(code: int) -> None:
    ended = replace(INCONCLUSIVE, reason_code="terminated", exit_code=code)
    assert row(ended, INCONCLUSIVE, ended, INCONCLUSIVE, verdict("PASS")) == 2


def test_runs_of_a_part_of_the_suite_are_passed_over() -> None:
    part = frozenset({"streams/b"})
    assert row(verdict("PASS", ids=part), INCONCLUSIVE, verdict("INCONCLUSIVE", ids=part), INCONCLUSIVE) == 2


def test_other_places_have_rows_of_their_own() -> None:
    elsewhere = verdict("PASS", environment="production")
    eu = verdict("INCONCLUSIVE", region="eu")
    assert row(elsewhere, INCONCLUSIVE, eu) == 1
    assert row(elsewhere, INCONCLUSIVE, eu, region="eu") == 1


def test_an_answer_that_is_lost_is_no_answer() -> None:
    never_started = verdict("INCONCLUSIVE", environment="", ids=frozenset())
    assert row(None, never_started, INCONCLUSIVE, verdict("PASS")) == 3


# -- on the disk


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    environment_in(tmp_path)
    (tmp_path / "features").mkdir()
    shutil.copy(ROOT / "features" / "manifest.jsonl", tmp_path / "features")
    monkeypatch.chdir(tmp_path)
    return RunFolder.create(tmp_path / "artifacts")


def settings(**environ: str) -> Settings:
    given = {
        "SMOKE_BASE_URL": "http://127.0.0.1:1",
        "SMOKE_CONTRACT_ID": "C1",
        "SMOKE_STELLAR_RPC_URL": "http://127.0.0.1:1/rpc",
        **environ,
    }
    return load(environ=given)


PREPARED = {"SMOKE_ON_FAIL": "rollback", "SMOKE_DEPLOY": "d-1", "SMOKE_EXPECT_RELEASE": "v2"}


WHOLE = RunPlanned(tags="@smoke", expected=(), whole_suite=True)


def accepted() -> frozenset[str]:
    return whole_suite.smoke_of(pins.read(Path("features") / pins.FILE))


def decided(folder: RunFolder, word: str, planned: RunPlanned | None = WHOLE, /, **environ: str) -> Decision:
    asked = decisions.prepared(settings(**environ), target_release="v1", acts_here=True)
    answer = verdict(word, environment="sandbox", ids=accepted())
    return decisions.decided(folder, answer, RunHistory(planned=planned), asked, EarlierRuns(folder, None))


def test_the_decision_is_beside_the_verdict(folder: RunFolder) -> None:
    decision = decided(folder, "FAIL", **PREPARED)
    assert decision.acts
    decisions.write(folder, decision)
    written = json.loads((folder.path / "decision.json").read_text())
    jsonschema_rs.validator_for(schema()).validate(written)
    assert (written["step"], written["run_id"], written["policy"]["page_after_inconclusive"]) == (
        "rollback",
        folder.run_id,
        3,
    )
    assert decision_description(decision) == "roll back: the release broke a promise -> v1 is put back now"


def test_what_an_earlier_decision_on_the_same_run_started_is_kept(folder: RunFolder) -> None:
    acted = replace(decided(folder, "FAIL", **PREPARED), rollback=RolledBack(exit_code=0))
    assert decision_description(acted).endswith(" -> v1 was put back")
    decisions.write(folder, acted)
    anew = decided(folder, "PASS")
    assert (anew.step, anew.acts, anew.rollback) == (ReleaseStep.PROMOTE, False, RolledBack(exit_code=0))
    assert decision_description(anew).endswith("a rollback was started before, by an earlier decision on this run")


def test_earlier_runs_are_found_in_the_artifacts_folder(folder: RunFolder) -> None:
    artifacts = folder.path.parent
    answers = {"20200101T000001Z-a": "PASS", "20200101T000002Z-b": "INCONCLUSIVE", "20200101T000003Z-c": "INCONCLUSIVE"}
    for name, word in answers.items():
        (artifacts / name).mkdir()
        (artifacts / name / "journal.jsonl").touch()
        answer = verdict(word, environment="sandbox", ids=accepted())
        (artifacts / name / "verdict.json").write_bytes(to_json(answer))
    (artifacts / "rollback").mkdir()
    (artifacts / "99990101T000000Z-later").mkdir()
    (artifacts / "99990101T000000Z-later" / "journal.jsonl").touch()
    decision = decided(folder, "INCONCLUSIVE")
    assert (decision.inconclusive_in_a_row, decision.page) == (3, True)
    (artifacts / "20200101T000003Z-c" / "verdict.json").write_text("not a verdict")
    assert decided(folder, "INCONCLUSIVE").inconclusive_in_a_row == 3
    (artifacts / "20200101T000003Z-c" / "verdict.json").write_bytes(
        to_json(verdict("PASS", environment="sandbox", ids=accepted()))
    )
    assert decided(folder, "INCONCLUSIVE").inconclusive_in_a_row == 1


def test_a_suite_nobody_accepted_is_never_the_whole_one() -> None:
    assert whole_suite.is_whole(SMOKE, SMOKE)
    assert whole_suite.is_whole([*SMOKE, "another"], SMOKE)
    assert not whole_suite.is_whole(["readiness/a"], SMOKE)
    assert not whole_suite.is_whole(SMOKE, frozenset())


@pytest.mark.parametrize("planned", [None, replace(WHOLE, whole_suite=False), replace(WHOLE, by_path=True)])
def test_a_part_of_the_suite_holds(folder: RunFolder, planned: RunPlanned | None) -> None:
    decision = decided(folder, "FAIL", planned, **PREPARED)
    assert (decision.step, decision.acts) == (ReleaseStep.HOLD, False)


def test_a_run_that_nobody_prepared_holds(folder: RunFolder) -> None:
    decision = decisions.decided(folder, verdict("CONFIG"), RunHistory(), NOTHING_ASKED, EarlierRuns(folder, None))
    assert (decision.step, decision.acts, decision.page) == (ReleaseStep.HOLD, False, False)


def test_behave_itself_never_rolls_back_and_somebody_is_told(folder: RunFolder) -> None:
    asked = decisions.prepared(settings(**PREPARED), target_release="v1", acts_here=False)
    decision = decisions.decided(
        folder, verdict("FAIL", ids=accepted()), RunHistory(planned=WHOLE), asked, EarlierRuns(folder, None)
    )
    assert (decision.step, decision.acts, decision.page) == (ReleaseStep.ROLLBACK, False, True)
    assert decision.not_acting_because == "behave was started by hand, and never rolls back"


@pytest.mark.parametrize(
    ("environ", "paths", "target", "notes"),
    [
        (PREPARED, (), "v1", 0),
        (PREPARED, (), "", 1),
        ({"SMOKE_ON_FAIL": "rollback"}, (), "", 2),
        ({}, (), "", 0),
        (PREPARED, ("features/streams.feature",), "", 0),
    ],
)
def test_what_keeps_a_run_from_rolling_back_is_said_before_it_begins(
    folder: RunFolder, environ: dict[str, str], paths: tuple[str, ...], target: str, notes: int
) -> None:
    asked = decisions.prepared(settings(**environ), target_release=target, acts_here=True)
    told = list(decisions.notes_before(asked, paths))
    assert len(told) == notes
    assert all(note.startswith("--on-fail rollback was asked for") for note in told)


# -- the rollback, as a process of its own


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet("v1", replicas=1) as running:
        running.start("v2", replicas=1)
        yield running


@pytest.mark.parametrize(("fault", "code", "live"), [((), 0, "v1"), ((EngineFault.DOES_NOTHING,), 1, "v2")])
def test_the_rollback_is_another_process_and_its_ending_is_kept(
    folder: RunFolder,
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    fault: tuple[str, ...],
    code: int,
    live: str,
) -> None:
    file = Path("environments/sandbox.toml")
    if fault:  # then nothing is worth waiting for
        file.write_text(file.read_text().replace("within_seconds = 20", "within_seconds = 2"))
    for name, value in {**fleet.environ(), "SMOKE_AUTH_MODE": "jwt"}.items():
        monkeypatch.setenv(name, value)
    fleet.engine.misbehave()
    fleet.engine.promote("v1")
    assert rollback(["--record", "--deploy", "d-1"]) == 0
    fleet.engine.misbehave(*fault)
    fleet.engine.promote("v2")
    environ = {**os.environ, **PREPARED}
    ended = decisions.acted_on(decided(folder, "FAIL", **PREPARED), load(environ=environ), environ)
    assert ended.rollback is not None
    assert ended.rollback.exit_code == code
    assert fleet.engine.state().live == live
