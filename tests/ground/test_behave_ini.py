"""Nobody's configuration outside the project may change what the gate runs."""

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from behave.configuration import configfile_options_iter
from waits import HANG_SECONDS

ROOT = Path(__file__).parents[2]
OURS = ROOT / "behave.ini"

PRINT_CONFIGURATION = """
import json, sys
from behave.configuration import Configuration
from behave.model import ScenarioOutline
config = Configuration(sys.argv[1:])
shown = {key: str(value) for key, value in vars(config).items() if key not in {"defaults", "outputs", "reporters"}}
shown["reporters"] = [type(reporter).__name__ for reporter in config.reporters]
shown["outputs"] = [str(output.name) for output in config.outputs]
shown["tag_expression"] = str(config.tag_expression)
shown["annotation_schema"] = ScenarioOutline.annotation_schema
print(json.dumps(shown, sort_keys=True))
"""

HOSTILE = {
    "capture": "false",
    "capture_hooks": "true",
    "capture_log": "false",
    "capture_stderr": "false",
    "capture_stdout": "false",
    "color": "always",
    "default_format": "json",
    "default_tags": "@nothing",
    "dry_run": "true",
    "exclude_re": ".*",
    "format": "null",
    "include_re": "nothing",
    "jobs": "7",
    "junit": "true",
    "junit_directory": "elsewhere",
    "lang": "de",
    "logging_clear_handlers": "true",
    "logging_datefmt": "%%Y",
    "logging_filter": "nothing",
    "logging_format": "nothing",
    "logging_level": "CRITICAL",
    "name": "nothing",
    "outfiles": "hidden.txt",
    "paths": "elsewhere",
    "quiet": "true",
    "runner": "behave.runner:Runner",
    "scenario_outline_annotation_schema": "{name}",
    "show_multiline": "false",
    "show_skipped": "true",
    "show_snippets": "false",
    "show_source": "true",
    "show_timings": "false",
    "stage": "fake",
    "steps_catalog": "true",
    "stop": "true",
    "summary": "false",
    "tag_expression_protocol": "auto_detect",
    "tags": "@nothing",
    "use_nested_step_modules": "true",
    "verbose": "true",
    "wip": "true",
}
SECTIONS = (
    "[behave.userdata]\nfake = 1\n[behave.runners]\ndefault = fake:Runner\n[behave.formatters]\nplain = fake:Plain\n"
)


def configuration(project: Path, home: Path, *options: str, **environment: str) -> dict[str, object]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **environment}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_CONFIGURATION, *options],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(name="project")
def a_project_with_our_file(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "features").mkdir(parents=True)
    (project / "behave.ini").write_text(OURS.read_text())
    return project


def home_with(tmp_path: Path, name: str, text: str) -> Path:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / name).write_text(text)
    return home


def as_ini(keys: dict[str, str]) -> str:
    return "[behave]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + SECTIONS


def test_every_key_behave_knows_is_set() -> None:
    ours = configparser.ConfigParser()
    ours.read(OURS)
    known = {option.dest for option in configfile_options_iter(None)}
    assert set(ours["behave"]) == known
    assert set(HOSTILE) == known


@pytest.mark.parametrize("name", ["behave.ini", ".behaverc", "setup.cfg", "tox.ini"])
def test_a_hostile_file_in_the_home_folder_changes_nothing(tmp_path: Path, project: Path, name: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    hostile = home_with(tmp_path, name, as_ini(HOSTILE))
    assert configuration(project, hostile) == configuration(project, empty)


def test_a_hostile_pyproject_in_the_home_folder_changes_nothing(tmp_path: Path, project: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    hostile = home_with(
        tmp_path,
        "pyproject.toml",
        '[tool.behave]\ndry_run = true\nstop = true\nwip = true\nname = ["nothing"]\ndefault_tags = ["@nothing"]\n'
        'tags = ["@nothing"]\nrunner = "behave.runner:Runner"\npaths = ["elsewhere"]\nformat = ["null"]\n'
        '[tool.behave.userdata]\nfake = 1\n[tool.behave.runners]\ndefault = "fake:Runner"\n',
    )
    assert configuration(project, hostile) == configuration(project, empty)


def test_without_our_file_the_same_home_folder_would_have_changed_it(tmp_path: Path, project: Path) -> None:
    (project / "behave.ini").unlink()
    (project / "elsewhere").mkdir()
    hostile = home_with(tmp_path, "behave.ini", as_ini({key: HOSTILE[key] for key in ("dry_run", "runner", "tags")}))
    assert configuration(project, hostile)["dry_run"] == "True"


def test_the_environment_cannot_choose_another_stage(tmp_path: Path, project: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert configuration(project, empty, BEHAVE_STAGE="fake")["environment_file"] == "environment.py"


def test_the_command_line_still_selects(tmp_path: Path, project: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    shown = configuration(project, empty, "--tags=@smoke and not @money", "-f", "progress3", "features/x.feature")
    assert shown["format"] == "['progress3']"
    assert shown["paths"] == "['features/x.feature']"
    assert shown["tags"] == "['@smoke and not @money']"
    assert shown["runner"] == "streampay_smoke.runner.runner:GateRunner"
