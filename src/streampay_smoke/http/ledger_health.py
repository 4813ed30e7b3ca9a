"""What a ledger's RPC tells of itself, asked past every SDK and every service: its health, its pace and its time."""

import itertools
import statistics
from json import loads
from typing import Any

import msgspec

from streampay_smoke.core.networks import FASTEST_CADENCE_SECONDS
from streampay_smoke.core.secret_shapes import shortened
from streampay_smoke.http.client import Client, NoAnswer, Reply

_LEDGERS_THAT_TELL = 100
_LEDGERS_MEASURED = 5
NO_TRANSACTION = "0" * 64
"""The hash of no transaction: an answer about it tells the newest ledger all the same."""

_SHOWN = 200


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What getHealth says; `closed_at` is when the newest ledger closed. Times are Unix seconds, 0 where untold."""

    status: str
    latest_ledger: int
    oldest_ledger: int = 0
    closed_at: int = msgspec.field(default=0, name="latestLedgerCloseTime")
    oldest_ledger_close_time: int = 0

    @property
    def seconds_per_ledger(self) -> float:
        """How far apart the ledgers it keeps are; what they are at least where it keeps too few to tell."""
        ledgers = self.latest_ledger - self.oldest_ledger
        seconds = self.closed_at - self.oldest_ledger_close_time
        enough = ledgers >= _LEDGERS_THAT_TELL and self.oldest_ledger_close_time > 0 and seconds > 0
        return seconds / ledgers if enough else FASTEST_CADENCE_SECONDS


class LedgerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The RPC's answer: in words, and read; `health` is None for silence and for anything that is no health."""

    detail: str
    health: Health | None = None

    @property
    def well(self) -> bool:
        """Whether the RPC calls itself healthy."""
        return self.health is not None and self.health.status == "healthy"


def ask_ledger_health(rpc_url: str, *, timeout_seconds: float) -> LedgerHealth:
    """Ask the RPC once. Never raises: silence is an answer too."""
    try:
        reply = _asked(rpc_url, "getHealth", timeout_seconds=timeout_seconds)
    except NoAnswer as problem:
        return LedgerHealth(detail=str(problem))
    return LedgerHealth(
        detail=f"getHealth answered {reply.status}: {shortened(reply.text, _SHOWN)}", health=_read(reply)
    )


def measured_seconds_per_ledger(
    rpc_url: str, *, timeout_seconds: float, closes_on_demand: bool = False
) -> float | None:
    """Return how far apart the newest ledgers closed; None where the RPC does not tell, or keeps too few.

    `closes_on_demand`: a simulated ledger may close only when somebody asks for it. Then most gaps say how long nobody
    asked, and the shortest one is its pace.
    """
    health = ask_ledger_health(rpc_url, timeout_seconds=timeout_seconds).health
    if health is None or health.latest_ledger <= health.oldest_ledger:
        return None
    first = max(health.oldest_ledger, health.latest_ledger - _LEDGERS_MEASURED)
    try:
        ledgers = _ledgers(rpc_url, first, limit=_LEDGERS_MEASURED + 1, timeout_seconds=timeout_seconds)
        closed_at = [int(ledger["ledgerCloseTime"]) for ledger in ledgers]
    except _UNTOLD:
        return None
    gaps_seconds = [after - before for before, after in itertools.pairwise(closed_at)]
    if not gaps_seconds:
        return None
    if closes_on_demand:
        return float(min(gaps_seconds))
    # Ledgers that share seconds show gaps of 0 and 1 only (CAP-88): the median of those tells nothing.
    return float(max(statistics.median(gaps_seconds), min(statistics.mean(gaps_seconds), FASTEST_CADENCE_SECONDS)))


def ledger_time(rpc_url: str, *, timeout_seconds: float) -> float | None:
    """Return when the newest ledger closed, in Unix seconds; every answer about a transaction tells it."""
    try:
        answer = _asked(rpc_url, "getTransaction", {"hash": NO_TRANSACTION}, timeout_seconds=timeout_seconds)
        return float(_result(answer)["latestLedgerCloseTime"])
    except _UNTOLD:
        return None


def is_same_ledger(one_url: str, other_url: str, *, timeout_seconds: float) -> bool | None:
    """Return whether two RPCs show the same ledger: the newest that both have; None where they do not tell."""
    answers = [ask_ledger_health(url, timeout_seconds=timeout_seconds).health for url in (one_url, other_url)]
    healths = [health for health in answers if health is not None]
    if len(healths) < len(answers):
        return None
    newest = min(health.latest_ledger for health in healths)
    try:
        hashes = {
            str(_ledgers(url, newest, limit=1, timeout_seconds=timeout_seconds)[0]["hash"])
            for url in (one_url, other_url)
        }
    except (*_UNTOLD, LookupError):
        return None
    return len(hashes) == 1


_UNTOLD = (NoAnswer, ValueError, TypeError, KeyError)


def _ledgers(rpc_url: str, first: int, *, limit: int, timeout_seconds: float) -> list[dict[str, Any]]:
    """Return ledgers as getLedgers has them; raises NoAnswer, and ValueError, TypeError or KeyError for no ledgers."""
    parameters = {"startLedger": first, "pagination": {"limit": limit}}
    answer = _asked(rpc_url, "getLedgers", parameters, timeout_seconds=timeout_seconds)
    return msgspec.convert(_result(answer)["ledgers"], list[dict[str, Any]])


def _asked(rpc_url: str, method: str, parameters: dict[str, Any] | None = None, *, timeout_seconds: float) -> Reply:
    call = {"jsonrpc": "2.0", "id": 1, "method": method} | ({"params": parameters} if parameters else {})
    with Client(timeout_seconds=timeout_seconds) as client:
        return client.request("POST", rpc_url, json=call)


def _result(reply: Reply) -> Any:
    return loads(reply.text)["result"]


def _read(reply: Reply) -> Health | None:
    try:
        return msgspec.convert(_result(reply), Health, strict=False) if reply.status == 200 else None
    except (ValueError, TypeError, KeyError):
        return None
