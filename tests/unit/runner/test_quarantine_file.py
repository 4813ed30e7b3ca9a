"""`quarantine.toml`: what may stand in it, and every way in which it may not."""

import datetime
from pathlib import Path

import pytest
from gate_stories import MONEY, READY
from msgspec.structs import replace

from streampay_smoke.runner.plan import all_scenarios
from streampay_smoke.runner.quarantine import read_quarantine

TODAY = datetime.date(2026, 11, 23)
LIST = replace(READY, id="streams/listed", tags=("smoke", "streams"))
SCENARIOS = {scenario.id: scenario for scenario in (READY, MONEY, LIST)}
GOOD = 'id = "streams/listed"\nowner = "team"\nticket = "T-1"\nuntil = 2026-12-23\nreason = "flaky"\n'


def problems(root: Path, text: str) -> tuple[str, ...]:
    (root / "quarantine.toml").write_text(text)
    read = read_quarantine(root, lambda: SCENARIOS, today=TODAY)
    assert read is not None
    assert not (read.problems and read.entries)
    return read.problems


def test_no_file_is_no_quarantine(tmp_path: Path) -> None:
    assert read_quarantine(tmp_path, lambda: SCENARIOS, today=TODAY) is None


def test_a_whole_entry_is_read(tmp_path: Path) -> None:
    assert not problems(tmp_path, f"[[quarantine]]\n{GOOD}")
    read = read_quarantine(tmp_path, lambda: SCENARIOS, today=TODAY)
    assert read is not None
    assert (read.today, read.entries[0].until, read.entries[0].owner) == ("2026-11-23", "2026-12-23", "team")


def test_an_entry_past_its_day_is_no_defect(tmp_path: Path) -> None:
    assert not problems(tmp_path, f"[[quarantine]]\n{GOOD.replace('2026-12-23', '2026-01-01')}")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('owner = "team"\n', "", "has no owner"),
        ('owner = "team"', 'owner = " "', "has no owner"),
        ('ticket = "T-1"\n', "", "has no ticket"),
        ("until = 2026-12-23\n", "", "until is no date"),
        ("until = 2026-12-23", 'until = "2026-12-23"', "until is no date"),
        ("until = 2026-12-23", "until = 2026-12-23T10:00:00", "until is no date"),
        ("until = 2026-12-23", "until = 2026-12-24", "more than 30 days ahead"),
        ('id = "streams/listed"\n', "", "has no id"),
        ("streams/listed", "streams/nothing", "there is no scenario 'streams/nothing'"),
        ("streams/listed", READY.id, "readiness always gate"),
        ("streams/listed", MONEY.id, "cannot be quarantined"),
        ('reason = "flaky"', "reason = 1", "its reason is no text"),
        ("reason", "because", "'because' is no key"),
    ],
)
def test_a_defect_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    found = problems(tmp_path, f"[[quarantine]]\n{GOOD.replace(old, new)}")
    assert any(named in problem for problem in found), found
    assert all(problem.startswith("quarantine.toml, entry 1: ") for problem in found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"[[quarantine]]\n{GOOD}[[quarantine]]\n{GOOD}", "has another entry"),
        (f"[[quarantin]]\n{GOOD}", "'quarantin' is no key"),
        (f"[quarantine]\n{GOOD}", "no list of tables"),
        ("quarantine = [1]", "no list of tables"),
        ("[[quarantine", "cannot be read"),
    ],
)
def test_a_file_of_another_shape_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "quarantine.toml").write_text(text)
    read = read_quarantine(tmp_path, lambda: SCENARIOS, today=TODAY)
    assert read is not None
    assert any(named in problem for problem in read.problems), read.problems


def test_the_ids_are_those_of_all_features_and_broken_files_are_left_to_the_lint(tmp_path: Path) -> None:
    features = Path(__file__).parents[3] / "features"
    known = all_scenarios(features)
    assert "streams/a-second-user-cannot-list-or-read-the-streams-of-the-first-user" in known
    assert "streams/a-caller-with-no-credential-cannot-list-streams" in known
    assert "settlement/a-settled-stream-pays-the-recipient-on-the-ledger" in known
    (tmp_path / "empty.feature").write_text("")
    (tmp_path / "broken.feature").write_text("Scenario: nothing above\n  Whn what\n")
    assert all_scenarios(tmp_path) == {}
