"""The other commands: judging again, building a report again, serving the sandbox, and clear errors."""

import json
import signal
from pathlib import Path

import pytest
from suite_parts import Project, Ran, wait_for_file
from waits import HANG_SECONDS

from streampay_smoke import cli
from streampay_smoke.evidence import journal as journals
from streampay_smoke.gate.verdict import from_json
from streampay_smoke.rollback import command
from streampay_smoke.rollback.outcome import RollbackEnding


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Project(tmp_path_factory.mktemp("commands"), {}).behave("--tags=@readiness", SMOKE_REPORT="1")


def test_raw_behave_builds_the_report_too(ran: Ran) -> None:
    assert ran.code == 0, ran.output
    assert "<html" in (ran.folder / "allure-report" / "index.html").read_text()


def test_a_verdict_is_printed_again(ran: Ran, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["judge", str(ran.folder / "journal.jsonl")]) == 0
    assert capfdbinary.readouterr().out == (ran.folder / "verdict.json").read_bytes()


def test_a_journal_that_is_not_there_is_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(tmp_path / "journal.jsonl")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_gate_that_breaks_blames_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of something")

    monkeypatch.setattr(journals, "read", broken)
    assert cli.main(["judge", "any.jsonl"]) == 3, "Python's own exit code 1 would roll the release back"
    assert "out of something" in capsys.readouterr().err


def test_a_rollback_that_breaks_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of something")

    monkeypatch.setattr(command, "run", broken)
    assert cli.main(["rollback", "--status"]) == RollbackEnding.NOT_VERIFIED, (
        "3 would say that there is no previous release"
    )


def test_a_report_is_built_again(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    page = ran.folder / "allure-report" / "index.html"
    page.unlink()
    assert cli.main(["report", str(ran.folder)]) == 0
    assert page.is_file()
    assert str(page) in capsys.readouterr().out


def test_a_folder_without_a_run_has_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "journal.jsonl" in capsys.readouterr().err


def test_an_unknown_fault_is_named_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sandbox", "--ready-file", str(tmp_path / "ready.json"), "--fault", "settle-lie"]) == 2
    assert "settle-lies" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--no-such-option"]])
def test_a_usage_error_is_config(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_the_sandbox_serves_until_it_is_killed_and_a_run_finds_it(bare_project: Project) -> None:
    ready = bare_project.folder / "ready.json"
    with bare_project.start(
        "streampay_smoke", "sandbox", "--ready-file", str(ready), "--fault", "list-open"
    ) as serving:
        wait_for_file(ready, serving)
        document = json.loads(ready.read_text())
        assert document.keys() >= {"base_url", "rpc_url", "friendbot_url", "network_passphrase", "contract_id", "env"}
        assert ready.stat().st_mode & 0o077 == 0
        found = bare_project.behave("--tags=@streams", **document["env"])
        serving.send_signal(signal.SIGTERM)
        output, _ = serving.communicate(timeout=HANG_SECONDS)
    assert (serving.returncode, ready.exists()) == (0, False), output
    assert found.code == 1, found.output
    assert from_json((found.folder / "verdict.json").read_bytes()).target.simulated
