"""Sign-in with a wallet: a challenge for an address, a signature of it, a token for the address."""

import base64
import binascii
import re
import secrets
import threading
import time
from collections.abc import Callable

import msgspec
from stellar_sdk import Keypair
from stellar_sdk.exceptions import BadSignatureError

from streampay_sandbox.service.auth import Tokens
from streampay_sandbox.service.clock import iso_of
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.orders import invalid, is_account, json_object
from streampay_sandbox.service.wire import HttpAnswer, HttpCall

CHALLENGE_SECONDS = 300
_CHALLENGE = re.compile(r"streampay_auth_[0-9]{13}_[0-9a-f]{32}")

SignatureCheck = Callable[[str, str, str], bool]
"""Whether the third text is a base64 Ed25519 signature of the second by the account that is the first."""


def signature_verified(address: str, challenge: str, signature: str) -> bool:
    """Return whether `signature` is the account's Ed25519 signature over the challenge's UTF-8 bytes."""
    try:
        Keypair.from_public_key(address).verify(challenge.encode(), base64.b64decode(signature, validate=True))
    except (binascii.Error, BadSignatureError, ValueError):
        return False
    return True


class _Issued(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    expires_at: float


class Challenges:
    """The challenges that were given out: each is for one address, for five minutes, for one sign-in."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: dict[str, _Issued] = {}

    def issue(self, address: str) -> tuple[str, float]:
        """Return a fresh challenge for an address and the Unix second it expires at."""
        now = self._clock()
        challenge = f"streampay_auth_{int(now * 1000)}_{secrets.token_hex(16)}"
        with self._lock:
            self._issued = {text: issued for text, issued in self._issued.items() if issued.expires_at > now}
            self._issued[challenge] = _Issued(address=address, expires_at=now + CHALLENGE_SECONDS)
        return challenge, now + CHALLENGE_SECONDS

    def forget(self) -> None:
        """Lose every challenge."""
        with self._lock:
            self._issued.clear()

    def holds(self, challenge: str, address: str) -> bool:
        """Return whether a challenge was given to this address, has not expired, and was not used up."""
        issued = self._issued.get(challenge)
        return issued is not None and issued.address == address and self._clock() < issued.expires_at

    def take(self, challenge: str, address: str) -> bool:
        """Use a challenge up; False where there is none to use."""
        with self._lock:
            good = self.holds(challenge, address)
            if good:
                del self._issued[challenge]
        return good


class WalletSignIn:
    """The handlers of /api/auth/wallet."""

    def __init__(self, tokens: Tokens, verified: SignatureCheck, challenges: Challenges) -> None:
        self._tokens = tokens
        self._verified = verified
        self._challenges = challenges

    def challenge(self, call: HttpCall) -> HttpAnswer:
        """Return a fresh challenge for the account in the query."""
        address = call.query.get("address", "")
        if not is_account(address):
            raise invalid(
                [{"field": "address", "code": "INVALID_STELLAR_KEY", "message": "address must be a Stellar account."}]
            )
        challenge, expires_at = self._challenges.issue(address)
        return HttpAnswer(
            document={"challenge": challenge, "expires_at": iso_of(expires_at)},
            headers={"cache-control": "no-store"},
        )

    def sign_in(self, call: HttpCall) -> HttpAnswer:
        """Return a token for the account that signed its challenge; 401 for anybody else."""
        body = json_object(call)
        address, challenge, signature = (body.get(name) for name in ("address", "challenge", "signature"))
        if not (is_account(address) and isinstance(challenge, str) and isinstance(signature, str)):
            raise _malformed()
        if not _CHALLENGE.fullmatch(challenge) or not signature:
            raise _malformed()
        if not self._verified(address, challenge, signature):
            raise Refusal(401, "INVALID_SIGNATURE", "The signature is not the account's for this challenge.")
        if not self._challenges.take(challenge, address):
            raise Refusal(401, "CHALLENGE_INVALID", "The challenge was not given to this account, or is used up.")
        token, expires_at = self._tokens.issue(address)
        return HttpAnswer(
            document={"token": token, "expires_at": iso_of(expires_at)}, headers={"cache-control": "no-store"}
        )


def _malformed() -> Refusal:
    return invalid(
        [{"field": "body", "code": "MISSING_FIELD", "message": "address, challenge and signature are required."}]
    )
