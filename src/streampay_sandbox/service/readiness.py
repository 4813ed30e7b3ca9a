"""What the service says of its own readiness: each check is really made."""

from collections.abc import Callable, Mapping

import httpx
import msgspec

from streampay_sandbox.service.auth import Tokens
from streampay_sandbox.service.clock import iso_now
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.stellar import client_of_rpc
from streampay_sandbox.service.wire import HttpAnswer, HttpCall

STELLAR_LIMIT_SECONDS = 2.0
SHORTEST_SECRET = 32

Check = Callable[[], str]
"""Returns what it found; raises Degraded."""


class Degraded(Exception):
    """A dependency the service cannot work without is not there; the message is shown."""


def configured(settings: Mapping[str, str]) -> Check:
    """Return the check that every setting has a value."""

    def check() -> str:
        missing = [name for name, value in settings.items() if not value]
        if missing:
            raise Degraded(f"missing: {', '.join(missing)}")
        return ""

    return check


def stellar_reachable(rpc_url: str) -> Check:
    """Return the check that the RPC answers `getHealth` with "healthy" within two seconds."""
    client = client_of_rpc(STELLAR_LIMIT_SECONDS)

    def check() -> str:
        try:
            reply = client.post(rpc_url, json={"jsonrpc": "2.0", "id": 1, "method": "getHealth"})
        except httpx.TimeoutException:
            raise Degraded("Request timed out.") from None
        except httpx.HTTPError:
            raise Degraded("fetch failed") from None
        try:
            status = msgspec.json.decode(reply.content)["result"]["status"]
        except (msgspec.DecodeError, KeyError, TypeError):
            raise Degraded(f"HTTP {reply.status_code} without a health status") from None
        if status != "healthy":
            raise Degraded(f"the RPC is {status}")
        return f"reachable: {rpc_url}"

    return check


def signing_works(tokens: Tokens) -> Check:
    """Return the check that the key really signs: what it signs must verify."""

    def check() -> str:
        try:
            token, _ = tokens.issue("readiness")
            tokens.subject(token)
        except (Refusal, ValueError):
            raise Degraded("the signing key does not sign") from None
        return ""

    return check


class ReadinessReport:
    """The handler of /api/readyz: 200 when every check is ok, else 503."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def readyz(self, call: HttpCall) -> HttpAnswer:
        """Make every check now."""
        results = {name: _result(check) for name, check in self._checks.items()}
        ok = all(result["status"] == "ok" for result in results.values())
        return HttpAnswer(
            status=200 if ok else 503, document={"status": "ok" if ok else "degraded", "checks": results}
        ).with_headers({"cache-control": "no-store"})


def _result(check: Check) -> dict[str, str]:
    try:
        status, message = "ok", check()
    except Degraded as degraded:
        status, message = "degraded", str(degraded)
    return {"status": status, "checked_at": iso_now(), **({"message": message} if message else {})}
