"""`init` against the sandbox: the files of a new environment, and a whole run there."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_parts import Project

from streampay_sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.cli import main
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.operations.init import Wanted, init
from streampay_smoke.settings import load


@pytest.fixture(scope="module")
def own_sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    return project


def contract(sandbox: Sandbox) -> str:
    return f"chain.contract_id={sandbox.ready_document()['contract_id']}"


def test_an_environment_is_made_without_a_question_and_a_whole_run_there_promotes(
    bare: Project, own_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--name", "demo", "--base-url", own_sandbox.base_url, "--yes", "--set", contract(own_sandbox)]
    assert main(["init", *options, "--create-kept-stream", "--engine", "github", "--gate", "acme/gate@v1"]) == 0
    printed = capsys.readouterr().out
    assert "doctor: " in printed
    assert "Next: streampay-smoke run --env demo" in printed
    written = bare.folder / "environments" / "demo.toml"
    assert 'canary_stream = "stream-' in written.read_text()

    ran = bare.smoke("--env", "demo")
    assert (ran.code, json.loads((ran.folder / "decision.json").read_text())["step"]) == (0, "promote"), ran.output

    workflow = bare.folder / ".github" / "workflows" / "rollback.yml"
    assert "environment: demo\n" in workflow.read_text()
    assert main(["init", *options, "--engine", "github", "--name", "other"]) == 2
    assert "there is .github/workflows/deploy.yml" in capsys.readouterr().err

    before = written.read_bytes()
    assert main(["init", "--name", "demo", "--engine", "gitlab"]) == 0
    assert "SMOKE_ENV: demo\n" in (bare.folder / "deploy" / "demo" / "gitlab" / "deploy.gitlab-ci.yml").read_text()
    assert "doctor: " in capsys.readouterr().out
    assert main(["init", *options]) == 2
    assert "--force" in capsys.readouterr().err
    assert written.read_bytes() == before
    assert main(["init", *options, "--force"]) == 0
    assert written.read_bytes() != before


def test_a_secret_stands_in_dotenv_only_and_is_never_shown(
    bare: Project, own_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = own_sandbox.ready_document()["env"]["SMOKE_API_KEY"]
    (bare.folder / ".env").write_text("SMOKE_REGION=north")
    wanted = Wanted(
        name="keyed", base_url=own_sandbox.base_url, given=("service.auth_mode=api-key", contract(own_sandbox))
    )
    assert init(wanted, Redactor(), ask=lambda question: "", ask_secret=lambda question: secret) == 0
    dotenv = bare.folder / ".env"
    assert dotenv.read_text().startswith("SMOKE_REGION=north\n")
    assert dotenv.stat().st_mode & 0o777 == 0o600
    settings = load({"SMOKE_ENV": "keyed"}, environ={}, root=bare.folder)
    assert (settings.region, settings.api_key and settings.api_key.reveal()) == ("north", secret)
    assert secret not in (bare.folder / "environments" / "keyed.toml").read_text()
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err


def test_a_credential_nobody_gave_is_a_line_to_fill_in_and_a_problem_of_the_doctor(
    bare: Project, own_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--name", "later", "--base-url", own_sandbox.base_url, "--yes", "--set", contract(own_sandbox)]
    assert main(["init", *options, "--set", "service.auth_mode=bearer"]) == 2
    assert "\nSMOKE_AUTH_TOKEN=\n" in (bare.folder / ".env").read_text()
    assert "SMOKE_AUTH_TOKEN, which is not set" in capsys.readouterr().out


def test_an_address_that_holds_a_key_stands_in_dotenv(bare: Project, own_sandbox: Sandbox) -> None:
    keyed = "https://rpc.example/v1/0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    options = ["--name", "keys", "--base-url", own_sandbox.base_url, "--yes", "--set", contract(own_sandbox)]
    main(["init", *options, "--set", f"chain.rpc_url={keyed}", "--set", "chain.network=testnet"])
    assert keyed not in (bare.folder / "environments" / "keys.toml").read_text()
    assert keyed in (bare.folder / ".env").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--name", "x", "--base-url", "http://127.0.0.1:9"], "nothing answers at http://127.0.0.1:9"),
        (["--name", "../x", "--base-url", "http://127.0.0.1:9"], "the environment's name is"),
        (["--name", "x", "--base-url", "no-address"], "service.base_url"),
        (["--name", "x"], "--base-url is missing"),
        (["--base-url", "http://127.0.0.1:9"], "--name is missing"),
        (["--name", "x", "--base-url", "http://127.0.0.1:9", "--set", "nothing"], "--set is given without"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    bare: Project, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    before = sorted(bare.folder.rglob("*"))
    assert main(["init", "--yes", *options]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Next: " in printed
    assert sorted(bare.folder.rglob("*")) == before


def test_questions_that_nobody_answers_leave_nothing(
    bare: Project, own_sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    before = sorted(bare.folder.rglob("*"))
    assert main(["init", "--name", "x", "--base-url", own_sandbox.base_url]) == 2
    assert "--yes" in capsys.readouterr().err
    assert sorted(bare.folder.rglob("*")) == before
