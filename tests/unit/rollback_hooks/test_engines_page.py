"""docs/hooks.md: every engine has a section whose example is one, and nothing on it needs a secret in a file."""

import base64
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from streampay_smoke.core.secret import Secret
from streampay_smoke.rollback.hooks import HOOKS, hook_named
from streampay_smoke.settings.variables import ENGINE_PREFIX, VARIABLES

PAGE = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text()
SECTIONS = dict(re.findall(r"^## ([\w-]+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
SECRETS = {
    "SMOKE_ROLLBACK_TOKEN": Secret("token-for-the-page"),
    "SMOKE_ROLLBACK_WEBHOOK_SECRET": Secret("whsec_" + base64.b64encode(b"p" * 32).decode()),
}
ELSEWHERE = {"command"}
"""Engines that another page tells of."""


def example(engine: str) -> dict[str, Any]:
    (block,) = re.findall(r"```toml\n(.*?)```", SECTIONS[engine], flags=re.DOTALL)
    table: dict[str, Any] = tomllib.loads(block)["rollback"]
    return table


def test_every_engine_has_its_section_and_its_line_in_the_table() -> None:
    assert set(HOOKS) - ELSEWHERE <= set(SECTIONS)
    assert {engine for engine in HOOKS if f"| [{engine}](#{engine}) |" in PAGE} == set(HOOKS) - ELSEWHERE


@pytest.mark.parametrize("engine", sorted(set(HOOKS) - ELSEWHERE))
def test_the_example_of_an_engine_makes_its_hook(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A page names files that are not here.
    monkeypatch.setattr("streampay_smoke.rollback.hooks.cluster.Client", lambda **given: None)
    table = example(engine)
    assert table.pop("hook") == engine
    assert set(table) == {engine}
    hook = hook_named(engine, table[engine], SECRETS, where="docs/hooks.md")
    assert callable(hook.roll_back)
    assert [secret for secret in SECRETS.values() if secret.reveal() in PAGE] == []


def test_secrets_of_engines_are_variables_of_the_gate() -> None:
    named = {name for engine in HOOKS.values() for name in engine.secrets}
    assert named == {name for name in VARIABLES if name.startswith(ENGINE_PREFIX) and VARIABLES[name].secret}
