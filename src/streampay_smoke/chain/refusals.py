"""What a refusal means: the words of the host and the codes of the network as errors of this package."""

import re

import msgspec
from stellar_sdk import xdr

from streampay_smoke.chain.adapter import (
    ChainError,
    ChainUnavailable,
    ContractFailure,
    FootprintRace,
    HostFailure,
    SignatureRefused,
    TxRejected,
)
from streampay_smoke.chain.rpc import contract_missing
from streampay_smoke.core.secret_shapes import shortened

_HOST_ERROR = re.compile(r"Error\((\w+), #?(\w+)\)")
_OUTSIDE_FOOTPRINT = "outside of the footprint"

_BAD_SIGNATURE = frozenset({"txBAD_AUTH", "txBAD_AUTH_EXTRA"})
_LATER = "look the code up in the Stellar documentation; it says nothing of the release"
_NEXT_STEPS = {
    "txNO_ACCOUNT": "fund the account first: friendbot makes accounts on test networks",
    "txINSUFFICIENT_BALANCE": "fund the account again: its balance does not cover fee and reserve",
    "txBAD_SEQ": "let no other run use the same account at the same time",
    "txTOO_LATE": "compare this machine's clock with the network's",
    "txINSUFFICIENT_FEE": "the network is in surge pricing: run again later",
}


class ContractCall(msgspec.Struct, frozen=True, kw_only=True):
    """A contract call, its arguments encoded. `error_names` are the contract's error codes in words."""

    contract_id: str
    function: str
    arguments: list[xdr.SCVal]
    error_names: dict[int, str]


class Setback(Exception):
    """Something that stopped an attempt: its sign, and the error it is when there is no other attempt."""

    def __init__(self, sign_: str, error: ChainError) -> None:
        super().__init__(sign_)
        self.sign = sign_
        self.error = error


def refused_on_entry(function: str, code: str, *, wanted_fee: int, diagnostics: str) -> Setback:
    """Return what it means that the network did not take a transaction: `code` such as "txBAD_SEQ"."""
    message = f"the network refused {function}: {code}{f' ({diagnostics})' if diagnostics else ''}"
    if code in _BAD_SIGNATURE:
        next_step = "check that the seed belongs to this account and SMOKE_STELLAR_NETWORK to this RPC"
        return Setback(code, SignatureRefused(message, code=code, next_step=next_step))
    if code == "txINSUFFICIENT_FEE":
        message += f"; it wanted {wanted_fee} stroops"
    return Setback(code, TxRejected(message, code=code, next_step=_NEXT_STEPS.get(code, _LATER)))


def failed_on_ledger(call: ContractCall, code: str, diagnostics: str) -> Setback:
    """Return what it means that a ledger closed a transaction as failed: `code` such as "TRAPPED" or "txFAILED"."""
    if code == "TRAPPED" and _OUTSIDE_FOOTPRINT in diagnostics:
        return Setback(
            "outside footprint",
            FootprintRace(
                f"others kept changing what {call.function} had foreseen",
                next_step="the contract is busy: run again, or give this gate a contract of its own",
            ),
        )
    if code == "TRAPPED" and _HOST_ERROR.search(diagnostics):
        return Setback("failed on the ledger", contract_error(call, diagnostics))
    if code.startswith("tx"):
        message = f"{call.function} was closed as {code}"
        return Setback(code, TxRejected(message, code=code, next_step=_NEXT_STEPS.get(code, _LATER)))
    return Setback(
        code,
        HostFailure(
            f"{call.function} passed its simulation but failed on the ledger: {code}",
            error=f"InvokeHostFunction, {code}",
            next_step="look the transaction up in an explorer; compare the release's contract changes",
        ),
    )


def account_missing(address: str, network: str) -> TxRejected:
    """Return the error for a source account that is not on the ledger."""
    return TxRejected(
        f"account {address} does not exist on {network}",
        code="txNO_ACCOUNT",
        next_step=_NEXT_STEPS["txNO_ACCOUNT"],
    )


def contract_error(call: ContractCall, diagnostics: str) -> ChainError:
    """Return what a refusal's words mean: the contract's own error, a missing contract, or the host's error.

    Words that name no error of the host are the RPC's own: the contract did not run.
    """
    found = _HOST_ERROR.search(diagnostics)
    summary = shortened(" ".join(diagnostics.split("\n", 1)[0].split()), 200)
    if found is None:
        return ChainUnavailable(
            f"the ledger's RPC did not run {call.function}: {summary or 'it gives no reason'}",
            cause="not simulated",
            next_step="see whether the RPC supports its network's protocol: this says nothing of the release",
        )
    kind, code = found.groups()
    if kind == "Contract":
        name = call.error_names.get(int(code), "")
        return ContractFailure(
            f"{call.function} was refused by the contract: {name or 'an error its interface does not name'} (#{code})",
            code=int(code),
            name=name,
            next_step="compare the stream's state with what the function requires",
        )
    if (kind, code) == ("Storage", "MissingValue"):
        return contract_missing(call.contract_id, detail=f"it, or one it calls, when calling {call.function}")
    return HostFailure(
        f"{call.function} was stopped by the host: Error({kind}, {code})",
        error=f"{kind}, {code}",
        next_step="the contract trapped or lacks an authorisation: compare the release's contract changes",
    )


def perhaps_applied(unanswered: ChainUnavailable, tx_hash: str) -> ChainUnavailable:
    """Return `unanswered` as the error of a transaction whose fate nobody knows."""
    return ChainUnavailable(
        f"{unanswered}; transaction {tx_hash} may be applied all the same",
        cause=unanswered.cause,
        status=unanswered.status,
        retry_after_seconds=unanswered.retry_after_seconds,
        tx_hash=tx_hash,
        next_step=unanswered.next_step,
    )
