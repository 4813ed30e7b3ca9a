"""Stellar RPC, method by method: the SDK's models over our transport, and the ledger's clock.

Ledger headers and close metas are never decoded: their layout changes with the protocol. The newest ledger and its
time come from `getHealth`, which tells the time since stellar-rpc 27.1 only, and from what every answer says beside its
result.

Backends behind one address lag behind each other, and an old answer is a wrong one: a stream that was just opened
would be missing. What tells of state is asked for again until it comes from the newest ledger anybody here has seen.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec
from stellar_sdk import Keypair, SorobanServer, TransactionEnvelope, xdr
from stellar_sdk.exceptions import (
    ContractCodeNotFoundError,
    ContractInstanceNotFoundError,
    ExternalRefNotFoundError,
    SACHasNoWasmError,
)
from stellar_sdk.sep.contract_spec import ContractSpec
from stellar_sdk.sep.exceptions import InvalidWasmError
from stellar_sdk.soroban_rpc import (
    EventFilter,
    GetEventsRequest,
    GetEventsResponse,
    GetLedgerEntriesRequest,
    GetTransactionRequest,
    GetTransactionResponse,
    GetTransactionStatus,
    Request,
    Response,
    SendTransactionRequest,
    SendTransactionResponse,
    SimulateTransactionRequest,
    SimulateTransactionResponse,
)

from streampay_smoke.chain.adapter import (
    ChainUnavailable,
    ContractInterface,
    ContractMissing,
    InterfaceDrift,
)
from streampay_smoke.chain.codec import ASSET_CONTRACT, decoding, interface_of
from streampay_smoke.chain.transport import RpcTransport
from streampay_smoke.chain.waiting import Waits
from streampay_smoke.evidence.polling import PollResult
from streampay_smoke.http.ledger_health import NO_TRANSACTION, Health

KEPT_MODELS = (
    Request[GetEventsRequest],
    Request[GetLedgerEntriesRequest],
    Request[GetTransactionRequest],
    Request[SimulateTransactionRequest],
    Request[SendTransactionRequest],
    Response[Any],
)
"""Of pydantic's generic models those that the SDK uses: what nobody holds is made again, and in every lane."""


class LiveNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """What the RPC says of its network."""

    passphrase: str
    protocol_version: int
    friendbot_url: str


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An account on the ledger."""

    sequence: int
    balance_stroops: int


class _Dated(Protocol):
    latest_ledger: int


_Answer = TypeVar("_Answer", bound=_Dated)


class LedgerRpc:
    """One RPC endpoint; every method raises ChainUnavailable when there is no usable answer.

    A backend is given as long as a ledger may take to reach the newest one that is known.
    """

    def __init__(self, url: str, transport: RpcTransport, waits: Waits) -> None:
        self._url = url
        self._transport = transport
        self._clock = waits.clock
        self._waits = waits
        self._server = SorobanServer(url, client=transport)
        self._closed_at = 0
        self._seen_at = 0.0
        self._protocol = 0
        self.newest_ledger = 0

    def decoding(self, what: str) -> AbstractContextManager[None]:
        """Turn whatever the SDK raises on this network's answers into ChainUnavailable."""
        return decoding(what, network_protocol=self._protocol)

    def now(self) -> float:
        """Return the time in Unix seconds by the later of this machine's clock and the ledger's own.

        Time bounds made from it are not cut short when either clock is behind.
        """
        return max(self._clock.wall(), self._closed_at + self._clock.steady() - self._seen_at)

    def network(self) -> LiveNetwork:
        """Ask `getNetwork`."""
        with self.decoding("getNetwork"):
            found = self._server.get_network()
            self._protocol = found.protocol_version
            return LiveNetwork(
                passphrase=found.passphrase,
                protocol_version=found.protocol_version,
                friendbot_url=found.friendbot_url or "",
            )

    def version(self) -> str:
        """Ask `getVersionInfo` for the version of the RPC, "" where it tells none; past the SDK, which wants more."""
        return str(self._transport.call(self._url, "getVersionInfo").get("version") or "")

    def health(self) -> Health:
        """Ask `getHealth`; past the SDK, whose model leaves the close time out.

        Where the RPC tells no time there, the newest ledger and its time are those of an answer about a transaction.
        """
        with self.decoding("getHealth"):
            health = msgspec.convert(self._transport.call(self._url, "getHealth"), Health, strict=False)
        if not health.closed_at:
            with self.decoding("getTransaction"):
                answer = self._server.get_transaction(NO_TRANSACTION)
            health = msgspec.structs.replace(
                health, latest_ledger=answer.latest_ledger, closed_at=answer.latest_ledger_close_time
            )
        self._saw(health.latest_ledger, health.closed_at)
        return health

    def accounts(self, addresses: Sequence[str]) -> dict[str, AccountEntry]:
        """Return those of `addresses` (at most 200) that exist."""
        wanted = {address: _account_key(address) for address in addresses}
        with self.decoding("getLedgerEntries"):
            keys = {key.to_xdr(): address for address, key in wanted.items()}
            answer = self._fresh("accounts", lambda: self._server.get_ledger_entries(list(wanted.values())))
            found = {}
            for entry in answer.entries or ():
                account = xdr.LedgerEntryData.from_xdr(entry.xdr).account
                if account is None:
                    raise ValueError("an account's key led to something else")
                found[keys[entry.key]] = AccountEntry(
                    sequence=account.seq_num.sequence_number.int64, balance_stroops=account.balance.int64
                )
        self._saw(answer.latest_ledger)
        return found

    def simulate(self, envelope: TransactionEnvelope) -> SimulateTransactionResponse:
        """Ask `simulateTransaction`; a refusal of the contract is in the answer's `error`."""
        with self.decoding("simulateTransaction"):
            answer = self._fresh("simulation", lambda: self._server.simulate_transaction(envelope))
        self._saw(answer.latest_ledger)
        return answer

    def assembled(self, envelope: TransactionEnvelope, simulation: SimulateTransactionResponse) -> TransactionEnvelope:
        """Return a copy of `envelope` with what its simulation found; nothing is sent."""
        with self.decoding("simulateTransaction"):
            return self._server.prepare_transaction(envelope, simulation)

    def send(self, envelope: TransactionEnvelope) -> SendTransactionResponse:
        """Send a signed transaction, once; after ChainUnavailable nobody knows whether it arrived."""
        with self.decoding("sendTransaction"):
            answer = self._server.send_transaction(envelope)
        self._saw(answer.latest_ledger, answer.latest_ledger_close_time)
        return answer

    def settled_transaction(self, tx_hash: str) -> GetTransactionResponse:
        """Ask `getTransaction` until it is found, or not found by a backend that knows the newest ledger."""
        return self._fresh(
            "transactions",
            lambda: self.transaction(tx_hash),
            enough=lambda answer: answer.status != GetTransactionStatus.NOT_FOUND,
        )

    def transaction(self, tx_hash: str) -> GetTransactionResponse:
        """Ask `getTransaction` once for a hash of 64 hex digits; a backend that lags may not find it yet."""
        with self.decoding("getTransaction"):
            answer = self._server.get_transaction(tx_hash)
            if answer.transaction_hash != tx_hash:
                raise ValueError("the answer is about another transaction")
        self._saw(answer.latest_ledger, answer.latest_ledger_close_time)
        return answer

    def busy_base_fee(self) -> int:
        """Return the inclusion fee, in stroops, that 90 % of recent contract calls did not exceed."""
        with self.decoding("getFeeStats"):
            return self._server.get_fee_stats().soroban_inclusion_fee.p90

    def events(
        self, *, start_ledger: int | None, cursor: str | None, filters: Sequence[EventFilter], limit: int
    ) -> GetEventsResponse:
        """Ask `getEvents` for one page, from a ledger or from a cursor."""
        with self.decoding("getEvents"):
            answer = self._fresh(
                "events",
                lambda: self._server.get_events(start_ledger=start_ledger, cursor=cursor, filters=filters, limit=limit),
            )
        self._saw(answer.latest_ledger, answer.latest_Ledger_close_time)
        return answer

    def interface(self, contract_id: str) -> ContractInterface:
        """Return a contract's interface from its code on chain; raises ContractMissing, InterfaceDrift."""
        try:
            with self.decoding("getLedgerEntries"):
                wasm = self._server.get_contract_wasm(contract_id)
        except SACHasNoWasmError:
            return ASSET_CONTRACT
        except (ContractInstanceNotFoundError, ContractCodeNotFoundError, ExternalRefNotFoundError):
            raise contract_missing(contract_id) from None
        try:
            return interface_of(ContractSpec.from_wasm(wasm))
        except (InvalidWasmError, ValueError, EOFError) as problem:
            raise InterfaceDrift(
                f"contract {contract_id} describes no interface that can be read: {problem}",
                next_step="build the contract with its spec section, as soroban-sdk does",
            ) from problem

    def _fresh(
        self, what: str, ask: Callable[[], _Answer], *, enough: Callable[[_Answer], bool] = lambda answer: False
    ) -> _Answer:
        """Return the first answer that is `enough` or from no older ledger than the newest that was known before.

        A simulation that is refused before it reaches a ledger names ledger 0.
        """
        newest = self.newest_ledger

        def look() -> PollResult[_Answer]:
            answer = ask()
            current = answer.latest_ledger >= newest or answer.latest_ledger == 0
            return PollResult(met=current or enough(answer), value=answer, last=f"ledger {answer.latest_ledger}")

        def lagging(_: str) -> ChainUnavailable:
            return ChainUnavailable(
                f"the RPC's {what} do not reach ledger {newest}, which it had announced",
                cause="lagging",
                next_step="its backends lag behind each other: run again, or use another SMOKE_STELLAR_RPC_URL",
            )

        return self._waits.wait(f"the RPC's {what} reach ledger {newest}", look, error=lagging)

    def _saw(self, ledger: int, closed_at: int = 0) -> None:
        self.newest_ledger = max(self.newest_ledger, ledger)
        if closed_at > self._closed_at:
            self._closed_at, self._seen_at = closed_at, self._clock.steady()


def contract_missing(contract_id: str, *, detail: str = "") -> ContractMissing:
    """Return the error for a contract that is not where it should be."""
    return ContractMissing(
        f"contract {contract_id} is not on this network{f' ({detail})' if detail else ''}",
        next_step="check SMOKE_CONTRACT_ID and SMOKE_STELLAR_NETWORK; test networks are reset some times a year "
        "and lose every contract: then deploy it again",
    )


def _account_key(address: str) -> xdr.LedgerKey:
    return xdr.LedgerKey(
        xdr.LedgerEntryType.ACCOUNT,
        account=xdr.LedgerKeyAccount(account_id=Keypair.from_public_key(address).xdr_account_id()),
    )
