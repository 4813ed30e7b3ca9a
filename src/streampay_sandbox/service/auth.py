"""Who is calling: a bearer token StreamPay issued, or the sandbox's API key."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from msgspec.structs import replace

from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall, Layer
from streampay_smoke.core.secret import Secret

ISSUER = "streampay"
AUDIENCE = "streampay-api"
ALGORITHM = "HS256"
TOKEN_SECONDS = 86_400
CHECKS: Mapping[str, bool] = {f"verify_{what}": True for what in ("signature", "exp", "nbf", "aud", "iss", "sub")}
"""PyJWT's checks of a token. A token issued in the future is accepted, as measured."""

STAFF_ROLES = frozenset({"support", "admin", "finance", "security", "compliance"})

API_KEY_CALLER = "api-key-user"
"""Who the holder of the API key is: a user of their own, with no wallet."""

Authenticator = Callable[[HttpCall], str]
"""Returns the caller's name, which is also their tenant; raises Refusal (401)."""


class Tokens:
    """Issues and reads HS256 tokens; `secret` never leaves it."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def issue(self, subject: str, *, lifetime_seconds: int = TOKEN_SECONDS) -> tuple[str, int]:
        """Return a token for `subject` and the Unix second it expires at."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + lifetime_seconds,
            "role": "user",
        }
        return jwt.encode(claims, self._secret.reveal(), algorithm=ALGORITHM), now + lifetime_seconds

    def subject(
        self, token: str, checks: Mapping[str, bool] = CHECKS, algorithms: tuple[str, ...] = (ALGORITHM,)
    ) -> str:
        """Return whom `token` was issued to; raises Refusal when one of the `checks` fails."""
        return str(self.claims(token, checks, algorithms)["sub"])

    def claims(
        self, token: str, checks: Mapping[str, bool] = CHECKS, algorithms: tuple[str, ...] = (ALGORITHM,)
    ) -> Mapping[str, Any]:
        """Return what `token` says of its holder; raises Refusal when one of the `checks` fails."""
        options: Any = {"require": ["exp", "iss", "aud", "sub"], "verify_iat": False, **checks}
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._secret.reveal(),
                algorithms=algorithms,
                issuer=ISSUER,
                audience=AUDIENCE,
                options=options,
            )
        except jwt.InvalidTokenError:
            raise unauthorized("The bearer token is not valid.") from None
        if not claims["sub"]:
            raise unauthorized("The bearer token names nobody.")
        return claims


def unauthorized(message: str) -> Refusal:
    """Return the refusal of a caller nobody knows."""
    return Refusal(401, "UNAUTHORIZED", message, headers={"www-authenticate": "Bearer"})


def bearer_token(call: HttpCall) -> str:
    """Return the token of the Authorization header, "" when it holds none."""
    scheme, _, token = call.header("authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticator(subject: Callable[[str], str], api_key: Secret) -> Authenticator:
    """Return the authenticator that reads tokens with `subject`.

    A bad Authorization header is refused even beside a good API key.
    """

    def who(call: HttpCall) -> str:
        if call.header("authorization"):
            token = bearer_token(call)
            if not token:
                raise unauthorized("The Authorization header is no bearer token.")
            return subject(token)
        if secrets.compare_digest(call.header("x-api-key").encode(), api_key.reveal().encode()):
            return API_KEY_CALLER
        raise unauthorized("This call needs a bearer token or an API key.")

    return who


def staff_authenticator(who: Authenticator, tokens: Tokens) -> Authenticator:
    """Return the authenticator of administrators: those whom `who` knows and whose token has a role of staff."""

    def staff(call: HttpCall) -> str:
        name = who(call)
        token = bearer_token(call)
        if not token or tokens.claims(token).get("role") not in STAFF_ROLES:
            raise Refusal(403, "FORBIDDEN", "Only administrators may see this.")
        return name

    return staff


def known_caller(who: Authenticator) -> Layer:
    """Return the layer that lets only known callers in and tells the handler who it is."""

    def layer(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            return inner(replace(call, caller=who(call)))

        return handle

    return layer


def limit_identity(who: Authenticator) -> Callable[[HttpCall], str]:
    """Return whose rate limit a call counts against.

    Whoever proves who they are counts as themselves, whatever else they send. Callers who are refused anyway count by
    the X-API-Key they claim, unchecked as measured, else by the socket's address. As measured, StreamPay believes the
    key first, then an unverified token, then X-Forwarded-For: those are faults here.
    """

    def identity(call: HttpCall) -> str:
        try:
            return f"user:{who(call)}"
        except Refusal:
            key = call.header("x-api-key")
            return f"key:{key}" if key else f"address:{call.client}"

    return identity


def forwarded_address(call: HttpCall) -> str:
    """Return the first X-Forwarded-For, which every caller may write, "" when there is none."""
    return call.header("x-forwarded-for").partition(",")[0].strip()
