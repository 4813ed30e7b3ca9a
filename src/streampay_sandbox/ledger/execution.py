"""What runs contracts: models of them in Python, or the real host (`real_host`), on a draft of the ledger's state."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.authorization import (
    Authorizer,
    AuthRecorder,
    AuthVerifier,
    Credentials,
    signed_entries,
)
from streampay_sandbox.ledger.failures import HostError
from streampay_sandbox.ledger.footprint import Footprint, FootprintLimit, FootprintRecorder
from streampay_sandbox.ledger.host import SIGNATURE_INSTRUCTIONS, Contracts, Host, LedgerInfo
from streampay_sandbox.ledger.keys import Key
from streampay_sandbox.ledger.state import Draft
from streampay_sandbox.ledger.values import sc_address, strkey
from streampay_smoke.core.errors import SmokeError

NONROOT = "record_allow_nonroot"
"""The mode of simulation in which calls below the root may need authorisations of their own."""


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to run: for whom, with which authorisations, in which ledger, and the draft it changes."""

    function: xdr.HostFunction
    source: str
    auth: Sequence[xdr.SorobanAuthorizationEntry]
    draft: Draft
    ledger: LedgerInfo


def call_of(contract: str, function: str, arguments: Sequence[xdr.SCVal]) -> xdr.HostFunction:
    """Return the host function that calls a contract."""
    return xdr.HostFunction(
        xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT,
        invoke_contract=xdr.InvokeContractArgs(sc_address(contract), xdr.SCSymbol(function.encode()), list(arguments)),
    )


class InvocationFailed(Exception):
    """The contract or its host ended the call; `diagnostics` are the events that say why, newest last."""

    def __init__(self, error: xdr.SCError, reason: str, diagnostics: Sequence[xdr.DiagnosticEvent]) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.diagnostics = tuple(diagnostics)


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """What a call returned, published and used."""

    value: xdr.SCVal
    events: list[xdr.ContractEvent]
    instructions: int


class Recorded(Executed, frozen=True, kw_only=True):
    """The same of a simulated call, with what it has to declare: keys in the order of their XDR, authorisations."""

    read_only: list[Key]
    read_write: list[Key]
    auth: list[xdr.SorobanAuthorizationEntry]

    @property
    def footprint(self) -> xdr.LedgerFootprint:
        """The keys as transaction data has them."""
        return xdr.LedgerFootprint(
            [key.ledger_key for key in self.read_only], [key.ledger_key for key in self.read_write]
        )


class Engine(Protocol):
    """Runs invocations; what they change is on their draft."""

    def apply(self, invocation: Invocation, declared: xdr.SorobanResources) -> Executed:
        """Run a call within its declared footprint; raises InvocationFailed."""

    def record(self, invocation: Invocation, *, auth_mode: str, address_v2: bool) -> Recorded:
        """Run a call to learn what it has to declare; raises InvocationFailed.

        Given authorisations, or `auth_mode` "enforce", are verified; otherwise those it needs are written down, with
        the newer credentials where `address_v2` says so.
        """


class ModelEngine:
    """Runs the models of contracts."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    def apply(self, invocation: Invocation, declared: xdr.SorobanResources) -> Executed:
        """Run a call within its declared footprint; raises InvocationFailed."""
        footprint = FootprintLimit(map(Key, declared.footprint.read_only), map(Key, declared.footprint.read_write))
        host, value = self._run(invocation, footprint, _verifier(invocation, footprint))
        return Executed(
            value=value, events=host.events, instructions=host.instructions + _of_signatures(invocation.auth)
        )

    def record(self, invocation: Invocation, *, auth_mode: str, address_v2: bool) -> Recorded:
        """Run a call to learn what it has to declare; raises InvocationFailed."""
        footprint = FootprintRecorder()
        recorder = AuthRecorder(
            source=invocation.source,
            credentials=Credentials.SOROBAN_CREDENTIALS_ADDRESS_V2
            if address_v2
            else Credentials.SOROBAN_CREDENTIALS_ADDRESS,
            nonroot=auth_mode == NONROOT,
            footprint=footprint,
            draft=invocation.draft,
            nonces_live_until=invocation.ledger.last_possible,
        )
        enforced = bool(invocation.auth) or auth_mode == "enforce"
        host, value = self._run(invocation, footprint, _verifier(invocation, footprint) if enforced else recorder)
        auth = list(invocation.auth) if enforced else recorder.entries()  # each uses up a nonce, a row of the footprint
        return Recorded(
            value=value,
            events=host.events,
            instructions=host.instructions + _of_signatures(auth),
            read_only=footprint.read_only,
            read_write=footprint.read_write,
            auth=auth,
        )

    def _run(self, invocation: Invocation, footprint: Footprint, authorizer: Authorizer) -> tuple[Host, xdr.SCVal]:
        host = Host(
            ledger=invocation.ledger,
            draft=invocation.draft,
            footprint=footprint,
            authorizer=authorizer,
            contracts=self._contracts,
        )
        call = invocation.function.invoke_contract
        if call is None:
            raise SmokeError("models of contracts can only be called")
        try:
            value = host.call(strkey(call.contract_address), call.function_name.sc_symbol.decode(), call.args)
        except HostError as error:
            raise InvocationFailed(error.error, error.reason, [error.diagnostic(host.failed_in)]) from error
        return host, value


def _of_signatures(auth: Sequence[xdr.SorobanAuthorizationEntry]) -> int:
    """Return the instructions that verifying takes: simulation reckons with it too."""
    return SIGNATURE_INSTRUCTIONS * signed_entries(auth)


def _verifier(invocation: Invocation, footprint: Footprint) -> AuthVerifier:
    return AuthVerifier(
        list(invocation.auth),
        source=invocation.source,
        network_id=invocation.ledger.network_id,
        ledger=invocation.ledger.sequence,
        footprint=footprint,
        draft=invocation.draft,
    )
