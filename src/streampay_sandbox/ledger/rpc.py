"""The methods of Stellar RPC, with its exact JSON types: which numbers travel as strings is part of the contract."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from stellar_sdk import xdr

from streampay_sandbox.ledger.book import RETENTION_LEDGERS, ClosedLedger, LedgerTransaction, toid
from streampay_sandbox.ledger.events import get_events
from streampay_sandbox.ledger.fees import BASE_FEE_STROOPS
from streampay_sandbox.ledger.keys import Key
from streampay_sandbox.ledger.node import Node, View
from streampay_sandbox.ledger.parameters import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Parameters,
    RpcError,
)
from streampay_sandbox.ledger.simulation import SimulationRefused, SimulationRequest, SimulationResult, StateChange
from streampay_sandbox.ledger.state import StateEntry
from streampay_sandbox.ledger.transactions import EnvelopeInvalid, parse

MAX_KEYS: Final = 200
MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
_AUTH_MODES: Final = ("", "enforce", "record", "record_allow_nonroot")
_NO_EXTENSION: Final = "AAAAAA=="
_PERCENTILES: Final = (
    "max",
    "min",
    "mode",
    "p10",
    "p20",
    "p30",
    "p40",
    "p50",
    "p60",
    "p70",
    "p80",
    "p90",
    "p95",
    "p99",
)
_FEE_WINDOW_LEDGERS: Final = 50

Result = dict[str, Any]


class Rpc:
    """Answers method calls out of a node."""

    def __init__(self, node: Node, *, passphrase: str, friendbot_url: Callable[[], str]) -> None:
        self._node = node
        self._version = node.version
        self._passphrase = passphrase
        self._friendbot_url = friendbot_url
        self._methods: Mapping[str, Callable[[Parameters], Result]] = {
            "getHealth": self._health,
            "getNetwork": self._network,
            "getLatestLedger": self._latest_ledger,
            "getVersionInfo": self._version_info,
            "getFeeStats": self._fee_stats,
            "getLedgerEntries": self._ledger_entries,
            "simulateTransaction": self._simulate,
            "sendTransaction": self._send,
            "getTransaction": self._transaction,
            "getTransactions": self._transactions,
            "getLedgers": self._ledgers,
            "getEvents": self._events,
        }

    @property
    def most_calls_in_batch(self) -> int | None:
        """How many calls a batch may have; None for any number."""
        return self._version.most_calls_in_batch

    def call(self, method: str, parameters: Mapping[str, Any]) -> Result:
        """Return a method's result as the faults leave it; raises RpcError."""
        handler = self._methods.get(method)
        if handler is None:
            raise RpcError(METHOD_NOT_FOUND, "method not found")
        read = Parameters(parameters)
        if read.text("xdrFormat", "base64") != "base64":
            raise RpcError(INVALID_PARAMS, "only the base64 xdrFormat is played by this ledger")
        with self._node.lock:
            return self._node.interference.answering(method, handler(read))

    def _health(self, _: Parameters) -> Result:
        view, oldest = self._node.view(), self._node.book.oldest
        told = {
            "status": "healthy",
            "latestLedger": view.latest.sequence,
            "oldestLedger": oldest.sequence,
            "ledgerRetentionWindow": RETENTION_LEDGERS,
        }
        if not self._version.health_tells_close_times:
            return told
        return told | {
            "latestLedgerCloseTime": str(view.latest.closed_at),
            "oldestLedgerCloseTime": str(oldest.closed_at),
        }

    def _network(self, _: Parameters) -> Result:
        return {
            "friendbotUrl": self._friendbot_url(),
            "passphrase": self._passphrase,
            "protocolVersion": self._version.protocol,
        }

    def _latest_ledger(self, _: Parameters) -> Result:
        latest = self._node.view().latest
        book = self._node.book
        return {
            "id": book.hash(latest.sequence).hex(),
            "protocolVersion": self._version.protocol,
            "sequence": latest.sequence,
            "closeTime": str(latest.closed_at),
            "headerXdr": book.header(latest.sequence).to_xdr(),
            "metadataXdr": book.close_meta(latest.sequence).to_xdr(),
        }

    def _version_info(self, _: Parameters) -> Result:
        return {
            "version": f"{self._version.rpc}-streampay-sandbox",
            "commitHash": "0" * 40,
            "buildTimestamp": "2026-11-23T00:00:00",
            "captiveCoreVersion": f"streampay-sandbox {self._version.core} (simulated)",
            "protocolVersion": self._version.protocol,
        }

    def _fee_stats(self, _: Parameters) -> Result:
        latest = self._node.view().latest
        ledgers = min(_FEE_WINDOW_LEDGERS, latest.sequence - self._node.book.oldest.sequence + 1)
        distribution = {name: str(BASE_FEE_STROOPS) for name in _PERCENTILES}
        window = range(latest.sequence - ledgers + 1, latest.sequence + 1)
        closed = [item for number in window for item in self._node.book.ledger(number).transactions]
        soroban = sum(1 for item in closed if item.transaction.soroban is not None)
        return {
            "sorobanInclusionFee": {**distribution, "transactionCount": str(soroban), "ledgerCount": ledgers},
            "inclusionFee": {**distribution, "transactionCount": str(len(closed) - soroban), "ledgerCount": ledgers},
            "latestLedger": latest.sequence,
        }

    def _ledger_entries(self, parameters: Parameters) -> Result:
        keys = parameters.items("keys")
        if len(keys) > MAX_KEYS:
            raise RpcError(INVALID_PARAMS, f"key count ({len(keys)}) exceeds maximum supported ({MAX_KEYS})")
        view = self._node.view()
        entries = []
        for encoded in keys:
            key = _ledger_key(encoded)
            entry = view.reader.get(key)
            if entry is not None and (entry.live_until is None or entry.live_until >= view.latest.sequence):
                entries.append(_entry_json(encoded, entry))
        return {"entries": entries, "latestLedger": view.latest.sequence}

    def _simulate(self, parameters: Parameters) -> Result:
        auth_mode = parameters.text("authMode", "")
        if auth_mode not in _AUTH_MODES:
            raise RpcError(INVALID_PARAMS, f"unsupported authMode {auth_mode}")
        request = SimulationRequest(
            envelope_xdr=parameters.text("transaction"),
            auth_mode=auth_mode,
            upgraded_auth=parameters.flag("useUpgradedAuth"),
            extra_instructions=parameters.inner("resourceConfig").whole("instructionLeeway", 0),
        )
        answer, latest = self._node.simulate(request)
        if isinstance(answer, SimulationRefused):
            return {
                "error": answer.error + (answer.event_log if self._version.errors_carry_event_log else ""),
                "events": [event.to_xdr() for event in answer.diagnostics],
                "latestLedger": 0 if answer.early else latest.sequence,
            }
        return _simulated_json(answer, latest)

    def _send(self, parameters: Parameters) -> Result:
        try:
            transaction = parse(parameters.text("transaction"), self._node.network_id)
        except EnvelopeInvalid as error:
            raise RpcError(INVALID_PARAMS, f"invalid_xdr: {error}") from error
        submission = self._node.send(transaction)
        latest = self._node.view().latest
        answer: Result = {
            "status": submission.status,
            "hash": submission.hash,
            "latestLedger": latest.sequence,
            "latestLedgerCloseTime": str(latest.closed_at),
        }
        if submission.error is not None:
            answer["errorResultXdr"] = submission.error.to_xdr()
        return answer

    def _transaction(self, parameters: Parameters) -> Result:
        hash_hex = parameters.text("hash").lower()
        if len(hash_hex) != 64 or any(digit not in "0123456789abcdef" for digit in hash_hex):
            raise RpcError(INVALID_PARAMS, f"unexpected hash length ({len(hash_hex)}) or digit")
        view, oldest = self._node.view(), self._node.book.oldest
        window: Result = {
            "latestLedger": view.latest.sequence,
            "latestLedgerCloseTime": str(view.latest.closed_at),
            "oldestLedger": oldest.sequence,
            "oldestLedgerCloseTime": str(oldest.closed_at),
            "txHash": hash_hex,
        }
        closed = self._node.book.transaction(hash_hex)
        if closed is None or closed.ledger > view.latest.sequence:
            return {**window, "status": "NOT_FOUND"}
        return {**window, **_transaction_json(closed), "createdAt": str(closed.closed_at)}

    def _transactions(self, parameters: Parameters) -> Result:
        view, after, limit = self._page(parameters)
        found: list[LedgerTransaction] = []
        for sequence in range(max(after >> 32, self._node.book.oldest.sequence), view.latest.sequence + 1):
            found += [item for item in self._node.book.ledger(sequence).transactions if item.toid > after]
            if len(found) >= limit:
                break
        found = found[:limit]
        oldest = self._node.book.oldest
        return {
            "transactions": [
                {**_transaction_json(closed), "txHash": closed.hash, "createdAt": closed.closed_at} for closed in found
            ],
            "latestLedger": view.latest.sequence,
            "latestLedgerCloseTimestamp": view.latest.closed_at,
            "oldestLedger": oldest.sequence,
            "oldestLedgerCloseTimestamp": oldest.closed_at,
            "cursor": str(found[-1].toid if found else toid(view.latest.sequence + 1) - 1),
        }

    def _ledgers(self, parameters: Parameters) -> Result:
        pagination = parameters.inner("pagination")
        view, limit = self._node.view(), _limit(pagination)
        book = self._node.book
        first = _cursor(pagination) + 1 if pagination.has("cursor") else self._start(parameters, view)
        sequences = range(first, min(first + limit, view.latest.sequence + 1))
        return {
            "ledgers": [
                {
                    "hash": book.hash(sequence).hex(),
                    "sequence": sequence,
                    "ledgerCloseTime": str(book.ledger(sequence).closed_at),
                    "headerXdr": book.history_entry(sequence).to_xdr(),
                    "metadataXdr": book.close_meta(sequence).to_xdr(),
                }
                for sequence in sequences
            ],
            "latestLedger": view.latest.sequence,
            "latestLedgerCloseTime": view.latest.closed_at,
            "oldestLedger": book.oldest.sequence,
            "oldestLedgerCloseTime": book.oldest.closed_at,
            "cursor": str(sequences[-1] if sequences else view.latest.sequence),
        }

    def _events(self, parameters: Parameters) -> Result:
        tells_success = self._version.events_tell_success
        return get_events(parameters, self._node.view(), self._node.book, tells_success=tells_success)

    def _page(self, parameters: Parameters) -> tuple[View, int, int]:
        pagination = parameters.inner("pagination")
        view, limit = self._node.view(), _limit(pagination)
        if pagination.has("cursor"):
            return view, _cursor(pagination), limit
        return view, toid(self._start(parameters, view)), limit

    def _start(self, parameters: Parameters, view: View) -> int:
        oldest, latest = self._node.book.oldest.sequence, view.latest.sequence
        start = parameters.whole("startLedger", 0)
        if not oldest <= start <= latest:
            raise RpcError(INVALID_REQUEST, f"start ledger must be between {oldest} and {latest}")
        return start


