"""From XDR to plain Python and back: values, interfaces, events and closed transactions.

Plain means int, str, bytes, bool, None, list and dict; addresses are their G... or C... text, errors are spelled as
the host spells them ("Error(Contract, #3)").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import xdrlib3
from stellar_sdk import Address, StrKey, scval, xdr
from stellar_sdk.sep.contract_spec import ContractSpec
from stellar_sdk.soroban_rpc import EventInfo, GetTransactionResponse, GetTransactionStatus

from streampay_smoke.chain.adapter import (
    ChainUnavailable,
    ContractEvent,
    ContractInterface,
    FunctionInterface,
    InterfaceDrift,
    TxOutcome,
)
from streampay_smoke.chain.versions import decoding_problem, installed_sdk

_Value = TypeVar("_Value")


@contextmanager
def decoding(what: str, *, network_protocol: int) -> Iterator[None]:
    """Turn whatever the SDK raises on an answer it cannot read into ChainUnavailable, which names both protocols.

    `network_protocol` is 0 where the network has not been asked.
    """
    try:
        yield
    except (ValueError, TypeError, AssertionError, AttributeError, KeyError, EOFError, xdrlib3.Error) as problem:
        versions, next_step = decoding_problem(network_protocol, installed_sdk())
        raise ChainUnavailable(
            f"the ledger's answer to {what} cannot be read: {type(problem).__name__}; {versions}",
            cause="undecodable",
            next_step=next_step,
        ) from problem


def plain(value: xdr.SCVal) -> Any:
    """Return a contract value as plain Python."""
    if value.type == xdr.SCValType.SCV_ERROR and value.error is not None:
        return _error_text(value.error)
    if value.type == xdr.SCValType.SCV_VEC and value.vec is not None:
        return [plain(item) for item in value.vec.sc_vec]
    if value.type == xdr.SCValType.SCV_MAP and value.map is not None:
        return {_key(plain(entry.key)): plain(entry.val) for entry in value.map.sc_map}
    native = scval.to_native(value)
    if isinstance(native, Address):
        return native.address
    return value.to_xdr() if isinstance(native, xdr.SCVal) else native


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else str(value) if isinstance(value, dict) else value


_ERROR_TYPES = {
    "WASM_VM": "WasmVm",
    **{name.upper(): name for name in ("Context", "Storage", "Object", "Crypto", "Events", "Budget", "Value", "Auth")},
}


def _error_text(error: xdr.SCError) -> str:
    if error.contract_code is not None:
        return f"Error(Contract, #{error.contract_code.uint32})"
    kind = _ERROR_TYPES[error.type.name.removeprefix("SCE_")]
    code = "" if error.code is None else error.code.name.removeprefix("SCEC_").title().replace("_", "")
    return f"Error({kind}, {code})"


_ENCODERS: Mapping[str, Callable[[Any], xdr.SCVal]] = {
    "address": scval.to_address,
    "bool": scval.to_bool,
    "bytes": scval.to_bytes,
    "duration": scval.to_duration,
    "i32": scval.to_int32,
    "i64": scval.to_int64,
    "i128": scval.to_int128,
    "muxed_address": scval.to_address,
    "string": scval.to_string,
    "symbol": scval.to_symbol,
    "timepoint": scval.to_timepoint,
    "u32": scval.to_uint32,
    "u64": scval.to_uint64,
    "u128": scval.to_uint128,
}


def encoded(type_name: str, value: Any) -> xdr.SCVal:
    """Return `value` as the contract type called `type_name`; raises InterfaceDrift for types nobody here sends."""
    if isinstance(value, xdr.SCVal):
        return value
    if type_name in _ENCODERS:
        return _ENCODERS[type_name](value)
    outer, _, rest = type_name.partition("<")
    if outer == "option":
        return scval.to_void() if value is None else encoded(rest[:-1], value)
    if outer == "vec":
        return scval.to_vec([encoded(rest[:-1], item) for item in value])
    raise InterfaceDrift(
        f"the contract wants an argument of type {type_name}, which this suite does not send",
        next_step="compare the contract's interface with its profile (core/contract_profiles.py)",
    )


def encoded_arguments(function: str, interface: ContractInterface, args: tuple[Any, ...]) -> list[xdr.SCVal]:
    """Return `args` encoded for `function`; raises InterfaceDrift when the contract wants others."""
    found = interface.functions.get(function)
    if found is None:
        raise InterfaceDrift(
            f"the contract has no function {function}; it has {', '.join(sorted(interface.functions)) or 'none'}",
            next_step="check SMOKE_CONTRACT_ID and SMOKE_CONTRACT_PROFILE",
        )
    if len(found.arguments) != len(args):
        raise InterfaceDrift(
            f"{function} takes {len(found.arguments)} arguments on chain, not {len(args)}",
            next_step="check SMOKE_CONTRACT_PROFILE: the contract's interface is another one",
        )
    return [encoded(type_name, value) for (_, type_name), value in zip(found.arguments, args, strict=True)]


def interface_of(spec: ContractSpec) -> ContractInterface:
    """Return a contract's spec in plain words."""
    enums = {_text(enum.name): tuple(_text(case.name) for case in enum.cases) for enum in spec.enums}
    unions = {_text(union.name): tuple(_case_name(case) for case in union.cases) for union in spec.unions}
    return ContractInterface(
        functions={
            _text(function.name.sc_symbol): FunctionInterface(
                arguments=tuple((_text(argument.name), type_name(argument.type)) for argument in function.inputs),
                returns=type_name(function.outputs[0]) if function.outputs else "void",
            )
            for function in spec.functions
        },
        structs={
            _text(struct.name): {_text(field.name): type_name(field.type) for field in struct.fields}
            for struct in spec.structs
        },
        enums=enums | unions,
        errors={case.value.uint32: _text(case.name) for enum in spec.error_enums for case in enum.cases},
    )


