"""Scenarios that are played side by side are judged as if they had been played in turn."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_parts import Project, Ran
from waits import HANG_SECONDS, wait_until

from streampay_sandbox.stack import start_sandbox
from streampay_smoke.evidence import journal as journals
from streampay_smoke.evidence.events import RunFinished, ScenarioStarted
from streampay_smoke.gate.verdict import VerdictStatus, from_json

CLOSE_SECONDS = 1.0

OF_WHAT_IS_LISTED = "streams/a-second-user-cannot-list-or-read-the-streams-of-the-first-user"
"""It reads up to three of the streams that there are then, and asserts as much about each."""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Project]:
    """A project with a sandbox whose ledgers take a second."""
    with start_sandbox(close_seconds=CLOSE_SECONDS) as sandbox:
        yield Project(tmp_path, sandbox.ready_document()["env"], traced=False)


def answers(ran: Ran) -> dict[str, tuple[str, int]]:
    return {
        check.id: (check.status, check.assertions * (check.id != OF_WHAT_IS_LISTED)) for check in ran.verdict.checks
    }


def shown(ran: Ran) -> list[str]:
    return re.findall(r"^  Scenario(?: Outline)?: (.*)$", ran.output, re.MULTILINE)


def test_the_answer_and_the_order_are_those_of_a_run_in_turn(project: Project) -> None:
    in_turn, beside = project.smoke(SMOKE_LANES="1"), project.smoke(SMOKE_LANES="7")
    assert (in_turn.code, beside.code) == (0, 0), beside.output
    assert answers(beside) == answers(in_turn)
    assert list(answers(beside)) == list(answers(in_turn))
    assert shown(beside) == shown(in_turn)
    assert beside.verdict.cleanup.leaked == in_turn.verdict.cleanup.leaked == 0
    lanes = {entry.lane for entry in journals.read(project.folder / "artifacts" / "latest" / "journal.jsonl").entries}
    assert lanes == set(range(8))


def test_raw_behave_plays_side_by_side_too_and_in_turn_where_it_stops_at_a_failure(project: Project) -> None:
    beside, in_turn = (project.behave("--tags=@chain or @streams", *more, SMOKE_LANES="7") for more in ([], ["--stop"]))
    assert (beside.code, in_turn.code) == (0, 0), beside.output
    assert answers(beside) == answers(in_turn)


def shown_seconds(output: str) -> float:
    took = re.search(r"^Took (\d+)min (\d+\.\d+)s$", output, re.MULTILINE)
    assert took is not None, output
    return int(took[1]) * 60 + float(took[2])


def test_a_failure_in_one_lane_touches_no_other(tmp_path: Path) -> None:
    with start_sandbox(faults=("settle-lies",)) as sandbox:
        ran = Project(tmp_path, sandbox.ready_document()["env"]).smoke(SMOKE_LANES="7")
    assert (ran.code, ran.verdict.verdict) == (1, VerdictStatus.FAIL), ran.output
    assert ran.verdict.reason_code == "promise_broken" or ran.verdict.attribution == "product"
    by_feature = {name.partition("/")[0] for name, (status, _) in answers(ran).items() if status == "failed"}
    assert by_feature <= {"settlement", "settlement_keys", "records"}
    assert ran.verdict.cleanup.leaked == 0


def lanes_of(process: "subprocess.Popen[str]", project: Project) -> tuple[int, list[int]]:
    """Wait for the lanes of a run; return the process of the run, and theirs."""
    ends_at = time.monotonic() + HANG_SECONDS
    while time.monotonic() < ends_at:
        behave = children(process.pid)
        lanes = children(behave[0]) if behave else []
        journal = project.folder / "artifacts" / "latest" / "journal.jsonl"
        if len(lanes) == 7 and '"lane":7' in journal.read_text():
            return behave[0], lanes
        time.sleep(0.02)
    raise AssertionError("the run has no lanes")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("who", "number", "code"),
    [
        ("lane", signal.SIGKILL, 3),
        ("lane", signal.SIGTERM, 143),
        ("behave", signal.SIGKILL, 3),
        ("run", signal.SIGTERM, 143),
    ],
)
def test_whoever_is_ended_the_run_proves_nothing_and_leaves_nobody(
    slow: Project, who: str, number: signal.Signals, code: int
) -> None:
    began = time.monotonic()
    process = slow.start("streampay_smoke", "run")
    behave, lanes = lanes_of(process, slow)
    os.kill({"lane": lanes[1], "behave": behave, "run": process.pid}[who], number)
    output, _ = process.communicate(timeout=HANG_SECONDS)
    verdict = from_json((slow.folder / "artifacts" / "latest" / "verdict.json").read_bytes())
    assert (process.returncode, verdict.verdict) == (code, VerdictStatus.INCONCLUSIVE), output
    assert verdict.reason_code == "terminated"
    found = journals.read(slow.folder / "artifacts" / "latest" / "journal.jsonl")
    assert not found.tampered_at
    ends_at = time.monotonic() + HANG_SECONDS
    while not all(is_gone(pid) for pid in (behave, *lanes)):
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    if who == "run":
        assert verdict.cleanup.created
        assert verdict.cleanup.leaked == 0, output
    if who == "lane":
        assert shown_seconds(output) <= time.monotonic() - began, "not the sum of what went on side by side"
        played = [entry.event for entry in found.entries]
        assert any(isinstance(event, RunFinished) for event in played)
        assert sum(isinstance(event, ScenarioStarted) for event in played) > 30  # the others went on


def test_a_signal_to_the_process_group_lets_the_clean_up_of_a_lane_come_to_its_end(slow: Project) -> None:
    process = slow.start("streampay_smoke", "run", own_session=True)
    journal = slow.folder / "artifacts" / "latest" / "journal.jsonl"
    lanes_of(process, slow)
    wait_until(lambda: any(is_cleaning(line) for line in journal.read_text().splitlines()), "a lane that cleans up")
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=HANG_SECONDS)
    verdict = from_json((journal.parent / "verdict.json").read_bytes())
    assert (process.returncode, verdict.reason_code) == (143, "terminated"), output
    assert (verdict.cleanup.leaked, verdict.cleanup.deleted) == (0, verdict.cleanup.created), output


def is_cleaning(line: str) -> bool:
    return '"awaiting"' in line and '/stop"' in line


def test_a_deadline_ends_every_lane(slow: Project) -> None:
    ran = slow.smoke("--deadline", "5")
    assert (ran.code, ran.verdict.reason_code) == (3, "deadline"), ran.output
