"""What an operator's token says of itself: whose it is and when it ends. Read, and not verified: services do that."""

import base64
import binascii
import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from streampay_smoke.core.errors import SettingsInvalid

REFUSED_ROLES = frozenset(
    {"admin", "administrator", "superuser", "root", "finance", "security", "compliance", "support", "system"}
)
"""Roles of StreamPay's staff and of the service itself. A synthetic user is a user and nothing else."""

SYNTHETIC_PREFIXES = ("smoke", "synthetic")
"""How the name of a synthetic user begins, where it is a name."""

_ROLE_CLAIMS = ("role", "roles", "groups", "scope", "scopes", "scp", "permissions")
_NAME_CLAIMS = ("sub", "email", "preferred_username", "upn")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_WORD = re.compile(r"[a-z0-9]+")


class IdentityRefused(SettingsInvalid):
    """The credential belongs to a person or to somebody with power, not to a synthetic user."""

    kind = "identity_refused"


class CredentialExpired(SettingsInvalid):
    """The credential ended before the run began."""

    kind = "credential_expired"


def claims_of(token: str) -> Mapping[str, Any]:
    """Return the claims of a JWT, nothing for any other kind of token."""
    parts = token.removeprefix("Bearer ").strip().split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def seconds_left(token: str, *, now_seconds: float | None = None) -> float | None:
    """Return how long a JWT is still good (below 0 when it has ended), None when it does not say."""
    ends = claims_of(token).get("exp")
    if not isinstance(ends, int | float) or isinstance(ends, bool):
        return None
    return ends - (time.time() if now_seconds is None else now_seconds)


def refuse_unfit(variable: str, token: str) -> None:
    """Raise IdentityRefused when a token says that it is staff's, or a person's; never quotes it."""
    claims = claims_of(token)
    roles = sorted(REFUSED_ROLES & set(_roles(claims)))
    if roles:
        raise IdentityRefused(
            f"the token in {variable} has the role {', '.join(roles)}: this gate is a user, and never more",
            next_step=f"issue a token with the role user for a synthetic user, and set {variable} to it",
        )
    for claim in _NAME_CLAIMS:
        name = claims.get(claim)
        if isinstance(name, str) and _EMAIL.fullmatch(name.strip()) and not _is_synthetic(name):
            raise IdentityRefused(
                f"the token in {variable} is a person's: its {claim} is an e-mail address",
                next_step=f"issue a token for a synthetic user, whose name begins with smoke, for {variable}",
            )


def refuse_expired(tokens: Mapping[str, str], *, now_seconds: float | None = None) -> None:
    """Raise CredentialExpired when every one of these tokens, by variable, has ended."""
    left = [seconds_left(token, now_seconds=now_seconds) for token in tokens.values()]
    if not left or any(seconds is None or seconds > 0 for seconds in left):
        return
    raise CredentialExpired(
        f"the token in {' and in '.join(tokens)} has expired",
        next_step=f"issue a new one and set {next(iter(tokens))} to it",
    )


def _is_synthetic(name: str) -> bool:
    return name.strip().lower().startswith(SYNTHETIC_PREFIXES)


def _roles(claims: Mapping[str, Any]) -> Iterator[str]:
    """Yield every word that names a role: "admin" in "streampay:admin", in lists and in texts."""
    realm = claims.get("realm_access")
    values = [claims.get(name) for name in _ROLE_CLAIMS]
    values += [realm.get("roles")] if isinstance(realm, dict) else []
    for value in values:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                yield from _WORD.findall(text.lower())
