"""One trace for a run: every request to the service is a span of it (W3C Trace Context, OpenTelemetry).

The ledger's RPC is a third party's and is told nothing.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Self

import msgspec

TRACEPARENT = "TRACEPARENT"
TRACESTATE = "TRACESTATE"
"""Environment variables by which a CI system names the trace a run belongs to."""

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")
_NOTHING = re.compile(r"0+")


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace that requests join. `flags` is the W3C flag byte in hex, `state` a vendor's own words, passed on."""

    id: str
    flags: str = "01"
    state: str = ""

    @classmethod
    def of_run(cls, run_id: str, environ: Mapping[str, str]) -> Self:
        """Return the trace the environment names, else one that follows from the run's id.

        A malformed TRACEPARENT is passed over, as the W3C recommendation asks.
        """
        given = _TRACEPARENT.fullmatch(environ.get(TRACEPARENT, "").strip())
        if given is None or not _usable(given):
            return cls(id=hashlib.sha256(f"streampay-smoke/{run_id}".encode()).hexdigest()[:32])
        state = environ.get(TRACESTATE, "").strip()
        return cls(id=given[2], flags=given[4], state=state if _TRACESTATE.fullmatch(state) else "")

    @classmethod
    def fresh(cls) -> Self:
        """Return a trace of its own, for requests that belong to no run."""
        return cls(id=secrets.token_hex(16))

    def headers(self) -> dict[str, str]:
        """Return the headers of one request: a new span of this trace."""
        span = {"traceparent": f"00-{self.id}-{secrets.token_hex(8)}-{self.flags}"}
        return {**span, "tracestate": self.state} if self.state else span


def _usable(given: re.Match[str]) -> bool:
    """Whether a well-formed value names a trace and a parent; only versions after 00 may say more."""
    return not (_NOTHING.fullmatch(given[2]) or _NOTHING.fullmatch(given[3]) or (given[1] == "00" and given[5]))
