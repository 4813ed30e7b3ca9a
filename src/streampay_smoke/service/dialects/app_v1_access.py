"""What callers ask of `app-v1` who have no right to it, and what a browser asks for the web app."""

import secrets
import time
from typing import Any
from urllib.parse import quote

from streampay_smoke.service.dialects.calls import Call

_REFUSED = (401, 403)
_HIDDEN = (401, 403, 404)
_ADMINISTRATION = ("/api/admin/pause", "/api/admin/quotas", "/api/audit")
_PLACEHOLDER = "GADMIN_DEV_PLACEHOLDER_DO_NOT_USE_IN_PROD"

_BROWSER_SENDS = ("authorization", "content-type", "idempotency-key", "x-csrf-token")
"""Headers of a write that a browser asks leave for first."""


class AppV1Access:
    """The access requests of dialect `app-v1`."""

    caller_header: str = "x-api-key"

    def key_set(self) -> Call:
        """Ask for the published keys; a deployment may have none."""
        return Call(method="GET", path="/.well-known/jwks.json", statuses=(200, 404))

    def administration(self) -> tuple[Call, ...]:
        """Ask for the state of the pause, for the quotas, and for the audit; nothing is changed by it."""
        return tuple(Call(method="GET", path=path, statuses=_HIDDEN) for path in _ADMINISTRATION)

    def claim_to_administer(self, address: str = "") -> dict[str, str]:
        """Claim to be the administrator of that address, by default the one a set-up without any has."""
        return {"actor-wallet-address": address or _PLACEHOLDER, "x-streampay-actor-role": "admin"}

    def stream_of_tenant(self, stream_id: str, tenant: str) -> Call:
        """Ask the v1 form, which shows a stream to the tenant a header names."""
        path = f"/api/streams/{quote(stream_id, safe='')}"
        return Call(method="GET", path=path, statuses=_HIDDEN, headers={"x-tenant-id": tenant})

    def change(self, stream_id: str, fields: dict[str, Any]) -> Call:
        """Change fields of one stream."""
        path = f"/api/v2/streams/{quote(stream_id, safe='')}"
        return Call(method="PATCH", path=path, statuses=_HIDDEN, json=fields)

    def change_many(self, stream_id: str, fields: dict[str, Any]) -> Call:
        """Change fields of one stream through the form that takes many at once."""
        body = {"updates": [{"id": stream_id, "data": fields}]}
        return Call(method="POST", path="/api/v2/streams/batch", statuses=_HIDDEN, json=body)

    def delete(self, stream_id: str) -> Call:
        """Delete a stream."""
        return Call(method="DELETE", path=f"/api/v2/streams/{quote(stream_id, safe='')}", statuses=_HIDDEN)

    def as_if_settled(self, tx_hash: str) -> dict[str, Any]:
        """Return the fields that would make a stream a settled one of somebody else's."""
        return {
            "status": "ended",
            "settlementTxHash": tx_hash,
            "settlement": {"txHash": tx_hash, "settledAt": "2026-01-01T00:00:00.000Z"},
            "tenant": "somebody-else",
        }

    def harmless_write(self) -> Call:
        """Stop a stream that does not exist: a write that gets as far as a 404 and no farther."""
        return Call(method="POST", path=f"/api/streams/stream-absent-{secrets.token_hex(4)}/stop", statuses=(404,))

    def mistakes(self) -> tuple[Call, ...]:
        """Ask for a stream that does not exist, for a page of no size, and to settle without a key."""
        absent = f"stream-absent-{secrets.token_hex(4)}"
        return (
            Call(method="GET", path=f"/api/v2/streams/{absent}", statuses=(404,)),
            Call(method="GET", path="/api/streams?limit=none", statuses=(422,)),
            Call(method="POST", path=f"/api/streams/{absent}/settle", statuses=(400, 404)),
        )

    def webhook_event(self, *, signature: str, timestamp: str) -> Call:
        """Report an event about nothing; what is signed is the time and the body."""
        headers = {"x-streampay-timestamp": timestamp, "x-streampay-signature": signature}
        body = {
            "eventType": "smoke.signature-check",
            "eventId": f"smoke-{secrets.token_hex(8)}",
            "source": "streampay-smoke",
            "data": {},
        }
        return Call(
            method="POST",
            path="/api/webhooks",
            statuses=_HIDDEN,
            headers={name: value for name, value in headers.items() if value},
            json=body,
        )

    def foreign_signature(self) -> str:
        """Return an HMAC-SHA-256 under a key nobody keeps."""
        return f"v1={secrets.token_hex(32)}"

    def challenge_nobody_gave(self) -> str:
        """Return a challenge of this moment."""
        return f"streampay_auth_{int(time.time() * 1000)}_{secrets.token_hex(16)}"

    def forwarded_for(self, address: str) -> dict[str, str]:
        """Claim it as a proxy does."""
        return {"x-forwarded-for": address}

    def preflight(self, origin: str) -> Call:
        """Ask, as a browser does before it lets a page of `origin` create a stream, whether it may."""
        headers = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": ",".join(_BROWSER_SENDS),
        }
        return Call(method="OPTIONS", path="/api/streams", statuses=(200, 204), headers=headers)

    def read_by_page(self, origin: str) -> Call:
        """Ask for streams as a page of `origin` does."""
        headers = {"origin": origin}
        return Call(method="GET", path="/api/streams?limit=1", statuses=(200, *_REFUSED), headers=headers)