def _limit(pagination: Parameters) -> int:
    limit = pagination.whole("limit", DEFAULT_PAGE)
    if not 1 <= limit <= MAX_PAGE:
        raise RpcError(INVALID_REQUEST, f"limit must be between 1 and {MAX_PAGE}")
    return limit


def _cursor(pagination: Parameters) -> int:
    cursor = pagination.text("cursor")
    if not cursor.isdecimal():
        raise RpcError(INVALID_PARAMS, f"invalid cursor {cursor}")
    return int(cursor)


def _ledger_key(encoded: Any) -> Key:
    try:
        key = Key(xdr.LedgerKey.from_xdr(encoded))
    except Exception as error:  # the codec raises whatever its unpacker trips over
        raise RpcError(INVALID_PARAMS, f"cannot unmarshal key value {encoded}") from error
    if key.ledger_key.type == xdr.LedgerEntryType.TTL:
        raise RpcError(INVALID_PARAMS, "ledger ttl entries cannot be queried directly")
    return key


def _entry_json(encoded: str, entry: StateEntry) -> Result:
    found: Result = {
        "key": encoded,
        "xdr": entry.data.to_xdr(),
        "lastModifiedLedgerSeq": entry.last_modified,
        "extXdr": _NO_EXTENSION,
    }
    if entry.live_until is not None:
        found["liveUntilLedgerSeq"] = entry.live_until
    return found


