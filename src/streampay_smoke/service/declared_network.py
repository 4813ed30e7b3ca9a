"""Which Stellar network a service is on, by the hosts it names."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from streampay_smoke.core.networks import (
    ALLOWED,
    PRIVATE,
    PUBLIC,
    PUBLIC_HORIZON,
    PUBLIC_HOST_SIGNS,
    PUBLIC_PASSPHRASE,
    folded,
    is_loopback,
)

_PUBLIC_WITHOUT_URL = re.compile(
    rf"(?<![\w.-]){re.escape(PUBLIC_HORIZON)}(?!\.?[\w-])|{re.escape(folded(PUBLIC_PASSPHRASE))}"
)
_URL = re.compile(r"https?://[^\s\"'<>)\]]*\]?[^\s\"'<>)]*", re.IGNORECASE)


def declared_network(text: str, *, own_hosts: Collection[str]) -> str:
    """Return the network of the URLs in `text`: one of `core.networks.DECLARED`, or "".

    `own_hosts` are the hosts of the ledger this gate is configured for. Any sign of the public network wins over
    all others, its passphrase and the bare name of its Horizon too; hosts that disagree otherwise tell nothing.
    """
    text = folded(text)
    found = {_network_of(host, own_hosts) for host in _hosts(text)}
    if PUBLIC in found or _PUBLIC_WITHOUT_URL.search(text):
        return PUBLIC
    return found.pop() if len(found) == 1 else ""


def private_urls(text: str, *, own_hosts: Collection[str]) -> tuple[str, ...]:
    """Return the URLs in `text` that are on a private network; nothing else that a service names is ever asked."""
    urls = _URL.findall(folded(text))
    return tuple(url for url in urls if (host := host_of(url)) and _network_of(host, own_hosts) == PRIVATE)


def host_of(url: str) -> str:
    """Return the lower-case host of a URL, "" when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".,;")
    except ValueError:
        return ""


def _hosts(text: str) -> set[str]:
    return {host for url in _URL.findall(text) if (host := host_of(url))}


def _network_of(host: str, own_hosts: Collection[str]) -> str:
    if host in _NETWORK_OF_HOST:
        return _NETWORK_OF_HOST[host]
    if any(sign in host for sign in PUBLIC_HOST_SIGNS):
        return PUBLIC
    return PRIVATE if host in own_hosts or is_loopback(host) else ""


_NETWORK_OF_HOST = {PUBLIC_HORIZON: PUBLIC} | {
    host: network.name for network in ALLOWED.values() for host in network.hosts
}
