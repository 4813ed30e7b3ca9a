"""One parser for each kind of setting. It gets what to call the setting in a message, and the text that was given.

Each returns the value, or raises SettingsInvalid with the name and the next step. What may be a secret is never quoted:
secrets themselves, and addresses, for people paste credentials into them.
"""

import ipaddress
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.networks import allowed_network, is_loopback
from streampay_smoke.core.secret import Secret, SecretAddress, quoted
from streampay_smoke.core.secret_shapes import names_a_secret
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.core.webhooks import signing_key as signing_key_of_webhooks
from streampay_smoke.evidence.canary import FEWEST_JOURNEYS, MOST_JOURNEYS
from streampay_smoke.evidence.redaction import SHORTEST_SECRET
from streampay_smoke.service.strkey import is_contract

Parse = Callable[[str, str], Any]
"""Returns the value of a setting, given its name and its text; raises SettingsInvalid."""

LONGEST_BAKE_SECONDS = 6 * 3600.0
"""Longer than that is monitoring, which keeps more than one run's evidence."""

LONGEST_SECONDS = 24 * 3600.0
"""A limit above it bounds nothing."""

MOST_REPLICAS = 10_000

LAST_PORT = 65_535

SHORTEST_SERVE_TOKEN = 24

_ADDRESS = "http(s)://host[:port][/path]"
_URL_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")
_HOST = re.compile(r"(?=.{1,253}\.?\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_-]{1,63})*\.?")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def text(name: str, given: str) -> str:
    """Return a text of one line."""
    if not given.isprintable():
        raise SettingsInvalid(
            f"{name} holds a character that cannot be shown",
            next_step=f"write {_variable(name)} on one line, without control characters",
        )
    return given


def path(name: str, given: str) -> Path:
    """Return an absolute path."""
    try:
        return Path(text(name, given)).absolute()
    except OSError as error:
        raise SettingsInvalid(
            f"{name} is a relative path, and the working directory is gone: {error.strerror}",
            next_step=f"set {_variable(name)} to an absolute path",
        ) from error


def path_or_none(name: str, given: str) -> Path | None:
    """Return an absolute path, None where it is not set."""
    return path(name, given) if given else None


def address(name: str, given: str) -> str:
    """Return an http(s) address without a slash at its end; "" stays "". Nothing but host, port and path may be in it.

    A query or a fragment would swallow every path that is added, and credentials do not belong in an address.
    """
    if not given:
        return ""
    _refuse_no_address(name, given)
    if "?" in given or "#" in given:
        raise SettingsInvalid(
            f"{name} has a query or a fragment: the paths that are added would be lost in it",
            next_step=f"write {_variable(name)} as {_ADDRESS}",
        )
    return given.rstrip("/")


def origin(name: str, given: str) -> str:
    """Return where pages come from, as a browser calls it; "" stays ""."""
    if given and not _ORIGIN.fullmatch(given):
        raise SettingsInvalid(
            f"{name} is not what a browser calls an origin",
            next_step="use scheme://host or scheme://host:port in lower case, without a path or a slash at the end",
        )
    return given


def endpoint(name: str, given: str) -> str:
    """Return an http(s) address that is called as it is, with its query; "" stays ""."""
    if given:
        _refuse_no_address(name, given)
        if "#" in given:
            raise SettingsInvalid(
                f"{name} has a fragment, which is never sent", next_step=f"leave it out of {_variable(name)}"
            )
    return given


def addresses(name: str, given: str) -> tuple[str, ...]:
    """Return addresses that are separated by spaces."""
    return tuple(address(name, url) for url in given.split())


def report_address(name: str, given: str) -> str:
    """Return an http(s) address in which `{run_id}` stands for the run; "" stays ""."""
    if given:
        _refuse_no_address(name, given.replace("{run_id}", "run"))
    return given


