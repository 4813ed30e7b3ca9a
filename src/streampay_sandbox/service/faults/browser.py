"""Ways in which a browser refuses the web app, or lets other sites and caches in."""

from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.faults.fault import ServiceFault, around
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

_ALLOWED_HEADERS = "access-control-allow-headers"
_LACKING = ("x-csrf-token", "idempotency-key")


class _Everything:
    def __contains__(self, item: object) -> bool:
        return True


def _lacks_headers(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if _ALLOWED_HEADERS not in answer.headers:
        return answer
    named = [name for name in answer.headers[_ALLOWED_HEADERS].split(", ") if name not in _LACKING]
    return answer.with_headers({_ALLOWED_HEADERS: ", ".join(named)})


def _wildcard(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    return answer.with_headers({"access-control-allow-origin": "*"}) if call.header("origin") else answer


def _for_everybody(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if not answer.headers.get("cache-control", "").startswith("private"):
        return answer
    return answer.with_headers({"cache-control": "public, max-age=0, must-revalidate"})


FAULTS: Final = (
    ServiceFault(
        name="csrf-shut",
        story="operations: the proxy strips cookies, so no write passes",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=lambda parts: replace(parts, pair_check=lambda cookie, header: False),
    ),
    ServiceFault(
        name="csrf-open",
        story="operations: the check of the pair is switched off for a migration, and stays off",
        severity=Severity.CATASTROPHIC,
        caught_by="webapp/a-write-without-a-valid",
        mutation=lambda parts: replace(parts, pair_check=lambda cookie, header: True),
    ),
    ServiceFault(
        name="csrf-by-cookie-alone",
        story="operations: the cookie is checked, which every site's page sends along",
        severity=Severity.CATASTROPHIC,
        caught_by="webapp/a-write-without-a-valid",
        mutation=lambda parts: replace(parts, pair_check=lambda cookie, header: bool(cookie)),
    ),
    ServiceFault(
        name="csrf-any-pair",
        story="operations: both halves have to be there, and need not be equal",
        severity=Severity.CATASTROPHIC,
        caught_by="webapp/a-write-without-a-valid",
        mutation=lambda parts: replace(parts, pair_check=lambda cookie, header: bool(cookie and header)),
    ),
    ServiceFault(
        name="cors-lacks-headers",
        story="measured: x-csrf-token and idempotency-key are not among what the app may send",
        severity=Severity.SERIOUS,
        caught_by="webapp/the-cors-preflight",
        mutation=around(_lacks_headers),
    ),
    ServiceFault(
        name="cors-forgets-app",
        story="operations: ALLOWED_ORIGINS was not set for this deployment",
        severity=Severity.SERIOUS,
        caught_by="webapp/the-cors-preflight",
        mutation=lambda parts: replace(parts, origins=frozenset()),
    ),
    ServiceFault(
        name="cors-any-origin",
        story="operations: the origin is repeated to whoever asks, with credentials",
        severity=Severity.CATASTROPHIC,
        caught_by="webapp/cors-allows-no-request",
        mutation=lambda parts: replace(parts, origins=_Everything()),
    ),
    ServiceFault(
        name="cors-wildcard",
        story="operations: the gateway adds a star, which browsers refuse beside credentials",
        severity=Severity.SERIOUS,
        caught_by="webapp/cors-allows-no-request",
        mutation=around(_wildcard),
    ),
    ServiceFault(
        name="caches-share",
        story="measured: private answers go out as public",
        severity=Severity.CATASTROPHIC,
        caught_by="access/private-answers-are",
        mutation=around(_for_everybody),
    ),
)
