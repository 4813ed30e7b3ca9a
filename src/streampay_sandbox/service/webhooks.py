"""What other services report to StreamPay: a signed event, or nothing is taken.

StreamPay was measured to take any event unsigned; what is right follows how its internal calls are signed: an HMAC over
the time and the body, good for five minutes.
"""

import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Callable

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.orders import json_object
from streampay_sandbox.service.wire import HttpAnswer, HttpCall
from streampay_smoke.core.secret import Secret

TIMESTAMP_HEADER = "x-streampay-timestamp"
SIGNATURE_HEADER = "x-streampay-signature"
VERSION = "v1="
WINDOW_SECONDS = 300
FIELDS = frozenset({"eventType", "eventId", "timestamp", "source", "data", "metadata", "headers"})

Signed = Callable[[HttpCall], bool]
"""Whether a report carries a good signature."""


def signature_of(secret: Secret, timestamp: str, body: bytes) -> str:
    """Return the signature of a report made at a Unix second."""
    return VERSION + hmac.new(secret.reveal().encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def signed_with(secret: Secret, clock: Callable[[], float] = time.time) -> Signed:
    """Return the check that a report was signed with `secret`, and not too long ago."""

    def signed(call: HttpCall) -> bool:
        timestamp = call.header(TIMESTAMP_HEADER)
        if not (timestamp.isascii() and timestamp.isdecimal()) or abs(clock() - int(timestamp)) > WINDOW_SECONDS:
            return False
        expected = signature_of(secret, timestamp, call.body)
        return hmac.compare_digest(call.header(SIGNATURE_HEADER).encode(), expected.encode())

    return signed


class WebhookPages:
    """The handlers of /api/webhooks."""

    def __init__(self, signed: Signed) -> None:
        self._signed = signed
        self._lock = threading.Lock()
        self._answers = Counter[str]()

    def take(self, call: HttpCall) -> HttpAnswer:
        """Take a signed event; 401 for any other, 400 for a body that is no event."""
        try:
            self._check(call)
        except Refusal:
            self._count("refused")
            raise
        self._count("taken")
        return HttpAnswer(document={"success": True})

    def health(self, call: HttpCall) -> HttpAnswer:
        """Return how many reports were taken, and how many refused."""
        with self._lock:
            counted = {name: self._answers[name] for name in ("taken", "refused")}
        return HttpAnswer(document={"status": "ok", "deliveries": counted})

    def _check(self, call: HttpCall) -> None:
        if not self._signed(call):
            raise Refusal(401, "INVALID_SIGNATURE", "The report is not signed, or not by whom it should be.")
        event = json_object(call)
        kind = event.get("eventType")
        if event.keys() - FIELDS or not isinstance(kind, str) or not kind.strip():
            raise Refusal(400, "INVALID_INPUT", "The body is no event.")

    def _count(self, what: str) -> None:
        with self._lock:
            self._answers[what] += 1
