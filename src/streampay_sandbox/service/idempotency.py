"""Idempotency keys: an answer given once under a key is given again, never made again.

Keys belong to one user and one action. Only successes are kept: whatever was refused or failed may be tried again
with the same key. Twins that arrive together wait for the first one.
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable

import msgspec

from streampay_sandbox.service.errors import KeyRefusal, Refusal
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, Layer

HEADER = "idempotency-key"
REPLAY_HEADER = "idempotency-replay"
LIFETIME_SECONDS = 86_400
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Fingerprint = Callable[[HttpCall], str]
"""What must be equal for a call to count as the same request as the one before it."""


def whole_request(call: HttpCall) -> str:
    """Return a digest of the stream and the body: a key never answers for another of either."""
    digest = hashlib.sha256(call.params.get("stream_id", "").encode())
    digest.update(b"\0")
    digest.update(call.body)
    return digest.hexdigest()


class _Entry:
    def __init__(self, born_at: float) -> None:
        self.born_at = born_at
        self.lock = threading.Lock()
        self.fingerprint = ""
        self.answer: HttpAnswer | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and whether it was given before."""

    answer: HttpAnswer
    replayed: bool


class KeyReused(Exception):
    """The key belongs to another request."""


class KeyBook:
    """The answers given under each key, for 24 hours."""

    def __init__(self, *, lifetime_seconds: float = LIFETIME_SECONDS, clock: Callable[[], float] = time.monotonic):
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, ...], _Entry] = {}

    def answer_once(self, scope: tuple[str, ...], fingerprint: str, make: Callable[[], HttpAnswer]) -> Kept:
        """Return the answer kept under `scope`, or make and keep one; raises KeyReused for another fingerprint."""
        entry = self._entry(scope)
        with entry.lock:
            if entry.answer is not None:
                if entry.fingerprint != fingerprint:
                    raise KeyReused
                return Kept(answer=entry.answer, replayed=True)
            answer = make()
            if self.is_kept(answer):
                entry.fingerprint, entry.answer = fingerprint, answer
            return Kept(answer=answer, replayed=False)

    def forget(self) -> None:
        """Lose every answer."""
        with self._lock:
            self._entries.clear()

    def is_kept(self, answer: HttpAnswer) -> bool:
        """Return whether an answer is given again: only successes are."""
        return answer.status < 300

    def _entry(self, scope: tuple[str, ...]) -> _Entry:
        with self._lock:
            now = self._clock()
            entry = self._entries.get(scope)
            if entry is None or now - entry.born_at >= self._lifetime_seconds:
                entry = self._entries[scope] = _Entry(now)
            return entry


def key_required(action: str, book: KeyBook, fingerprint: Fingerprint) -> Layer:
    """Return the layer of settle and withdraw: no key, no call; the answer says whether it is a replay."""

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            key = call.header(HEADER)
            if not key:
                raise KeyRefusal(400, "IdempotencyKeyRequired", f"{action} needs the header Idempotency-Key.")
            _check(key)
            try:
                kept = book.answer_once((call.caller, action, key), fingerprint(call), lambda: inner(call))
            except KeyReused:
                raise KeyRefusal(
                    409, "IdempotencyKeyReused", "This key was used for another request: another stream or body."
                ) from None
            return kept.answer.with_headers({HEADER: key, REPLAY_HEADER: "true" if kept.replayed else "false"})

        return handle

    return layer


def key_honoured(action: str, book: KeyBook, fingerprint: Fingerprint) -> Layer:
    """Return the layer of the other writes: a key is optional, scoped by stream, and replays are not marked."""

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            key = call.header(HEADER)
            if not key:
                return inner(call)
            _check(key)
            scope = (call.caller, action, call.params.get("stream_id", ""), key)
            try:
                return book.answer_once(scope, fingerprint(call), lambda: inner(call)).answer
            except KeyReused:
                raise Refusal(
                    409, "IDEMPOTENCY_CONFLICT", "This key was used for a request with another body."
                ) from None

        return handle

    return layer


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise KeyRefusal(
            400, "IdempotencyKeyInvalid", "An Idempotency-Key is 1 to 255 printable ASCII characters without spaces."
        )
