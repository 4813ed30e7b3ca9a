"""A transaction in its ledger: fee taken, sequence number used up, operations carried out, the rest refunded."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace
from stellar_sdk import xdr

from streampay_sandbox.ledger.execution import Engine
from streampay_sandbox.ledger.fees import non_refundable_fee
from streampay_sandbox.ledger.host import LedgerInfo, contract_event
from streampay_sandbox.ledger.operations import (
    Done,
    InvokeCode,
    OperationFailed,
    Situation,
    apply_operation,
    invoke_result,
)
from streampay_sandbox.ledger.state import Account, Draft, LedgerState, SupplyBroken, load_account, store_account
from streampay_sandbox.ledger.transactions import Transaction, account_of
from streampay_sandbox.ledger.values import ADDRESS, I128, SYMBOL
from streampay_smoke.core.errors import SmokeError

Stage = xdr.TransactionEventStage
Code = xdr.TransactionResultCode


class AppliedTransaction(Struct, frozen=True, kw_only=True):
    """What a transaction left behind."""

    result: xdr.TransactionResult
    meta: xdr.TransactionMeta
    fee_changes: xdr.LedgerEntryChanges
    operation_events: tuple[tuple[xdr.ContractEvent, ...], ...]
    transaction_events: tuple[xdr.TransactionEvent, ...]
    diagnostics: tuple[xdr.DiagnosticEvent, ...]

    @property
    def succeeded(self) -> bool:
        """Whether its operations took effect."""
        return self.result.result.code == Code.txSUCCESS


class Rules(Struct, frozen=True, kw_only=True):
    """What is the same for every transaction of a ledger."""

    ledger: LedgerInfo
    engine: Engine
    native_token: str


class _Run:
    """The operations of one transaction, on a draft that only a complete success commits."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.results: list[xdr.OperationResult] = []
        self.done: list[Done] = []
        self.metas: list[xdr.OperationMetaV2] = []
        self.diagnostics: list[xdr.DiagnosticEvent] = []

    @property
    def succeeded(self) -> bool:
        return len(self.done) == len(self.results)


def apply_transaction(
    transaction: Transaction, state: LedgerState, rules: Rules, forced: xdr.OperationResult | None = None
) -> AppliedTransaction:
    """Apply a transaction to the state; the caller has made sure that the network takes it.

    `forced` makes its operations end with that result instead of running.
    """
    sequence = rules.ledger.sequence
    fee_changes = _update_source(
        transaction, state, sequence, lambda account: account.balance - transaction.charged_first
    )
    changes_before = _use_sequence_number(transaction, state, sequence)
    run = _run_operations(transaction, state, rules, forced)
    if run.succeeded:
        _commit(state, run.draft, 0)
    done = run.done if run.succeeded else []
    refund, charges = _refund(transaction, done)
    changes_after = _update_source(transaction, state, sequence, lambda account: account.balance + refund)
    events = _fee_events(transaction, rules.native_token, refund)
    meta = xdr.TransactionMetaV4(
        ext=xdr.ExtensionPoint(0),
        tx_changes_before=changes_before,
        operations=run.metas if run.succeeded else [],
        tx_changes_after=changes_after,
        soroban_meta=_soroban_meta(charges, done),
        events=events,
        diagnostic_events=run.diagnostics,
    )
    return AppliedTransaction(
        result=_result(run, transaction.charged_first - refund),
        meta=xdr.TransactionMeta(4, v4=meta),
        fee_changes=fee_changes,
        operation_events=tuple(tuple(outcome.events) for outcome in done),
        transaction_events=tuple(events),
        diagnostics=tuple(run.diagnostics),
    )


def _run_operations(
    transaction: Transaction, state: LedgerState, rules: Rules, forced: xdr.OperationResult | None
) -> _Run:
    run = _Run(Draft(state, rules.ledger.sequence))
    for operation in transaction.operations:
        source = transaction.source if operation.source_account is None else account_of(operation.source_account)
        step = Draft(run.draft, rules.ledger.sequence)
        situation = Situation(
            transaction=transaction,
            source=source,
            draft=step,
            ledger=rules.ledger,
            engine=rules.engine,
            native_token=rules.native_token,
        )
        try:
            if forced is not None:
                raise OperationFailed(forced)
            outcome = apply_operation(operation, situation)
            _within_refundable_budget(transaction, outcome)
        except OperationFailed as failure:
            run.results.append(failure.result)
            run.diagnostics.extend(failure.diagnostics)
            continue  # stellar-core runs the rest too, so that every operation has a result
        run.results.append(outcome.result)
        run.done.append(outcome)
        run.metas.append(xdr.OperationMetaV2(xdr.ExtensionPoint(0), step.entry_changes(), outcome.events))
        run.draft.changes.update(step.changes)
    return run


