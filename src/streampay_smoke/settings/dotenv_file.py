"""`.env`, line by line: a line that cannot be read is refused, for a setting that is passed over opens the gate."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import Binding, parse_stream

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.settings.problems import Problems

FILE = ".env"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LINE_END = re.compile(r"\r\n|\n|\r")
_HOW = "write NAME=value, and put a value with spaces, # or line ends between quotes"


class Line(NamedTuple):
    """A variable, its value as it is written (`${...}` in it means nothing), and the number of its line."""

    name: str
    value: str
    number: int


def read_dotenv(root: Path, problems: Problems) -> list[Line]:
    """Return what `.env` in a folder says, nothing where there is none.

    A line is never quoted: it may hold a secret.
    """
    lines: list[Line] = []
    with problems.collected():
        for binding in parse_stream(io.StringIO(_text(root / FILE))):
            lines += _line(binding, problems)
    return lines


def text_of(content: bytes, name: str) -> str:
    """Return the text of a file that has to be UTF-8, with or without a mark of it; raises SettingsInvalid."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = len(_LINE_END.findall(content[: error.start].decode("latin-1"))) + 1
        raise SettingsInvalid(f"{name}, line {number} is not UTF-8", next_step=f"save {name} as UTF-8") from error


def _text(path: Path) -> str:
    try:
        return text_of(path.read_bytes(), FILE)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsInvalid(
            f"{FILE} cannot be read: {error.strerror}", next_step=f"make it a file this user can read: {path}"
        ) from error


def _line(binding: Binding, problems: Problems) -> Iterator[Line]:
    if binding.key is None and not binding.error:
        return  # empty, or a comment
    written = binding.original.string
    blank = written[: len(written) - len(written.lstrip())]
    number = binding.original.line + len(_LINE_END.findall(blank))
    if binding.error or binding.key is None or binding.value is None or not _NAME.fullmatch(binding.key):
        problems.add(f"{FILE}, line {number} cannot be read: it is not NAME=value", _HOW)
    else:
        yield Line(binding.key, binding.value, number)
