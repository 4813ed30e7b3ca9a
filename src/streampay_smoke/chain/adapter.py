"""The chain adapter's contract: what every step may ask of a ledger, whichever network is behind it.

Amounts are integers of stroops, times Unix seconds as ledgers carry them, durations seconds.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

from streampay_smoke.core.errors import Blame, SmokeError

if TYPE_CHECKING:  # it brings the HTTP client along, which needs longer to start than this module
    from streampay_smoke.http.ledger_health import Health


class ChainInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The live network, after the guard let it through."""

    network: str
    passphrase: str
    simulated: bool
    protocol_version: int
    friendbot_url: str
    latest_ledger: int


class ChainAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account of this run. The seed never shows in a repr."""

    name: str
    address: str
    seed: str

    def __repr__(self) -> str:
        return f"ChainAccount(name={self.name!r}, address={self.address!r})"


class ContractEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A contract event with its values decoded to Python (symbols and strings str, addresses G.../C... str)."""

    contract_id: str
    topics: tuple[Any, ...]
    data: Any
    tx_hash: str
    ledger: int
    closed_at: int


class FunctionInterface(msgspec.Struct, frozen=True, kw_only=True):
    """A contract function as its spec spells it; types such as "i128", "address", "option<u64>" or a struct's name."""

    arguments: tuple[tuple[str, str], ...]
    returns: str = "void"


