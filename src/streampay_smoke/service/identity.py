"""The synthetic user: who this gate is to the deployment, and who it is not."""

import base64
import hashlib
import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import msgspec

from streampay_smoke.errors import FixtureMissing, GuardRefused, SettingsInvalid
from streampay_smoke.secret import Secret
from streampay_smoke.service.shape import is_one_word
from streampay_smoke.service.strkey import KEY_BYTES, address_of, seed_bytes, seed_text

# PyNaCl and PyJWT are imported where they are used: a run that only asks whether a service is ready needs neither.

Learn = Callable[[str], None]
"""Tells the redactor of a secret."""

ISSUER = "streampay"
AUDIENCE = "streampay-api"
TOKEN_SECONDS = 600

TRANSACTION_HASH_BYTES = 32
"""What every signature on a Stellar transaction or authorisation is made over."""

VARIABLE_OF_MODE = {"jwt": "SMOKE_AUTH_JWT_SECRET", "bearer": "SMOKE_AUTH_TOKEN", "api-key": "SMOKE_API_KEY"}
"""The modes in which the operator supplies a credential, and the variable it comes in."""

SCRAPER = "metrics"
"""The kind of the token with which figures are scraped: nobody's who uses StreamPay."""

SLOT_B = "_B"
"""How the variables of the second credential slot end."""

MODES = ("wallet", *VARIABLE_OF_MODE)


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

    def __repr__(self) -> str:
        return f"Credential(kind={self.kind!r}, shown_as={self.shown_as!r})"


ANONYMOUS = Credential(kind="none", headers={}, shown_as="no credential")


class SyntheticUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user of this gate's own. `address` (G...) is their wallet, and the subject of their tokens in mode jwt.

    `secret` is what the operator supplied for modes jwt, bearer and api-key.
    """

    environment: str
    mode: str
    address: str
    seed: Secret
    learn_secret: Learn
    secret: Secret | None = None
    slot: str = "A"

    @property
    def variable(self) -> str:
        """The variable the operator's secret came in, "" in mode wallet."""
        name = VARIABLE_OF_MODE.get(self.mode, "")
        return f"{name}{SLOT_B}" if name and self.slot == "B" else name

    def in_slot_b(self, secret: Secret) -> "SyntheticUser":
        """Return the same user with the credential of slot B."""
        return msgspec.structs.replace(self, secret=secret, slot="B")

    def sign(self, text: str) -> str:
        """Return the base64 Ed25519 signature over the UTF-8 bytes of `text`.

        Raises GuardRefused for 32 bytes: they could be the hash of a transaction, on whatever network.
        """
        from nacl.signing import SigningKey

        if len(text.encode()) == TRANSACTION_HASH_BYTES:
            raise GuardRefused(
                "the service gave the wallet something to sign that could be a transaction",
                next_step="nothing was signed: see who hands out such challenges, and why",
            )
        key = SigningKey(seed_bytes(self.seed.reveal()))
        return base64.b64encode(key.sign(text.encode()).signature).decode("ascii")

    def supplied_credential(self) -> Credential:
        """Return the credential of modes jwt (minted now, good for ten minutes), bearer and api-key.

        Raises SettingsInvalid when the operator supplied none.
        """
        supplied = self._supplied()
        if self.mode == "api-key":
            return Credential(
                kind=self.mode,
                headers={"x-api-key": supplied},
                shown_as="the operator's API key",
                variable=self.variable,
            )
        if self.mode == "bearer":
            return _bearer(supplied, kind=self.mode, shown_as="the operator's bearer token", variable=self.variable)
        token = _minted(_claims(self.address), supplied)
        self.learn_secret(token)
        return _bearer(token, kind=self.mode, shown_as=f"a token minted for {self.address}", variable=self.variable)

    def token_credential(self, token: str) -> Credential:
        """Return the credential for a token the deployment gave out at sign-in."""
        self.learn_secret(token)
        return _bearer(token, kind=self.mode, shown_as=f"the token {self.address} got by signing in")

    def somebody_else(self) -> "SyntheticUser":
        """Return a user with a wallet nobody knows, for whom nothing here may open."""
        return _user_of(secrets.token_bytes(KEY_BYTES), self)

    def second_user(self) -> "SyntheticUser":
        """Return another user, who must see nothing of this one; raises FixtureMissing where there can be none."""
        if self.mode in {"bearer", "api-key"}:
            raise FixtureMissing(
                f"auth mode {self.mode} knows one user only, and this check needs two",
                next_step="use auth mode wallet or jwt, or leave this scenario out in the environment file",
            )
        seed = hashlib.sha256(b"streampay-smoke second user of " + seed_bytes(self.seed.reveal())).digest()
        return _user_of(seed, self)

    def _supplied(self) -> str:
        variable = self.variable
        value = self.secret.reveal() if self.secret else ""
        if not variable or not value:
            raise SettingsInvalid(
                f"auth mode {self.mode} has no supplied credential",
                next_step=f"set {variable}" if variable else "sign in instead",
            )
        if self.mode != "jwt" and not is_one_word(value):
            raise SettingsInvalid(
                f"{variable} holds characters that no HTTP header can carry, or white space",
                next_step="give the bare value, without a scheme, quotes or line breaks",
            )
        return value


