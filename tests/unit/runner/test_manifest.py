"""The pinned manifest: every change of what is checked is found, named and only accepted on purpose."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from behave.configuration import Configuration
from behave.parser import parse_feature

from streampay_smoke import promises
from streampay_smoke.run.pins import SuiteChanged
from streampay_smoke.runner.manifest import INI, accepted, main, refuse_strangers, write
from streampay_smoke.runner.plan import plan

ROOT = Path(__file__).parents[3]


@pytest.fixture(name="project")
def a_project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "features", tmp_path / "features")
    shutil.copy(ROOT / INI, tmp_path)
    return tmp_path


def changed(project: Path) -> str:
    with pytest.raises(SuiteChanged) as refused:
        accepted(project / "features", project / INI)
    assert (refused.value.kind, refused.value.blame) == ("suite_changed", "config")
    assert refused.value.next_step
    return str(refused.value)


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def test_the_suite_of_this_project_is_the_one_that_was_accepted() -> None:
    pins = accepted(ROOT / "features", ROOT / INI)
    assert {"behave.ini", "features/environment.py", "features/steps/chain_steps.py"} < pins.keys()
    assert "streampay_smoke/promises/expectation.py" in pins
    assert "settlement/a-settled-stream-pays-the-recipient-on-the-ledger" in pins


CHANGES = {
    "a step that is gone": (
        edit("features/settlement.feature", "    And it works on a test network\n", ""),
        "has other steps (9, 4 of them asserting; there were 10, 4 of them asserting)",
    ),
    "an assertion that is gone": (
        edit("features/readiness.feature", "    And every dependency it names is ok\n", ""),
        "has other steps (6, 5 of them asserting; there were 7, 6 of them asserting)",
    ),
    "another keyword": (edit("features/readiness.feature", "When the", "Given the"), "has other steps"),
    "another word": (edit("features/streams.feature", "least 2 streams", "least 1 stream"), "has other steps"),
    "a table": (
        edit("features/readiness.feature", "asked whether it is ready", "asked whether it is ready\n      | a |\n"),
        "has other steps",
    ),
    "a text": (
        edit("features/readiness.feature", "asked whether it is ready", 'asked whether it is ready\n"""\nx\n"""\n'),
        "has other steps",
    ),
    "a tag that is gone": (
        edit("features/chain.feature", "@smoke @chain", "@chain"),
        "is tagged @blocker @chain, not @blocker @chain @smoke",
    ),
    "every tag is gone": (
        edit("features/readiness.feature", "@smoke @readiness @blocker\n", ""),
        "is tagged with nothing, not @blocker @readiness @smoke",
    ),
    "a scenario that is gone": (
        edit("features/streams.feature", "      | an unsigned token                |\n", ""),
        "streams/a-caller-with-an-unsigned-token-is-refused is gone",
    ),
    "a scenario with another name": (
        edit("features/chain.feature", "healthy and moving", "healthy"),
        "chain/the-network-is-healthy was added; chain/the-network-is-healthy-and-moving is gone",
    ),
    "a file that is no feature any more": (
        lambda project: (project / "features" / "readiness.feature").write_text("Then what\n"),
        "readiness/the-release-that-went-live-is-ready-to-serve is gone",
    ),
    "a feature file that is gone": (
        lambda project: (project / "features/readiness.feature").unlink(),
        "readiness/the-release-that-went-live-is-ready-to-serve is gone",
    ),
    "a step file": (
        edit("features/steps/chain_steps.py", "ledger.network_moves(", "str("),
        "features/steps/chain_steps.py was changed",
    ),
    "one step file more": (
        lambda project: (project / "features/steps/new_steps.py").touch(),
        "features/steps/new_steps.py was added",
    ),
    "a module beside the steps": (lambda project: (project / "features/httpx.py").touch(), "httpx.py was added"),
    "no hooks": (lambda project: (project / "features/environment.py").unlink(), "features/environment.py is gone"),
    "another configuration": (edit("behave.ini", "stop = false", "stop = true"), "behave.ini was changed"),
    "no configuration": (lambda project: (project / INI).unlink(), "behave.ini is gone"),
    "no manifest": (lambda project: (project / "features/manifest.jsonl").unlink(), "manifest.jsonl cannot be read"),
    "an empty manifest": (
        lambda project: (project / "features/manifest.jsonl").write_text(""),
        "behave.ini was added; ",
    ),
    "a manifest after a bad merge": (
        edit("features/manifest.jsonl", "\n", "\n<<<<<<< ours\n"),
        "manifest.jsonl, line 2, cannot be read",
    ),
    "a manifest that is no text": (
        lambda project: (project / "features/manifest.jsonl").write_bytes(b"\xff\xfe"),
        "manifest.jsonl, line 1, cannot be read",
    ),
    "a manifest with a line twice": (
        lambda project: (project / "features/manifest.jsonl").write_text(
            (project / "features/manifest.jsonl").read_text() * 2
        ),
        "behave.ini is there twice",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named(project: Path, name: str) -> None:
    change, said = CHANGES[name]
    accepted(project / "features", project / INI)
    change(project)
    assert said in changed(project)


@pytest.mark.parametrize("name", [name for name in CHANGES if "manifest" not in name])
def test_a_change_that_is_accepted_is_no_change(project: Path, name: str) -> None:
    CHANGES[name][0](project)
    write(project / "features", project / INI)
    assert accepted(project / "features", project / INI)


def test_a_promise_that_was_changed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = project / "promises"
    shutil.copytree(Path(promises.__file__).parent, package)
    monkeypatch.setattr(promises, "__file__", str(package / "__init__.py"))
    accepted(project / "features", project / INI)
    edit("promises/readiness.py", "report.ok, expected", "True, expected")(project)
    assert "streampay_smoke/promises/readiness.py was changed" in changed(project)


def test_many_changes_are_counted(project: Path) -> None:
    edit("features/streams.feature", "    Given the service is ready\n", "")(project)
    told = changed(project)
    assert told.count("has other steps") == 3
    assert told.endswith("; and 7 more")


def test_prose_is_not_pinned(project: Path) -> None:
    edit("features/streams.feature", "and nobody else does.", "and only those.")(project)
    edit("features/chain.feature", "Feature: The ledger itself", "Feature: The ledger")(project)
    assert accepted(project / "features", project / INI)


def test_features_of_another_folder_are_told_where_to_start(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(ROOT / INI, elsewhere)
    with pytest.raises(SuiteChanged, match=r"does not read the behave\.ini of these features") as refused:
        accepted(project / "features", elsewhere / INI)
    assert refused.value.next_step == f"start it in {project}"


def test_a_scenario_from_elsewhere_is_a_stranger(project: Path) -> None:
    pins = accepted(project / "features", project / INI)
    config = Configuration(["--runner=behave.runner:Runner"], load_config=False)
    text = (project / "features" / "readiness.feature").read_text()
    refuse_strangers(pins, plan([parse_feature(text, filename="features/readiness.feature")], config))
    for name, given in (("readiness", text.replace("    And every replica", "    # And every replica")), ("x", text)):
        with pytest.raises(SuiteChanged, match=r"has other steps|was added"):
            refuse_strangers(pins, plan([parse_feature(given, filename=f"{name}.feature")], config))


def test_the_command_names_differences_and_accepts_them(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    before = (project / "features/manifest.jsonl").read_bytes()
    assert (main([]), capsys.readouterr().out) == (0, "")
    edit("features/chain.feature", "@smoke ", "")(project)
    assert main([]) == 1
    said = capsys.readouterr().out
    assert said.count("is tagged @blocker @chain, not") == 4
    assert "--write" in said
    assert main(["--write"]) == 0
    assert main([]) == 0
    after = (project / "features/manifest.jsonl").read_bytes()
    lines = [*zip(before.splitlines(), after.splitlines(), strict=True)]
    assert sum(old != new for old, new in lines) == 5, "one line for each scenario"
    (project / "features/manifest.jsonl").write_text("{}\n")
    assert main([]) == 1
    assert "line 1" in capsys.readouterr().out
