"""How `init` names the command that comes next."""

from pathlib import Path

import pytest

from streampay_smoke.operations.init import PROGRAM, program


@pytest.fixture(name="installed")
def a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / ".venv" / "bin" / PROGRAM
    file.parent.mkdir(parents=True)
    file.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    return file


def test_a_command_that_is_not_on_the_path_is_named_by_where_it_is(installed: Path) -> None:
    assert program(installed) == ".venv/bin/streampay-smoke"


def test_a_command_in_another_folder_is_named_whole(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert program(installed) == str(installed)


def test_a_command_on_the_path_is_named_as_it_is(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert program(installed) == PROGRAM
    assert program(Path("somewhere/__main__.py")) == PROGRAM