def type_name(kind: xdr.SCSpecTypeDef) -> str:
    """Return a spec type as text, such as "i128", "option<u64>" or the name of a struct."""
    if kind.udt is not None:
        return _text(kind.udt.name)
    if kind.option is not None:
        return f"option<{type_name(kind.option.value_type)}>"
    if kind.vec is not None:
        return f"vec<{type_name(kind.vec.element_type)}>"
    if kind.result is not None:
        return f"result<{type_name(kind.result.ok_type)}>"
    return kind.type.name.removeprefix("SC_SPEC_TYPE_").lower()


def _case_name(case: xdr.SCSpecUDTUnionCaseV0) -> str:
    found = case.void_case or case.tuple_case
    return "" if found is None else _text(found.name)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


_ADDRESS, _AMOUNT = "address", "i128"

ASSET_CONTRACT = ContractInterface(
    functions={
        name: FunctionInterface(arguments=arguments, returns=returns)
        for name, arguments, returns in (
            ("balance", (("id", _ADDRESS),), _AMOUNT),
            ("decimals", (), "u32"),
            ("name", (), "string"),
            ("symbol", (), "string"),
            ("transfer", (("from", _ADDRESS), ("to", _ADDRESS), ("amount", _AMOUNT)), "void"),
        )
    },
    structs={},
    enums={},
    errors={
        1: "InternalError",
        2: "OperationNotSupportedError",
        3: "AlreadyInitializedError",
        6: "AccountMissingError",
        8: "NegativeAmountError",
        9: "AllowanceError",
        10: "BalanceError",
        11: "BalanceDeauthorizedError",
        12: "OverflowError",
        13: "TrustlineMissingError",
    },
)
"""The part of the Stellar Asset Contract this suite calls: it is built in and has no spec on chain (CAP-46-06)."""


def event_of(info: EventInfo) -> ContractEvent:
    """Return one event of a `getEvents` answer."""
    return ContractEvent(
        contract_id=info.contract_id,
        topics=tuple(plain(xdr.SCVal.from_xdr(topic)) for topic in info.topic),
        data=plain(xdr.SCVal.from_xdr(info.value)),
        tx_hash=info.transaction_hash,
        ledger=info.ledger,
        closed_at=int(info.ledger_close_at.timestamp()),
    )


class ClosedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A closed transaction with what its failure looks like: "" for success, a result code's name otherwise.

    `operation` is the code of its only contract call, `diagnostics` everything the host said.
    """

    outcome: TxOutcome
    code: str
    operation: str
    diagnostics: str


def closed_transaction(response: GetTransactionResponse) -> ClosedTransaction:
    """Decode a `getTransaction` answer of any status but NOT_FOUND; to be called inside `decoding`."""
    contract_id, function = _invocation(xdr.TransactionEnvelope.from_xdr(_there(response.envelope_xdr)))
    result = xdr.TransactionResult.from_xdr(_there(response.result_xdr))
    value, events, diagnostics = _of_meta(xdr.TransactionMeta.from_xdr(_there(response.result_meta_xdr)))
    diagnostics += [xdr.DiagnosticEvent.from_xdr(text) for text in response.diagnostic_events_xdr or ()]
    code, operation = _codes(result)
    if (response.status == GetTransactionStatus.SUCCESS) != (not code):
        raise ValueError("status and result contradict each other")
    ledger, closed_at = _there(response.ledger), _there(response.create_at)
    return ClosedTransaction(
        outcome=TxOutcome(
            tx_hash=response.transaction_hash,
            status=response.status.value,
            ledger=ledger,
            closed_at=closed_at,
            contract_id=contract_id,
            function=function,
            value=None if value is None else plain(value),
            events=tuple(_contract_events(events, response.transaction_hash, ledger, closed_at)),
            fee_charged_stroops=result.fee_charged.int64,
        ),
        code=code,
        operation=operation,
        diagnostics=diagnostics_text(diagnostics),
    )


def diagnostics_text(events: Iterable[xdr.DiagnosticEvent]) -> str:
    """Return what the host said, oldest first, as text to search for errors."""
    return "\n".join(
        " ".join(str(plain(part)) for part in (*event.event.body.v0.topics, event.event.body.v0.data))
        for event in events
        if event.event.body.v0 is not None
    )


def rejection(result_xdr: str | None) -> tuple[str, int]:
    """Return the code's name and the fee of a refused transaction's result ("txBAD_SEQ", 100), inside `decoding`."""
    result = xdr.TransactionResult.from_xdr(_there(result_xdr))
    code, operation = _codes(result)
    return operation or code, result.fee_charged.int64


def _there(value: _Value | None) -> _Value:
    if value is None:
        raise ValueError("a field is missing")
    return value


def _invocation(envelope: xdr.TransactionEnvelope) -> tuple[str, str]:
    """Return contract id and function of the first contract call, also inside a fee bump; "" where there is none."""
    if envelope.fee_bump is not None:
        inner = envelope.fee_bump.tx.inner_tx.v1
        operations = inner.tx.operations if inner is not None else []
    else:
        wrapped = envelope.v1 or envelope.v0
        operations = wrapped.tx.operations if wrapped is not None else []
    for operation in operations:
        body = operation.body.invoke_host_function_op
        call = body.host_function.invoke_contract if body is not None else None
        if call is not None:
            return Address.from_xdr_sc_address(call.contract_address).address, _text(call.function_name.sc_symbol)
    return "", ""


def _of_meta(
    meta: xdr.TransactionMeta,
) -> tuple[xdr.SCVal | None, list[xdr.ContractEvent], list[xdr.DiagnosticEvent]]:
    """Return value, events and diagnostics; protocol 23 moved them from version 3 of the meta to version 4."""
    if meta.v4 is not None:
        value = meta.v4.soroban_meta.return_value if meta.v4.soroban_meta is not None else None
        events = [event for operation in meta.v4.operations for event in operation.events]
        return value, events, list(meta.v4.diagnostic_events)
    if meta.v3 is not None and meta.v3.soroban_meta is not None:
        soroban = meta.v3.soroban_meta
        return soroban.return_value, list(soroban.events), list(soroban.diagnostic_events)
    return None, [], []


def _contract_events(
    events: Iterable[xdr.ContractEvent], tx_hash: str, ledger: int, closed_at: int
) -> Iterator[ContractEvent]:
    for event in events:
        if event.type != xdr.ContractEventType.CONTRACT or event.body.v0 is None:
            continue
        yield ContractEvent(
            contract_id="" if event.contract_id is None else StrKey.encode_contract(event.contract_id.to_xdr_bytes()),
            topics=tuple(plain(topic) for topic in event.body.v0.topics),
            data=plain(event.body.v0.data),
            tx_hash=tx_hash,
            ledger=ledger,
            closed_at=closed_at,
        )


def _codes(result: xdr.TransactionResult) -> tuple[str, str]:
    """Return the names of the transaction's code and of its contract call's code, "" for success or where absent."""
    code, operations = result.result.code, result.result.results or []
    pair = result.result.inner_result_pair
    if pair is not None:
        code, operations = pair.result.result.code, pair.result.result.results or []
    if code == xdr.TransactionResultCode.txSUCCESS:
        return "", ""
    for operation in operations:
        invoked = operation.tr.invoke_host_function_result if operation.tr is not None else None
        if invoked is not None:
            return code.name, invoked.code.name.removeprefix("INVOKE_HOST_FUNCTION_")
    return code.name, ""
