"""What a rollback needs to know, what it never asks for, and settings that would verify nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fleet_parts import environment_in

from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.secret_shapes import REDACTED
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.rollback.configuration import Actuation, actuation, deploy_of, known_id, log_path_of
from streampay_smoke.rollback.hooks.command import CommandHook
from streampay_smoke.settings import load
from streampay_smoke.settings.actuator import load_rollback

Given = Callable[..., Actuation]
ENGINE = '\n[rollback]\nhook = "command"\n[rollback.command]\nroll_back = ["true"]\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    environment_in(tmp_path)
    for name in ("staging", "production"):
        file = tmp_path / "environments" / f"{name}.toml"
        file.write_text(file.read_text() + ENGINE)
    return tmp_path


@pytest.fixture
def given(root: Path) -> Given:
    def give(**environ: str) -> Actuation:
        staging = {"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "https://staging.example/"}
        return actuation(load_rollback(environ={**staging, **environ}, root=root), Redactor())

    return give


def rollback_table(root: Path, text: str, name: str = "staging") -> None:
    file = root / "environments" / f"{name}.toml"
    file.write_text(file.read_text().replace(ENGINE, f"\n{text}\n"))


def test_a_rollback_needs_neither_the_ledger_nor_a_credential(given: Given, root: Path) -> None:
    settings = given()
    assert settings.base_url == "https://staging.example"
    assert settings.within_seconds == 120
    assert isinstance(settings.hook, CommandHook)
    with pytest.raises(SettingsInvalid, match="SMOKE_CONTRACT_ID is not set"):  # what a run would not do without
        load(environ={"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "https://staging.example"}, root=root)
    assert given(SMOKE_AUTH_MODE="bearer").credentials == {}


def test_an_expired_credential_keeps_nobody_from_rolling_back(given: Given) -> None:
    expired = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"
    assert list(given(SMOKE_AUTH_MODE="bearer", SMOKE_AUTH_TOKEN=expired).credentials) == ["SMOKE_AUTH_TOKEN"]


def test_the_proof_is_looked_for_where_users_are(given: Given) -> None:
    assert given(SMOKE_ROLLBACK_BASE_URL="https://pay.example/").base_url == "https://pay.example"
    with pytest.raises(SettingsInvalid, match="SMOKE_ROLLBACK_BASE_URL is not an http"):
        given(SMOKE_ROLLBACK_BASE_URL="pay.example")


def test_every_secret_is_known_to_the_redactor(root: Path) -> None:
    redactor = Redactor()
    environ = {
        "SMOKE_ENV": "staging",
        "SMOKE_BASE_URL": "https://staging.example",
        "SMOKE_AUTH_MODE": "api-key",
        "SMOKE_API_KEY": "the-key-of-slot-a",
        "SMOKE_API_KEY_B": "the-key-of-slot-b",
        "SMOKE_SIGNER_SEED": "a-seed-of-the-user",
        "SMOKE_ROLLBACK_TOKEN": "a-token-of-the-engine",
        "SMOKE_STELLAR_RPC_URL": "https://rpc.example/v1/7f3a9c1e5b2d4f60a8c7e9d1b3f5a7c9",
    }
    settings = actuation(load_rollback(environ=environ, root=root), redactor)
    assert list(settings.credentials) == ["SMOKE_API_KEY", "SMOKE_API_KEY_B"]
    secrets = "the-key-of-slot-a the-key-of-slot-b a-seed-of-the-user a-token-of-the-engine"
    assert redactor.text(f"{secrets} 7f3a9c1e5b2d4f60a8c7e9d1b3f5a7c9") == " ".join([REDACTED] * 5)


def test_the_log_is_one_for_each_environment_and_region(root: Path) -> None:
    def path(**environ: str) -> Path:
        return log_path_of(load_rollback(environ=environ, root=root))

    assert path(SMOKE_ARTIFACTS="/a") == Path("/a/rollback/sandbox.jsonl")
    assert path(SMOKE_ARTIFACTS="/a", SMOKE_ENV="staging", SMOKE_REGION="eu-1") == Path(
        "/a/rollback/staging-eu-1.jsonl"
    )
    assert path(SMOKE_ROLLBACK_LOG="/var/lib/x.jsonl", SMOKE_REGION="a/b") == Path("/var/lib/x.jsonl")
    with pytest.raises(SettingsInvalid, match="cannot be part of the intent log's name"):
        path(SMOKE_REGION="../../etc")


def test_a_region_is_named_with_its_environment(given: Given) -> None:
    assert given(SMOKE_REGION="eu").where == "staging, eu"
    assert given().where == "staging"


def test_the_ledger_that_is_asked_is_never_the_public_one(given: Given) -> None:
    assert given().ledger_rpc_url == "https://soroban-testnet.stellar.org"
    assert given(SMOKE_STELLAR_RPC_URL="http://rpc").ledger_rpc_url == "http://rpc"
    production = given(SMOKE_ENV="production", SMOKE_BASE_URL="https://pay.example")
    assert production.ledger_rpc_url == ""
    with pytest.raises(GuardRefused):
        given(SMOKE_STELLAR_RPC_URL="https://mainnet.example/rpc")


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"SMOKE_BASE_URL": ""}, "staging has no address"),
        ({"SMOKE_BASE_URL": "staging.example"}, "not an http"),
        ({"SMOKE_BASE_URL": "https://u:p@staging.example"}, "carries credentials"),
        ({"SMOKE_DIALECT": "app-v9"}, "SMOKE_DIALECT is 'app-v9'"),
        ({"SMOKE_AUTH_MODE": "magic"}, "SMOKE_AUTH_MODE is 'magic'"),
        ({"SMOKE_API_KEY": "short", "SMOKE_AUTH_MODE": "api-key"}, "shorter than"),
        ({"SMOKE_ENV": "production", "SMOKE_BASE_URL": "http://pay.example"}, "not an https address"),
        ({"SMOKE_ENV": "production", "SMOKE_BASE_URL": "http://localhost:3000"}, "not an https address"),
        ({"SMOKE_ENV": "local"}, "has no \\[rollback\\]: nobody said how"),
        ({"SMOKE_DEPLOYS": "d-1"}, "did you mean SMOKE_DEPLOY"),
    ],
)
def test_settings_that_would_prove_nothing_are_refused_before_anything_is_done(
    given: Given, environ: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsInvalid, match=why):
        given(**environ)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("[rollback]", "nobody said how"),
        ("[rollback]\nwithin_seconds = 5", "missing required field `hook`"),
        ('[rollback]\nhook = "command"\nwithin = 5\n[rollback.command]\nroll_back = ["x"]', "unknown field `within`"),
        ('[rollback]\nhook = "command"', "missing required field `roll_back`"),
        ('[rollback]\nhook = "comand"', "did you mean 'command'"),
        (
            '[rollback]\nhook = "command"\nwithin_seconds = 0\n[rollback.command]\nroll_back = ["x"]',
            "within_seconds is 0",
        ),
        (
            '[rollback]\nhook = "command"\n[rollback.command]\nroll_back = ["x"]\n[rollback.other]\na = 1',
            r"\[rollback.other\] stands beside hook = 'command'",
        ),
    ],
)
def test_a_defective_rollback_table_is_refused(given: Given, root: Path, table: str, why: str) -> None:
    rollback_table(root, table)
    with pytest.raises(SettingsInvalid, match=why) as caught:
        given()
    assert "environments/staging.toml" in str(caught.value)


@pytest.mark.parametrize("bad", ["v1; rm -rf /", "v1\nv2", "", "-rf", "x" * 201, "v 1"])
def test_no_engine_is_handed_a_name_that_is_none(bad: str) -> None:
    with pytest.raises(SettingsInvalid, match="which is no id"):
        known_id(bad, "--failed")


@pytest.mark.parametrize("good", ["v1", "sha256:0a1b", "registry.example/app@sha256:ff", "main/2026.11+3_x-1"])
def test_names_of_releases_are_ids(good: str) -> None:
    assert known_id(good, "--failed") == good


def test_a_rollback_is_about_one_deploy(root: Path) -> None:
    assert deploy_of(load_rollback(environ={"SMOKE_DEPLOY": "d-1"}, root=root)) == "d-1"
    with pytest.raises(SettingsInvalid, match="no deploy is named"):
        deploy_of(load_rollback(environ={}, root=root))
    with pytest.raises(SettingsInvalid, match="SMOKE_DEPLOY is 'd 1'"):
        deploy_of(load_rollback(environ={"SMOKE_DEPLOY": "d 1"}, root=root))


def test_a_gate_judges_without_a_rollback_table_that_is_right(root: Path) -> None:
    rollback_table(root, '[rollback]\nhook = "nonsense"')
    environ = {"SMOKE_ENV": "staging", "SMOKE_BASE_URL": "https://staging.example", "SMOKE_CONTRACT_ID": "C1"}
    assert load(environ=environ, root=root).environment == "staging"
