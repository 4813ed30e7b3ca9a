"""Sends a notice to every target at once, within one limit of time; what did not arrive is said, and nothing raised.

Redirects are refused: a target's address is a secret, and so is what is sent to it.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.http.client import Client, NoAnswer, Reply
from streampay_smoke.http.retry_after import retry_after_seconds
from streampay_smoke.notify.notice import Notice
from streampay_smoke.notify.targets import NotificationTarget

LIMIT_SECONDS = 10.0
"""How long telling everybody may delay the end of a run."""

PAUSE_SECONDS = 1.0
"""How long a target rests before the next attempt, where it does not say how long itself."""

MOST_ATTEMPTS = 3

_ONCE_MORE = frozenset({429, 500, 502, 503, 504})


class NotificationResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a target took a notice; `problem` says why not, "" where it did."""

    target: str
    problem: str = ""


def deliver(
    notice: Notice,
    targets: Iterable[NotificationTarget],
    *,
    limit_seconds: float = LIMIT_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> list[NotificationResult]:
    """Send a notice to each target that gets it, and return what became of it, within so many seconds."""
    wanted = [target for target in targets if target.gets(notice)]
    if not wanted:
        return []
    ends_at = time.monotonic() + limit_seconds

    def send(target: NotificationTarget) -> NotificationResult:
        return NotificationResult(target=target.name, problem=_problem(notice, target, ends_at, pause))

    with ThreadPoolExecutor(len(wanted), thread_name_prefix="notify") as pool:
        return list(pool.map(send, wanted))


def _problem(notice: Notice, target: NotificationTarget, ends_at: float, pause: Callable[[float], None]) -> str:
    try:
        with Client(timeout_seconds=LIMIT_SECONDS) as client:
            reply = _sent(client, notice, target, ends_at, pause)
    except (NoAnswer, SettingsInvalid) as silence:
        return str(silence)
    if 200 <= reply.status < 300:
        return ""
    if 300 <= reply.status < 400:
        return f"it answered with status {reply.status}, a redirect, which is not followed"
    return f"it answered with status {reply.status}"


def _sent(
    client: Client, notice: Notice, target: NotificationTarget, ends_at: float, pause: Callable[[float], None]
) -> Reply:
    attempt = 1
    while True:
        request = target.request(notice)
        left_seconds = max(ends_at - time.monotonic(), 0.0)
        reply = client.request(
            "POST", request.url, content=request.content, headers=request.headers, timeout_seconds=left_seconds
        )
        asked_seconds = retry_after_seconds(reply.header("retry-after"))
        wait_seconds = PAUSE_SECONDS if asked_seconds is None else asked_seconds
        if reply.status not in _ONCE_MORE or attempt == MOST_ATTEMPTS or wait_seconds >= ends_at - time.monotonic():
            return reply
        pause(wait_seconds)
        attempt += 1
