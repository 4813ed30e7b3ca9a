"""One write on the ledger: simulate, sign, send, follow."""

import threading

import msgspec
from stellar_sdk import Account, Address, Keypair, TransactionBuilder, TransactionEnvelope, xdr
from stellar_sdk.operation import InvokeHostFunction
from stellar_sdk.soroban_rpc import (
    GetTransactionResponse,
    GetTransactionStatus,
    SendTransactionResponse,
    SendTransactionStatus,
    SimulateTransactionResponse,
)

from streampay_smoke.chain.adapter import ChainUnavailable, HostFailure, TxOutcome, TxRejected, TxTimeout
from streampay_smoke.chain.charges import transaction_closed
from streampay_smoke.chain.codec import closed_transaction, diagnostics_text, rejection
from streampay_smoke.chain.guard import SpendCap, sign
from streampay_smoke.chain.ledger_time import LEDGERS_UNTIL_DROPPED
from streampay_smoke.chain.recovery import MIN_BASE_FEE, Repairs, SubmissionAttempt
from streampay_smoke.chain.refusals import (
    ContractCall,
    Setback,
    contract_error,
    failed_on_ledger,
    perhaps_applied,
    refused_on_entry,
)
from streampay_smoke.chain.rpc import LedgerRpc
from streampay_smoke.chain.sequences import Sequences
from streampay_smoke.chain.waiting import Waits
from streampay_smoke.core.networks import Network
from streampay_smoke.evidence.polling import PollResult as Look

RESOURCE_MARGIN = (115, 100)
"""How much more a second simulation's resources are allowed to cost: 15 %."""

_NOBODY = "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF"
"""The all-zero account: simulations need a source, but not one that exists."""


