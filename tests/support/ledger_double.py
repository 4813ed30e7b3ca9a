"""A scripted Stellar RPC on a real loopback socket, and builders of the XDR it answers with."""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from stellar_sdk import Address, Keypair, StrKey, TransactionEnvelope, scval, xdr
from waits import HANG_SECONDS

from streampay_smoke.chain.ledger_time import Clock
from streampay_smoke.core.networks import ALLOWED, Pace

CONTRACT = StrKey.encode_contract(b"\x07" * 32)
START = 1_800_000_000

Kind = xdr.SCSpecType


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer as it is; `status` 0 hangs up without one, -1 never answers."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {}


class RpcError(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON-RPC error."""

    code: int
    message: str = "no"
    data: Any = None


Answer = Any
"""A result (dict), a Raw, an RpcError, or a function of the parameters that returns one of these."""


def spec_wasm(entries: list[xdr.SCSpecEntry]) -> bytes:
    def leb128(number: int) -> bytes:
        out = b""
        while number >= 0x80:
            out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
        return out + bytes([number])

    name = b"contractspecv0"
    content = bytes([len(name)]) + name + b"".join(entry.to_xdr_bytes() for entry in entries)
    return b"\0asm\x01\0\0\0" + b"\0" + leb128(len(content)) + content


def of_type(name: str) -> xdr.SCSpecTypeDef:
    outer, _, inner = name.partition("<")
    inner = inner[:-1]
    if outer == "option":
        return xdr.SCSpecTypeDef(Kind.SC_SPEC_TYPE_OPTION, option=xdr.SCSpecTypeOption(of_type(inner)))
    if outer == "vec":
        return xdr.SCSpecTypeDef(Kind.SC_SPEC_TYPE_VEC, vec=xdr.SCSpecTypeVec(of_type(inner)))
    if outer == "result":
        result = xdr.SCSpecTypeResult(of_type(inner), of_type("error"))
        return xdr.SCSpecTypeDef(Kind.SC_SPEC_TYPE_RESULT, result=result)
    if hasattr(Kind, f"SC_SPEC_TYPE_{name.upper()}"):
        return xdr.SCSpecTypeDef(getattr(Kind, f"SC_SPEC_TYPE_{name.upper()}"))
    return xdr.SCSpecTypeDef(Kind.SC_SPEC_TYPE_UDT, udt=xdr.SCSpecTypeUDT(name.encode()))


def function_entry(name: str, arguments: list[tuple[str, str]], returns: str = "") -> xdr.SCSpecEntry:
    inputs = [xdr.SCSpecFunctionInputV0(b"", argument.encode(), of_type(kind)) for argument, kind in arguments]
    function = xdr.SCSpecFunctionV0(b"", xdr.SCSymbol(name.encode()), inputs, [of_type(returns)] if returns else [])
    return xdr.SCSpecEntry(xdr.SCSpecEntryKind.SC_SPEC_ENTRY_FUNCTION_V0, function_v0=function)


def errors_entry(errors: dict[int, str]) -> xdr.SCSpecEntry:
    cases = [xdr.SCSpecUDTErrorEnumCaseV0(b"", name.encode(), xdr.Uint32(code)) for code, name in errors.items()]
    return xdr.SCSpecEntry(
        xdr.SCSpecEntryKind.SC_SPEC_ENTRY_UDT_ERROR_ENUM_V0,
        udt_error_enum_v0=xdr.SCSpecUDTErrorEnumV0(b"", b"", b"Error", cases),
    )


def struct_entry(name: str, fields: dict[str, str]) -> xdr.SCSpecEntry:
    of_fields = [xdr.SCSpecUDTStructFieldV0(b"", field.encode(), of_type(kind)) for field, kind in fields.items()]
    return xdr.SCSpecEntry(
        xdr.SCSpecEntryKind.SC_SPEC_ENTRY_UDT_STRUCT_V0,
        udt_struct_v0=xdr.SCSpecUDTStructV0(b"", b"", name.encode(), of_fields),
    )


def union_entry(name: str, cases: list[str]) -> xdr.SCSpecEntry:
    kinds = xdr.SCSpecUDTUnionCaseV0Kind
    first, *others = cases
    of_cases = [
        xdr.SCSpecUDTUnionCaseV0(
            kinds.SC_SPEC_UDT_UNION_CASE_TUPLE_V0,
            tuple_case=xdr.SCSpecUDTUnionCaseTupleV0(b"", first.encode(), [of_type("u32")]),
        ),
        *(
            xdr.SCSpecUDTUnionCaseV0(
                kinds.SC_SPEC_UDT_UNION_CASE_VOID_V0, void_case=xdr.SCSpecUDTUnionCaseVoidV0(b"", case.encode())
            )
            for case in others
        ),
    ]
    return xdr.SCSpecEntry(
        xdr.SCSpecEntryKind.SC_SPEC_ENTRY_UDT_UNION_V0,
        udt_union_v0=xdr.SCSpecUDTUnionV0(b"", b"", name.encode(), of_cases),
    )


def enum_entry(name: str, cases: list[str]) -> xdr.SCSpecEntry:
    of_cases = [xdr.SCSpecUDTEnumCaseV0(b"", case.encode(), xdr.Uint32(index)) for index, case in enumerate(cases)]
    return xdr.SCSpecEntry(
        xdr.SCSpecEntryKind.SC_SPEC_ENTRY_UDT_ENUM_V0,
        udt_enum_v0=xdr.SCSpecUDTEnumV0(b"", b"", name.encode(), of_cases),
    )


def contract_event(contract_id: str, topics: list[xdr.SCVal], data: xdr.SCVal) -> xdr.ContractEvent:
    return xdr.ContractEvent(
        ext=xdr.ExtensionPoint(0),
        contract_id=xdr.ContractID(xdr.Hash(StrKey.decode_contract(contract_id))) if contract_id else None,
        type=xdr.ContractEventType.CONTRACT,
        body=xdr.ContractEventBody(0, xdr.ContractEventV0(topics, data)),
    )


def said(*words: str) -> xdr.DiagnosticEvent:
    """A diagnostic of the host; "#3" stands for the contract's error 3."""
    parts = [
        xdr.SCVal(
            xdr.SCValType.SCV_ERROR,
            error=xdr.SCError(xdr.SCErrorType.SCE_CONTRACT, contract_code=xdr.Uint32(int(word[1:]))),
        )
        if word.startswith("#")
        else scval.to_string(word)
        for word in words
    ]
    event = contract_event("", [scval.to_symbol("error"), *parts], scval.to_void())
    return xdr.DiagnosticEvent(False, event)


def meta_v4(
    value: xdr.SCVal | None, events: list[xdr.ContractEvent], diagnostics: list[xdr.DiagnosticEvent]
) -> xdr.TransactionMeta:
    none = xdr.LedgerEntryChanges([])
    return xdr.TransactionMeta(
        4,
        v4=xdr.TransactionMetaV4(
            ext=xdr.ExtensionPoint(0),
            tx_changes_before=none,
            operations=[xdr.OperationMetaV2(xdr.ExtensionPoint(0), none, events)],
            tx_changes_after=none,
            soroban_meta=xdr.SorobanTransactionMetaV2(xdr.SorobanTransactionMetaExt(0), value),
            events=[],
            diagnostic_events=diagnostics,
        ),
    )


def meta_v3(value: xdr.SCVal, events: list[xdr.ContractEvent]) -> xdr.TransactionMeta:
    none = xdr.LedgerEntryChanges([])
    soroban = xdr.SorobanTransactionMeta(xdr.SorobanTransactionMetaExt(0), events, value, [])
    return xdr.TransactionMeta(
        3, v3=xdr.TransactionMetaV3(xdr.ExtensionPoint(0), none, [xdr.OperationMeta(none)], none, soroban)
    )


def result_of(code: str, operation: str = "", fee: int = 5_100) -> str:
    """A TransactionResult; `operation` is the code of its contract call."""
    codes = xdr.TransactionResultCode
    results = None
    if operation:
        call_code = xdr.InvokeHostFunctionResultCode[f"INVOKE_HOST_FUNCTION_{operation}"]
        call = xdr.InvokeHostFunctionResult(call_code, success=xdr.Hash(b"\0" * 32) if not call_code else None)
        inner = xdr.OperationResultTr(xdr.OperationType.INVOKE_HOST_FUNCTION, invoke_host_function_result=call)
        results = [xdr.OperationResult(xdr.OperationResultCode.opINNER, inner)]
    elif code in ("txSUCCESS", "txFAILED"):
        results = []
    return xdr.TransactionResult(
        xdr.Int64(fee),
        xdr.TransactionResultResult(codes[code], results=results),
        xdr.TransactionResultExt(0),
    ).to_xdr()


class ScriptedLedger:
    """Answers like an honest RPC of the sandbox network, except where `script` says otherwise.

    Scripted answers of a method are given once each, in order. `closes` ledgers close, `seconds` apart, each time a
    transaction is asked for that is not in one yet.
    """

    def __init__(self) -> None:
        self.passphrase = ALLOWED["sandbox"].passphrase
        self.network_id = ALLOWED["sandbox"].network_id
        self.ledger = 1_000
        self.closed_at = START
        self.seconds = 5
        self.sequences: dict[str, int] = {}
        self.balances: dict[str, int] = {}
        self.value: xdr.SCVal = scval.to_uint64(7)
        self.auth: list[xdr.SorobanAuthorizationEntry] = []
        self.events: list[xdr.ContractEvent] = []
        self.wasm: bytes | None = spec_wasm(
            [
                function_entry("open", [("who", "address"), ("amount", "i128")], "u64"),
                function_entry("ping", [], "u64"),
                errors_entry({3: "ContractPaused"}),
            ]
        )
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[TransactionEnvelope] = []
        self.closed: dict[str, dict[str, Any]] = {}
        self.friendbot: list[str] = []
        self.url = "http://ledger.test"
        self._scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)

    def script(self, method: str, *answers: Answer) -> None:
        self._scripts[method].extend(answers)

    def unused(self) -> dict[str, int]:
        return {method: len(answers) for method, answers in self._scripts.items() if answers}

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    def close_ledger(self) -> None:
        self.ledger += 1
        self.closed_at += self.seconds

    def close_with(self, tx_hash: str, **changes: Any) -> dict[str, Any]:
        """Put a transaction into a new ledger, successful unless `changes` say otherwise."""
        self.close_ledger()
        envelope = next(sent for sent in self.sent if sent.hash_hex() == tx_hash)
        account = envelope.transaction.source.account_id
        self.sequences[account] = envelope.transaction.sequence
        self.closed[tx_hash] = {
            "status": "SUCCESS",
            "envelopeXdr": envelope.to_xdr(),
            "resultXdr": result_of("txSUCCESS", "SUCCESS"),
            "resultMetaXdr": meta_v4(self.value, self.events, []).to_xdr(),
            "ledger": self.ledger,
            "createdAt": str(self.closed_at),
            "applicationOrder": 1,
            "feeBump": False,
        } | changes
        return self.closed[tx_hash]

    def fails(
        self, operation: str, *diagnostics: xdr.DiagnosticEvent, fee: int = 5_100
    ) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """A `getTransaction` answer: the transaction was closed as failed."""

        def answer(params: dict[str, Any]) -> dict[str, Any]:
            self.close_with(
                params["hash"],
                status="FAILED",
                resultXdr=result_of("txFAILED", operation, fee),
                resultMetaXdr=meta_v4(None, [], list(diagnostics)).to_xdr(),
            )
            return self.getTransaction(params)

        return answer

    def refuses(self, code: str, fee: int = 100, **more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """A `sendTransaction` answer: ERROR with this code; nothing was taken."""

        def answer(params: dict[str, Any]) -> dict[str, Any]:
            self.sent.append(TransactionEnvelope.from_xdr(params["transaction"], self.passphrase))
            return self._send_answer("ERROR", errorResultXdr=result_of(code, fee=fee), **more)

        return answer

    def says(self, status: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """A `sendTransaction` answer with this status; nothing is applied by it."""

        def answer(params: dict[str, Any]) -> dict[str, Any]:
            self.sent.append(TransactionEnvelope.from_xdr(params["transaction"], self.passphrase))
            return self._send_answer(status)

        return answer

    def not_found(self, params: dict[str, Any]) -> dict[str, Any]:
        """A `getTransaction` answer: not yet, one ledger later."""
        self.close_ledger()
        return {"status": "NOT_FOUND", "txHash": params["hash"], **self._range()}

    def takes_but(self, answer: Answer) -> Callable[[dict[str, Any]], Answer]:
        """A `sendTransaction` that arrives and is applied, but is answered with `answer`."""

        def take(params: dict[str, Any]) -> Answer:
            self.sendTransaction(params)
            return answer

        return take

    def getNetwork(self, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "friendbotUrl": f"{self.url}/wrong-friendbot",
            "passphrase": self.passphrase,
            "protocolVersion": 27,
        }

    def getHealth(self, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "status": "healthy",
            "latestLedger": self.ledger,
            "latestLedgerCloseTime": str(self.closed_at),
            "oldestLedger": 900,
            "oldestLedgerCloseTime": str(START - 500),
            "ledgerRetentionWindow": 120_960,
        }

    def getFeeStats(self, params: dict[str, Any]) -> dict[str, Any]:
        names = ["max", "min", "mode", *(f"p{n}" for n in (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99))]
        fees = dict.fromkeys(names, "300") | {"transactionCount": "10", "ledgerCount": 50}
        return {"sorobanInclusionFee": fees, "inclusionFee": fees, "latestLedger": self.ledger}

    def getLedgerEntries(self, params: dict[str, Any]) -> dict[str, Any]:
        entries = []
        for key in params["keys"]:
            data = self._entry(xdr.LedgerKey.from_xdr(key))
            if data is not None:
                entries.append({"key": key, "xdr": data.to_xdr(), "lastModifiedLedgerSeq": self.ledger})
        return {"entries": entries, "latestLedger": self.ledger}

    def simulateTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        empty = xdr.LedgerFootprint([], [])
        resources = xdr.SorobanResources(empty, xdr.Uint32(1_000), xdr.Uint32(0), xdr.Uint32(0))
        data = xdr.SorobanTransactionData(xdr.SorobanTransactionDataExt(0), resources, xdr.Int64(5_000))
        auth = [entry.to_xdr() for entry in self.auth]
        return {
            "transactionData": data.to_xdr(),
            "minResourceFee": "5000",
            "results": [{"auth": auth, "xdr": self.value.to_xdr()}],
            "events": [],
            "latestLedger": self.ledger,
        }

    def sendTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        envelope = TransactionEnvelope.from_xdr(params["transaction"], self.passphrase)
        known = any(sent.hash() == envelope.hash() for sent in self.sent)
        self.sent.append(envelope)
        return self._send_answer("DUPLICATE" if known else "PENDING")

    def getTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        tx_hash = params["hash"]
        if tx_hash not in self.closed and any(sent.hash_hex() == tx_hash for sent in self.sent):
            self.close_with(tx_hash)
        found = self.closed.get(tx_hash, {"status": "NOT_FOUND"})
        return {"txHash": tx_hash, **self._range(), **found}

    def _send_answer(self, status: str, **more: Any) -> dict[str, Any]:
        answer = {"status": status, "hash": self.sent[-1].hash_hex(), "latestLedger": self.ledger}
        return answer | {"latestLedgerCloseTime": str(self.closed_at)} | more

    def _range(self) -> dict[str, Any]:
        return {
            "latestLedger": self.ledger,
            "latestLedgerCloseTime": str(self.closed_at),
            "oldestLedger": 900,
            "oldestLedgerCloseTime": str(START - 500),
        }

    def _entry(self, key: xdr.LedgerKey) -> xdr.LedgerEntryData | None:
        if key.account is not None:
            address = Keypair.from_raw_ed25519_public_key(key.account.account_id.to_xdr_bytes()[4:]).public_key
            return self._account(address) if address in self.sequences else None
        if key.contract_code is not None:
            code = xdr.ContractCodeEntry(xdr.ContractCodeEntryExt(0), key.contract_code.hash, self.wasm or b"")
            return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=code)
        assert key.contract_data is not None
        address = Address.from_xdr_sc_address(key.contract_data.contract).address
        kinds = xdr.ContractExecutableType
        if address == CONTRACT and self.wasm is not None:
            executable = xdr.ContractExecutable(kinds.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(b"\x09" * 32))
        elif address != CONTRACT:
            executable = xdr.ContractExecutable(kinds.CONTRACT_EXECUTABLE_STELLAR_ASSET)
        else:
            return None
        instance = xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=xdr.SCContractInstance(executable, None))
        data = xdr.ContractDataEntry(
            xdr.ExtensionPoint(0),
            key.contract_data.contract,
            key.contract_data.key,
            key.contract_data.durability,
            instance,
        )
        return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data)

    def _account(self, address: str) -> xdr.LedgerEntryData:
        account = xdr.AccountEntry(
            account_id=Keypair.from_public_key(address).xdr_account_id(),
            balance=xdr.Int64(self.balances.get(address, 100_000_000_000)),
            seq_num=xdr.SequenceNumber(xdr.Int64(self.sequences[address])),
            num_sub_entries=xdr.Uint32(0),
            inflation_dest=None,
            flags=xdr.Uint32(0),
            home_domain=xdr.String32(b""),
            thresholds=xdr.Thresholds(b"\x01\0\0\0"),
            signers=[],
            ext=xdr.AccountEntryExt(0),
        )
        return xdr.LedgerEntryData(xdr.LedgerEntryType.ACCOUNT, account=account)

    def _answer(self, method: str, params: dict[str, Any]) -> Answer:
        scripted = self._scripts[method]
        answer = scripted.popleft() if scripted else getattr(self, method)
        return answer(params) if callable(answer) else answer

    def posted(self, request: dict[str, Any]) -> Raw:
        """Answer a JSON-RPC request."""
        params = request.get("params") or {}
        self.calls.append((request["method"], params))
        answer = self._answer(request["method"], params)
        if isinstance(answer, RpcError):
            error = {"code": answer.code, "message": answer.message}
            error |= {"data": answer.data} if answer.data is not None else {}
            return Raw(body=json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}))
        if isinstance(answer, dict):
            return Raw(body=json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": answer}))
        assert isinstance(answer, Raw)
        return answer

    def funded(self, address: str) -> Raw:
        """Answer friendbot's callers."""
        answer = self._fund(address)
        assert isinstance(answer, Raw)
        return answer

    def _fund(self, address: str) -> Answer:
        scripted = self._scripts["friendbot"]
        self.friendbot.append(address)
        if scripted:
            answer = scripted.popleft()
            return answer(address) if callable(answer) else answer
        self.sequences.setdefault(address, self.ledger << 32)
        return Raw(body=json.dumps({"successful": True, "hash": "0" * 64}))


class LedgerDouble(ScriptedLedger):
    """A scripted ledger that answers on a real socket."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._release = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._release.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                double.connections += 1

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                asked = urlsplit(self.path).path == "/friendbot"
                self._give(double.funded(query["addr"][0]) if asked else Raw(status=404))

            def do_POST(self) -> None:
                self._give(double.posted(json.loads(self.rfile.read(int(self.headers["content-length"])))))

            def _give(self, answer: Raw) -> None:
                if answer.status <= 0:
                    if answer.status < 0:
                        double._release.wait(HANG_SECONDS)
                    self.close_connection = True
                    return
                body = answer.body.encode()
                self.send_response(answer.status)
                for name, value in {"content-length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


class FakeTime:
    """A clock whose sleeps take no time but are remembered; the ledger's time is its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.wall_ahead = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: START + self.wall_ahead + self.now, steady=lambda: self.now, sleep=self.sleep)


PACE = Pace(first_poll=0.0, shortest=0.02, longest=0.25, valid=30, ledger_wait=6.0, retry=2.0)
