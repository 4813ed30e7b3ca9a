"""The ways a ledger can go wrong, as data: a new fault is one entry of `FAULTS`."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace
from stellar_sdk import Network, xdr

from streampay_sandbox.fault import Fault, Severity, Truth
from streampay_sandbox.ledger import early_contract
from streampay_sandbox.ledger.cadence import Cadence, FixedInterval, Stalled
from streampay_sandbox.ledger.contracts import ContractModel
from streampay_sandbox.ledger.fees import MOST_INSTRUCTIONS
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.operations import InvokeCode, invoke_result
from streampay_sandbox.ledger.stream_contract import (
    Payout,
    pay_less,
    pay_more,
    pay_recipient,
    pay_somebody_else,
    pay_twice,
    stream_contract,
)
from streampay_sandbox.ledger.transactions import Submission, Transaction, is_soroban, rejection
from streampay_smoke.core.errors import SettingsInvalid

Answer = TypeVar("Answer")
HANG_SECONDS: Final = 30.0
SLOW_CLOSE_SECONDS: Final = 15.0
LAG_LEDGERS: Final = 3
TRY_AGAIN_TIMES: Final = 2
SURGE_FEE_STROOPS: Final = 5_000
ESCROW_FLOAT_STROOPS: Final = 1_000_000 * 10_000_000
OLD_NETWORK_LEDGER: Final = 3_730_763
UNKNOWN_NETWORK: Final = "A Network Nobody Vouched For ; November 2026"

RPC: Final = "rpc"
FRIENDBOT: Final = "friendbot"


class WireCall(msgspec.Struct, frozen=True, kw_only=True):
    """A request before it is answered: `to` is "rpc" or "friendbot"; `stopping` is set when the server goes away."""

    to: str
    stopping: threading.Event


class WireAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in place of the ledger's own."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = {}


class GenesisPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger is born with at the expected contract id; `escrow_float` is other people's money in it.

    `withdrawal` is how the contract of `streampay-contracts-v0.2`, which is deployed beside it, pays. `owner` names
    the key pair that initialised the contract, "" where nobody has; `first_ledger` is the number the network has
    reached when the sandbox opens.
    """

    contract: ContractModel | None
    paused: bool = False
    owner: str = "admin"
    escrow_float: int = 0
    withdrawal: Payout = pay_recipient
    first_ledger: int = 1


def _nothing(_: object) -> None:
    return None


def _same(value: Any) -> Any:
    return value


