"""Text as UTF-8 has it: files that people write, whatever the locale, and what is to be written."""

import re

from streampay_smoke.core.errors import SettingsInvalid

LINE_END = re.compile(r"\r\n|\n|\r")


def text_of(content: bytes, name: str) -> str:
    """Return the text of a file, without a byte order mark; raises SettingsInvalid with the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = len(LINE_END.findall(content[: error.start].decode("latin-1"))) + 1
        raise SettingsInvalid(f"{name}, line {number} is not UTF-8", next_step=f"save {name} as UTF-8") from error


def writable(text: str) -> str:
    """Return a text with what no UTF-8 file can hold, a half of a surrogate pair, replaced (JSON may spell one)."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
