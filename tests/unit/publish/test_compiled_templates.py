"""Templates are compiled once, where Python keeps its modules; nobody misses what cannot be kept."""

import sys
from pathlib import Path

import jinja2
import pytest

from streampay_smoke.publish.compiled_templates import compiled_templates


def rendered(folder: Path) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), bytecode_cache=compiled_templates(folder), autoescape=True
    )
    return environment.get_template("a.j2").render()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "a.j2").write_text("first")
    return tmp_path


def test_a_template_is_kept_and_compiled_again_once_it_has_changed(folder: Path) -> None:
    assert rendered(folder) == "first"
    (kept,) = (folder / "__pycache__").iterdir()
    kept_at_first = kept.read_bytes()
    assert (rendered(folder), kept.read_bytes()) == ("first", kept_at_first)
    (folder / "a.j2").write_text("second")
    assert rendered(folder) == "second"
    kept.write_bytes(b"spoilt")
    assert rendered(folder) == "second"


def test_what_cannot_be_kept_is_compiled_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "__pycache__").write_text("no folder")
    assert rendered(folder) == "first"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled_templates(folder) is None
