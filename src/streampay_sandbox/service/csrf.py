"""Double submit: cookie csrf-token and header x-csrf-token must be equal on every write under /api."""

import re
import secrets
from collections.abc import Callable

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, Layer

COOKIE = "csrf-token"
HEADER = "x-csrf-token"
_TOKEN = re.compile(r"[0-9a-f]{64}")
_SEVEN_DAYS_SECONDS = 604_800


PairCheck = Callable[[str, str], bool]
"""Whether a write passes with these values of cookie and header, "" for none."""


def csrf_refusal() -> Refusal:
    """Return the refusal of a write without a matching pair."""
    return Refusal(403, "CSRF_TOKEN_INVALID", f"The cookie {COOKIE} and the header {HEADER} must be equal.")


def equal_pair(cookie: str, header: str) -> bool:
    """Return whether both halves are there, and equal."""
    return bool(cookie) and secrets.compare_digest(cookie.encode(), header.encode())


def csrf_enforced(passes: PairCheck) -> Layer:
    """Return the layer that refuses writes whose pair does not pass, and hands out the cookie with everything else.

    The cookie is Secure, as measured: over plain http a client has to send it by hand.
    """

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            if not call.path.startswith("/api/") or call.is_webhook:
                return inner(call)
            cookie = call.cookies.get(COOKIE, "")
            if call.is_write:
                if not passes(cookie, call.header(HEADER)):
                    raise csrf_refusal()
                return inner(call)
            answer = inner(call)
            if _TOKEN.fullmatch(cookie):
                return answer
            token = secrets.token_hex(32)
            return answer.with_headers(
                {"set-cookie": f"{COOKIE}={token}; Path=/; Max-Age={_SEVEN_DAYS_SECONDS}; SameSite=lax; Secure"}
            )

        return handle

    return layer
