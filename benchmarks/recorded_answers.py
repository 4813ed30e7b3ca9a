"""What the adapter makes of answers that real RPCs gave, recorded by other projects.

    python benchmarks/recorded_answers.py FOLDER...     one line a file, then each answer that was not read rightly

A folder may hold JSON files (answers, or objects that contain some at any depth) and Python tests (answers as dict
literals). Each answer is served by a loopback RPC and read through the adapter's own transport, SDK models and codec;
what comes out is compared with the answer's own JSON fields. Nothing is written, and no answer is kept.

Ends with 1 when an answer was read wrongly: other facts than it states, or an exception that the gate would not expect.
An answer that is refused as unusable is shown with the reason: recordings are also of old versions, and invented ones
that contradict themselves. Ledger headers are not asked for by the gate, and only counted.
"""

import ast
import base64
import contextlib
import itertools
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from stellar_sdk import Account, Keypair, StrKey, TransactionBuilder, TransactionEnvelope, scval, xdr

from streampay_smoke.chain.adapter import ChainError, ChainUnavailable
from streampay_smoke.chain.codec import closed_transaction, event_of, plain, rejection
from streampay_smoke.chain.ledger_time import Clock
from streampay_smoke.chain.refusals import ContractCall, contract_error
from streampay_smoke.chain.rpc import LedgerRpc
from streampay_smoke.chain.transport import RpcTransport
from streampay_smoke.chain.waiting import Waits
from streampay_smoke.core.networks import ALLOWED
from streampay_smoke.http.ledger_health import Health, ask_ledger_health, measured_seconds_per_ledger

CONTRACT = StrKey.encode_contract(bytes(32))
Json = dict[str, Any]


class Answer(NamedTuple):
    """A recorded answer: the file it is in, the method by its shape, and the body without its id."""

    file: Path
    method: str
    body: Json


class Reading(NamedTuple):
    """How an answer was read, one of `_WAYS`, and why."""

    how: str
    why: str = ""


_WAYS = {"right": "read rightly", "refused": "refused", "wrong": "wrong", "unasked": "of headers, never asked for"}

_HEALTH_FIELDS: frozenset[str] = frozenset(
    {
        "status",
        "latestLedger",
        "latestLedgerCloseTime",
        "oldestLedger",
        "oldestLedgerCloseTime",
        "ledgerRetentionWindow",
    }
)

# Which method an answer belongs to, by fields that no other has; the first that fits.
_SHAPES: Sequence[tuple[str, Callable[[Json], bool]]] = (
    ("getNetwork", lambda it: isinstance(it.get("passphrase"), str)),
    ("getVersionInfo", lambda it: isinstance(it.get("version"), str) and "protocolVersion" in it),
    ("getTransactions", lambda it: isinstance(it.get("transactions"), list) and _has_ledger(it)),
    ("getLedgers", lambda it: isinstance(it.get("ledgers"), list) and _has_ledger(it)),
    ("getFeeStats", lambda it: isinstance(it.get("sorobanInclusionFee"), dict) and _has_ledger(it)),
    ("getTransaction", lambda it: isinstance(it.get("txHash"), str) and isinstance(it.get("status"), str)),
    ("getTransaction", lambda it: isinstance(it.get("txHash"), str) and isinstance(it.get("resultMetaXdr"), str)),
    ("sendTransaction", lambda it: isinstance(it.get("hash"), str) and isinstance(it.get("status"), str)),
    ("simulateTransaction", lambda it: isinstance(it.get("transactionData"), str) and _has_ledger(it)),
    ("simulateTransaction", lambda it: isinstance(it.get("error"), str) and _has_ledger(it)),
    ("getEvents", lambda it: isinstance(it.get("events"), list) and _has_ledger(it)),
    ("getLedgerEntries", lambda it: "entries" in it and _has_ledger(it)),
    ("getLatestLedger", lambda it: "sequence" in it and isinstance(it.get("headerXdr"), str)),
    ("getLatestLedger", lambda it: isinstance(it.get("id"), str) and "sequence" in it),
    ("getHealth", lambda it: isinstance(it.get("status"), str) and set(it) <= _HEALTH_FIELDS),
)


def _has_ledger(it: Json) -> bool:
    return isinstance(it.get("latestLedger"), int | str)


