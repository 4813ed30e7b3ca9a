"""What each operation does to the ledger: accounts created, payments made, contracts invoked."""

import hashlib
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace
from stellar_sdk import xdr

from streampay_sandbox.ledger.execution import Engine, Invocation, InvocationFailed
from streampay_sandbox.ledger.fees import MOST_EVENT_BYTES, entry_bytes, event_fee, rent_changes, rent_fee
from streampay_sandbox.ledger.host import LedgerInfo, contract_event
from streampay_sandbox.ledger.keys import Key
from streampay_sandbox.ledger.state import (
    MINIMUM_BALANCE_STROOPS,
    Account,
    Draft,
    load_account,
    store_account,
)
from streampay_sandbox.ledger.transactions import Transaction, account_of
from streampay_sandbox.ledger.values import ADDRESS, I128, STRING, SYMBOL, account_strkey

Type = xdr.OperationType
InvokeCode = xdr.InvokeHostFunctionResultCode


class OperationFailed(Exception):
    """An operation did not do its work; the whole transaction is undone."""

    def __init__(self, result: xdr.OperationResult, diagnostics: list[xdr.DiagnosticEvent] | None = None) -> None:
        super().__init__(result.code.name)
        self.result = result
        self.diagnostics = diagnostics or []


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An operation that worked: what it returned and published, and the refundable fee in stroops it used up."""

    result: xdr.OperationResult
    events: list[xdr.ContractEvent] = []
    return_value: xdr.SCVal | None = None
    refundable_fee: int = 0
    rent_fee: int = 0


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Where an operation runs."""

    transaction: Transaction
    source: str
    draft: Draft
    ledger: LedgerInfo
    engine: Engine
    native_token: str


def apply_operation(operation: xdr.Operation, situation: Situation) -> Done:
    """Carry out one operation on the situation's draft; raises OperationFailed."""
    handler = _HANDLERS.get(operation.body.type)
    if handler is None:
        raise OperationFailed(xdr.OperationResult(xdr.OperationResultCode.opNOT_SUPPORTED))
    return handler(operation.body, situation)


def _create_account(body: xdr.OperationBody, situation: Situation) -> Done:
    operation = body.create_account_op
    assert operation is not None
    code = xdr.CreateAccountResultCode
    destination = account_strkey(_key_of(operation.destination))
    amount = operation.starting_balance.int64
    source = _source(situation)

    def outcome(what: xdr.CreateAccountResultCode) -> xdr.OperationResult:
        result = xdr.CreateAccountResult(what)
        return _inner(xdr.OperationResultTr(Type.CREATE_ACCOUNT, create_account_result=result))

    if amount < 0:
        raise OperationFailed(outcome(code.CREATE_ACCOUNT_MALFORMED))
    if load_account(situation.draft, destination) is not None:
        raise OperationFailed(outcome(code.CREATE_ACCOUNT_ALREADY_EXIST))
    if amount < MINIMUM_BALANCE_STROOPS:
        raise OperationFailed(outcome(code.CREATE_ACCOUNT_LOW_RESERVE))
    if source.available < amount:
        raise OperationFailed(outcome(code.CREATE_ACCOUNT_UNDERFUNDED))
    store_account(situation.draft, replace(source, balance=source.balance - amount))
    created = Account(address=destination, balance=amount, sequence=situation.ledger.sequence << 32)
    store_account(situation.draft, created)
    return Done(result=outcome(code.CREATE_ACCOUNT_SUCCESS), events=[_transfer(situation, destination, amount)])


def _payment(body: xdr.OperationBody, situation: Situation) -> Done:
    operation = body.payment_op
    assert operation is not None
    code = xdr.PaymentResultCode
    destination = account_of(operation.destination)
    amount = operation.amount.int64

    def outcome(what: xdr.PaymentResultCode) -> xdr.OperationResult:
        return _inner(xdr.OperationResultTr(Type.PAYMENT, payment_result=xdr.PaymentResult(what)))

    if amount <= 0:
        raise OperationFailed(outcome(code.PAYMENT_MALFORMED))
    if operation.asset.type != xdr.AssetType.ASSET_TYPE_NATIVE:
        raise OperationFailed(outcome(code.PAYMENT_SRC_NO_TRUST))
    source = _source(situation)
    if load_account(situation.draft, destination) is None:
        raise OperationFailed(outcome(code.PAYMENT_NO_DESTINATION))
    if source.available < amount:
        raise OperationFailed(outcome(code.PAYMENT_UNDERFUNDED))
    store_account(situation.draft, replace(source, balance=source.balance - amount))
    receiver = load_account(situation.draft, destination)
    assert receiver is not None
    store_account(situation.draft, replace(receiver, balance=receiver.balance + amount))
    return Done(result=outcome(code.PAYMENT_SUCCESS), events=[_transfer(situation, destination, amount)])


