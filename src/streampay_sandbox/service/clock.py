"""Times as StreamPay writes them."""

import time
from datetime import UTC, datetime


def iso_now() -> str:
    """Return now, e.g. "2026-11-23T18:44:05.123Z"."""
    return iso_of(time.time())


def iso_of(unix_seconds: float) -> str:
    """Return a Unix time in ISO 8601 with milliseconds, UTC."""
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
