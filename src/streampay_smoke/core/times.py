"""Moments as this project tells them: Unix milliseconds among programs, UTC to people and in names."""

import calendar
import time

US_PER_MS = 1_000


def now_ms() -> int:
    """Return the time by this machine's clock, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int) -> str:
    """Return a moment as ISO 8601 in UTC, to the second: `2026-11-26T02:57:45Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms // 1000))


def from_iso_ms(text: str) -> int:
    """Return a moment that `iso` wrote, in Unix milliseconds; raises ValueError for another text."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) * 1000


def stamp(at_ms: int) -> str:
    """Return a moment as it begins the names of files and runs, which sort by it: `20261126T025745Z`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_ms // 1000))
