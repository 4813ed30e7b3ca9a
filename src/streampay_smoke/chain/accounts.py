"""Accounts of a run: fresh keypairs, or the synthetic user's own. Nothing here talks to a network."""

from streampay_smoke.chain.adapter import ChainAccount
from streampay_smoke.core.errors import SettingsInvalid


def account_of(name: str, seed: str | None = None) -> ChainAccount:
    """Return a fresh account, or the one `seed` (S...) belongs to; raises SettingsInvalid for a malformed seed."""
    from stellar_sdk import Keypair
    from stellar_sdk.exceptions import Ed25519SecretSeedInvalidError

    try:
        keypair = Keypair.random() if seed is None else Keypair.from_secret(seed)
    except (Ed25519SecretSeedInvalidError, ValueError, TypeError):
        # The cause is dropped: it may quote the seed.
        raise SettingsInvalid(
            f"the seed given for {name} is not a Stellar seed",
            next_step="set it to a test-network seed: S and 55 more letters and digits",
        ) from None
    return ChainAccount(name=name, address=keypair.public_key, seed=keypair.secret)
