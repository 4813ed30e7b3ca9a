"""Requests that their receiver can trust: signatures as Standard Webhooks 1.0 says, with a secret both sides know."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.secret import Secret

TOLERANCE_SECONDS = 300
"""How old, or how far ahead, a timestamp may be where it is received."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 (a prefix every secret has)
_SHORTEST_KEY_BYTES = 24
_LONGEST_KEY_BYTES = 64


def signing_key(secret: Secret, *, variable: str) -> bytes:
    """Return the bytes of a `whsec_` secret; raises SettingsInvalid, which tells nothing of it."""
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_SECRET_PREFIX) or not _SHORTEST_KEY_BYTES <= len(key) <= _LONGEST_KEY_BYTES:
        raise SettingsInvalid(
            f"{variable} is no webhook secret",
            next_step='use the output of: printf "whsec_%s" "$(openssl rand -base64 32)", here and at the receiver',
        )
    return key


def signed(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign one attempt at a Unix second, beside `webhook-id`, which names the message."""
    return {"webhook-timestamp": str(timestamp), "webhook-signature": _signature(key, message_id, timestamp, body)}


def _signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return f"v1,{base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()}"


def verified(key: bytes, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """Say whether a receiver may trust a request: signed with `key`, and its timestamp near `now` (Unix seconds).

    `headers` have lower-case names. Several signatures, separated by blanks, may be there while a key is rotated.
    """
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = _signature(key, headers.get("webhook-id", ""), int(timestamp), body).encode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, signature.encode()) for signature in given)