def _simulated_json(simulated: SimulationResult, latest: ClosedLedger) -> Result:
    answer: Result = {
        "latestLedger": latest.sequence,
        "minResourceFee": str(simulated.min_resource_fee),
        "results": [{"auth": [entry.to_xdr() for entry in simulated.auth], "xdr": simulated.value.to_xdr()}],
        "transactionData": simulated.transaction_data.to_xdr(),
        "events": [xdr.DiagnosticEvent(True, event).to_xdr() for event in simulated.events],
    }
    if simulated.changes:
        answer["stateChanges"] = [_change_json(change) for change in simulated.changes]
    return answer


def _change_json(change: StateChange) -> Result:
    kinds = {(True, False): "deleted", (False, True): "created", (True, True): "updated"}
    found: Result = {
        "type": kinds[change.before is not None, change.after is not None],
        "key": change.key.ledger_key.to_xdr(),
    }
    if change.before is not None:
        found["before"] = change.before.ledger_entry().to_xdr()
    if change.after is not None:
        found["after"] = change.after.ledger_entry().to_xdr()
    return found


def _transaction_json(closed: LedgerTransaction) -> Result:
    applied = closed.applied
    return {
        "status": closed.status,
        "applicationOrder": closed.order,
        "feeBump": False,
        "envelopeXdr": closed.transaction.envelope_xdr,
        "resultXdr": closed.result_xdr,
        "resultMetaXdr": closed.meta_xdr,
        "diagnosticEventsXdr": [event.to_xdr() for event in applied.diagnostics],
        "events": {
            "transactionEventsXdr": [event.to_xdr() for event in applied.transaction_events],
            "contractEventsXdr": [[event.to_xdr() for event in events] for events in applied.operation_events],
        },
        "ledger": closed.ledger,
    }
