"""Secrets never leave the process: known values and known shapes are replaced before anything is written."""

import base64
import re
import threading
from typing import Any
from urllib.parse import quote

REDACTED = "<redacted>"

SHORTEST_SECRET = 8
"""Settings refuse shorter secrets: replacing every short word would blur the evidence."""

_SHAPES = (
    (re.compile(r"\bS[A-Z2-7]{55}\b"), REDACTED),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"\btok_[A-Za-z0-9_-]{16,}"), REDACTED),
    (re.compile(r"(?i)\b(bearer|apikey|basic)(\s+)[^\s\"',;]{4,}"), rf"\1\2{REDACTED}"),
    (
        re.compile(r"(?i)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
        REDACTED,
    ),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@\"']+@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (
        re.compile(r"(?i)([?&](?:token|access_token|api_?key|secret|signature|password|seed)=)[^&\s\"'#]+"),
        rf"\1{REDACTED}",
    ),
)


class Redactor:
    """Replaces every secret it was told of, in plain, URL-quoted and base64 form, and every known secret shape."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # control probes learn secrets side by side
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secret: str | None) -> None:
        """Remember a secret value from now on."""
        if not secret or len(secret) < SHORTEST_SECRET or secret in self._known:
            return
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        with self._lock:
            self._known |= {secret, quote(secret, safe=""), encoded}
            self._pattern = None

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        pattern = self._pattern or self._compiled()
        if pattern is not None:
            text = pattern.sub(REDACTED, text)
        for shape, replacement in _SHAPES:
            text = shape.sub(replacement, text)
        return text

    def _compiled(self) -> re.Pattern[str] | None:
        """Return the pattern of all that is known; secrets come in numbers, and it is made when it is needed."""
        with self._lock:
            if self._pattern is None and self._known:
                longest_first = sorted(self._known, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            return self._pattern

    def value(self, value: Any) -> Any:
        """Return a structure of dicts, lists and scalars with every string in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
