"""Who may ask: bearers of the service's token, and Flagger with a key that is good for one canary only."""

import hashlib
import hmac
from collections.abc import Sequence

from streampay_smoke.core.secret import Secret

_SCOPE = "flagger"


def flagger_key(token: Secret, namespace: str, name: str) -> str:
    """Return the key of one canary: HMAC-SHA256 of its name under the token, in hex.

    Flagger sends no header of ours and signs nothing; what it can send is constant metadata out of a resource that
    many may read. So that constant opens one canary's hooks, and nothing else.
    """
    scope = "\n".join((_SCOPE, namespace, name))
    return hmac.new(token.reveal().encode(), scope.encode(), hashlib.sha256).hexdigest()


class Keyring:
    """The tokens that open the service: one, or two while one is being replaced."""

    def __init__(self, tokens: Sequence[Secret]) -> None:
        if not tokens:
            raise ValueError("a service without a token would be open to everybody")
        self._tokens = tuple(tokens)

    def opens(self, authorization: str) -> bool:
        """Whether an `Authorization` header holds one of the tokens; as slow for a near miss as for nonsense."""
        scheme, _, given = authorization.partition(" ")
        fits = _any_equal(given.strip(), [token.reveal() for token in self._tokens])
        return fits and scheme.lower() == "bearer"

    def opens_canary(self, key: str, namespace: str, name: str) -> bool:
        """Whether this is the key of this canary."""
        return _any_equal(key, [flagger_key(token, namespace, name) for token in self._tokens])


def _any_equal(given: str, expected: Sequence[str]) -> bool:
    """Compare with every one, in constant time: digests, so that not even the length shows."""
    digest = hashlib.sha256(given.encode()).digest()
    return sum(hmac.compare_digest(digest, hashlib.sha256(one.encode()).digest()) for one in expected) > 0
