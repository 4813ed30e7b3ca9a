"""Simulation: an invocation run on a throw-away draft, to learn its footprint, authorisations, fee and answer."""

from collections.abc import Callable

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.execution import Engine, Invocation, InvocationFailed, Recorded
from streampay_sandbox.ledger.failures import describe
from streampay_sandbox.ledger.fees import (
    adjusted_instructions,
    adjusted_refundable_fee,
    adjusted_size,
    entry_bytes,
    event_fee,
    non_refundable_fee,
    rent_changes,
    rent_fee,
)
from streampay_sandbox.ledger.host import LedgerInfo
from streampay_sandbox.ledger.keys import Key
from streampay_sandbox.ledger.state import Draft, EntryReader, StateEntry
from streampay_sandbox.ledger.transactions import EnvelopeInvalid, Transaction, account_of, parse
from streampay_sandbox.ledger.values import contract_strkey

_SIGNATURE_ROOM_BYTES = 300
_ENVELOPE_ROOM_BYTES = 20 * 72 + 300
"""Simulation reckons with twenty signatures and every precondition."""

_Supported = xdr.OperationType.INVOKE_HOST_FUNCTION


class SimulationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be simulated. `auth_mode` is "", "enforce", "record" or "record_allow_nonroot"."""

    envelope_xdr: str
    auth_mode: str = ""
    upgraded_auth: bool = False
    extra_instructions: int = 0


class SimulationRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation that failed; `early` ones never ran. `event_log` is what older versions add to the error."""

    error: str
    event_log: str = ""
    diagnostics: tuple[xdr.DiagnosticEvent, ...] = ()
    early: bool = False


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """How one entry would change; None before or after means it would be created or deleted."""

    key: Key
    before: StateEntry | None
    after: StateEntry | None


class SimulationResult(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation that worked; the fee is in stroops."""

    value: xdr.SCVal
    auth: list[xdr.SorobanAuthorizationEntry]
    transaction_data: xdr.SorobanTransactionData
    min_resource_fee: int
    events: list[xdr.ContractEvent]
    changes: list[StateChange]


def simulate(
    request: SimulationRequest, reader: EntryReader, *, ledger: LedgerInfo, engine: Engine
) -> SimulationResult | SimulationRefused:
    """Run the request's invocation as if it were in `ledger`; nothing is changed and no account is needed."""
    try:
        transaction = parse(request.envelope_xdr, ledger.network_id)
    except EnvelopeInvalid as error:
        return SimulationRefused(error=f"Could not unmarshal transaction: {error}", early=True)
    unfit = _unfit(transaction, request)
    if unfit:
        return SimulationRefused(error=unfit, early=True)
    operation = transaction.operations[0]
    invoke = operation.body.invoke_host_function_op
    if invoke is None or invoke.host_function.invoke_contract is None:
        return SimulationRefused(error="only contract invocations are played by this ledger", early=True)
    source = transaction.source if operation.source_account is None else account_of(operation.source_account)
    draft = Draft(reader, ledger.sequence)
    invocation = Invocation(function=invoke.host_function, source=source, auth=invoke.auth, draft=draft, ledger=ledger)
    try:
        recorded = engine.record(invocation, auth_mode=request.auth_mode, address_v2=request.upgraded_auth)
    except InvocationFailed as failure:
        return _failed(failure)
    return _succeeded(request, transaction, draft, recorded, ledger.sequence)


def _unfit(transaction: Transaction, request: SimulationRequest) -> str:
    """Return why a transaction cannot be simulated, "" when it can."""
    checks: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: len(transaction.operations) != 1, "Transaction contains more than one operation"),
        (
            lambda: transaction.operations[0].body.type != _Supported,
            "Transaction contains unsupported operation type: only contract invocations are played by this ledger",
        ),
        (
            lambda: transaction.body.memo.type != xdr.MemoType.MEMO_NONE,
            "Transaction contains a memo. Soroban transactions do not support memos.",
        ),
        (
            lambda: request.auth_mode.startswith("record") and _carries_auth(transaction),
            "Transaction contains authorization entries that can not be recorded",
        ),
    )
    return next((reason for applies, reason in checks if applies()), "")


def _carries_auth(transaction: Transaction) -> bool:
    invoke = transaction.operations[0].body.invoke_host_function_op
    return invoke is not None and bool(invoke.auth)


def _failed(failure: InvocationFailed) -> SimulationRefused:
    what = describe(failure.error)
    contract = next((event.event.contract_id for event in failure.diagnostics), None)
    where = "" if contract is None else f"contract:{contract_strkey(contract.contract_id.hash)}, "
    log = f'   0: [Diagnostic Event] {where}topics:[error, {what}], data:"{failure.reason}"'
    return SimulationRefused(
        error=f"HostError: {what}",
        event_log=f"\n\nEvent log (newest first):\n{log}\n",
        diagnostics=failure.diagnostics,
    )


def _succeeded(
    request: SimulationRequest, transaction: Transaction, draft: Draft, recorded: Recorded, sequence: int
) -> SimulationResult:
    read = (*recorded.read_only, *recorded.read_write)
    resources = xdr.SorobanResources(
        footprint=recorded.footprint,
        instructions=xdr.Uint32(adjusted_instructions(recorded.instructions) + request.extra_instructions),
        disk_read_bytes=xdr.Uint32(sum(entry_bytes(draft.base.get(key)) for key in read if not key.durable)),
        write_bytes=xdr.Uint32(sum(entry_bytes(draft.get(key)) for key in recorded.read_write)),
    )
    data = xdr.SorobanTransactionData(xdr.SorobanTransactionDataExt(0), resources, xdr.Int64(0))
    size = (
        transaction.size
        + len(data.to_xdr_bytes())
        + sum(len(entry.to_xdr_bytes()) + _SIGNATURE_ROOM_BYTES for entry in recorded.auth)
        + _ENVELOPE_ROOM_BYTES
    )
    preimage = xdr.InvokeHostFunctionSuccessPreImage(recorded.value, recorded.events).to_xdr_bytes()
    refundable = event_fee(len(preimage)) + rent_fee(rent_changes(draft, draft.changes), sequence)
    fee = non_refundable_fee(resources, adjusted_size(size)) + adjusted_refundable_fee(refundable)
    return SimulationResult(
        value=recorded.value,
        auth=recorded.auth,
        transaction_data=xdr.SorobanTransactionData(data.ext, resources, xdr.Int64(fee)),
        min_resource_fee=fee,
        events=recorded.events,
        changes=_changes(draft),
    )


def _changes(draft: Draft) -> list[StateChange]:
    found = []
    for key, after in draft.changes.items():
        before = draft.base.get(key)
        if before is None or after is None or before.data is not after.data:
            found.append(StateChange(key=key, before=before, after=after))
    return found
