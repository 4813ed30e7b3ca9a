"""Which protocol the installed stellar-sdk is made for, and what it means that a network runs another one.

Nothing of the SDK is imported: its own description names the protocol.
"""

import importlib.metadata
import re

import msgspec

NEWEST_TESTED_PROTOCOL = 30
"""The newest protocol whose wire this gate was tested with: of what a run reads, older SDKs decode all."""

_DISTRIBUTION = "stellar-sdk"
_BADGE = re.compile(r"Stellar(?:%20|[ _-])Protocol-(\d+)")


class SdkVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The installed SDK; `protocol` is 0 where it does not say what it was made for."""

    version: str
    protocol: int

    @property
    def description(self) -> str:
        """Both versions in words."""
        made_for = f"protocol {self.protocol}" if self.protocol else "a protocol it does not name"
        return f"{_DISTRIBUTION} {self.version} is made for {made_for}"


def installed_sdk() -> SdkVersion:
    """Return what the SDK's package says of itself."""
    try:
        installed = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # its files are here, and nothing describes them
        return SdkVersion(version="of an unknown version", protocol=0)
    return SdkVersion(version=installed.version, protocol=protocol_of(installed.read_text("METADATA") or ""))


def protocol_of(description: str) -> int:
    """Return the protocol that a description of the SDK names, 0 for none."""
    named = _BADGE.search(description)
    return int(named[1]) if named else 0


def decoding_problem(network_protocol: int, sdk: SdkVersion) -> tuple[str, str]:
    """Return why an answer may not be decodable, and the next step; `network_protocol` is 0 where it is not known."""
    runs = (
        f"the network runs protocol {network_protocol}" if network_protocol else "the network's protocol is not known"
    )
    newer = not sdk.protocol or not network_protocol or network_protocol > sdk.protocol
    next_step = (
        f"upgrade {_DISTRIBUTION} to a version for the network's protocol: this says nothing of the release"
        if newer
        else "see what answers at SMOKE_STELLAR_RPC_URL: this says nothing of the release"
    )
    return f"{runs}, and {sdk.description}", next_step
