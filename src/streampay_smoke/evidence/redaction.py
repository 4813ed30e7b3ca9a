"""Secrets never leave the process: known values and known shapes are replaced before anything is written.

A secret that is known is found in every form a service or a log may put it in, whole or in part. What nobody announced
is found by its shape: see `secret_shapes`.
"""

import base64
import itertools
import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from streampay_smoke.core.secret_shapes import REDACTED, without_shapes
from streampay_smoke.core.utf8 import writable

SHORTEST_SECRET = 8
"""Settings refuse shorter secrets: replacing every short word would blur the evidence."""

_PART = 9
_STEP = 4
"""A text is looked at every so many letters: twelve letters of a secret in a row are found for certain."""
_LEAST_LETTERS = 5

_MOST_REMEMBERED = 4096
_MOST_LETTERS_REMEMBERED = 400


class Redactor:
    """Replaces every secret it was told of, in whatever form and in part, and every known shape of secrets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # control probes learn secrets side by side
        self._known: set[str] = set()
        self._whole: tuple[str, ...] = ()
        self._telling: set[str] = set()
        self._quiet: set[str] = set()
        self._clean: set[str] = set()

    def learn(self, *secrets: str | None) -> None:
        """Remember secret values from now on, and each line of one that has several; None is none."""
        lines = [line for it in secrets if it for line in (it, *it.replace("\\n", "\n").splitlines())]
        with self._lock:
            new = {line for line in lines if len(line) >= SHORTEST_SECRET} - self._known
            if not new:
                return
            quiet = [form for line in new for form in _forms(line) if not self._learn_parts(form)]
            self._whole = tuple(sorted({*self._whole, *quiet}, key=len, reverse=True))
            self._known |= new
            self._clean = set()  # last, and another one: a text that is looked at just now is added to the one before

    def _learn_parts(self, form: str) -> bool:
        """Remember the parts of a form; True where each of them tells, so that the form is found by its parts."""
        parts = {form[at : at + _PART] for at in range(len(form) - _PART + 1)}
        telling = {part for part in parts if _is_telling(part)}
        self._telling |= telling
        self._quiet |= parts - telling
        return len(form) >= _PART + _STEP and parts == telling

    def text(self, text: str) -> str:
        """Return `text` without secrets, and as it can be written.

        What a run writes down it mostly writes several times: texts in which no secret was found are remembered, until
        another secret is learnt.
        """
        if text in (clean := self._clean):
            return text
        found = writable(text)
        if len(found) < SHORTEST_SECRET:
            return found
        found = without_shapes(found)  # first: a shape that has lost a part is recognised by nobody any more
        if self._known:
            found = self._without_known(found)
        if found == text and len(text) <= _MOST_LETTERS_REMEMBERED and len(clean) < _MOST_REMEMBERED:
            clean.add(text)
        return found

    def value(self, value: Any) -> Any:
        """Return a structure of dicts, lists and scalars with every string in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _without_known(self, text: str) -> str:
        text = _without(text, self._spans(text))
        if not _UNLIKE_ITSELF.search(text):
            return text
        spans = self._spans(_UNLIKE_ITSELF.sub(_letters, text))
        if not spans:
            return text
        at = [*_places(text), len(text)]
        return _without(text, [(at[start], at[end]) for start, end in spans])

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return where parts of secrets are that are long enough to matter, and short secrets: in order, and apart."""
        found = [it.span() for form in self._whole if form in text for it in re.finditer(re.escape(form), text)]
        telling, at = self._telling, 0
        while at <= len(text) - _PART:
            if text[at : at + _PART] not in telling:
                at += _STEP
                continue
            start, end = at, at + _PART
            while start > 0 and self._is_part(text[start - 1 : start - 1 + _PART]):
                start -= 1
            while end < len(text) and self._is_part(text[end - _PART + 1 : end + 1]):
                end += 1
            found.append((start, end))
            at = end
        return _apart(sorted(found))

    def _is_part(self, text: str) -> bool:
        """Whether this is a part of a secret; each is kept in one of two sets, for there are many."""
        return text in self._telling or text in self._quiet


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    apart: list[tuple[int, int]] = []
    for start, end in spans:
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        text = f"{text[:start]}{REDACTED}{text[end:]}"
    return text


def _forms(secret: str) -> set[str]:
    """Return the ways a secret is written when all of it is encoded alike."""
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), raw.hex().upper()}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    forms |= {secret.translate(_ENTITIES), "".join(re.split(r"[\r\n\t]+ *", secret))}
    # Base64 of a text that has the secret in it depends on how many bytes stand before; what all such texts share is
    # what encodes the secret's own bits alone.
    for before, encode in itertools.product(range(3), (base64.b64encode, base64.urlsafe_b64encode)):
        encoded = encode(b"\0" * before + raw).decode()
        forms.add(encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6])
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_NO_WORD = re.compile(r"[0-9A-Z]")


def _is_telling(part: str) -> bool:
    """Whether a part of a secret can be told from words: it has a digit or a capital, and enough different letters."""
    return len(set(part)) >= _LEAST_LETTERS and _NO_WORD.search(part) is not None


_UNLIKE_ITSELF = re.compile(
    r"\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2}))|%(?:25)*([0-9a-f]{2})|(&(?:amp;)*#?\w+;)|\\+[nrt]|[\r\n\t]+ *", re.IGNORECASE
)
"""A letter written in another way, in a string, an address or HTML; or a break, which is read as nothing."""


_BREAKS = "\r\n\t"


def _letters(found: re.Match[str]) -> str:
    """Return what is meant by something that is unlike itself."""
    if found[4]:
        import html  # a large table, which few runs need

        return html.unescape(found[4].replace("&amp;", "&"))
    number = found[1] or found[2] or found[3]
    letter = chr(int(number, 16)) if number else ""
    return "" if letter in _BREAKS else letter


def _places(text: str) -> Iterator[int]:
    """Yield where each letter of a text is, once nothing is unlike itself any more."""
    read = 0
    for found in _UNLIKE_ITSELF.finditer(text):
        yield from range(read, found.start())
        yield from (found.start() for _ in _letters(found))
        read = found.end()
    yield from range(read, len(text))
