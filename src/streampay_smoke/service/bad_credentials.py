"""Credentials that must be refused: what somebody might show who has no right to anything."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from streampay_smoke.core.secret import Secret
from streampay_smoke.service.credentials import ANONYMOUS, AUDIENCE, ISSUER, Credential, bearer, minted, token_claims
from streampay_smoke.service.identity import SyntheticUser

BadName = Literal["none", "text", "junk", "expired", "foreign", "alg-none", "other-audience", "other-issuer", "hs512"]


class BadCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that must be refused.

    `proof` is "full", or "forged" for a token that should be genuine but for one thing and carries no genuine
    signature because the signing secret is not known here: its refusal shows that signatures are checked, not more.
    """

    name: BadName
    credential: Credential
    proof: Literal["full", "forged"] = "full"


def bad_credential(name: BadName, user: SyntheticUser, *, jwt_secret: Secret | None = None) -> BadCredential:
    """Return what a deployment must refuse; it names `user` wherever it names anybody.

    `jwt_secret` is the deployment's own signing secret, where the operator shares it.
    """
    if name == "none":
        return BadCredential(name=name, credential=ANONYMOUS)
    if name == "text":
        text = f"any-text-{secrets.token_hex(12)}"
        user.learn_secret(text)
        shown_as = "a text that is no token, without a scheme"
        return BadCredential(
            name=name, credential=Credential(kind="bad", headers={"authorization": text}, shown_as=shown_as)
        )
    genuine = name in _GENUINE_BUT_FOR
    known = jwt_secret.reveal() if genuine and jwt_secret else ""
    shown_as, token = _BAD_TOKENS[name](token_claims(user.address), known or _unrelated_key())
    user.learn_secret(token)
    return BadCredential(
        name=name,
        credential=bearer(token, kind="bad", shown_as=shown_as),
        proof="forged" if genuine and not known else "full",
    )


def _stale(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {**claims, "iat": claims["iat"] - 7200, "exp": claims["iat"] - 3600}


def _unrelated_key() -> str:
    return secrets.token_hex(32)


_BAD_TOKENS: dict[BadName, Callable[[Mapping[str, Any], str], tuple[str, str]]] = {
    "junk": lambda claims, key: ("a bearer token that is junk", f"junk-{secrets.token_hex(12)}"),
    "expired": lambda claims, key: ("a token that expired an hour ago", minted(_stale(claims), key)),
    "foreign": lambda claims, key: ("a token signed by somebody else", minted(claims, key)),
    "alg-none": lambda claims, key: ("an unsigned token (alg none)", minted(claims, key, "none")),
    "other-audience": lambda claims, key: (
        "a token meant for another service",
        minted({**claims, "aud": f"not-{AUDIENCE}"}, key),
    ),
    "other-issuer": lambda claims, key: (
        "a token issued by another service",
        minted({**claims, "iss": f"not-{ISSUER}"}, key),
    ),
    "hs512": lambda claims, key: ("a token signed by another method (HS512)", minted(claims, key, "HS512")),
}
"""What each is shown as, and the token, of claims that would be good and the key to sign them with."""

_GENUINE_BUT_FOR = frozenset({"expired", "other-audience", "other-issuer", "hs512"})
"""Those that a service with the right secret would sign: only that secret makes them more than foreign."""
