"""The service's money: every stream is escrowed, run and settled on the ledger by the operator."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import msgspec
from stellar_sdk import Keypair

from streampay_sandbox.service.clock import iso_of
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.stellar import Closed, LedgerError, LedgerSilent
from streampay_sandbox.service.stream_contract import StreamContractClient, StreamOnChain
from streampay_sandbox.service.streams import Status, Stream, StreamSettlement

Result = TypeVar("Result")

FATE_SECONDS = 60.0
"""How long a transaction nobody has seen again may still be closed: longer than any time bound it carries."""


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """What ending a stream moved, in stroops."""

    settlement: StreamSettlement
    paid_stroops: int
    refunded_stroops: int
    already_released_stroops: int


Escrow = Callable[[str, str, int, int], int]
"""Escrows once for an order: (order id, recipient, total in stroops, seconds) to the id in the contract."""

Settle = Callable[[Stream], StreamSettlement]
"""Settles a stream on the ledger; raises LedgerError."""


class Treasury:
    """The operator's account and what it does with the contract.

    One thread at a time for each order and each stream. A transaction whose fate is unknown is looked up before
    anything is sent again, so that a retry never pays twice. Raises LedgerError.
    """

    def __init__(self, contract: StreamContractClient, *, fate_seconds: float = FATE_SECONDS) -> None:
        self.contract = contract
        self.operator_address = contract.operator.public_key
        self._busy: defaultdict[object, threading.RLock] = defaultdict(threading.RLock)
        self._network_checked = False
        self._fate_seconds = fate_seconds
        self._newest_ledger = 0
        self._unresolved: dict[tuple[str, object], _Unresolved] = {}

    def open(self, order_id: str, recipient: str, total_stroops: int, duration_seconds: int) -> int:
        """Escrow a draft for `recipient` and return its id in the contract, once for each `order_id`."""
        opened = self._once(
            ("open", order_id), lambda: self.contract.open_draft(recipient, total_stroops, duration_seconds)
        )
        return int(opened.value)

    def start(self, chain_id: int) -> None:
        """Let the stream run."""
        self._once(("start", chain_id), lambda: self.contract.start(chain_id))

    def pause(self, chain_id: int) -> None:
        """Halt the stream."""
        self._once(("pause", chain_id), lambda: self.contract.pause(chain_id))

    def resume(self, chain_id: int) -> None:
        """Let a halted stream run on."""
        self._once(("resume", chain_id), lambda: self.contract.resume(chain_id))

    def settle(self, stream: Stream) -> StreamSettlement:
        """Pay the recipient what was earned, and the rest back: all of it once a running stream is over.

        The contract's `settle` would pay a halted stream in full, so that one is always cancelled instead.
        """

        def send() -> Closed:
            over = self.ledger_time() >= self.contract.stream(stream.chain_id).ends_at
            if stream.status == Status.ACTIVE and over:
                return self.contract.settle(stream.chain_id)
            return self.contract.cancel(stream.chain_id)

        return _settlement(self._once(("settle", stream.chain_id), send))

    def cancel(self, chain_id: int) -> Payout:
        """Pay the recipient what was earned and the rest back, and say how much that was."""
        with self._busy[chain_id]:
            before = self.contract.stream(chain_id)
            closed = self._once(("cancel", chain_id), lambda: self.contract.cancel(chain_id))
            after = self.contract.stream(chain_id)
        paid = after.released_stroops - before.released_stroops
        return Payout(
            settlement=_settlement(closed),
            paid_stroops=paid,
            refunded_stroops=before.total_stroops - before.released_stroops - paid,
            already_released_stroops=before.released_stroops,
        )

    def confirmed(self, tx_hash: str) -> bool:
        """Return whether the ledger holds this transaction as successful. A closed ledger is final."""
        closed = self.contract.stellar.transaction(tx_hash)
        return closed is not None and closed.succeeded

    def stream(self, chain_id: int) -> StreamOnChain:
        """Return what the contract says of a stream."""
        return self.contract.stream(chain_id)

    def released(self, chain_id: int) -> int:
        """Return what the contract has paid out of a stream, in stroops."""
        return self.stream(chain_id).released_stroops

    def ledger_time(self) -> int:
        """Return when the newest ledger closed, in Unix seconds."""
        return self.contract.stellar.head().closed_at

    def newest_ledger(self) -> int:
        """Return the number of the newest ledger it has seen, which stays while the ledger gives no answer."""
        with contextlib.suppress(LedgerError):
            self._newest_ledger = self.contract.stellar.head().sequence
        return self._newest_ledger

    def pay(self, recipient: str, amount_stroops: int) -> None:
        """Pay from the operator's own coins, past the contract."""
        self.contract.transfer(recipient, amount_stroops)

    def new_account(self, balance_stroops: int) -> Keypair:
        """Return an account nobody else knows, with coins of the operator's."""
        return self.contract.new_account(balance_stroops)

    def close(self) -> None:
        """Release sockets."""
        self.contract.stellar.close()

    def _once(self, what: tuple[str, object], send: Callable[[], Closed]) -> Closed:
        with self._busy[what[1]]:
            if not self._network_checked:
                self.contract.stellar.check_network()
                self._network_checked = True
            if what in self._unresolved:
                found = self._fate(self._unresolved[what])
                del self._unresolved[what]
                if found is not None:
                    return found
            try:
                return send()
            except LedgerSilent as silent:
                if silent.tx_hash:
                    self._unresolved[what] = _Unresolved(tx_hash=silent.tx_hash, since=time.monotonic())
                raise

    def _fate(self, sent: "_Unresolved") -> Closed | None:
        """Return the successful transaction, None when it can no longer succeed; raises LedgerSilent while it may."""
        closed = self.contract.stellar.transaction(sent.tx_hash)
        if closed is None and time.monotonic() - sent.since < self._fate_seconds:
            raise LedgerSilent("the ledger has not decided about the transaction sent before", tx_hash=sent.tx_hash)
        return closed if closed is not None and closed.succeeded else None


class _Unresolved(msgspec.Struct, frozen=True, kw_only=True):
    tx_hash: str
    since: float


def or_refused(code: str, status: int, act: Callable[[], Result]) -> Result:
    """Return what `act` returns; a ledger that fails or says no becomes a refusal that shows nothing of it."""
    try:
        return act()
    except LedgerError:
        raise Refusal(
            status, code, "The ledger did not do it, and nothing was changed. Try again with the same key."
        ) from None


def _settlement(closed: Closed) -> StreamSettlement:
    return StreamSettlement(settled_at=iso_of(closed.closed_at), tx_hash=closed.tx_hash)
