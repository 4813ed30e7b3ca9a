"""Ways in which access, keys and limits go wrong."""

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Final

import jwt
from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.auth import ALGORITHM, bearer_token, forwarded_address
from streampay_sandbox.service.faults.fault import Mutation, ServiceFault, is_known
from streampay_sandbox.service.limits import TokenBuckets
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.wallet import Challenges
from streampay_sandbox.service.wire import HttpAnswer, HttpCall

PLACEHOLDER = "GADMIN_DEV_PLACEHOLDER_DO_NOT_USE_IN_PROD"
"""Who administers a StreamPay that was not told: a name in its source, which anybody may read."""

_LIMITED_SECONDS = 60


class _AnyChallenge(Challenges):
    def take(self, challenge: str, address: str) -> bool:
        return True


class _LastingChallenges(Challenges):
    def take(self, challenge: str, address: str) -> bool:
        return self.holds(challenge, address)


def _publishes(key: Callable[[Parts], Mapping[str, str]]) -> Mutation:
    return lambda parts: replace(parts, jwks=lambda call: HttpAnswer(document={"keys": [key(parts)]}))


def _shared_secret(kid: str, secret: str) -> Mapping[str, str]:
    encoded = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    return {"kty": "oct", "alg": ALGORITHM, "use": "sig", "kid": kid, "k": encoded}


def _whole_pair() -> Mapping[str, str]:
    numbers = {name: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") for name in ("n", "d")}
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "streampay-next", "e": "AQAB", **numbers}


def _administration_opens(to: Callable[[Parts, HttpCall], bool]) -> Mutation:
    """Return the mutation that opens administrators' pages to those callers as well."""

    def mutate(parts: Parts) -> Parts:
        return replace(parts, staff=lambda call: "somebody" if to(parts, call) else parts.staff(call))

    return mutate


class _EmptyBuckets(TokenBuckets):
    def take(self, tier: str, identity: str) -> int:
        return _LIMITED_SECONDS


class _BottomlessBuckets(TokenBuckets):
    def take(self, tier: str, identity: str) -> int:
        return 0


class _OneBucket(TokenBuckets):
    def __init__(self, buckets: TokenBuckets) -> None:
        super().__init__()
        self._buckets = buckets

    def take(self, tier: str, identity: str) -> int:
        return self._buckets.take(tier, "everybody")


def _counted_by(claim: Callable[[HttpCall], str]) -> Mutation:
    """Return the mutation whose limits count by what a caller claims, and by who they are where they claim nothing."""

    def mutate(parts: Parts) -> Parts:
        return replace(parts, counted_as=lambda call: claim(call) or parts.counted_as(call))

    return mutate


