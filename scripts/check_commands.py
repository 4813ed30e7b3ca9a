"""Holds that every command shown in README.md, CONTRIBUTING.md, SECURITY.md and docs/ can be typed as it stands.

`check_commands.py` names every command that cannot and ends with 1. It reads shell blocks and commands in running text.
Subcommands and options are put to the programs' own parsers, nothing is run; tags, scripts, modules and feature files
must exist. Fenced TOML must be TOML.
"""

import argparse
import contextlib
import importlib.util
import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from behave.configuration import setup_parser

from streampay_smoke.cli import _parser
from streampay_smoke.runner.feature_lint import KNOWN_TAGS

ROOT = Path(__file__).resolve().parents[1]

SHELL = ("", "sh", "bash", "console")
"""What the fence of a block of commands says; without a word it may be anything: only known programs count there."""

PROGRAMS, FOLDERS = ("streampay-smoke", "behave", "python"), ("scripts/", "benchmarks/", ".ci/")
"""What is ours: programs of the installation by name, files of the checkout by folder."""

FOREIGN = frozenset(
    (
        "cat",
        "cp",
        "curl",
        "cut",
        "docker",
        "export",
        "git",
        "gcloud",
        "gh",
        "jq",
        "kubectl",
        "npm",
        "openssl",
        "pip",
        "pipx",
        "printf",
        "sort",
        "tail",
        "uvx",
    )
)
"""Programs of other people: not looked into."""