def _refuse_no_address(name: str, given: str) -> None:
    next_step = f"write {_variable(name)} as {_ADDRESS}"
    if not set(given) <= _URL_CHARACTERS or _PERCENT.search(given):
        raise SettingsInvalid(
            f"{name} is not an http(s) address: it holds a character that no address has", next_step=next_step
        )
    try:
        parts = urlsplit(given)
        host, has_user = parts.hostname or "", "@" in parts.netloc
    except ValueError as error:
        raise SettingsInvalid(f"{name} is not an http(s) address", next_step=next_step) from error
    if parts.scheme not in {"http", "https"} or not host:
        raise SettingsInvalid(f"{name} is not an http(s) address", next_step=next_step)
    if has_user:
        raise SettingsInvalid(
            f"{name} carries credentials in the address",
            next_step="give credentials through SMOKE_AUTH_TOKEN, SMOKE_API_KEY or SMOKE_AUTH_JWT_SECRET",
        )
    if not (_is_ipv6(host) if parts.netloc.startswith("[") else _HOST.fullmatch(host)):
        raise SettingsInvalid(f"{name} names no host", next_step=next_step)
    before, colon, port = parts.netloc.rpartition("]")[2].partition(":")
    if ("[" in parts.netloc and before) or (colon and not _is_port(port)):
        raise SettingsInvalid(
            f"{name} has no port between 1 and {LAST_PORT} after its host",
            next_step=next_step,
        )


def _is_port(given: str) -> bool:
    return given.isascii() and given.isdecimal() and len(given) <= 5 and 0 < int(given) <= LAST_PORT


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def one_of(*allowed: str) -> Parse:
    """Return the parser of a setting that is one of these words."""

    def parse(name: str, given: str) -> str:
        if given not in allowed:
            raise SettingsInvalid(f"{name} is {quoted(given)}", next_step=f"use one of: {', '.join(allowed)}")
        return given

    return parse


def flag(name: str, given: str) -> bool:
    """Return whether a setting is on: 1 or 0."""
    return bool(one_of("0", "1")(name, given) == "1")


def seconds(name: str, given: str) -> float:
    """Return a time in seconds: above 0, a day at most."""
    return _number(name, given, LONGEST_SECONDS)


def limit(name: str, given: str) -> float:
    """Return a time in seconds, 0 where nobody sets one."""
    return seconds(name, given) if given else 0.0


def count(name: str, given: str) -> int:
    """Return a whole number above 0."""
    return max(round(_number(name, given, 1e6)), 1)


def replicas(name: str, given: str) -> int:
    """Return a number of replicas, 0 for one that is not declared."""
    return round(_number(name, given, MOST_REPLICAS)) if given else 0


def _number(name: str, given: str, most: float) -> float:
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise SettingsInvalid(f"{name} is {quoted(given)}", next_step=f"use a number above 0, {most:g} at most")
    return number


def duration(name: str, given: str) -> float:
    """Return seconds for a number with s, m or h, or without any for seconds."""
    number, unit = (given[:-1], given[-1]) if given[-1:] in {"s", "m", "h"} else (given, "")
    try:
        found = float(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]
    except ValueError:
        found = -1.0
    if not 0 <= found <= LONGEST_BAKE_SECONDS:
        raise SettingsInvalid(
            f"{name} is {quoted(given)}",
            next_step=f"use a time such as 90s, 10m or 1h, {LONGEST_BAKE_SECONDS / 3600:g}h at most, or 0",
        )
    return found


_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]+)")


def header(name: str, given: str) -> dict[str, str]:
    """Return a header that is sent with every request, `NAME: VALUE`; none where it is not set."""
    if not given:
        return {}
    found = _HEADER.fullmatch(given)
    if found is None:
        raise SettingsInvalid(f"{name} is no header", next_step=f"write {_variable(name)} as 'NAME: VALUE'")
    if names_a_secret(found[1]):
        raise SettingsInvalid(
            f"{name} is a header that carries a credential, and is shown in reports",
            next_step="give credentials through SMOKE_AUTH_TOKEN, SMOKE_API_KEY or SMOKE_AUTH_JWT_SECRET",
        )
    return {found[1].lower(): found[2].strip()}