def method_of(result: Json) -> str:
    """Return the method that such a result answers, "" for none."""
    return next((method for method, fits in _SHAPES if fits(result)), "")


def answers_of(file: Path) -> Iterator[Answer]:
    """Yield the answers of a file, whatever they are wrapped in."""
    if file.suffix == ".json":
        with contextlib.suppress(ValueError):
            yield from _answers_in(file, json.loads(file.read_text("utf-8")))
    elif file.suffix == ".py":
        for body in _bodies(ast.parse(file.read_text("utf-8"))):
            yield from _answers_in(file, body)


def _answers_in(file: Path, value: Any) -> Iterator[Answer]:
    if isinstance(value, list):
        for item in value:
            yield from _answers_in(file, item)
    elif isinstance(value, dict):
        if isinstance(value.get("error"), dict) and "jsonrpc" in value:
            yield Answer(file, "any", {"error": value["error"]})
        elif method := method_of(value):
            yield Answer(file, method, {"result": value})
        else:
            for item in value.values():
                yield from _answers_in(file, item)


def _bodies(tree: ast.AST) -> Iterator[Json]:
    """Yield the dict literals with a "jsonrpc", names in them replaced by what the same function gave them."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        known: dict[str, Any] = {}
        for statement in (node for node in ast.walk(function) if isinstance(node, ast.Assign)):
            target = statement.targets[0]
            with contextlib.suppress(ValueError, KeyError, TypeError):
                if isinstance(target, ast.Name):
                    known[target.id] = _literal(statement.value, known)
                    if isinstance(known[target.id], dict) and "jsonrpc" in known[target.id]:
                        yield known[target.id]


def _literal(node: ast.expr, known: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return dict(zip(keys, (_literal(value, known) for value in node.values), strict=True))
    if isinstance(node, ast.List):
        return [_literal(item, known) for item in node.elts]
    return known[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


class Server(ThreadingHTTPServer):
    """An RPC that gives the answer it was told to give, with the id of whoever asks."""

    body: Json

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **self.server.body}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def an_envelope() -> TransactionEnvelope:
    """Return some contract call."""
    source = Account(Keypair.random().public_key, 1)
    builder = TransactionBuilder(source, ALLOWED["testnet"].passphrase, 100)
    return builder.append_invoke_contract_function_op(CONTRACT, "f", [scval.to_void()]).add_time_bounds(0, 0).build()


class Reader:
    """Reads answers through the adapter: each method returns (what came out, what the answer states)."""

    def __init__(self, server: Server) -> None:
        clock = Clock(sleep=lambda seconds: None)
        self._server = server
        self._transport = RpcTransport(record=lambda event: None, clock=clock, retry_seconds=0.0)
        self._waits = Waits(ALLOWED["sandbox"].pace, clock, lambda event: None)

    def read(self, answer: Answer) -> Reading:
        """Serve an answer and read it."""
        self._server.body = answer.body
        self._rpc = LedgerRpc(self._server.url, self._transport, self._waits)  # one that has seen no newer ledger
        if answer.method == "any":
            return _refused(self._rpc.health)
        if answer.method == "getLatestLedger":
            return Reading("unasked")
        result = answer.body["result"]
        try:
            found, stated = getattr(self, _function_name(answer.method))(result)
        except ChainUnavailable as problem:
            cause = problem.__cause__
            return Reading("refused", f"{problem.cause}: {str(cause)[:160] if cause else problem}")
        except Exception as problem:  # noqa: BLE001 - whatever else it raises is what is looked for
            return Reading("wrong", f"{type(problem).__name__}: {str(problem)[:200]}")
        return Reading("right") if found == stated else Reading("wrong", f"read {found!r}, stated {stated!r}")

    def _get_network(self, it: Json) -> tuple[Any, Any]:
        found = self._rpc.network()
        stated = (it["passphrase"], int(it["protocolVersion"]), it.get("friendbotUrl") or "")
        return (found.passphrase, found.protocol_version, found.friendbot_url), stated

    def _get_version_info(self, it: Json) -> tuple[Any, Any]:
        return self._rpc.version(), it["version"]

    def _get_health(self, it: Json) -> tuple[Any, Any]:
        if "latestLedgerCloseTime" not in it:  # then another answer is asked for the time
            found = self._health_alone()
            return (found.status, found.latest_ledger), (it["status"], int(it["latestLedger"]))
        health = self._rpc.health()
        stated = (it["status"], int(it["latestLedger"]), int(it["oldestLedger"]), int(it["latestLedgerCloseTime"]))
        return (health.status, health.latest_ledger, health.oldest_ledger, health.closed_at), stated

    def _health_alone(self) -> Health:
        health = ask_ledger_health(self._server.url, timeout_seconds=5).health
        if health is None:
            raise ChainUnavailable("it states no ledger", cause="undecodable")
        return health

    def _get_fee_stats(self, it: Json) -> tuple[Any, Any]:
        return self._rpc.busy_base_fee(), int(it["sorobanInclusionFee"]["p90"])

    def _get_ledgers(self, it: Json) -> tuple[Any, Any]:
        times = [int(ledger["ledgerCloseTime"]) for ledger in it["ledgers"]]
        self._server.body = {"result": it | {"status": "healthy", "latestLedger": 10, "oldestLedger": 1}}
        pace = measured_seconds_per_ledger(self._server.url, timeout_seconds=5)
        gaps = sorted(after - before for before, after in itertools.pairwise(times))
        return pace is not None and gaps[0] <= pace <= gaps[-1] if gaps else pace, True if gaps else None

    def _get_transactions(self, it: Json) -> tuple[Any, Any]:
        readings = [self._get_transaction(each, window=it) for each in it["transactions"]]
        return [found for found, _ in readings], [stated for _, stated in readings]

    def _get_transaction(self, it: Json, window: Json | None = None) -> tuple[Any, Any]:
        result = _whole_transaction(it, window)
        self._server.body = {"result": result}
        answer = self._rpc.transaction(result["txHash"])
        if answer.status.value == "NOT_FOUND":
            return (answer.status.value, answer.latest_ledger), ("NOT_FOUND", int(result["latestLedger"]))
        with self._rpc.decoding("getTransaction"):
            closed = closed_transaction(answer)
        outcome = closed.outcome
        found = (outcome.tx_hash, outcome.status, outcome.ledger, outcome.closed_at, outcome.fee_charged_stroops)
        fee = int.from_bytes(base64.b64decode(result["resultXdr"])[:8], "big", signed=True)
        stated = (result["txHash"], result["status"], int(result["ledger"]), int(result["createdAt"]), fee)
        told = (result.get("events") or {}).get("contractEventsXdr")
        if told is not None and _has_meta_of_version_4(result):  # before it, recordings have others' events
            contract_events = [event for events in told or () for event in events or ()]
            return (*found, len(outcome.events)), (*stated, len(contract_events))
        return found, stated

    def _send_transaction(self, it: Json) -> tuple[Any, Any]:
        answer = self._rpc.send(an_envelope())
        if it.get("errorResultXdr"):
            with self._rpc.decoding("sendTransaction"):
                code, fee = rejection(it["errorResultXdr"])
            charged = int.from_bytes(base64.b64decode(it["errorResultXdr"])[:8], "big", signed=True)
            return (answer.status.value, answer.hash, bool(code), fee), (it["status"], it["hash"], True, charged)
        return (answer.status.value, answer.hash), (it["status"], it["hash"])

    def _simulate_transaction(self, it: Json) -> tuple[Any, Any]:
        envelope = an_envelope()
        answer = self._rpc.simulate(envelope)
        if it.get("error"):
            call = ContractCall(contract_id=CONTRACT, function="f", arguments=[], error_names={})
            error = contract_error(call, answer.error or "")
            host_speaks = "Error(" in it["error"]
            return isinstance(error, ChainUnavailable) != host_speaks, True
        if not it.get("results"):
            return answer.results, it.get("results")
        with self._rpc.decoding("simulateTransaction"):
            for each in answer.results or ():
                plain(xdr.SCVal.from_xdr(each.xdr))
        assembled = self._rpc.assembled(envelope, answer)
        data = assembled.transaction.soroban_data
        assert data is not None
        return (data.resource_fee.int64, answer.min_resource_fee), (_declared_fee(it), int(it["minResourceFee"]))

    def _get_events(self, it: Json) -> tuple[Any, Any]:
        page = self._rpc.events(start_ledger=1, cursor=None, filters=[], limit=10)
        with self._rpc.decoding("getEvents"):
            events = [event_of(info) for info in page.events]
        found = [(event.contract_id, event.tx_hash, event.ledger, len(event.topics)) for event in events]
        return found, [(e["contractId"], e["txHash"], int(e["ledger"]), len(e["topic"])) for e in it["events"]]

    def _get_ledger_entries(self, it: Json) -> tuple[Any, Any]:
        entries = it["entries"] or []
        with self._rpc.decoding("getLedgerEntries"):
            keys = {entry["key"]: xdr.LedgerKey.from_xdr(entry["key"]).account for entry in entries}
        addresses = {
            StrKey.encode_ed25519_public_key(key.account_id.account_id.ed25519.uint256)
            for key in keys.values()
            if key is not None and key.account_id.account_id.ed25519 is not None
        }
        if len(addresses) < len(keys):  # a contract's: read where its interface is looked for
            with self._rpc.decoding("getLedgerEntries"):
                return [xdr.LedgerEntryData.from_xdr(entry["xdr"]).to_xdr() for entry in entries], [
                    entry["xdr"] for entry in entries
                ]
        found = self._rpc.accounts(sorted(addresses) or [Keypair.random().public_key])
        balances = {address: entry.balance_stroops for address, entry in found.items()}
        # LedgerEntryData, an account's: type, key type and key, then the balance.
        stated = [int.from_bytes(base64.b64decode(entry["xdr"])[40:48], "big", signed=True) for entry in entries]
        return sorted(balances.values()), sorted(stated)


def _has_meta_of_version_4(result: Json) -> bool:
    """Return whether the meta is of the version that `events` was introduced with."""
    return base64.b64decode(result["resultMetaXdr"])[:4] == b"\0\0\0\4"


def _function_name(method: str) -> str:
    return "_" + "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method)


def _declared_fee(it: Json) -> int:
    """Return the resource fee that SorobanTransactionData ends with."""
    return int.from_bytes(base64.b64decode(it["transactionData"])[-8:], "big", signed=True)


def _whole_transaction(it: Json, window: Json | None) -> Json:
    """Return a transaction as getTransaction tells it, also where a page or a corpus tells a part of it."""
    result: Json = {
        "latestLedger": 2,
        "latestLedgerCloseTime": "2",
        "oldestLedger": 1,
        "oldestLedgerCloseTime": "1",
        "ledger": 1,
        "createdAt": "1",
        **it,
    }
    if window is not None:
        result |= {name: window[name] for name in ("latestLedger", "oldestLedger")}
    if "status" not in result:
        code = int.from_bytes(base64.b64decode(it["resultXdr"])[8:12], "big", signed=True)
        result["status"] = "SUCCESS" if code in (0, 1) else "FAILED"  # txSUCCESS, txFEE_BUMP_INNER_SUCCESS
    return result


def _refused(ask: Callable[[], object]) -> Reading:
    try:
        ask()
    except ChainError as problem:
        return Reading("right", str(problem)[:160])
    return Reading("wrong", "an error was read as an answer")


def main(folders: Sequence[str]) -> int:
    """Feed every recorded answer below the folders; 1 when one was read wrongly."""
    if not folders:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    reader, tallies, told = Reader(Server()), Counter[tuple[str, str]](), []
    for file in sorted(path for folder in folders for path in Path(folder).rglob("*") if path.is_file()):
        for answer in answers_of(file):
            reading = reader.read(answer)
            tallies[str(file), reading.how] += 1
            if reading.how in ("refused", "wrong"):
                told.append(f"{reading.how:<8} {file.name}  {answer.method}  {reading.why}")
    for name in dict.fromkeys(name for name, _ in tallies):
        print(f"{_counted({how: tallies[name, how] for how in _WAYS})}  {name}")
    print("\n".join(told))
    total = {how: sum(count for (_, its), count in tallies.items() if its == how) for how in _WAYS}
    print(_counted(total))
    return 1 if total["wrong"] or not any(total.values()) else 0


def _counted(counts: Mapping[str, int]) -> str:
    said = ", ".join(f"{count} {_WAYS[how]}" for how, count in counts.items() if count)
    return f"{sum(counts.values())} answers: {said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
