"""The service's money: every stream is escrowed, run and settled on the ledger through the chain adapter."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec

from streampay_sandbox.service.clock import iso_of
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.streams import Settlement, Status, Stream
from streampay_smoke.chain.adapter import ChainAccount, ChainAdapter, ChainUnavailable, TxOutcome, TxTimeout
from streampay_smoke.core.errors import SmokeError

Result = TypeVar("Result")

OPERATOR_NAME = "streampay-operator"

FATE_SECONDS = 60.0
"""How long a transaction nobody has seen again may still be closed: longer than any time bound it carries."""


class StreamOnChain(Protocol):
    """What the contract says of a stream; times are Unix seconds."""

    @property
    def ends_at(self) -> int:
        """When a running stream will have paid everything."""

    @property
    def total_stroops(self) -> int:
        """What was escrowed."""

    @property
    def released_stroops(self) -> int:
        """What the recipient has got of it."""


class Opened(Protocol):
    """A stream that was just escrowed."""

    @property
    def stream_id(self) -> int:
        """Its id in the contract."""


class StreamLedger(Protocol):
    """The calls of the stream contract the service makes; they raise ChainError."""

    def open_draft(
        self, payer: ChainAccount, recipient: str, token: str, total_stroops: int, duration_seconds: int
    ) -> Opened:
        """Escrow a draft."""

    def start(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Let a draft run."""

    def pause(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Halt a running stream."""

    def resume(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Let a halted stream run on."""

    def settle(self, stream_id: int, signer: ChainAccount) -> TxOutcome:
        """Pay out a stream that is over."""

    def cancel(self, stream_id: int, payer: ChainAccount) -> TxOutcome:
        """Pay what was earned, refund the rest."""

    def stream(self, stream_id: int) -> StreamOnChain:
        """Read a stream."""


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """What ending a stream moved, in stroops."""

    settlement: Settlement
    paid_stroops: int
    refunded_stroops: int
    already_released_stroops: int


Escrow = Callable[[str, str, int, int], int]
"""Escrows once for an order: (order id, recipient, total in stroops, seconds) to the id in the contract."""

Settle = Callable[[Stream], Settlement]
"""Settles a stream on the ledger; raises ChainError."""


class Treasury:
    """The operator's account and what it does with the contract.

    One thread at a time, for an account may have only one transaction pending. A transaction whose fate is unknown is
    looked up before anything is sent again, so that a retry never pays twice.
    """

    def __init__(
        self,
        adapter: ChainAdapter,
        contract: StreamLedger,
        token: str,
        *,
        operator_seed: str | None = None,
        fate_seconds: float = FATE_SECONDS,
    ) -> None:
        self.adapter = adapter
        self.token = token
        self.operator = adapter.account(OPERATOR_NAME, operator_seed)
        self._contract = contract
        self._ledger = threading.RLock()
        self._funded = False
        self._fate_seconds = fate_seconds
        self._newest_ledger = 0
        self._unresolved: dict[tuple[str, object], _Unresolved] = {}

    def fund(self) -> None:
        """Make sure the operator's account exists; raises ChainError."""
        with self._ledger:
            if not self._funded:
                self.adapter.fund(self.operator.address)
                self._funded = True

    def open(self, order_id: str, recipient: str, total_stroops: int, duration_seconds: int) -> int:
        """Escrow a draft for `recipient` and return its id in the contract, once for each `order_id`."""

        def send() -> int:
            opened = self._contract.open_draft(self.operator, recipient, self.token, total_stroops, duration_seconds)
            return opened.stream_id

        return self._once(("open", order_id), send, lambda outcome: int(outcome.value))

    def start(self, chain_id: int) -> None:
        """Let the stream run."""
        self._transact("start", chain_id, lambda: self._contract.start(chain_id, self.operator))

    def pause(self, chain_id: int) -> None:
        """Halt the stream."""
        self._transact("pause", chain_id, lambda: self._contract.pause(chain_id, self.operator))

    def resume(self, chain_id: int) -> None:
        """Let a halted stream run on."""
        self._transact("resume", chain_id, lambda: self._contract.resume(chain_id, self.operator))

    def settle(self, stream: Stream) -> Settlement:
        """Pay the recipient what was earned, and the rest back: all of it once a running stream is over.

        The contract's `settle` would pay a halted stream in full, so that one is always cancelled instead.
        """

        def send() -> TxOutcome:
            over = self.adapter.health().closed_at >= self._contract.stream(stream.chain_id).ends_at
            if stream.status == Status.ACTIVE and over:
                return self._contract.settle(stream.chain_id, self.operator)
            return self._contract.cancel(stream.chain_id, self.operator)

        return _settlement(self._transact("settle", stream.chain_id, send))

    def cancel(self, chain_id: int) -> Payout:
        """Pay the recipient what was earned and the rest back, and say how much that was."""
        with self._ledger:
            before = self._contract.stream(chain_id)
            outcome = self._transact("cancel", chain_id, lambda: self._contract.cancel(chain_id, self.operator))
            after = self._contract.stream(chain_id)
        paid = after.released_stroops - before.released_stroops
        return Payout(
            settlement=_settlement(outcome),
            paid_stroops=paid,
            refunded_stroops=before.total_stroops - before.released_stroops - paid,
            already_released_stroops=before.released_stroops,
        )

    def confirmed(self, tx_hash: str) -> bool:
        """Return whether the ledger holds this transaction as successful. A closed ledger is final."""
        with self._ledger:
            outcome = self.adapter.transaction(tx_hash)
        return outcome is not None and outcome.status == "SUCCESS"

    def stream(self, chain_id: int) -> StreamOnChain:
        """Return what the contract says of a stream."""
        with self._ledger:
            return self._contract.stream(chain_id)

    def newest_ledger(self) -> int:
        """Return the number of the newest ledger it has seen, which stays while the ledger gives no answer."""
        with contextlib.suppress(ChainUnavailable):
            self._newest_ledger = self.adapter.health().latest_ledger
        return self._newest_ledger

    def released(self, chain_id: int) -> int:
        """Return what the contract has paid out of a stream, in stroops."""
        return self.stream(chain_id).released_stroops

    def invoke(self, contract_id: str, function: str, *args: Any) -> TxOutcome:
        """Send one more invocation as the operator."""
        with self._ledger:
            return self.adapter.invoke(contract_id, function, *args, signer=self.operator)

    def close(self) -> None:
        """Release sockets."""
        self.adapter.close()

    def _transact(self, action: str, chain_id: int, send: Callable[[], TxOutcome]) -> TxOutcome:
        return self._once((action, chain_id), send, lambda outcome: outcome)

    def _once(
        self, what: tuple[str, object], send: Callable[[], Result], adopt: Callable[[TxOutcome], Result]
    ) -> Result:
        with self._ledger:
            self.fund()
            if what in self._unresolved:
                outcome = self._fate(self._unresolved[what])
                del self._unresolved[what]
                if outcome is not None:
                    return adopt(outcome)
            try:
                return send()
            except (TxTimeout, ChainUnavailable) as unknown:
                if unknown.tx_hash:
                    self._unresolved[what] = _Unresolved(tx_hash=unknown.tx_hash, since=time.monotonic())
                raise

    def _fate(self, sent: "_Unresolved") -> TxOutcome | None:
        """Return the successful transaction, None when it can no longer succeed; raises TxTimeout while it may."""
        outcome = self.adapter.transaction(sent.tx_hash)
        if outcome is None and time.monotonic() - sent.since < self._fate_seconds:
            raise TxTimeout("the ledger has not decided yet about the transaction sent before", tx_hash=sent.tx_hash)
        return outcome if outcome is not None and outcome.status == "SUCCESS" else None


class _Unresolved(msgspec.Struct, frozen=True, kw_only=True):
    tx_hash: str
    since: float


def or_refused(code: str, status: int, act: Callable[[], Result]) -> Result:
    """Return what `act` returns; a ledger that fails or says no becomes a refusal that shows nothing of it."""
    try:
        return act()
    except SmokeError:  # ChainError, or the guard that lets nothing be signed on a network it does not know
        raise Refusal(
            status, code, "The ledger did not do it, and nothing was changed. Try again with the same key."
        ) from None


def _settlement(outcome: TxOutcome) -> Settlement:
    return Settlement(settled_at=iso_of(outcome.closed_at), tx_hash=outcome.tx_hash)