class Submitter:
    """Brings contract calls to a ledger, one at a time: two of one account in flight would block each other."""

    def __init__(self, rpc: LedgerRpc, *, network: Network, waits: Waits, spend_cap: SpendCap) -> None:
        self._rpc = rpc
        self._network = network
        self._waits = waits
        self._spend_cap = spend_cap
        self._sequences = Sequences(rpc, network.name)
        self._repairs = Repairs(rpc, self._sequences, waits)
        self._one_at_a_time = threading.Lock()

    def read(self, call: ContractCall) -> xdr.SCVal:
        """Return what `call` answers in simulation."""
        return self._result_of(self._simulated(call, _NOBODY))

    def know_sequence(self, address: str, sequence: int) -> None:
        """Remember an account's sequence number, so that its first transaction need not ask."""
        self._sequences.at_least(address, sequence)

    def submit(self, call: ContractCall, keypair: Keypair) -> TxOutcome:
        """Return the outcome of `call` signed by `keypair`, once a ledger closed with it; raises ChainErrors."""
        with self._one_at_a_time:
            attempt = SubmissionAttempt(call, keypair)
            while True:
                attempt.count += 1
                try:
                    outcome = self._try(attempt)
                except Setback as setback:
                    self._repairs.prepare(attempt, setback)
                else:
                    return msgspec.structs.replace(outcome, attempts=attempt.count)

    def _try(self, attempt: SubmissionAttempt) -> TxOutcome:
        if attempt.simulation is None:
            attempt.simulation = self._simulated(attempt.call, attempt.keypair.public_key)
        if attempt.envelope is None:
            attempt.envelope = self._signed(attempt, attempt.simulation)
        self._send(attempt, attempt.envelope)
        answer = self._follow(attempt)
        with self._rpc.decoding("getTransaction"):
            closed = closed_transaction(answer)
        self._waits.record(transaction_closed(closed.outcome, attempt.call))
        if not closed.code:
            return closed.outcome
        raise failed_on_ledger(attempt.call, closed.operation or closed.code, closed.diagnostics)

    def _simulated(self, call: ContractCall, source: str) -> SimulateTransactionResponse:
        answer = self._rpc.simulate(self._unsigned(call, Account(source, 0), MIN_BASE_FEE, valid_until=0))
        if answer.error is not None:
            raise contract_error(call, answer.error)
        self._result_of(answer)
        return answer

    def _result_of(self, answer: SimulateTransactionResponse) -> xdr.SCVal:
        with self._rpc.decoding("simulateTransaction"):
            assert answer.results is not None
            (result,) = answer.results
            return xdr.SCVal.from_xdr(result.xdr)

    def _unsigned(self, call: ContractCall, source: Account, base_fee: int, *, valid_until: int) -> TransactionEnvelope:
        return (
            TransactionBuilder(source, self._network.passphrase, base_fee)
            .append_invoke_contract_function_op(call.contract_id, call.function, call.arguments)
            .add_time_bounds(0, valid_until)
            .build()
        )

    def _signed(self, attempt: SubmissionAttempt, simulation: SimulateTransactionResponse) -> TransactionEnvelope:
        address = attempt.keypair.public_key
        attempt.valid_until = int(self._rpc.now()) + self._waits.pace.valid
        source = Account(address, self._sequences.last(address))
        envelope = self._rpc.assembled(
            self._unsigned(attempt.call, source, attempt.base_fee, valid_until=attempt.valid_until), simulation
        )
        if attempt.with_margin:
            _add_margin(envelope)
        _refuse_other_signers(envelope, address)
        with self._rpc.decoding(
            "simulateTransaction"
        ):  # its fees and resources may be numbers that no transaction can hold
            attempt.tx_hash = sign(envelope, attempt.keypair, self._network, self._spend_cap)
        attempt.sequence = source.sequence
        return envelope

    def _send(self, attempt: SubmissionAttempt, envelope: TransactionEnvelope) -> None:
        if attempt.perhaps_sent and self._look_up(attempt).status != GetTransactionStatus.NOT_FOUND:
            self._sequences.at_least(attempt.keypair.public_key, attempt.sequence)
            return
        try:
            answer = self._rpc.send(envelope)
        except ChainUnavailable as unanswered:
            # It may have arrived all the same: another envelope before this one is decided could pay twice.
            self._sequences.forget(attempt.keypair.public_key)
            raise Setback("unanswered", perhaps_applied(unanswered, attempt.tx_hash)) from None
        if answer.status in (SendTransactionStatus.PENDING, SendTransactionStatus.DUPLICATE):
            self._sequences.at_least(attempt.keypair.public_key, attempt.sequence)
        elif answer.status == SendTransactionStatus.TRY_AGAIN_LATER:
            raise Setback(
                "TRY_AGAIN_LATER",
                TxRejected(
                    f"the network kept putting off {attempt.call.function}: TRY_AGAIN_LATER",
                    code="TRY_AGAIN_LATER",
                    next_step="the network is full, or another run uses the same account: run again later",
                ),
            )
        elif not attempt.perhaps_sent:
            raise self._refused(attempt, answer)
        # A refusal of what may have arrived before proves nothing ("bad sequence" is also what the second copy of an
        # applied transaction gets): it is followed until the ledger has decided.

    def _refused(self, attempt: SubmissionAttempt, answer: SendTransactionResponse) -> Setback:
        with self._rpc.decoding("sendTransaction"):
            code, wanted_fee = rejection(answer.error_result_xdr)
            diagnostics = diagnostics_text(
                xdr.DiagnosticEvent.from_xdr(text) for text in answer.diagnostic_events_xdr or ()
            )
        return refused_on_entry(attempt.call.function, code, wanted_fee=wanted_fee, diagnostics=diagnostics)

    def _follow(self, attempt: SubmissionAttempt) -> GetTransactionResponse:
        """Return the answer of the ledger that closed the transaction; raises Setback("dropped"), TxTimeout.

        Asks until the ledger has moved past the time bounds for good, or this long after them by our own clock.
        """
        pace = self._waits.pace
        valid_for = max(0.0, attempt.valid_until - self._rpc.now())
        patience = valid_for + (LEDGERS_UNTIL_DROPPED + 1) * pace.ledger_wait
        late: list[int] = []  # the ledgers seen that closed after the time bounds

        def dropped(answer: GetTransactionResponse) -> bool:
            return bool(late) and answer.latest_ledger >= min(late) + LEDGERS_UNTIL_DROPPED

        def look() -> Look[GetTransactionResponse]:
            answer = self._look_up(attempt)
            if answer.latest_ledger_close_time > attempt.valid_until:
                late.append(answer.latest_ledger)
            return Look(
                met=answer.status != GetTransactionStatus.NOT_FOUND,
                value=answer,
                last=f"{answer.status.value} at ledger {answer.latest_ledger}",
                final=dropped(answer),
            )

        self._waits.clock.sleep(pace.first_poll)
        what = f"transaction {attempt.tx_hash[:8]} ({attempt.call.function}) is in a closed ledger"
        answer = self._waits.wait(what, look, within_seconds=patience, only_if_it_takes_long=False)
        if answer.status != GetTransactionStatus.NOT_FOUND:
            return answer
        self._sequences.forget(attempt.keypair.public_key)
        raise self._lost(attempt, dropped=dropped(answer))

    def _look_up(self, attempt: SubmissionAttempt) -> GetTransactionResponse:
        try:
            return self._rpc.transaction(attempt.tx_hash)
        except ChainUnavailable as unanswered:
            self._sequences.forget(attempt.keypair.public_key)
            raise perhaps_applied(unanswered, attempt.tx_hash) from None

    def _lost(self, attempt: SubmissionAttempt, *, dropped: bool) -> Exception:
        if not dropped:
            return TxTimeout(
                f"no ledger closed transaction {attempt.tx_hash} ({attempt.call.function}), and none closed after its "
                "time bounds either",
                tx_hash=attempt.tx_hash,
                next_step="the network stands still: look the transaction up before anything is repeated by hand",
            )
        return Setback(
            "dropped",
            TxTimeout(
                f"the network dropped transaction {attempt.tx_hash} ({attempt.call.function}): it was not applied",
                tx_hash=attempt.tx_hash,
                next_step="the network is congested or loses transactions: run again later",
            ),
        )


def _add_margin(envelope: TransactionEnvelope) -> None:
    more, of = RESOURCE_MARGIN
    data = envelope.transaction.soroban_data
    assert data is not None, "an assembled contract call"
    before = data.resource_fee.int64
    data.resource_fee = xdr.Int64(before * more // of)
    data.resources.instructions = xdr.Uint32(data.resources.instructions.uint32 * more // of)
    envelope.transaction.fee += data.resource_fee.int64 - before


def _refuse_other_signers(envelope: TransactionEnvelope, address: str) -> None:
    """Raise HostFailure when the call needs the authorisation of anybody but its source account."""
    operation = envelope.transaction.operations[0]
    assert isinstance(operation, InvokeHostFunction)
    for entry in operation.auth:
        if entry.credentials.type != xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT:
            named = entry.credentials.address or entry.credentials.address_v2
            who = Address.from_xdr_sc_address(named.address).address if named is not None else "somebody else"
            raise HostFailure(
                f"the call needs the authorisation of {who}, but {address} signs it",
                error="Auth, MissingSigner",
                next_step="let the account that the contract asks for sign",
            )
