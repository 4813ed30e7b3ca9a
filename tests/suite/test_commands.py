"""The other commands: judging again, building a report again, serving the sandbox, and clear errors."""

import json
import re
import signal
from pathlib import Path

import pytest
from suite_parts import Project, Ran, wait_for_file
from waits import HANG_SECONDS

from streampay_sandbox.faults import FAULTS
from streampay_smoke import cli
from streampay_smoke.gate.verdict import from_json
from streampay_smoke.operations import verification
from streampay_smoke.rollback import command
from streampay_smoke.rollback.outcome import RollbackEnding


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Project(tmp_path_factory.mktemp("commands"), {}).behave("--tags=@readiness", SMOKE_REPORT="1")


def test_raw_behave_builds_the_report_too(ran: Ran) -> None:
    assert ran.code == 0, ran.output
    assert "<html" in (ran.folder / "allure-report" / "index.html").read_text()


def test_a_verdict_is_printed_again(ran: Ran, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["judge", str(ran.folder / "journal.jsonl"), "--json"]) == 0
    assert capfdbinary.readouterr().out == (ran.folder / "verdict.json").read_bytes()


def test_a_verdict_is_told_in_five_lines(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(ran.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["PASS", "Why:", "On:", "Paid:", "Next:"]


def test_a_journal_that_is_not_there_is_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(tmp_path / "journal.jsonl")]) == 2
    error = capsys.readouterr().err
    assert "No such file" in error
    assert "Next: give a run's folder" in error


def test_a_gate_that_breaks_blames_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of something")

    monkeypatch.setattr(verification, "read", broken)
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


def test_a_quiet_run_prints_its_verdict_and_nothing_else(bare_project: Project) -> None:
    ran = bare_project.smoke("--quiet", "--tags", "@readiness", SMOKE_REPORT="1")
    lines = ran.output.splitlines()
    assert (ran.code, [line.split()[0] for line in lines]) == (0, ["PASS", "Why:", "On:", "Paid:", "Next:"]), ran.output
    refused = bare_project.smoke("--quiet", "--tags", "@setlement")
    assert (refused.code, len(refused.output.splitlines())) == (2, 5), refused.output
    assert "did you mean @settlement?" in refused.output


def test_a_verbose_run_prints_each_exchange_and_ends_as_any_other(bare_project: Project) -> None:
    ran = bare_project.smoke("--verbose", "--tags", "@operations")
    assert ran.code == 0, ran.output
    exchanged = [event for event in ran.events if event["event"] == "exchanged"]
    assert ran.output.count(" -> 200 (") == sum(event.get("status") == 200 for event in exchanged) > 20
    assert "    service: GET /api/metrics -> 200 (" in ran.output
    assert "operations/the-metrics-are-available" in ran.output
    assert "\ndecision: " in ran.output


def test_a_run_of_one_tag_prints_no_scenario_of_another(bare_project: Project) -> None:
    ran = bare_project.smoke("--tags", "@operations")
    printed = [line.strip() for line in ran.output.splitlines() if line.strip().startswith("Scenario")]
    assert len(printed) == 3, ran.output


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = cli.main(["run", "--list", *arguments])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_scenarios_and_tags_are_listed_and_nothing_is_played(
    bare_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare_project.folder)
    code, printed = listed(capsys, "--tags", "@operations")
    assert code == 0
    assert "Service can be operated\n" in printed
    assert re.search(r"^3 of \d+ scenarios are selected by @operations$", printed, re.MULTILINE)
    assert "@operations (3)" in printed
    assert "Service is ready" not in printed
    by_path = listed(capsys, "features/readiness.feature")[1]
    assert re.search(r"^2 of \d+ scenarios are selected by @smoke and the paths$", by_path, re.MULTILINE)
    code, printed = listed(capsys, "--tags", "@opertions")
    assert (code, "did you mean @operations?" in printed) == (2, True)
    code, printed = listed(capsys, "features/nothing.feature")
    assert (code, "there is no features/nothing.feature" in printed) == (2, True)
    assert not (bare_project.folder / "artifacts").exists()


def test_a_listing_says_what_the_environment_leaves_out(
    bare_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare_project.folder)
    monkeypatch.setenv("SMOKE_CONTRACT_ID", "C" + "A" * 55)
    monkeypatch.setenv("SMOKE_AUTH_TOKEN", "a-token-of-nobody")
    options = ["--env", "production", "--base-url", "https://streampay.example", "--tags", "@settlement"]
    printed = " ".join(listed(capsys, *options)[1].split())
    assert "(left out here: production is read-only" in printed


def test_every_fault_of_the_sandbox_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sandbox", "--list-faults"]) == 0
    printed = capsys.readouterr().out
    for name, fault in FAULTS.items():
        assert f"  {name}\n      {fault.story}\n" in printed
    assert printed.index("catastrophic:") < printed.index("disturbance:")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--no-such-option"]])
def test_a_usage_error_is_config(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_a_sandbox_without_a_ready_file_prints_what_points_a_run_at_it(bare_project: Project) -> None:
    with bare_project.start("streampay_smoke", "sandbox") as serving:
        assert serving.stdout is not None
        lines = [serving.stdout.readline() for _ in range(11)]
        exported = [line.removeprefix("export ").strip().partition("=") for line in lines if line.startswith("export ")]
        environ = {name: value for name, _, value in exported}
        found = bare_project.behave("--tags=@readiness", **environ)
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=HANG_SECONDS)
    assert (serving.returncode, found.code) == (0, 0), found.output
    assert found.verdict.target.base_url == environ["SMOKE_BASE_URL"]


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