_FENCE = re.compile(r"^ *```(\w*) *\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_TAG = re.compile(r"@([A-Za-z][\w-]*)")
_VENV = re.compile(r"^\.venv(-test)?/bin/")
_ASSIGNMENT = re.compile(r"^[A-Z][A-Z0-9_]*=")
_MISSING = "arguments are required"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it is shown: its words without assignments, and whether it is only mentioned in running text.

    A mention such as `streampay-smoke judge` may leave out what is required.
    """

    page: str
    words: tuple[str, ...]
    mentioned: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def pages(root: Path) -> Iterator[Path]:
    """Yield the pages of a project that show commands."""
    yield from (root / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md") if (root / name).is_file())
    yield from sorted((root / "docs").rglob("*.md"))


def commands(page: str, text: str) -> Iterator[Command]:
    """Yield the commands of a page: those of shell blocks, and those in running text that begin with one of ours."""
    for language, block in _FENCE.findall(text):
        if language in SHELL:
            yield from _of_block(page, block, strict=bool(language))
    for span in _SPAN.findall(_FENCE.sub("", text)):
        words = " ".join(span.split())
        program, _, arguments = words.partition(" ")
        if _is_ours(_VENV.sub("", program)) and (arguments or program.endswith((".sh", ".py", "run"))):
            yield from _split(page, words, mentioned=True)


def _of_block(page: str, block: str, *, strict: bool) -> Iterator[Command]:
    text = re.sub(r"\\\n\s*", " ", block)
    shown = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    for line in shown or _logical_lines(text):
        for command in _split(page, line, mentioned=False):
            if strict or _is_ours(command.words[0]) or shown or command.words[0] in FOREIGN:
                yield command


def _logical_lines(text: str) -> Iterator[str]:
    """Yield lines, those of an open quotation together."""
    held = ""
    for line in text.splitlines():
        held = f"{held} {line.strip()}" if held else line.strip()
        with contextlib.suppress(ValueError):
            shlex.split(held, comments=True)
            yield held
            held = ""
    if held:
        yield held


def _is_ours(word: str) -> bool:
    return word in PROGRAMS or word.startswith(FOLDERS)


def _split(page: str, line: str, *, mentioned: bool) -> Iterator[Command]:
    """Yield the simple commands of a line; what stands between brackets counts as given."""
    lexer = shlex.shlex(re.sub(r"(?<=\s)\[(--.*?)\]", r"\1", line), posix=True, punctuation_chars="|;&<>()")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return
    simple: list[str] = []
    for word in [*words, ";"]:
        if word == "--" or (word and set(word) <= set("|;&()")):  # what comes after -- is a command of its own
            trimmed = _without_assignments(simple)
            if trimmed:
                yield Command(page=page, words=tuple(trimmed), mentioned=mentioned)
            simple = []
        elif set(word) <= set("<>"):
            break
        else:
            simple.append(word)


def _without_assignments(words: Sequence[str]) -> list[str]:
    kept = list(words)
    while kept and (kept[0] == "sudo" or _ASSIGNMENT.match(kept[0])):
        kept.pop(0)
    return [_VENV.sub("", kept[0]), *kept[1:]] if kept else []


class _Refused(Exception):
    pass


def problem(command: Command, root: Path = ROOT) -> str:
    """Return what is wrong with a command, "" when nothing is."""
    program, *arguments = command.words
    if program == "scripts/smoke.sh":
        return _of_gate(command, ["run", *arguments], root)
    if program == "streampay-smoke":
        return _of_gate(command, arguments, root)
    if program == "behave":
        return _parsed(setup_parser(), arguments, command) or _of_tags(arguments)
    if program == "python":
        return _of_python(arguments, command, root)
    if _is_ours(program):
        return _of_file(program, arguments, root)
    return "" if program in FOREIGN else f"{program} is no program these pages know"


def _of_gate(command: Command, arguments: Sequence[str], root: Path) -> str:
    if arguments[:1] == ["COMMAND"]:
        return ""
    found = _parsed(_parser(), arguments, command) or _of_tags(arguments)
    missing = [word for word in arguments if word.startswith("features/") and not (root / word).exists()]
    return found or (f"{missing[0]} does not exist" if missing else "")


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str], command: Command) -> str:
    """Return why a parser refuses arguments, "" where it takes them, or may for want of what a mention leaves out."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(list(arguments))
    except SystemExit as ended:
        if ended.code in (0, None):
            return ""
        told = said.getvalue().strip().rpartition("error: ")[2]
        return _unknown_option(parser, arguments) if command.mentioned and _MISSING in told else told
    return ""


def _unknown_option(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Return what is said of the first option that a parser, or that of the chosen subcommand, does not know."""
    known = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and arguments[0] in action.choices:
            known |= set(action.choices[arguments[0]]._option_string_actions)
    unknown = [word for word in arguments if word.startswith("--") and word.partition("=")[0] not in known]
    return f"unrecognized arguments: {unknown[0]}" if unknown else ""


def _of_tags(arguments: Sequence[str]) -> str:
    for name, value in zip(arguments, [*arguments[1:], ""], strict=True):
        expression = value if name == "--tags" else name.removeprefix("--tags=") if name.startswith("--tags=") else ""
        for tag in _TAG.findall(expression):
            if tag not in KNOWN_TAGS:
                return f"no scenario has the tag @{tag}"
    return ""


def _of_python(arguments: Sequence[str], command: Command, root: Path) -> str:
    if arguments[:1] == ["-m"] and arguments[1:2] == ["behave"]:
        return _parsed(setup_parser(), arguments[2:], command)
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        found = _origin(arguments[1], root)
        return _options_in(found, arguments[2:]) if found else f"there is no module {arguments[1]}"
    return _of_file(arguments[0], arguments[1:], root) if arguments else ""


def _origin(module: str, root: Path) -> Path | None:
    if module == "pytest":
        return Path(__file__)
    support = root / "tests" / "support" / (module.replace(".", "/") + ".py")
    if support.is_file():
        return support
    with contextlib.suppress(ModuleNotFoundError):
        found = importlib.util.find_spec(module)
        if found is not None and found.origin is not None:
            return Path(found.origin)
    return None


def _of_file(name: str, arguments: Sequence[str], root: Path) -> str:
    path = root / name
    return _options_in(path, arguments) if path.is_file() else f"{name} does not exist"


def _options_in(path: Path, arguments: Sequence[str]) -> str:
    """Return the first option that a script's source does not name; its tests show what each does."""
    text = path.read_text(encoding="utf-8")
    for word in arguments:
        named = (f'"{word.partition("=")[0]}"', f"= {word} ", f"{word})")  # in Python, in a test of a shell, in a case
        if word.startswith("--") and not any(each in text for each in named):
            return f"{path.name} has no option {word}"
    return ""


def broken_toml(page: str, text: str) -> Iterator[str]:
    """Yield the TOML blocks of a page that are none."""
    for language, block in _FENCE.findall(text):
        if language == "toml":
            try:
                tomllib.loads(block)
            except tomllib.TOMLDecodeError as error:
                yield f"{page}: a block of TOML cannot be read: {error}"


def shown(root: Path) -> list[Command]:
    """Return every command that a project's pages show."""
    return [
        command for path in pages(root) for command in commands(str(path.relative_to(root)), path.read_text("utf-8"))
    ]


def main(root: Path = ROOT) -> int:
    """Check every page; 1 when something cannot be typed."""
    wrong = [f"{command}: {why}" for command in shown(root) if (why := problem(command, root))]
    for path in pages(root):
        wrong += broken_toml(str(path.relative_to(root)), path.read_text("utf-8"))
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
