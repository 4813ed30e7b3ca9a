"""The test networks this gate may touch. There is no entry, and no flag, for the public one."""

import difflib
import hashlib
import ipaddress
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import msgspec

from streampay_smoke.core.errors import GuardRefused, SettingsInvalid
from streampay_smoke.core.secret import quoted

FASTEST_CADENCE_SECONDS = 1.0
"""The shortest time between two ledgers of a test network: an age worked out with it is never too long."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A network's rhythm, in seconds.

    A transaction is first asked for after `first_poll`, then every `shortest`, growing to `longest`. It stays valid
    for `valid`, so a caller never waits much longer than that. A wait for the next ledger ends after `ledger_wait`
    at the latest. Failed requests that may be repeated are repeated for `retry`.
    """

    first_poll: float
    shortest: float
    longest: float
    valid: int
    ledger_wait: float
    retry: float

    def pauses(self) -> Iterator[float]:
        """Yield the pauses between the looks of one wait."""
        pause = self.shortest
        while True:
            yield pause
            pause = min(pause * 1.5, self.longest)


_PUBLIC_TESTNET_PACE = Pace(first_poll=1.0, shortest=1.0, longest=1.0, valid=60, ledger_wait=15.0, retry=10.0)


def is_loopback(host: str) -> bool:
    """Say whether a host, as a name or an address, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network the guard lets through: where it usually answers, how far apart its ledgers close, how it is followed.

    `horizon_url` is never asked: a service that names it says which network it is on.
    """

    name: str
    passphrase: str
    rpc_url: str = ""
    friendbot_url: str = ""
    explorer_url: str = ""
    horizon_url: str = ""
    seconds_per_ledger: float = 5.0
    pace: Pace = _PUBLIC_TESTNET_PACE
    simulated: bool = False

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts by which a service says that it is on this network; none where they are on this machine."""
        urls = (self.rpc_url, self.friendbot_url, self.horizon_url)
        return frozenset(host for url in urls if (host := urlsplit(url).hostname) and not is_loopback(host))

    @property
    def declared_as(self) -> str:
        """What a service on this network says that it is on; see `DECLARED`."""
        return self.name if self.hosts else PRIVATE

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
            # A simulated ledger may have closed before the first question, so asking at once wastes nothing.
            pace=Pace(first_poll=0.0, shortest=0.02, longest=0.25, valid=20, ledger_wait=6.0, retry=2.0),
            simulated=True,
        ),
        Network(
            name="local",
            passphrase="Standalone Network ; February 2017",
            rpc_url="http://localhost:8000/rpc",
            friendbot_url="http://localhost:8000/friendbot",
            seconds_per_ledger=1.0,
            pace=Pace(first_poll=0.25, shortest=0.25, longest=0.25, valid=30, ledger_wait=6.0, retry=5.0),
        ),
        Network(
            name="futurenet",
            passphrase="Test SDF Future Network ; October 2022",
            rpc_url="https://rpc-futurenet.stellar.org",
            friendbot_url="https://friendbot-futurenet.stellar.org",
            horizon_url="https://horizon-futurenet.stellar.org",
        ),
        Network(
            name="testnet",
            passphrase="Test SDF Network ; September 2015",
            rpc_url="https://soroban-testnet.stellar.org",
            friendbot_url="https://friendbot.stellar.org",
            explorer_url="https://stellar.expert/explorer/testnet",
            horizon_url="https://horizon-testnet.stellar.org",
        ),
    )
}

PUBLIC, PRIVATE = "public", "private"
DECLARED = (*(network.name for network in ALLOWED.values() if network.hosts), PUBLIC, PRIVATE)
"""What a service can be on by its own word: a network that has hosts of its own, the public one, a private one."""

PUBLIC_PASSPHRASE = "Public Global Stellar Network ; September 2015"
PUBLIC_NAMES = frozenset({PUBLIC, "pubnet", "mainnet"})
PUBLIC_HORIZON = "horizon.stellar.org"
PUBLIC_HOST_SIGNS = ("mainnet", "pubnet")
_PUBLIC_SIGNS = (*PUBLIC_HOST_SIGNS, PUBLIC_HORIZON, "stellar.org/public", "soroban-public")


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