def _unproved_subject(call: HttpCall) -> str:
    try:
        claims = jwt.decode(bearer_token(call), options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return ""
    return f"user:{claims['sub']}" if claims.get("sub") else ""


FAULTS: Final = (
    ServiceFault(
        name="wallet-any-signature",
        story="measured: any non-empty signature signs in",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-sign-in-with-another-user-s-signature-is-refused",
        mutation=lambda parts: replace(parts, signature_check=lambda address, challenge, signature: True),
    ),
    ServiceFault(
        name="wallet-any-challenge",
        story="measured: a challenge need not have been given to anybody",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-sign-in-with-a-challenge-that-was-never-issued-is-refused",
        mutation=lambda parts: replace(parts, challenges=_AnyChallenge()),
    ),
    ServiceFault(
        name="wallet-challenge-lasts",
        story="measured: a challenge signs in again and again",
        severity=Severity.CATASTROPHIC,
        caught_by="access/a-sign-in-with-a-challenge-that-was-already-used-is-refused",
        mutation=lambda parts: replace(parts, challenges=_LastingChallenges()),
    ),
    ServiceFault(
        name="jwks-leaks",
        story="measured: the key set publishes the HS256 secret",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-published-signing",
        mutation=_publishes(lambda parts: _shared_secret("streampay-current", parts.settings.jwt_secret.reveal())),
    ),
    ServiceFault(
        name="jwks-leaks-previous",
        story="measured: with JWT_PREVIOUS_SECRET set, the key set publishes that one too",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-published-signing",
        mutation=_publishes(lambda parts: _shared_secret("streampay-previous", secrets.token_hex(32))),
    ),
    ServiceFault(
        name="jwks-leaks-private-half",
        story="operations: the key set was exported with the private half",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-published-signing",
        mutation=_publishes(lambda parts: _whole_pair()),
    ),
    ServiceFault(
        name="admin-open",
        story="measured: the state of the pause is shown to anybody, and names the administrator",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-administration-pages-are-refused-to-an-anonymous-caller",
        mutation=_administration_opens(lambda parts, call: call.route == "/api/admin/pause"),
    ),
    ServiceFault(
        name="admin-by-header",
        story="measured: administration believes a header, and a name from the source administers",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-administration-pages-are-refused-to-an-anonymous-caller-who-claims",
        mutation=_administration_opens(lambda parts, call: call.header("actor-wallet-address") == PLACEHOLDER),
    ),
    ServiceFault(
        name="admin-any-user",
        story="operations: a rewritten guard asks who the caller is, and not what they may",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-administration-pages-are-refused-to-the-synthetic-user",
        mutation=_administration_opens(is_known),
    ),
    ServiceFault(
        name="audit-open",
        story="operations: the audit is mounted outside of the guard",
        severity=Severity.CATASTROPHIC,
        caught_by="access/the-administration-pages-are-refused-to-an-anonymous-caller",
        mutation=_administration_opens(lambda parts, call: call.route == "/api/audit"),
    ),
    ServiceFault(
        name="limits-block-everybody",
        story="operations: behind a proxy all callers share one bucket, which is empty",
        severity=Severity.CATASTROPHIC,
        caught_by="throttling/a-new-caller",
        mutation=lambda parts: replace(parts, buckets=_EmptyBuckets()),
    ),
    ServiceFault(
        name="limits-off",
        story="operations: the limiter's store cannot be reached, and every call passes",
        severity=Severity.SERIOUS,
        caught_by="throttling/only-the-caller",
        mutation=lambda parts: replace(parts, buckets=_BottomlessBuckets()),
    ),
    ServiceFault(
        name="limits-shared",
        story="operations: the proxy hides who calls, and one caller uses everybody's share up",
        severity=Severity.CATASTROPHIC,
        caught_by="throttling/only-the-caller",
        mutation=lambda parts: replace(parts, buckets=_OneBucket(parts.buckets)),
    ),
    ServiceFault(
        name="limits-evaded-by-key",
        story="measured: the limiter counts by X-API-Key, unchecked: another key for each call, and nothing is limited",
        severity=Severity.SERIOUS,
        caught_by="throttling_evasion/a-user-cannot-evade-the-read-limit-by-claiming-a-new-api-key",
        mutation=_counted_by(lambda call: call.header("x-api-key")),
    ),
    ServiceFault(
        name="limits-evaded-by-address",
        story="operations: behind a new proxy the limiter counts by X-Forwarded-For, which every caller may write",
        severity=Severity.SERIOUS,
        caught_by="throttling_evasion/a-user-cannot-evade-the-read-limit-by-claiming-a-new-network-address",
        mutation=_counted_by(forwarded_address),
    ),
    ServiceFault(
        name="logins-evaded-by-address",
        story="measured: sign-ins are counted by X-Forwarded-For: another one for each guess, and none is slowed",
        severity=Severity.CATASTROPHIC,
        caught_by="throttling_evasion/a-caller-cannot-evade-the-sign-in-limit",
        mutation=lambda parts: replace(
            parts, signs_in_from=lambda call: forwarded_address(call) or parts.signs_in_from(call)
        ),
    ),
    ServiceFault(
        name="limits-believe-tokens",
        story="measured: an unproved token that names somebody uses their share up, and they are told to wait",
        severity=Severity.CATASTROPHIC,
        caught_by="throttling_evasion/forged-tokens-do-not-use-up",
        mutation=_counted_by(_unproved_subject),
    ),
)