def weight(name: str, given: str) -> float:
    """Return a share in percent between 0 and 100, both excluded; 0 where it is not set."""
    if not given:
        return 0.0
    try:
        percent = float(given.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent < 100:
        raise SettingsInvalid(
            f"{name} is {quoted(given)}", next_step="use the candidate's share in percent, above 0 and below 100"
        )
    return percent


def journeys(name: str, given: str) -> int:
    """Return how many journeys candidate and stable release are compared on; 0 for not at all."""
    if given in {"", "0"}:
        return 0
    if not (given.isascii() and given.isdecimal() and FEWEST_JOURNEYS <= int(given[:9]) <= MOST_JOURNEYS):
        raise SettingsInvalid(
            f"{name} is {quoted(given)}",
            next_step=f"use a number from {FEWEST_JOURNEYS} to {MOST_JOURNEYS}, or 0 to compare nothing",
        )
    return int(given)


def token_contract(name: str, given: str) -> str:
    """Return the id of a contract (C...); "" stays ""."""
    if given and not is_contract(given):
        raise SettingsInvalid(
            f"{name} is no contract id",
            next_step=f"set {_variable(name)} to a token's contract (C...), or leave it out for the native token",
        )
    return given


def secret(name: str, given: str) -> Secret | None:
    """Return a secret, None where it is not set; one too short cannot be redacted."""
    if not given:
        return None
    if len(given) < SHORTEST_SECRET:
        raise SettingsInvalid(
            f"{name} is shorter than {SHORTEST_SECRET} characters",
            next_step=f"set {_variable(name)} to the real secret",
        )
    if not all(character.isprintable() or character in "\r\n\t" for character in given):
        raise SettingsInvalid(
            f"{name} holds a character that no secret has",
            next_step=f"set {_variable(name)} again from your secret store",
        )
    return Secret(given)


def secret_address(name: str, given: str) -> SecretAddress | None:
    """Return an address that is a secret as a whole, None where it is not set: https, or http on this machine."""
    held = secret(name, secure_endpoint(name, given))
    return SecretAddress(held.reveal()) if held else None


def secure_endpoint(name: str, given: str) -> str:
    """Return an address that secrets are sent to, with its query: https, or http on this machine; "" stays ""."""
    endpoint(name, given)
    parts = urlsplit(given)
    if given and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise SettingsInvalid(
            f"{name} is no https address: secrets are sent to it", next_step=f"write {_variable(name)} with https://"
        )
    return given


def webhook_secret(name: str, given: str) -> Secret | None:
    """Return a secret that signs webhooks, None where it is not set; one that cannot sign is refused before a run."""
    held = secret(name, given)
    if held is not None:
        signing_key_of_webhooks(held, variable=_variable(name))
    return held


def serve_token(name: str, given: str) -> Secret | None:
    """Return a token that opens the service, None where it is not set; one too short could be guessed."""
    if given and len(given) < SHORTEST_SERVE_TOKEN:
        raise SettingsInvalid(
            f"{name} is shorter than {SHORTEST_SERVE_TOKEN} characters", next_step="make one with: openssl rand -hex 32"
        )
    return secret(name, given)


def signing_key(name: str, given: str) -> Secret | None:
    """Return the key that signs verdicts, None where it is not set; one that cannot sign is refused before a run."""
    held = secret(name, given)
    if held is not None:
        SigningKey.given(held.reveal(), variable=name)
    return held


network: Parse = lambda name, given: allowed_network(given)  # noqa: E731


def _variable(name: str) -> str:
    """Return the variable's name alone: a message may add where its value comes from."""
    return name.partition(" ")[0]