def _invoke(body: xdr.OperationBody, situation: Situation) -> Done:
    operation = body.invoke_host_function_op
    assert operation is not None
    soroban = situation.transaction.soroban
    if operation.host_function.invoke_contract is None or soroban is None:
        raise OperationFailed(xdr.OperationResult(xdr.OperationResultCode.opNOT_SUPPORTED))
    declared = soroban.resources
    before = set(situation.draft.changes)
    invocation = Invocation(
        function=operation.host_function,
        source=situation.source,
        auth=operation.auth,
        draft=situation.draft,
        ledger=situation.ledger,
    )
    try:
        executed = situation.engine.apply(invocation, declared)
    except InvocationFailed as failure:
        result = invoke_result(InvokeCode.INVOKE_HOST_FUNCTION_TRAPPED)
        raise OperationFailed(result, list(failure.diagnostics)) from failure
    preimage = xdr.InvokeHostFunctionSuccessPreImage(executed.value, executed.events).to_xdr_bytes()
    changed = situation.draft.changes.keys() - before
    writable = frozenset(map(Key, declared.footprint.read_write))
    written_bytes = sum(entry_bytes(situation.draft.get(key)) for key in changed & writable)
    if (
        executed.instructions > declared.instructions.uint32
        or written_bytes > declared.write_bytes.uint32
        or len(preimage) > MOST_EVENT_BYTES
    ):
        raise OperationFailed(invoke_result(InvokeCode.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED))
    rent = rent_fee(rent_changes(situation.draft, changed), situation.ledger.sequence)
    return Done(
        result=invoke_result(InvokeCode.INVOKE_HOST_FUNCTION_SUCCESS, hashlib.sha256(preimage).digest()),
        events=executed.events,
        return_value=executed.value,
        refundable_fee=event_fee(len(preimage)) + rent,
        rent_fee=rent,
    )


def invoke_result(code: xdr.InvokeHostFunctionResultCode, success: bytes | None = None) -> xdr.OperationResult:
    """Return the result of an invocation; `success` is the hash of its return value and events."""
    result = xdr.InvokeHostFunctionResult(code, success=None if success is None else xdr.Hash(success))
    return _inner(xdr.OperationResultTr(Type.INVOKE_HOST_FUNCTION, invoke_host_function_result=result))


def _inner(tr: xdr.OperationResultTr) -> xdr.OperationResult:
    return xdr.OperationResult(xdr.OperationResultCode.opINNER, tr)


def _source(situation: Situation) -> Account:
    account = load_account(situation.draft, situation.source)
    if account is None:
        raise OperationFailed(xdr.OperationResult(xdr.OperationResultCode.opNO_ACCOUNT))
    return account


def _key_of(account: xdr.AccountID) -> bytes:
    key = account.account_id.ed25519
    assert key is not None
    return key.uint256


def _transfer(situation: Situation, destination: str, amount: int) -> xdr.ContractEvent:
    """Return the event a classic payment leaves in the asset's contract, as CAP-67 has it."""
    topics = [
        SYMBOL.encode("transfer"),
        ADDRESS.encode(situation.source),
        ADDRESS.encode(destination),
        STRING.encode("native"),
    ]
    return contract_event(situation.native_token, topics, I128.encode(amount))


_HANDLERS: Mapping[xdr.OperationType, Callable[[xdr.OperationBody, Situation], Done]] = {
    Type.CREATE_ACCOUNT: _create_account,
    Type.PAYMENT: _payment,
    Type.INVOKE_HOST_FUNCTION: _invoke,
}
