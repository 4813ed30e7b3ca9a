"""Every command that the pages show can be typed, and the check of that finds what cannot."""

import contextlib
import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

from streampay_smoke import cli

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/check_commands.py"

PLAYED = {"--help", "--version", "--list", "--list-faults"}
"""Options that only tell something: commands with one of them are played, not only parsed."""


@pytest.fixture(name="checker", scope="module")
def the_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_commands", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def problems(checker: ModuleType, text: str) -> list[str]:
    return [why for command in checker.commands("page.md", text) if (why := checker.problem(command, ROOT))]


def test_every_command_of_the_pages_can_be_typed(checker: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert checker.main(ROOT) == 0, capsys.readouterr().out
    assert len(checker.shown(ROOT)) > 80


def test_commands_that_only_tell_something_are_played(checker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = {
        command.words[1:]
        for command in checker.shown(ROOT)
        if command.words[0] == "streampay-smoke" and PLAYED & set(command.words) and "COMMAND" not in command.words
    }
    assert told
    for words in told:
        output = io.StringIO()
        code: object = None
        with contextlib.redirect_stdout(output):
            try:
                code = cli.main(list(words))
            except SystemExit as ended:
                code = ended.code
        assert (code, bool(output.getvalue())) == (0, True), words


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("streampay-smoke run --base-uri http://x", "unrecognized arguments: --base-uri"),
        (".venv/bin/streampay-smoke jugde journal.jsonl", "invalid choice: 'jugde'"),
        ("streampay-smoke judge", "the following arguments are required: JOURNAL"),
        ("scripts/smoke.sh --tags @setlement", "no scenario has the tag @setlement"),
        ("scripts/smoke.sh features/setlement.feature", "features/setlement.feature does not exist"),
        ("behave --tag-s=@smoke", "unrecognized arguments"),
        ("SMOKE_ENV=staging scripts/smok.sh | tail -3", "scripts/smok.sh does not exist"),
        ("scripts/check_docs.py --wirte", "check_docs.py has no option --wirte"),
        ("python -m streampay_smoke.runner.manifesto", "there is no module streampay_smoke.runner.manifesto"),
        ("python benchmarks/speed.py --wirte", "speed.py has no option --wirte"),
    ],
)
def test_a_command_that_cannot_be_typed_is_named(checker: ModuleType, line: str, why: str) -> None:
    (told,) = problems(checker, f"```\n{line}\n```\n")
    assert why in told


@pytest.mark.parametrize(
    "line",
    [
        "scripts/smoke.sh --env staging --base-url \"$URL\" --tags '@chain or @settlement'   # a comment",
        "streampay-smoke rollback --env staging \\\n  --record --deploy 7",
        "export A=1 B=2",
        "behave --tags=@streams > log.txt",
    ],
)
def test_a_command_that_can_be_typed_is_none(checker: ModuleType, line: str) -> None:
    assert problems(checker, f"```sh\n{line}\n```\n") == []


def test_running_text_is_read_too_and_may_leave_out_what_is_required(checker: ModuleType) -> None:
    assert problems(checker, "Ask `streampay-smoke judge` or\n`streampay-smoke judge --json`.") == []
    assert len(problems(checker, "Ask `streampay-smoke judge\n--jsno`.")) == 1


def test_toml_that_is_none_is_named(checker: ModuleType) -> None:
    assert list(checker.broken_toml("page.md", "```toml\n[bake]\nburn_rate = 14.4\n```\n")) == []
    (line,) = checker.broken_toml("page.md", "```toml\n[bake\n```\n")
    assert line.startswith("page.md: a block of TOML cannot be read")
