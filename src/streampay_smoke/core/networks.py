"""The test networks this gate may touch. There is no entry, and no flag, for the public one."""

import difflib
import hashlib
import unicodedata
from urllib.parse import unquote

import msgspec

from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.secret import quoted


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network the guard lets through, where it usually answers, and how far apart its ledgers close."""

    name: str
    passphrase: str
    rpc_url: str = ""
    friendbot_url: str = ""
    explorer_url: str = ""
    seconds_per_ledger: float = 5.0
    simulated: bool = False

    @property
    def network_id(self) -> bytes:
        """SHA-256 of the passphrase: what a signature on this network commits to."""
        return hashlib.sha256(self.passphrase.encode()).digest()


ALLOWED = {
    network.name: network
    for network in (
        Network(
            name="sandbox",
            passphrase="StreamPay Smoke Sandbox Network ; November 2026",
            seconds_per_ledger=0.0,
            simulated=True,
        ),
        Network(
            name="local",
            passphrase="Standalone Network ; February 2017",
            rpc_url="http://localhost:8000/rpc",
            friendbot_url="http://localhost:8000/friendbot",
            seconds_per_ledger=1.0,
        ),
        Network(
            name="futurenet",
            passphrase="Test SDF Future Network ; October 2022",
            rpc_url="https://rpc-futurenet.stellar.org",
            friendbot_url="https://friendbot-futurenet.stellar.org",
        ),
        Network(
            name="testnet",
            passphrase="Test SDF Network ; September 2015",
            rpc_url="https://soroban-testnet.stellar.org",
            friendbot_url="https://friendbot.stellar.org",
            explorer_url="https://stellar.expert/explorer/testnet",
        ),
    )
}

PUBLIC_PASSPHRASE = "Public Global Stellar Network ; September 2015"
PUBLIC_NAMES = frozenset({"public", "pubnet", "mainnet"})
_PUBLIC_SIGNS = ("mainnet", "pubnet", "horizon.stellar.org", "stellar.org/public", "soroban-public")


def allowed_network(name: str) -> Network:
    """Return the test network called `name`.

    Raises GuardRefused for the public network, SettingsInvalid for a name nobody knows: a typo is no real money.
    """
    next_step = f"set SMOKE_STELLAR_NETWORK to one of {', '.join(ALLOWED)}"
    if folded(name).strip() in PUBLIC_NAMES:
        raise GuardRefused(
            f"network {quoted(name)} is the public one: this gate never touches real money", next_step=next_step
        )
    if name not in ALLOWED:
        nearest = difflib.get_close_matches(folded(name), (*ALLOWED, *sorted(PUBLIC_NAMES)), n=1)
        meant = f"; did you mean {nearest[0]}?" if nearest else ""
        never = " The public network is never touched" if PUBLIC_NAMES.intersection(nearest) else ""
        raise SettingsInvalid(f"network {quoted(name)} is no known network{meant}{never}", next_step=next_step)
    return ALLOWED[name]


def network_of_passphrase(passphrase: str) -> Network:
    """Return the test network with this passphrase; raises GuardRefused for the public and any unknown one."""
    for network in ALLOWED.values():
        if network.passphrase == passphrase:
            return network
    what = "the public network" if passphrase == PUBLIC_PASSPHRASE else "a network nobody vouched for"
    raise GuardRefused(
        f"the passphrase {passphrase!r} belongs to {what}",
        next_step="point SMOKE_STELLAR_RPC_URL at a test network",
    )


def folded(text: str) -> str:
    """Return a text as a resolver reads the host names in it: full-width letters, other dots and %-escapes undone."""
    plain = unicodedata.normalize("NFKC", unquote(text)).replace("\N{IDEOGRAPHIC FULL STOP}", ".").casefold()
    return "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")


def refuse_public_url(name: str, url: str) -> None:
    """Raise GuardRefused when the value of variable `name` looks like the public network's address."""
    if any(sign in folded(url) for sign in _PUBLIC_SIGNS):
        raise GuardRefused(
            f"{name} points at the public network", next_step="use the RPC of a test network, or the sandbox"
        )