class ContractInterface(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract's own spec on chain says of it.

    `structs` maps each struct to its fields and their types, `enums` each enum to its case names in order,
    `errors` each error code to its name.
    """

    functions: Mapping[str, FunctionInterface]
    structs: Mapping[str, Mapping[str, str]]
    enums: Mapping[str, tuple[str, ...]]
    errors: Mapping[int, str]


class TxOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction the ledger closed. `status` is "SUCCESS" or "FAILED"; `closed_at` its ledger's close time.

    `contract_id` and `function` name the invoked contract ("" where it invoked none).
    """

    tx_hash: str
    status: str
    ledger: int
    closed_at: int
    contract_id: str
    function: str
    value: Any
    events: tuple[ContractEvent, ...]
    fee_charged_stroops: int
    attempts: int = 1


class ChainError(SmokeError):
    """Base of what the ledger side can raise."""

    kind: ClassVar[str] = "chain_error"
    blame: ClassVar[Blame] = Blame.DEPENDENCY


class ChainUnavailable(ChainError):
    """The RPC or friendbot gave no usable answer: `cause` is e.g. "refused", "timeout", "http 429", "not json".

    `tx_hash` names a transaction that was perhaps sent and whose fate is unknown, "" where there is none.
    """

    kind = "chain_unavailable"

    def __init__(
        self,
        message: str,
        *,
        cause: str = "",
        status: int | None = None,
        retry_after_seconds: float | None = None,
        tx_hash: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.cause = cause
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.tx_hash = tx_hash


class ContractMissing(ChainError):
    """The expected contract is not on this network: a wrong id, or the network was reset."""

    kind = "contract_missing"
    blame = Blame.CONFIG


class AnotherContract(ChainError):
    """What is at the expected contract's id is no StreamPay contract of any kind: the id is another contract's."""

    kind = "another_contract"
    blame = Blame.CONFIG


class AnotherProfile(ChainError):
    """The contract is what the environment's file says, and the settings put another profile in its place."""

    kind = "another_profile"
    blame = Blame.CONFIG


class InterfaceDrift(ChainError):
    """The contract on chain does not have the interface its profile promises."""

    kind = "interface_drift"
    blame = Blame.PRODUCT


class ContractFailure(ChainError):
    """The contract said no: `code` and `name` come from its error enum."""

    kind = "contract_failure"
    blame = Blame.PRODUCT

    def __init__(self, message: str, *, code: int, name: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code
        self.name = name


class HostFailure(ChainError):
    """The host stopped the contract: `error` is e.g. "Auth, InvalidAction" or "Budget, ExceededLimit"."""

    kind = "host_failure"
    blame = Blame.PRODUCT

    def __init__(self, message: str, *, error: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.error = error


class TxRejected(ChainError):
    """The network refused a transaction for good: `code` is e.g. "txBAD_AUTH"."""

    kind = "tx_rejected"

    def __init__(self, message: str, *, code: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code


class SignatureRefused(TxRejected):
    """The network refused the signature: another network's passphrase, or a key the account does not know."""

    kind = "signature_refused"
    blame = Blame.CONFIG


class FootprintRace(ChainError):
    """Others kept taking the ledger entries our simulation had foreseen: a busy contract, not a broken one."""

    kind = "footprint_race"


class TxTimeout(ChainError):
    """No ledger closed the transaction in time; its fate is unknown until its time bounds have passed."""

    kind = "tx_timeout"

    def __init__(self, message: str, *, tx_hash: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.tx_hash = tx_hash


class ChainAdapter(Protocol):
    """A test ledger: everything that reads is free of side effects, everything that signs asks the guard first."""

    def connect(self) -> ChainInfo:
        """Check the live network against the guard; raises GuardRefused, SettingsInvalid, ChainUnavailable."""

    def health(self) -> "Health":
        """Return the newest ledger; raises ChainUnavailable."""

    def rpc_version(self) -> str:
        """Return the version the RPC gives itself, "" where it gives none; raises ChainUnavailable."""

    def account(self, name: str, seed: str | None = None) -> ChainAccount:
        """Return a fresh account, or the one `seed` belongs to; nothing is sent."""

    def fund(self, *addresses: str) -> None:
        """Make sure each account exists, through friendbot; already funded is fine. Raises ChainUnavailable."""

    def balance(self, address: str) -> int:
        """Return the native balance in stroops, 0 for an account that does not exist."""

    def read(self, contract_id: str, function: str, *args: Any) -> Any:
        """Return what a contract function answers in simulation. No account is needed.

        `args` are plain values, encoded by the types the contract's spec gives on chain. Raises ContractMissing,
        InterfaceDrift, ContractFailure, HostFailure, ChainUnavailable.
        """

    def invoke(self, contract_id: str, function: str, *args: Any, signer: ChainAccount) -> TxOutcome:
        """Sign, send and follow one invocation to its ledger; raises the errors of this module.

        `args` as in `read`. What comes back succeeded; a transaction that failed on the ledger is raised.
        """

    def transaction(self, tx_hash: str) -> TxOutcome | None:
        """Return a closed transaction, None when the network does not know it."""

    def events(
        self, *, since_ledger: int, contract_ids: Sequence[str], topics: Sequence[str] = ()
    ) -> tuple[ContractEvent, ...]:
        """Return all events of `contract_ids`, none for every contract, from ledger `since_ledger` on, oldest first.

        `topics` are what their leading topics must be: symbols, addresses (G... or C...), or "*" for any.
        Raises ChainUnavailable, also when the network no longer keeps that ledger: part of the truth is no truth.
        """

    def interface(self, contract_id: str) -> ContractInterface:
        """Return the interface found on chain; raises ContractMissing, InterfaceDrift when it is unreadable."""

    def spec(self, contract_id: str) -> Mapping[str, FunctionInterface]:
        """Return the functions of that interface by name; raises as `interface`."""

    def native_token_contract(self) -> str:
        """Return the contract id of the native asset on this network."""

    def wait_for_close(self, closed_at: int, *, within_seconds: float) -> "Health":
        """Wait until a ledger closed at or after `closed_at`; raises ChainUnavailable at the limit."""

    def wait_for_later_time(self, closed_at: int) -> None:
        """Wait until what is sent now is closed with a later time than `closed_at`, a ledger that was shown just now.

        Ledgers may share a second since protocol 30 (CAP-88); before it nothing is waited for.
        """

    def close(self) -> None:
        """Release sockets."""
