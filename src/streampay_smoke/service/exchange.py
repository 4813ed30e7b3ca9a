"""An answer of the deployment, and how a request and its answer are shown in the journal."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from streampay_smoke.core.secret_shapes import REDACTED, names_a_secret, shortened, without_shapes
from streampay_smoke.core.utf8 import writable

MAX_SHOWN_CHARACTERS = 4096
"""Longest head, and longest body, that is kept as evidence."""

TOO_MANY_REQUESTS = 429

REFUSED = frozenset({401, 403})
"""How callers are turned away: nobody knows them, or they may not."""

PRIVATE_FIELDS = frozenset({"email", "label", "memo", "partnerid", "phone"})
"""Stream fields that are their owner's business, folded by `folded_name`."""

_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_KEY_MATERIAL = frozenset({"k", "d", "p", "q", "dp", "dq", "qi"})
_ASSET = re.compile(r"[A-Za-z0-9]{1,12}(:G[A-Z2-7]{55})?")  # what a stream's `token` may be; a credential never fits


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the deployment answered, whatever the status.

    `headers` have lower-case names, repeated ones joined with ", "; `set_cookies` keeps those apart. `json` is the
    parsed body, None when the body is no JSON. `request_id` is the service's, or the one this gate sent. `received_at`
    is when it came, in Unix seconds of this runner's clock.
    """

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body_text: str
    json: Any
    request_id: str
    release: str
    simulated: bool
    duration_ms: int
    set_cookies: tuple[str, ...] = ()
    received_at: float = 0.0

    @property
    def asked(self) -> str:
        """The request in short, e.g. `POST /api/streams`."""
        return f"{self.method} {self.path}"

    @property
    def outcome(self) -> str:
        """The status and the request's id, which a check names as what it saw."""
        return f"status {self.status} (request {self.request_id})"

    @property
    def dated_at(self) -> float | None:
        """When the service says that it answered, in Unix seconds; None where it does not tell the time."""
        from email.utils import parsedate_to_datetime  # the supervisor of a run imports this module, and reads no dates

        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except ValueError:
            return None

    @property
    def clock_ahead_seconds(self) -> float | None:
        """How far the service's clock is ahead of this runner's; None where the answer carries no time."""
        return None if self.dated_at is None else self.dated_at - self.received_at

    def __repr__(self) -> str:
        return f"Answer({self.asked} -> {self.status}, request_id={self.request_id!r})"


def parsed(text: str) -> Any:
    """Return the JSON value of `text`, None when it is no JSON (NaN and Infinity are none).

    Its texts can be written, and sent back: an escaped half of a surrogate pair is replaced.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        return _writable(value) if _HALF_A_PAIR.search(text) else value
    except (ValueError, RecursionError):
        return None


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, dict):
        return {writable(key): _writable(item) for key, item in value.items()}
    return [_writable(item) for item in value] if isinstance(value, list) else value


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a value, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects_in(inner)


def shown_message(start_line: str, headers: Iterable[tuple[str, str]], body: str) -> str:
    """Return a request or an answer as text for the journal: without secrets, private fields and excess length."""
    head = "\n".join(f"{name}: {REDACTED if names_a_secret(name) else value}" for name, value in headers)
    return "\n".join(
        part for part in (start_line, _bounded(head), "", _bounded(shown_body(body))) if part or body
    ).rstrip()


def shown_body(body: str) -> str:
    """Return a body without secrets and private fields; JSON comes back compact."""
    value = parsed(body)
    if value is None:
        return without_shapes(body)
    return json.dumps(_shown(value), ensure_ascii=False, separators=(",", ":"))


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        hidden = _KEY_MATERIAL if "kty" in value else frozenset()
        return {
            name: REDACTED if name in hidden or _hides(name, item) else _shown(item) for name, item in value.items()
        }
    return value


def _hides(name: str, value: Any) -> bool:
    folded = folded_name(name)
    if value is None or isinstance(value, bool):
        return False
    if folded == "token":
        return not (isinstance(value, dict | list) or (isinstance(value, str) and _ASSET.fullmatch(value)))
    return folded in PRIVATE_FIELDS or names_a_secret(name)


def folded_name(name: str) -> str:
    """Return a field's name without case and separators: `partner_id` and `partnerId` are the same field."""
    return name.replace("_", "").replace("-", "").lower()


def _bounded(text: str) -> str:
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    kept = shortened(text, MAX_SHOWN_CHARACTERS, mark="")
    return f"{kept}… ({len(text) - len(kept)} more characters)"


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
