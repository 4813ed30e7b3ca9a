"""Values as they were given, read: each raises SettingsInvalid with the variable's name and the next step."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.evidence.redaction import SHORTEST_SECRET
from streampay_smoke.settings.variables import LONGEST_BAKE_SECONDS


def require_url(name: str, value: str) -> None:
    """Raise SettingsInvalid for a value that is neither empty nor an http(s) address without credentials."""
    if not value:
        return
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsInvalid(f"{name} is not an http(s) address", next_step=f"set {name} to http(s)://host[:port]")
    if parts.username or parts.password:
        raise SettingsInvalid(
            f"{name} carries credentials in the address",
            next_step="give credentials through SMOKE_AUTH_TOKEN, SMOKE_API_KEY or SMOKE_AUTH_JWT_SECRET",
        )


def one_of(name: str, values: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    """Return a variable's value; raises SettingsInvalid when it is none of those allowed."""
    value = values[name]
    if value not in allowed:
        raise SettingsInvalid(f"{name} is {value!r}", next_step=f"use one of: {', '.join(allowed)}")
    return value


def positive(name: str, values: Mapping[str, str]) -> float:
    """Return a variable that is a number above 0; raises SettingsInvalid."""
    try:
        seconds = float(values[name])
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise SettingsInvalid(f"{name} is {values[name]!r}", next_step="use a number above 0")
    return seconds


def duration(name: str, values: Mapping[str, str]) -> float:
    """Return seconds for a number with s, m or h, or without any for seconds."""
    number, unit = re.fullmatch(r"(.*?)([smh]?)", values[name], re.DOTALL).groups()  # type: ignore[union-attr]
    try:
        seconds = float(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_BAKE_SECONDS:
        raise SettingsInvalid(
            f"{name} is {values[name]!r}",
            next_step=f"use a time such as 90s, 10m or 1h, {LONGEST_BAKE_SECONDS / 3600:g}h at most, or 0",
        )
    return seconds


def secret_of(name: str, values: Mapping[str, str]) -> Secret | None:
    """Return a variable's secret, None where it is not set; raises for one too short to be redacted."""
    value = values[name]
    if not value:
        return None
    if len(value) < SHORTEST_SECRET:
        raise SettingsInvalid(
            f"{name} is shorter than {SHORTEST_SECRET} characters",
            next_step=f"set {name} to the real secret",
        )
    return Secret(value)
