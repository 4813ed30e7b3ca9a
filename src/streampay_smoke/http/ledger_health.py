"""Whether a ledger is up: its RPC asked for its health, past every SDK and every service."""

import itertools
import statistics
from json import loads

import msgspec

from streampay_smoke.evidence.secret_shapes import shortened
from streampay_smoke.http.client import NoAnswer, Reply, new_client

FASTEST_CADENCE_SECONDS = 1.0
"""The shortest time between two ledgers of a test network: an age worked out with it is never too long."""

_LEDGERS_THAT_TELL = 100
_LEDGERS_MEASURED = 5
_CALL = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
_SHOWN = 200


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What getHealth says; close times are Unix seconds, 0 where an RPC does not tell them."""

    status: str
    latest_ledger: int
    oldest_ledger: int = 0
    latest_ledger_close_time: int = 0
    oldest_ledger_close_time: int = 0

    @property
    def seconds_per_ledger(self) -> float:
        """How far apart the ledgers it keeps are; what they are at least where it keeps too few to tell."""
        ledgers = self.latest_ledger - self.oldest_ledger
        seconds = self.latest_ledger_close_time - self.oldest_ledger_close_time
        enough = ledgers >= _LEDGERS_THAT_TELL and self.oldest_ledger_close_time > 0 and seconds > 0
        return seconds / ledgers if enough else FASTEST_CADENCE_SECONDS


class LedgerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The RPC's answer: in words, and read; `health` is None for silence and for anything that is no health."""

    said: str
    health: Health | None = None

    @property
    def well(self) -> bool:
        """Whether the RPC calls itself healthy."""
        return self.health is not None and self.health.status == "healthy"


def ask_ledger_health(rpc_url: str, *, timeout_seconds: float) -> LedgerHealth:
    """Ask the RPC once. Never raises: silence is an answer too."""
    try:
        with new_client(timeout_seconds=timeout_seconds) as client:
            reply = client.request("POST", rpc_url, json=_CALL)
    except NoAnswer as problem:
        return LedgerHealth(said=str(problem))
    return LedgerHealth(said=f"getHealth answered {reply.status}: {shortened(reply.text, _SHOWN)}", health=_read(reply))


def measured_seconds_per_ledger(rpc_url: str, *, timeout_seconds: float) -> float | None:
    """Return how far apart the newest ledgers closed; None where the RPC does not tell, or keeps too few."""
    health = ask_ledger_health(rpc_url, timeout_seconds=timeout_seconds).health
    if health is None or health.latest_ledger <= health.oldest_ledger:
        return None
    first = max(health.oldest_ledger, health.latest_ledger - _LEDGERS_MEASURED)
    parameters = {"startLedger": first, "pagination": {"limit": _LEDGERS_MEASURED + 1}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "getLedgers", "params": parameters}
    try:
        with new_client(timeout_seconds=timeout_seconds) as client:
            ledgers = loads(client.request("POST", rpc_url, json=call).text)["result"]["ledgers"]
        closed_at = [int(ledger["ledgerCloseTime"]) for ledger in ledgers]
    except (NoAnswer, ValueError, TypeError, KeyError):
        return None
    gaps_seconds = [after - before for before, after in itertools.pairwise(closed_at)]
    return float(statistics.median(gaps_seconds)) if gaps_seconds else None


def _read(reply: Reply) -> Health | None:
    try:
        return msgspec.convert(loads(reply.text)["result"], Health, strict=False) if reply.status == 200 else None
    except (ValueError, TypeError, KeyError):
        return None
