"""The lease of synthetic data: which run made it, and until when nobody else touches it."""

from collections.abc import Sequence

import msgspec

_RUN = "smoke:"
_LEASE = "lease:"
_LATEST_SECONDS = 2**40


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A run's id, and the end of its lease in Unix seconds."""

    run_id: str
    lease_until_seconds: int

    @property
    def tags(self) -> list[str]:
        """The lease as tags of a stream."""
        return [f"{_RUN}{self.run_id}", f"{_LEASE}{self.lease_until_seconds}"]


def lease_in(tags: object) -> Lease | None:
    """Return the lease among a stream's tags, None where there is none or it is not one of ours."""
    if not isinstance(tags, list):
        return None
    texts = [tag for tag in tags if isinstance(tag, str)]
    runs, leases = _after(_RUN, texts), _after(_LEASE, texts)
    if len(runs) != 1 or not runs[0] or len(leases) != 1:
        return None
    if not (leases[0].isascii() and leases[0].isdecimal()) or int(leases[0][:14]) > _LATEST_SECONDS:
        return None
    return Lease(run_id=runs[0], lease_until_seconds=int(leases[0]))


def _after(prefix: str, texts: Sequence[str]) -> list[str]:
    return [text.removeprefix(prefix) for text in texts if text.startswith(prefix)]
