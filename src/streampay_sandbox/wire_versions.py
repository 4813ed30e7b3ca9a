"""What the RPC and its network say differently from version to version: one table, and nothing else knows versions.

Sources: the release notes of stellar-rpc 27.1.0, 28.0.0, 30.0.0 and 30.0.1, CAP-71, CAP-88 and the XDR of protocol 30.
"""

from typing import Final

import msgspec

from streampay_smoke.core.errors import SettingsInvalid

WHOLE_SECONDS_MS: Final = 1_000
MILLISECONDS_MS: Final = 1


class WireVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An RPC on the newest network that it serves.

    `shortest_gap_ms` is how far apart ledgers that close at intervals are at least: below a second, several carry the
    same time, and headers have an arm for milliseconds (CAP-88). `most_calls_in_batch` is None where batches may have
    any length.
    """

    rpc: str
    core: str
    protocol: int
    health_tells_close_times: bool
    offers_upgraded_auth: bool
    events_tell_success: bool
    errors_carry_event_log: bool
    most_calls_in_batch: int | None
    shortest_gap_ms: int

    @property
    def has_millisecond_headers(self) -> bool:
        """Whether headers carry milliseconds beside whole seconds."""
        return self.shortest_gap_ms < WHOLE_SECONDS_MS


_27_0 = WireVersion(
    rpc="27.0.0",
    core="27.0.0",
    protocol=27,
    health_tells_close_times=False,
    offers_upgraded_auth=False,
    events_tell_success=True,
    errors_carry_event_log=True,
    most_calls_in_batch=None,
    shortest_gap_ms=WHOLE_SECONDS_MS,
)
_28 = msgspec.structs.replace(
    _27_0, rpc="28.0.0", core="28.0.0", protocol=28, health_tells_close_times=True, offers_upgraded_auth=True
)
_30 = msgspec.structs.replace(
    _28,
    rpc="30.0.1",
    core="30.0.0",
    protocol=30,
    events_tell_success=False,
    errors_carry_event_log=False,
    most_calls_in_batch=10,
    shortest_gap_ms=MILLISECONDS_MS,
)

WIRE_VERSIONS: Final = {"27.0": _27_0, "28": _28, "30": _30}
"""What `--rpc-version` takes, the oldest first."""

DEFAULT_WIRE_VERSION: Final = "30"


def wire_version(name: str) -> WireVersion:
    """Return a row of the table; raises SettingsInvalid for a name that is not in it."""
    found = WIRE_VERSIONS.get(name)
    if found is None:
        raise SettingsInvalid(
            f"the sandbox ledger plays no RPC version {name!r}",
            next_step=f"choose one of {', '.join(WIRE_VERSIONS)}",
        )
    return found