def _update_source(
    transaction: Transaction, state: LedgerState, sequence: int, balance: Callable[[Account], int]
) -> xdr.LedgerEntryChanges:
    """Set the fee source's balance, the difference going to or coming from the fee pool; return the changes."""
    draft = Draft(state, sequence)
    account = _source(transaction, state)
    new_balance = balance(account)
    if new_balance != account.balance:
        store_account(draft, replace(account, balance=new_balance))
    changes = draft.entry_changes()
    _commit(state, draft, account.balance - new_balance)
    return changes


def _use_sequence_number(transaction: Transaction, state: LedgerState, sequence: int) -> xdr.LedgerEntryChanges:
    draft = Draft(state, sequence)
    store_account(draft, replace(_source(transaction, state), sequence=transaction.sequence))
    changes = draft.entry_changes()
    _commit(state, draft, 0)
    return changes


def _source(transaction: Transaction, state: LedgerState) -> Account:
    account = load_account(state, transaction.source)
    if account is None:
        raise SmokeError(f"the source {transaction.source} of an accepted transaction does not exist")
    return account


def _within_refundable_budget(transaction: Transaction, outcome: Done) -> None:
    if transaction.soroban is None:
        return
    budget = transaction.resource_fee - non_refundable_fee(transaction.soroban.resources, transaction.size)
    if outcome.refundable_fee > budget:
        raise OperationFailed(invoke_result(InvokeCode.INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE))


def _refund(transaction: Transaction, done: list[Done]) -> tuple[int, xdr.SorobanTransactionMetaExtV1 | None]:
    """Return what is given back in stroops, and the breakdown of what was kept."""
    if transaction.soroban is None:
        return 0, None
    fixed = non_refundable_fee(transaction.soroban.resources, transaction.size)
    used = sum(outcome.refundable_fee for outcome in done)
    rent = sum(outcome.rent_fee for outcome in done)
    charges = xdr.SorobanTransactionMetaExtV1(xdr.ExtensionPoint(0), xdr.Int64(fixed), xdr.Int64(used), xdr.Int64(rent))
    return transaction.resource_fee - fixed - used, charges


def _commit(state: LedgerState, draft: Draft, burnt: int) -> None:
    """Write the draft; `burnt` stroops move to the fee pool. Raises SupplyBroken if coins would appear or vanish."""
    if draft.native_delta() != -burnt:
        raise SupplyBroken(f"a change of {draft.native_delta()} stroops where {-burnt} are due")
    state.fee_pool += burnt
    state.write(draft.changes)


def _fee_events(transaction: Transaction, native_token: str, refund: int) -> list[xdr.TransactionEvent]:
    """Return the fee as it was first charged, and the refund as a negative fee."""
    amounts = [(Stage.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS, transaction.charged_first)]
    if refund:
        amounts.append((Stage.TRANSACTION_EVENT_STAGE_AFTER_TX, -refund))
    topics = [SYMBOL.encode("fee"), ADDRESS.encode(transaction.source)]
    return [
        xdr.TransactionEvent(stage, contract_event(native_token, topics, I128.encode(amount)))
        for stage, amount in amounts
    ]


def _soroban_meta(
    charges: xdr.SorobanTransactionMetaExtV1 | None, done: list[Done]
) -> xdr.SorobanTransactionMetaV2 | None:
    if charges is None:
        return None
    value = done[0].return_value if done else None
    return xdr.SorobanTransactionMetaV2(xdr.SorobanTransactionMetaExt(1, charges), value)


def _result(run: _Run, charged: int) -> xdr.TransactionResult:
    code = Code.txSUCCESS if run.succeeded else Code.txFAILED
    return xdr.TransactionResult(
        xdr.Int64(charged), xdr.TransactionResultResult(code, results=run.results), xdr.TransactionResultExt(0)
    )
