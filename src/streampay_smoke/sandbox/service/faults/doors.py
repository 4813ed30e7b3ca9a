"""Ways in which doors, keys and limits go wrong."""

import base64
from typing import Final

from msgspec.structs import replace

from streampay_smoke.sandbox.fault import Severity
from streampay_smoke.sandbox.service.auth import ALGORITHM
from streampay_smoke.sandbox.service.csrf import csrf_refusal
from streampay_smoke.sandbox.service.faults.fault import ServiceFault, around
from streampay_smoke.sandbox.service.limits import TokenBuckets
from streampay_smoke.sandbox.service.parts import Parts
from streampay_smoke.sandbox.service.wire import Answer, Call, Handler

_LIMITED_SECONDS = 60


def _secret_key_set(parts: Parts) -> Parts:
    secret = base64.urlsafe_b64encode(parts.settings.jwt_secret.reveal().encode()).decode().rstrip("=")
    key = {"kty": "oct", "alg": ALGORITHM, "use": "sig", "kid": "streampay-current", "k": secret}
    return replace(parts, jwks=lambda call: Answer(document={"keys": [key]}))


def _no_write_passes(inner: Handler, call: Call) -> Answer:
    if call.is_write:
        raise csrf_refusal()
    return inner(call)


class _EmptyBuckets(TokenBuckets):
    def take(self, tier: str, identity: str) -> int:
        return _LIMITED_SECONDS


FAULTS: Final = (
    ServiceFault(
        name="wallet-any-signature",
        story="measured: any non-empty signature signs in",
        severity=Severity.CATASTROPHIC,
        caught_by="",
        mutation=lambda parts: replace(parts, signature_check=lambda address, challenge, signature: True),
    ),
    ServiceFault(
        name="jwks-leaks",
        story="measured: the key set publishes the HS256 secret",
        severity=Severity.CATASTROPHIC,
        caught_by="",
        mutation=_secret_key_set,
    ),
    ServiceFault(
        name="csrf-shut",
        story="operations: the proxy strips cookies, so no write passes",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=around(_no_write_passes),
    ),
    ServiceFault(
        name="limits-block-everybody",
        story="operations: behind a proxy all callers share one bucket, which is empty",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/",
        mutation=lambda parts: replace(parts, buckets=_EmptyBuckets()),
    ),
)
