"""The wheel plays the gate in any folder: its own features and environments, and the folder's where it has some."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
from waits import HANG_SECONDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it, beside the packages of this interpreter, where nothing is editable."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    wheel = [*pip, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(folder)]
    subprocess.run(wheel, check=True, timeout=HANG_SECONDS, cwd=folder)
    place = folder / "venv"
    venv.create(place)
    packages = place / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (built,) = folder.glob("*.whl")
    install = [*pip, "--python", str(place / "bin" / "python"), "install", "--no-deps", "--no-index", "-q", str(built)]
    subprocess.run(install, check=True, timeout=HANG_SECONDS)
    return place / "bin" / "streampay-smoke"


class Played:
    """A run of the wheel's command in a folder."""

    def __init__(self, command: Path, folder: Path, *arguments: str) -> None:
        done = subprocess.run(
            [command, "run", "--no-report", *arguments],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(command.parent)},  # what is cached is cached elsewhere
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG_SECONDS,
        )
        self.code, self.output = done.returncode, done.stdout + done.stderr
        self.run_folder = folder / "artifacts" / "latest"
        self.verdict: Any = json.loads((self.run_folder / "verdict.json").read_text())
        self.read_from: dict[str, str] = self.verdict["target"]["read_from"]
        self.first_line = done.stdout.splitlines()[0]


def test_in_an_empty_folder_it_plays_what_it_brings_along(command: Path, tmp_path: Path) -> None:
    played = Played(command, tmp_path)
    assert (played.code, played.verdict["verdict"]) == (0, "PASS"), played.output
    assert set(played.read_from) == {"environments", "features"}
    assert all(folder.startswith(str(command.parents[1])) for folder in played.read_from.values())
    assert played.first_line.startswith("reads: environments /")
    assert played.first_line.count("(built in)") == 2
    page = (played.run_folder / "report.html").read_text()
    assert "The recipient was paid" in page
    assert played.read_from["features"] in page
    assert {path.name for path in tmp_path.iterdir()} == {"artifacts"}


def test_a_folder_with_environments_uses_those(command: Path, tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments" / "sandbox.toml", tmp_path / "environments" / "mine.toml")
    (tmp_path / ".env").write_text("SMOKE_ENV=mine\n")
    played = Played(command, tmp_path, "--tags", "@readiness")
    assert (played.code, played.verdict["target"]["environment"]) == (0, "mine"), played.output
    assert played.read_from["environments"] == str(tmp_path / "environments")
    assert f"environments {tmp_path}/environments, features /" in played.first_line
    unknown = Played(command, tmp_path, "--env", "sandbox")
    assert unknown.code == 2
    assert f"use one of: mine (read from {tmp_path}/environments)" in " ".join(unknown.output.split())


def test_a_folder_with_features_uses_those_and_holds_them_to_their_manifest(command: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "features", tmp_path / "features", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "behave.ini", tmp_path)
    played = Played(command, tmp_path, "--tags", "@readiness")
    assert (played.code, played.read_from["features"]) == (0, str(tmp_path / "features")), played.output
    manifest = tmp_path / "features" / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[1:]))
    assert Played(command, tmp_path, "--tags", "@readiness").code == 2
    manifest.unlink()
    assert Played(command, tmp_path, "--tags", "@readiness").code == 2, "what nobody accepted is not passed over"
