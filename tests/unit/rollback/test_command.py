"""`streampay-smoke rollback` against a fleet: every ending is an exit code and a clear sentence."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet_parts import environment_in
from waits import HANG_SECONDS

from streampay_sandbox.engine import EngineFault
from streampay_sandbox.fleet import Fleet
from streampay_smoke.cli import main as cli
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback import actuator, verification
from streampay_smoke.rollback.command import main
from streampay_smoke.rollback.log import EngineAccepted, IntentLog, read_log

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet("v1", replicas=2) as running:
        running.start("v0", replicas=1)
        running.start("v2", replicas=2, faults=["half-broken"])
        yield running


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / "rollback" / "sandbox.jsonl"


@pytest.fixture
def run(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    environment_in(tmp_path, replicas=2, replica_miss_probability=0.2)
    monkeypatch.chdir(tmp_path)
    for name, value in {**fleet.environ(), "SMOKE_AUTH_MODE": "api-key"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(actuator, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(verification, "LEAST_SECONDS", 0.2)
    fleet.engine.misbehave()
    fleet.engine.promote("v1")

    def rollback(*arguments: str) -> tuple[int, str]:
        code = main(arguments)
        return code, capsys.readouterr().out

    return rollback


@pytest.fixture
def deployed(run: Run, fleet: Fleet) -> Run:
    assert run("--record", "--deploy", "d-1")[0] == 0
    fleet.engine.promote("v2")
    return run


def test_recorded_rolled_back_proved_and_not_twice(deployed: Run, fleet: Fleet, log_path: Path) -> None:
    before = len(fleet.engine.state().applied)
    code, said = deployed("--deploy", "d-1", "--failed", "v2")
    assert code == 0
    assert said.startswith("ROLLED BACK  sandbox: v1 is live again and healthy (")
    assert "Engine: accepted: v1 is live (asked once)" in said
    assert f"Log:    {log_path}" in said
    code, said = deployed("--deploy", "d-1")
    assert (code, said.splitlines()[0]) == (0, "ALREADY ROLLED BACK  sandbox: v1 was put back and proved")
    assert len(fleet.engine.state().applied) == before + 1


def test_the_status_tells_the_story(deployed: Run) -> None:
    code, said = deployed("--status")
    assert (code, "d-1: v1 would be put back" in said) == (0, True)
    deployed("--deploy", "d-1")
    assert "d-1: rolled back to v1, proved" in deployed("--status")[1]
    code, said = deployed("--status", "--deploy", "d-1")
    steps = [line.split("  ", 1)[1] for line in said.splitlines()[1:-1]]
    assert steps == [
        "recorded v1 as the release to put back",
        "intended to put v1 back in place of v2 (v2 in 4 looks, the engine names v2)",
        "asked the engine, attempt 1",
        "the engine accepted: v1 is live",
        "proved: v1 is live and healthy",
    ]


def test_the_status_of_nothing(run: Run, log_path: Path) -> None:
    assert "before each one run rollback --record --deploy ID" in run("--status")[1]
    assert "nothing is recorded" in run("--status", "--deploy", "d-9")[1]
    assert not log_path.exists()


def test_a_rollback_that_is_not_proved_is_1(deployed: Run, fleet: Fleet, log_path: Path) -> None:
    fleet.engine.misbehave(EngineFault.DOWN)
    code, said = deployed("--deploy", "d-1")
    assert code == 1
    assert said.startswith("NOT VERIFIED  sandbox: v1 was to be put back")
    assert "engine is down" in said
    assert "by hand" in said
    assert "NOT proved; run it again" in deployed("--status")[1]
    steps = deployed("--status", "--deploy", "d-1")[1]
    assert "the engine did not accept" in steps
    assert "not proved: " in steps


def test_no_previous_release_is_3(run: Run) -> None:
    code, said = run("--deploy", "d-7")
    assert (code, said.startswith("NO PREVIOUS RELEASE  sandbox: no release was recorded before d-7")) == (3, True)
    assert "Next:" in said


def test_another_release_that_is_live_is_5(deployed: Run, fleet: Fleet) -> None:
    fleet.engine.promote("v0")
    code, said = deployed("--deploy", "d-1", "--failed", "v2")
    assert (code, said.splitlines()[0].startswith("REFUSED  sandbox: what is live is not v2: v0 in 4 looks")) == (
        5,
        True,
    )
    assert "refused: what is live is not v2" in deployed("--status", "--deploy", "d-1")[1]


def test_another_rollback_under_way_is_5(deployed: Run, fleet: Fleet, log_path: Path) -> None:
    with IntentLog.held(log_path, Redactor()):
        code, said = deployed("--deploy", "d-1")
    assert (code, "another rollback holds" in said) == (5, True)
    assert fleet.engine.state().live == "v2"


def test_settings_that_cannot_be_used_are_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--deploy", "d 1")[0] == 2
    assert run()[0] == 2
    assert run("--deploy", "d-1", "--failed", "v;2")[0] == 2
    code, said = run("--deploy", "d-1", "--env", "mars")
    assert (code, said.startswith("NOT STARTED  SMOKE_ENV names 'mars'")) == (2, True)
    monkeypatch.setenv("SMOKE_STELLAR_NETWORK", "pubnet")
    code, said = run("--deploy", "d-1")
    assert (code, "never touches real money" in said) == (2, True)
    with pytest.raises(SystemExit) as caught:
        run("--record", "--status")
    assert caught.value.code == 2


def test_a_damaged_log_is_2(deployed: Run, fleet: Fleet, log_path: Path) -> None:
    with IntentLog.held(log_path, Redactor()) as log:
        log.append(EngineAccepted(deploy="another", said=""))
    log_path.write_bytes(log_path.read_bytes().replace(b'"v1"', b'"v0"'))
    code, said = deployed("--deploy", "d-1")
    assert (code, said.startswith("NOT STARTED  line 1 of")) == (2, True)
    assert fleet.engine.state().live == "v2"


def test_a_log_that_is_lost_after_the_engine_was_asked_is_1_and_never_2(
    deployed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = IntentLog.append

    def full(log: IntentLog, step: object) -> None:
        if isinstance(step, EngineAccepted):
            monkeypatch.setattr(os, "fsync", _no_space)
        append(log, step)  # type: ignore[arg-type]

    monkeypatch.setattr(IntentLog, "append", full)
    code, said = deployed("--deploy", "d-1")
    assert code == 1
    assert "the engine was asked, and then: the intent log" in said


def _no_space(file: int) -> None:
    raise OSError(28, "No space left on device")


def test_no_secret_is_said_or_kept(deployed: Run, fleet: Fleet, log_path: Path) -> None:
    key = fleet.environ()["SMOKE_API_KEY"]
    _, said = deployed("--deploy", "d-1")
    assert key not in said
    assert key not in log_path.read_text()


def test_the_command_line_has_it_too(deployed: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["rollback", "--deploy", "d-1", "--failed", "v2"]) == 0
    assert capsys.readouterr().out.startswith("ROLLED BACK")
    assert read_log(Path("artifacts/rollback/sandbox.jsonl")).of("d-1").proved is not None


# -- the gate, CI and the chain are all down


WITHOUT_THE_REST = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        rooms = ("gate", "operations", "runner", "run", "publish", "chain", "cli")
        rest = ("behave", "stellar_sdk", "allure_commons", "allure_behave", "starlette", "uvicorn", "streampay_sandbox")
        if parts[0] in rest:
            raise ModuleNotFoundError(name)
        if parts[0] == "streampay_smoke" and len(parts) > 1 and (parts[1] in rooms or parts[2:] == ["run_context"]):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
from streampay_smoke.rollback.command import main
sys.exit(main(sys.argv[1:]))
"""


def test_it_works_with_gate_ci_and_chain_all_down(tmp_path: Path) -> None:
    environment_in(tmp_path)
    with Fleet("v1", replicas=1) as fleet:
        fleet.start("v2", replicas=0)
        environ = {
            "PATH": os.environ["PATH"],  # nothing of a CI system
            "HOME": str(tmp_path),
            **fleet.environ(),
        }

        def rollback(*arguments: str) -> "subprocess.CompletedProcess[str]":
            command = [sys.executable, "-c", WITHOUT_THE_REST, *arguments]
            return subprocess.run(
                command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
            )

        recorded = rollback("--record", "--deploy", "d-1")
        assert recorded.returncode == 0, recorded.stdout + recorded.stderr
        fleet.engine.promote("v2")
        fleet.ledger.stop()
        done = rollback("--deploy", "d-1", "--failed", "v2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("ROLLED BACK  sandbox: v1 is live again")
        assert "Note:   the service calls its ledger degraded (fetch failed), and it is down when asked" in done.stdout
