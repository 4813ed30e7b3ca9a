"""The files of deployment engines, filled in for one environment."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from streampay_smoke import settings as configuration
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.operations.doctor.given import engine_files_filled_in
from streampay_smoke.operations.engine_files import (
    COPIED_BY_HAND,
    ENGINE_FILES,
    Filled,
    engine_files,
    gate_of,
    unfilled,
)

DEPLOY = Path(__file__).parents[3] / "deploy"
IMAGE = f"registry.internal/gate@sha256:{'ab' * 32}"
ACTION = "acme/gate@0123456789abcdef0123456789abcdef01234567"
CONTRACT = "C" + "A" * 55


def gate(engine: str) -> str:
    return ACTION if engine == "github" else IMAGE


def test_every_file_of_deploy_belongs_to_an_engine_or_the_image() -> None:
    there = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    of_engines = {name for names in ENGINE_FILES.values() for name in names}
    assert {name for name in there if not name.startswith("container/")} == of_engines | set(COPIED_BY_HAND)


@pytest.mark.parametrize("engine", ENGINE_FILES)
def test_names_address_contract_and_gate_are_filled_in(engine: str) -> None:
    filled = Filled(
        name="qa-2",
        base_url="https://staging.acme.test",
        contract_id=CONTRACT,
        gate=gate_of(engine, gate(engine)),
        regions=("no", "se", "dk"),
    )
    files = engine_files(engine, filled)
    text = "\n".join(files.values())
    assert [what for what in unfilled(files) if not what.startswith("the image of ")] == []
    assert "staging" not in text.replace(filled.base_url, "")
    assert "qa-2" in text or engine in ("aws", "flagger")
    assert gate(engine) in text or engine == "google-cloud-deploy"
    assert "https://staging.example" not in text
    for path, content in files.items():
        if path.suffix in (".yml", ".yaml"):
            assert list(YAML(typ="safe", pure=True).load_all(content))
        elif path.suffix == ".json":
            assert json.loads(content)


def test_files_for_regions_are_written_where_the_environment_lists_some() -> None:
    regions = ("no", "se-1", "dk")
    texts = {
        engine: next(
            text
            for path, text in engine_files(engine, Filled(name="qa", regions=regions)).items()
            if "regions" in path.name
        )
        for engine in ("github", "gitlab", "argo-workflows", "kubernetes")
    }
    github, gitlab, argo, _ = ([*YAML(typ="safe", pure=True).load_all(text)][-1] for text in texts.values())

    assert not any("eu-west-1" in text for text in texts.values())
    assert github["jobs"]["region"]["strategy"]["matrix"]["region"] == list(regions)
    assert gitlab["region"]["parallel"]["matrix"] == [{"SMOKE_REGION": list(regions)}]
    assert json.loads(argo["spec"]["arguments"]["parameters"][1]["value"]) == list(regions)
    assert all(part in texts["kubernetes"] for part in ("value: no se-1 dk\n", "completions: 3 ", "parallelism: 3\n"))
    for engine in ("github", "gitlab", "kubernetes"):
        assert not any("regions" in path.name for path in engine_files(engine, Filled(name="qa")))
    with pytest.raises(SettingsInvalid, match="lists none"):
        engine_files("argo-workflows", Filled(name="qa"))


@pytest.mark.parametrize("name", ["2026", "on", "1e3", "2026-11"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_text(name: str) -> None:
    content = engine_files("kubernetes", Filled(name=name))[Path(f"deploy/{name}/kubernetes/settings.yaml")]
    maps = [each for each in YAML(typ="safe", pure=True).load_all(content) if each["kind"] == "ConfigMap"]
    assert [each["data"]["SMOKE_ENV"] for each in maps] == [name]


def test_a_workflow_stands_where_github_looks_for_it_and_others_below_the_environment() -> None:
    assert list(engine_files("github", Filled(name="qa"))) == [
        Path(".github/workflows/deploy.yml"),
        Path(".github/workflows/rollback.yml"),
    ]
    assert Path("deploy/qa/kubernetes/settings.yaml") in engine_files("argo-rollouts", Filled(name="qa"))


def test_what_nobody_gave_stays_and_is_named() -> None:
    assert unfilled(engine_files("kubernetes", Filled(name="qa"))) == [
        "the gate's image (--gate IMAGE@sha256:...)",
        "the contract that must pay (SMOKE_CONTRACT_ID)",
    ]
    assert unfilled(engine_files("google-cloud-deploy", Filled(name="qa")))[-1] == "the image of streampay-smoke-verify"
    assert unfilled(engine_files("github", Filled(name="qa"))) == ["the gate's action (--gate OWNER/REPOSITORY@COMMIT)"]


@pytest.mark.parametrize(("engine", "given"), [("github", IMAGE), ("gitlab", ACTION), ("aws", "gate:latest")])
def test_a_gate_that_an_engine_cannot_use_is_refused(engine: str, given: str) -> None:
    with pytest.raises(SettingsInvalid, match="--gate is"):
        gate_of(engine, given)


@pytest.mark.parametrize(
    ("gate", "state", "said"),
    [
        (ACTION, "ok", "2 of this environment, all filled in"),
        ("", "warning", ".github/workflows/deploy.yml lacks the gate's action (--gate OWNER/REPOSITORY@COMMIT)"),
        (None, "ok", "none of this environment are here"),
    ],
)
def test_the_doctor_finds_what_is_not_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: str | None, state: str, said: str
) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "sandbox.toml").write_text((DEPLOY.parent / "environments/sandbox.toml").read_text())
    monkeypatch.chdir(tmp_path)
    for path, text in engine_files("github", Filled(name="sandbox", gate=gate)).items() if gate is not None else ():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (found,) = engine_files_filled_in(configuration.load(environ={}, root=tmp_path))
    assert (found.state, said in found.text) == (state, True), found
