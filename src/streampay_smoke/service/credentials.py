"""What a request shows of its sender, and the tokens it may be made of."""

import secrets
import time
import warnings
from collections.abc import Mapping
from typing import Any

import msgspec

from streampay_smoke.core.secret import Secret

# PyJWT is imported where it is used: a run that only asks whether a service is ready needs no token.

ISSUER = "streampay"
AUDIENCE = "streampay-api"
TOKEN_SECONDS = 600

VARIABLE_OF_MODE = {"jwt": "SMOKE_AUTH_JWT_SECRET", "bearer": "SMOKE_AUTH_TOKEN", "api-key": "SMOKE_API_KEY"}
"""The modes in which the operator supplies a credential, and the variable it comes in."""

_BEARER = "Bearer "

SLOT_B = "_B"
"""How the variables of the second credential slot end."""

SCRAPER = "metrics"
"""The kind of the token with which metrics are scraped: nobody's who uses StreamPay."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What a request shows of its sender. `kind` is the auth mode it came from, or "metrics", "none" or "bad"."""

    kind: str
    headers: dict[str, str]
    shown_as: str
    variable: str = ""

    @property
    def operator_variable(self) -> str:
        """The variable the operator supplied it in, "" when it was not supplied."""
        return self.variable or VARIABLE_OF_MODE.get(self.kind, "")

    @property
    def token(self) -> str:
        """The bearer token it shows, "" for none; secret."""
        return self.headers.get("authorization", "").removeprefix(_BEARER)

    def __repr__(self) -> str:
        return f"Credential(kind={self.kind!r}, shown_as={self.shown_as!r})"


ANONYMOUS = Credential(kind="none", headers={}, shown_as="no credential")


def metrics_credential(token: Secret | None) -> Credential:
    """Return what shows a scraper's token, or nobody's credential where there is none."""
    if token is None:
        return ANONYMOUS
    return bearer(token.reveal(), kind=SCRAPER, shown_as="the scraper's token", variable="SMOKE_METRICS_TOKEN")


def bearer(token: str, *, kind: str, shown_as: str, variable: str = "") -> Credential:
    """Return the credential that shows a token in the header `authorization`."""
    return Credential(kind=kind, headers={"authorization": f"{_BEARER}{token}"}, shown_as=shown_as, variable=variable)


def token_claims(subject: str) -> dict[str, Any]:
    """Return the claims of a token of the service's own for an address, good for ten minutes from now."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": secrets.token_hex(8),
    }


def minted(claims: Mapping[str, Any], key: str, algorithm: str = "HS256") -> str:
    """Return a signed JWT; algorithm "none" leaves the signature out."""
    import jwt

    with warnings.catch_warnings():
        # HS512 asks for a longer secret than HS256 does, and the secret is the deployment's to choose.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(dict(claims), None if algorithm == "none" else key, algorithm=algorithm)
