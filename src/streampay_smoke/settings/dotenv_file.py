"""`.env`, line by line: a line that cannot be read is refused, for a setting that is passed over opens the gate."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.utf8 import LINE_END, text_of
from streampay_smoke.settings.problems import Problems

if TYPE_CHECKING:
    from dotenv.parser import Binding

FILE = ".env"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_HOW = "write NAME=value, and put a value with spaces, # or line ends between quotes"


class DotenvLine(NamedTuple):
    """A variable, its value as it is written (`${...}` in it means nothing), and the number of its line."""

    name: str
    value: str
    number: int


def read_dotenv(root: Path, problems: Problems) -> list[DotenvLine]:
    """Return what `.env` in a folder says, nothing where there is none. No line is quoted: it may hold a secret."""
    lines: list[DotenvLine] = []
    unreadable: list[str] = []
    with problems.collected():
        if text := _text(root / FILE):
            from dotenv.parser import parse_stream  # a twelfth of what the command line would import

            for binding in parse_stream(io.StringIO(text)):
                lines.extend(_line(binding, unreadable))
    if unreadable:
        problems.add(f"{FILE}, line {', '.join(unreadable)} cannot be read: it is not NAME=value", _HOW)
    return lines


def _text(path: Path) -> str:
    try:
        return text_of(path.read_bytes(), FILE)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsInvalid(
            f"{FILE} cannot be read: {error.strerror}", next_step=f"make it a file this user can read: {path}"
        ) from error


def _line(binding: "Binding", unreadable: list[str]) -> Iterator[DotenvLine]:
    if binding.key is None and not binding.error:
        return  # empty, or a comment
    written = binding.original.string
    blank = written[: len(written) - len(written.lstrip())]
    number = binding.original.line + len(LINE_END.findall(blank))
    if binding.error or binding.key is None or binding.value is None or not _NAME.fullmatch(binding.key):
        unreadable.append(str(number))
    else:
        yield DotenvLine(binding.key, binding.value, number)