def synthetic_user(
    environment: str,
    mode: str,
    *,
    learn_secret: Learn,
    signer_seed: Secret | None = None,
    supplied: Mapping[str, Secret | None] | None = None,
) -> SyntheticUser:
    """Return the synthetic user of an environment, the same in every run.

    `signer_seed` (S...) replaces the seed derived from the environment's name. `supplied` maps the variables of
    `VARIABLE_OF_MODE` to what the operator gave; only the mode's own one is used. Raises SettingsInvalid for an
    unknown mode, a bad seed, or a mode whose variable is missing.
    """
    if mode not in MODES:
        raise SettingsInvalid(
            f"auth mode {mode!r} is not known", next_step=f"set SMOKE_AUTH_MODE to one of {', '.join(MODES)}"
        )
    seed = (
        seed_bytes(signer_seed.reveal())
        if signer_seed
        else hashlib.sha256(f"streampay-smoke synthetic user {environment}".encode()).digest()
    )
    variable = VARIABLE_OF_MODE.get(mode, "")
    secret = (supplied or {}).get(variable)
    if variable and secret is None:
        raise SettingsInvalid(f"auth mode {mode} needs {variable}", next_step=f"set {variable} in the environment")
    blank = SyntheticUser(
        environment=environment, mode=mode, address="", seed=Secret(""), secret=secret, learn_secret=learn_secret
    )
    return _user_of(seed, blank)


def payer_seed(environment: str, run_id: str) -> Secret:
    """Return the seed (S...) of the account that pays for a run's own streams on a test network.

    It follows from the run's id and is no secret worth keeping: what a killed run left open has to end without it
    having been stored anywhere.
    """
    text = f"streampay-smoke payer of run {run_id} in {environment}"
    return Secret(seed_text(hashlib.sha256(text.encode()).digest()))


BadName = Literal["none", "junk", "expired", "foreign", "alg-none", "other-audience", "other-issuer", "hs512"]
BAD_NAMES: tuple[BadName, ...] = get_args(BadName)


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
    genuine = name in _GENUINE_BUT_FOR
    known = jwt_secret.reveal() if genuine and jwt_secret else ""
    shown_as, token = _BAD_TOKENS[name](_claims(user.address), known or _stranger_key())
    user.learn_secret(token)
    return BadCredential(
        name=name,
        credential=_bearer(token, kind="bad", shown_as=shown_as),
        proof="forged" if genuine and not known else "full",
    )


def metrics_credential(token: Secret | None) -> Credential:
    """Return what shows a scraper's token, or nobody's credential where there is none."""
    if token is None:
        return ANONYMOUS
    return _bearer(token.reveal(), kind=SCRAPER, shown_as="the scraper's token", variable="SMOKE_METRICS_TOKEN")


def unowned_address() -> str:
    """Return a new address whose key nobody keeps."""
    return address_of(secrets.token_bytes(KEY_BYTES))


def _user_of(seed: bytes, like: SyntheticUser) -> SyntheticUser:
    from nacl.signing import SigningKey

    text = seed_text(seed)
    like.learn_secret(text)
    address = address_of(bytes(SigningKey(seed).verify_key))
    return msgspec.structs.replace(like, address=address, seed=Secret(text))


def _bearer(token: str, *, kind: str, shown_as: str, variable: str = "") -> Credential:
    return Credential(kind=kind, headers={"authorization": f"Bearer {token}"}, shown_as=shown_as, variable=variable)


def _claims(subject: str) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": secrets.token_hex(8),
    }


def _minted(claims: Mapping[str, Any], key: str, algorithm: str = "HS256") -> str:
    import jwt

    with warnings.catch_warnings():
        # HS512 asks for a longer secret than HS256 does, and the secret is the deployment's to choose.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(dict(claims), None if algorithm == "none" else key, algorithm=algorithm)


def _stale(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {**claims, "iat": claims["iat"] - 7200, "exp": claims["iat"] - 3600}


def _stranger_key() -> str:
    return secrets.token_hex(32)


_BAD_TOKENS: dict[BadName, Callable[[Mapping[str, Any], str], tuple[str, str]]] = {
    "junk": lambda claims, key: ("a bearer token that is junk", f"junk-{secrets.token_hex(12)}"),
    "expired": lambda claims, key: ("a token that expired an hour ago", _minted(_stale(claims), key)),
    "foreign": lambda claims, key: ("a token signed by somebody else", _minted(claims, key)),
    "alg-none": lambda claims, key: ("an unsigned token (alg none)", _minted(claims, key, "none")),
    "other-audience": lambda claims, key: (
        "a token meant for another service",
        _minted({**claims, "aud": f"not-{AUDIENCE}"}, key),
    ),
    "other-issuer": lambda claims, key: (
        "a token issued by another service",
        _minted({**claims, "iss": f"not-{ISSUER}"}, key),
    ),
    "hs512": lambda claims, key: ("a token signed by another method (HS512)", _minted(claims, key, "HS512")),
}
"""What each is shown as, and the token, of claims that would be good and the key to sign them with."""

_GENUINE_BUT_FOR = frozenset({"expired", "other-audience", "other-issuer", "hs512"})
"""Those that a service with the right secret would sign: only that secret makes them more than foreign."""
