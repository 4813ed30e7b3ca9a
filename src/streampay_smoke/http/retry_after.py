"""The Retry-After header (RFC 9110, section 10.2.3), wherever a service, a ledger's RPC or an engine sends it."""

import time
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after_seconds(value: str, *, now: float | None = None) -> float | None:
    """Return the seconds a Retry-After value (a number or an HTTP date) asks for; None where it says nothing usable.

    Never negative. `now` is in Unix seconds, by default this machine's.
    """
    text = value.strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        asked = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - (time.time() if now is None else now)
    except (ValueError, OverflowError):
        return None
    return max(asked, 0.0)