def _as_is(_method: str, result: dict[str, Any]) -> dict[str, Any]:
    return result


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fault reaches in; each default leaves the ledger alone.

    `wire` answers a request instead of the ledger, `sending` a submitted transaction; `applying` ends a
    transaction's operation early; `answering` rewrites an RPC result; `cadence` changes when ledgers close;
    `lag_ledgers` hides the newest ones; `genesis` changes what the ledger is born with.
    """

    wire: Callable[[WireCall], WireAnswer | None] = _nothing
    sending: Callable[[Transaction], Submission | None] = _nothing
    applying: Callable[[Transaction], xdr.OperationResult | None] = _nothing
    answering: Callable[[str, dict[str, Any]], dict[str, Any]] = _as_is
    cadence: Callable[[Cadence], Cadence] = _same
    lag_ledgers: int = 0
    genesis: Callable[[GenesisPlan], GenesisPlan] = _same


class LedgerFault(Fault, frozen=True, kw_only=True):
    """A way for the ledger to be wrong: the hooks it sets, made anew for every ledger."""

    hooks: Callable[[], Hooks]


def _everywhere(answer: WireAnswer) -> Hooks:
    return Hooks(wire=lambda _: answer)


def _at(to: str, answer: WireAnswer) -> Hooks:
    return Hooks(wire=lambda call: answer if call.to == to else None)


def _hanging() -> Hooks:
    def wire(call: WireCall) -> WireAnswer | None:
        if call.to != RPC:
            return None
        call.stopping.wait(HANG_SECONDS)
        return WireAnswer(status=504)

    return Hooks(wire=wire)


def _first_sends(times: int, answer: Callable[[Transaction], Submission]) -> Hooks:
    left = iter(range(times))
    return Hooks(sending=lambda transaction: None if next(left, None) is None else answer(transaction))


def _refusal(code: xdr.TransactionResultCode, surcharge: int = 0) -> Callable[[Transaction], Submission]:
    def answer(transaction: Transaction) -> Submission:
        result = rejection(transaction, code)
        priced = xdr.TransactionResult(xdr.Int64(result.fee_charged.int64 + surcharge), result.result, result.ext)
        return Submission(status="ERROR", hash=transaction.hash.hex(), error=priced)

    return answer


def _status(status: str) -> Callable[[Transaction], Submission]:
    return lambda transaction: Submission(status=status, hash=transaction.hash.hex())


def _in_answer(method: str, **fields: Any) -> Hooks:
    return Hooks(answering=lambda name, result: {**result, **fields} if name == method else result)


def _duplicates() -> Hooks:
    def answering(method: str, result: dict[str, Any]) -> dict[str, Any]:
        accepted = method == "sendTransaction" and result["status"] == "PENDING"
        return {**result, "status": "DUPLICATE"} if accepted else result

    return Hooks(answering=answering)


def _archived_once() -> Hooks:
    left = iter(range(1))
    archived = invoke_result(InvokeCode.INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED)

    def applying(transaction: Transaction) -> xdr.OperationResult | None:
        return archived if is_soroban(transaction) and next(left, None) is not None else None

    return Hooks(applying=applying)


def _paying(payout: Payout, refund: Payout = pay_recipient) -> Hooks:
    contract = stream_contract(payout, refund)
    return Hooks(
        genesis=lambda plan: replace(plan, contract=contract, withdrawal=payout, escrow_float=ESCROW_FLOAT_STROOPS)
    )


def _over_budget(contract: ContractModel) -> ContractModel:
    settle = contract.entry_points["settle"]

    def spend_too_much(env: Env, *arguments: Any) -> Any:
        env.host.spend(MOST_INSTRUCTIONS)
        return settle.body(env, *arguments)

    points = {**contract.entry_points, "settle": replace(settle, body=spend_too_much)}
    return replace(contract, entry_points=points)


def _problem(status: int, detail: str) -> WireAnswer:
    return WireAnswer(
        status=status,
        body=json.dumps(
            {
                "type": "https://stellar.org/horizon-errors/bad_request" if status == 400 else "about:blank",
                "title": "Bad Request" if status == 400 else "Internal Server Error",
                "status": status,
                "detail": detail,
            }
        ).encode(),
        content_type="application/problem+json",
    )


_HTML = b"<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome!</h1></body></html>"
_NULL_ID = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"invalid request value"}}'
_JSON = "application/json"
_Tx = xdr.TransactionResultCode

FAULTS: Final[Mapping[str, LedgerFault]] = {
    fault.name: fault
    for fault in (
        LedgerFault(
            name="rpc-dead",
            story="The RPC and friendbot are down: a gateway answers 503 with an empty body.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _everywhere(WireAnswer(status=503)),
        ),
        LedgerFault(
            name="rpc-429",
            story="The RPC refuses every call as one too many.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _at(
                RPC,
                WireAnswer(
                    status=429,
                    body=b'{"error":"too many requests"}',
                    content_type=_JSON,
                    headers={"Retry-After": "1"},
                ),
            ),
        ),
        LedgerFault(
            name="rpc-503-json",
            story="A gateway answers 503 with JSON that is not JSON-RPC.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _at(
                RPC, WireAnswer(status=503, body=b'{"message":"service unavailable"}', content_type=_JSON)
            ),
        ),
        LedgerFault(
            name="rpc-html",
            story="A web server's welcome page answers 200 in place of the RPC.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _at(RPC, WireAnswer(status=200, body=_HTML, content_type="text/html")),
        ),
        LedgerFault(
            name="rpc-hangs",
            story="The RPC takes every call and answers none of them.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=_hanging,
        ),
        LedgerFault(
            name="rpc-null-id",
            story="The RPC answers every call with a JSON-RPC error whose id is null.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _at(RPC, WireAnswer(status=200, body=_NULL_ID, content_type=_JSON)),
        ),
        LedgerFault(
            name="rpc-try-again-later",
            story="The network is full: the first transactions are sent away with TRY_AGAIN_LATER.",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            hooks=lambda: _first_sends(TRY_AGAIN_TIMES, _status("TRY_AGAIN_LATER")),
        ),
        LedgerFault(
            name="rpc-bad-seq-once",
            story="A backend behind the load balancer lags: the first transaction is refused as txBAD_SEQ.",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            hooks=lambda: _first_sends(1, _refusal(_Tx.txBAD_SEQ)),
        ),
        LedgerFault(
            name="rpc-insufficient-fee-once",
            story="Surge pricing: the first transaction is refused as txINSUFFICIENT_FEE, naming the fee it takes.",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            hooks=lambda: _first_sends(1, _refusal(_Tx.txINSUFFICIENT_FEE, SURGE_FEE_STROOPS)),
        ),
        LedgerFault(
            name="rpc-drops-transaction",
            story="Transactions are taken as PENDING and no ledger ever closes them.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: Hooks(sending=_status("PENDING")),
        ),
        LedgerFault(
            name="rpc-duplicate",
            story="Every transaction is said to be queued already.",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            hooks=_duplicates,
        ),
        LedgerFault(
            name="rpc-lagging",
            story=f"The RPC answers from {LAG_LEDGERS} ledgers ago.",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            hooks=lambda: Hooks(lag_ledgers=LAG_LEDGERS),
        ),
        LedgerFault(
            name="ledger-stalled",
            story="The network stands still: no ledger closes.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: Hooks(cadence=lambda _: Stalled()),
        ),
        LedgerFault(
            name="ledger-slow",
            story=f"A ledger closes only every {SLOW_CLOSE_SECONDS:g} seconds.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: Hooks(cadence=lambda _: FixedInterval(SLOW_CLOSE_SECONDS)),
        ),
        LedgerFault(
            name="friendbot-500",
            story="Friendbot fails on every request.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _at(FRIENDBOT, _problem(500, "friendbot is out of order")),
        ),
        LedgerFault(
            name="friendbot-already-funded",
            story="Friendbot says that every account has been funded, whether it exists or not.",
            severity=Severity.DISTURBANCE,
            truth=Truth.DEPENDENCY,
            caught_by="ledger/",
            hooks=lambda: _at(FRIENDBOT, _problem(400, "account already funded to starting balance")),
        ),
        LedgerFault(
            name="network-public",
            story="The RPC says that it is on the public network.",
            severity=Severity.CATASTROPHIC,
            truth=Truth.SAFETY,
            caught_by="ledger/",
            hooks=lambda: _in_answer("getNetwork", passphrase=Network.PUBLIC_NETWORK_PASSPHRASE),
        ),
        LedgerFault(
            name="network-unknown",
            story="The RPC says that it is on a network nobody vouched for.",
            severity=Severity.CATASTROPHIC,
            truth=Truth.SAFETY,
            caught_by="ledger/",
            hooks=lambda: _in_answer("getNetwork", passphrase=UNKNOWN_NETWORK),
        ),
        LedgerFault(
            name="contract-missing",
            story="The network was reset: nothing is deployed under the expected contract id.",
            severity=Severity.DISTURBANCE,
            truth=Truth.CONFIG,
            caught_by="ledger/",
            hooks=lambda: Hooks(genesis=lambda plan: replace(plan, contract=None)),
        ),
        LedgerFault(
            name="contract-paused",
            story="The contract's admin has paused it.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/",
            hooks=lambda: Hooks(genesis=lambda plan: replace(plan, paused=True)),
        ),
        LedgerFault(
            name="contract-undeployed",
            story="The network is old and was not reset: the release's contract was never deployed on it.",
            severity=Severity.CATASTROPHIC,
            caught_by="streams/",
            hooks=lambda: Hooks(
                genesis=lambda plan: replace(plan, contract=None, first_ledger=OLD_NETWORK_LEDGER),
            ),
        ),
        LedgerFault(
            name="contract-uninitialised",
            story="Nobody has initialised the contract: whoever does it first owns it.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/the-contract-accepts",
            hooks=lambda: Hooks(genesis=lambda plan: replace(plan, owner="")),
        ),
        LedgerFault(
            name="contract-of-a-stranger",
            story="Somebody else initialised the contract first, or its administration was handed away.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/only-the-expected",
            hooks=lambda: Hooks(genesis=lambda plan: replace(plan, owner="a stranger")),
        ),
        LedgerFault(
            name="contract-other-interface",
            story="Another contract, the early one, is deployed under the expected contract id.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/",
            hooks=lambda: Hooks(genesis=lambda plan: replace(plan, contract=early_contract.MODEL)),
        ),
        LedgerFault(
            name="contract-pays-twice",
            story="The contract pays every recipient twice, the second time out of other streams' escrow.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/",
            hooks=lambda: _paying(pay_twice),
        ),
        LedgerFault(
            name="contract-pays-less",
            story="The contract keeps one stroop of every payment and still says that it paid all.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/",
            hooks=lambda: _paying(pay_less),
        ),
        LedgerFault(
            name="contract-pays-other",
            story="The contract pays somebody else.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/",
            hooks=lambda: _paying(pay_somebody_else),
        ),
        LedgerFault(
            name="contract-keeps-change",
            story="The contract keeps one stroop of what it gives back to the payer.",
            severity=Severity.CATASTROPHIC,
            caught_by="settlement/",
            hooks=lambda: _paying(pay_recipient, refund=pay_less),
        ),
        LedgerFault(
            name="contract-overdraws",
            story="The contract gives the payer one stroop too many back, out of other streams' escrow.",
            severity=Severity.CATASTROPHIC,
            caught_by="settlement/",
            hooks=lambda: _paying(pay_recipient, refund=pay_more),
        ),
        LedgerFault(
            name="contract-over-budget",
            story="The contract's `settle` looks at every stream there is, and needs more than a transaction may use.",
            severity=Severity.CATASTROPHIC,
            caught_by="ledger/",
            hooks=lambda: Hooks(
                genesis=lambda plan: replace(plan, contract=_over_budget(stream_contract(pay_recipient)))
            ),
        ),
        LedgerFault(
            name="archived-entry-once",
            story="An entry was archived between simulation and ledger: the first invocation ends as ENTRY_ARCHIVED.",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            hooks=_archived_once,
        ),
    )
}


class Interference:
    """The hooks of all faults one ledger has, as one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._hooks = [_fault(name).hooks() for name in names]

    def wire(self, call: WireCall) -> WireAnswer | None:
        """Return the first answer a fault gives in place of the ledger."""
        return _first(hooks.wire(call) for hooks in self._hooks)

    def sending(self, transaction: Transaction) -> Submission | None:
        """Return the first answer a fault gives to a submitted transaction."""
        return _first(hooks.sending(transaction) for hooks in self._hooks)

    def applying(self, transaction: Transaction) -> xdr.OperationResult | None:
        """Return the first result a fault forces on a transaction's operation."""
        return _first(hooks.applying(transaction) for hooks in self._hooks)

    def answering(self, method: str, result: dict[str, Any]) -> dict[str, Any]:
        """Return an RPC result as the faults leave it."""
        for hooks in self._hooks:
            result = hooks.answering(method, result)
        return result

    def cadence(self, cadence: Cadence) -> Cadence:
        """Return when ledgers close under the faults."""
        for hooks in self._hooks:
            cadence = hooks.cadence(cadence)
        return cadence

    def genesis(self) -> GenesisPlan:
        """Return what the ledger is born with under the faults."""
        plan = GenesisPlan(contract=stream_contract(pay_recipient))
        for hooks in self._hooks:
            plan = hooks.genesis(plan)
        return plan

    @property
    def lag_ledgers(self) -> int:
        """How many of the newest ledgers are hidden."""
        return max((hooks.lag_ledgers for hooks in self._hooks), default=0)


def _first(answers: Iterable[Answer | None]) -> Answer | None:
    return next((answer for answer in answers if answer is not None), None)


def _fault(name: str) -> LedgerFault:
    if name not in FAULTS:
        raise SettingsInvalid(
            f"{name!r} is no fault of the sandbox ledger", next_step=f"use one of {', '.join(sorted(FAULTS))}"
        )
    return FAULTS[name]
