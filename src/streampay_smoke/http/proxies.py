"""The proxy of the runner: which one an address is reached by, read from the variables that every tool knows.

`http_proxy` and `https_proxy` are for addresses of that scheme, `all_proxy` for both, each in lower or in upper case,
and `no_proxy` lists hosts that are reached directly: names with their subdomains, addresses, networks
(`10.0.0.0/8`), each with a port or without, or `*`. `localhost`, 127.0.0.1 and ::1 are always reached directly.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.system_facts import variables

_PORTS = {"http": 80, "https": 443}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_VARIABLES = {scheme: (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY") for scheme in _PORTS}


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy and the variable that names it. The password never shows in a repr."""

    variable: str
    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        """Its address without credentials."""
        return f"{self.scheme}://{self.shown}"

    @property
    def shown(self) -> str:
        """Its host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.variable}: {self.url})"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How an address is reached: by a proxy, or directly; `exempt_by` says why although a proxy is set, or is ""."""

    proxy: Proxy | None = None
    exempt_by: str = ""

    @property
    def description(self) -> str:
        """The route as part of a message, "" for a direct one that nothing else was set for."""
        if self.proxy is not None:
            return f"by the proxy {self.proxy.shown} of {self.proxy.variable}"
        return f"directly: {self.exempt_by}" if self.exempt_by else ""


DIRECT = Route()


def route_to(url: str, environ: Mapping[str, str] | None = None) -> Route:
    """Return how `url` is reached; raises SettingsInvalid for a variable that names no usable proxy."""
    environ = variables() if environ is None else environ
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    name = next((name for name in _VARIABLES.get(parts.scheme, ()) if environ.get(name, "").strip()), "")
    if not name or not host:
        return DIRECT
    if host in _LOCAL:
        return Route(exempt_by=f"{name} is not used for {host}")
    exempt = next((name for name in ("no_proxy", "NO_PROXY") if environ.get(name, "").strip()), "")
    if exempt and _lists(environ[exempt], host, parts.port or _PORTS[parts.scheme]):
        return Route(exempt_by=f"{exempt} exempts it from {name}")
    return Route(proxy=_proxy(name, environ[name].strip()))


def proxy_secrets(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the credentials in proxy variables, as they are written there and as they are meant."""
    environ = variables() if environ is None else environ
    found: dict[str, None] = {}
    for name in dict.fromkeys(name for names in _VARIABLES.values() for name in names):
        userinfo = environ.get(name, "").rpartition("@")[0].rpartition("//")[2]
        password = userinfo.partition(":")[2]
        for secret in (userinfo, unquote(userinfo), password, unquote(password)):
            found[secret] = None
    return tuple(secret for secret in found if secret)


def _proxy(variable: str, value: str) -> Proxy:
    """Read a proxy's address; the message never quotes it, for it may carry a password."""
    parts = _parts(value)
    if parts is None:
        raise SettingsInvalid(
            f"{variable} is not the address of a proxy",
            next_step=f"set {variable} to http://host:port, or unset it; exempt hosts in NO_PROXY",
        )
    if parts.scheme not in _PORTS:
        raise SettingsInvalid(
            f"{variable} names a proxy of another kind ({parts.scheme[:20]!a})",
            next_step=f"set {variable} to an http:// or https:// proxy, or exempt the deployment's host in NO_PROXY",
        )
    return Proxy(
        variable=variable,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _parts(value: str) -> SplitResult | None:
    """Return a proxy's address in parts, None where it is none."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, _ = parts.hostname or "", parts.port  # a port that cannot be raises
        host.encode("idna")
    except (ValueError, UnicodeError):
        return None
    return parts if host and not any(letter.isspace() for letter in host) else None


def _lists(exempt: str, host: str, port: int) -> bool:
    return any(_covers(entry, host, port) for entry in _entries(exempt))


def _entries(exempt: str) -> Iterator[str]:
    return (entry.lower() for entry in exempt.replace(",", " ").split())


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(host, entry)
    if entry.startswith("[") or entry.count(":") == 1:
        name, _, wanted = entry.rpartition(":") if not entry.endswith("]") else (entry, "", "")
        if wanted and wanted != str(port):
            return False
        entry = name.strip("[]")
    entry = entry.removeprefix("*").strip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
