"""The synthetic user: who this gate is to the deployment, and who it is not."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping

import msgspec

from streampay_smoke.core.errors import FixtureMissing, GuardRefused, SettingsInvalid
from streampay_smoke.core.secret import Secret
from streampay_smoke.service.credentials import SLOT_B, VARIABLE_OF_MODE, Credential, bearer, minted, token_claims
from streampay_smoke.service.shape import is_one_word
from streampay_smoke.service.strkey import KEY_BYTES, address_of, seed_bytes, seed_text

# PyNaCl is imported where it is used: a run that only asks whether a service is ready needs no key.

Learn = Callable[[str], None]
"""Tells the redactor of a secret."""

TRANSACTION_HASH_BYTES = 32
"""What every signature on a Stellar transaction or authorisation is made over."""

MODES = ("wallet", *VARIABLE_OF_MODE)


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
            return bearer(supplied, kind=self.mode, shown_as="the operator's bearer token", variable=self.variable)
        token = minted(token_claims(self.address), supplied)
        self.learn_secret(token)
        return bearer(token, kind=self.mode, shown_as=f"a token minted for {self.address}", variable=self.variable)

    def token_credential(self, token: str) -> Credential:
        """Return the credential for a token the deployment gave out at sign-in."""
        self.learn_secret(token)
        return bearer(token, kind=self.mode, shown_as=f"the token {self.address} got by signing in")

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


def address_of_seed(seed: Secret) -> str:
    """Return the address (G...) of the account a seed (S...) is of; raises SettingsInvalid for one that is none."""
    from nacl.signing import SigningKey

    return address_of(bytes(SigningKey(seed_bytes(seed.reveal())).verify_key))


def unowned_address() -> str:
    """Return a new address whose key nobody keeps."""
    return address_of(secrets.token_bytes(KEY_BYTES))


def _user_of(seed: bytes, like: SyntheticUser) -> SyntheticUser:
    from nacl.signing import SigningKey

    text = seed_text(seed)
    like.learn_secret(text)
    address = address_of(bytes(SigningKey(seed).verify_key))
    return msgspec.structs.replace(like, address=address, seed=Secret(text))
