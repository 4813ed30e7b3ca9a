"""The network as one node sees it: takes transactions, closes ledgers, simulates. One lock guards all of it."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from streampay_sandbox.ledger.applying import Rules, apply_transaction
from streampay_sandbox.ledger.book import Book, ClosedLedger, LedgerTransaction
from streampay_sandbox.ledger.cadence import Cadence
from streampay_sandbox.ledger.clock import LedgerClock
from streampay_sandbox.ledger.execution import Engine, ModelEngine
from streampay_sandbox.ledger.faults import Interference
from streampay_sandbox.ledger.genesis import GenesisIdentities
from streampay_sandbox.ledger.host import LedgerInfo
from streampay_sandbox.ledger.simulation import SimulationRefused, SimulationRequest, SimulationResult, simulate
from streampay_sandbox.ledger.state import EntryReader, LedgerState
from streampay_sandbox.ledger.transactions import Submission, Transaction, refuse
from streampay_sandbox.wire_versions import WireVersion

_POLL_SECONDS = 0.02
Found = TypeVar("Found")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend knows: its state and its newest ledger, a little old while it lags."""

    reader: EntryReader
    latest: ClosedLedger


class Node:
    """Everything behind the RPC; methods may be called from any thread."""

    def __init__(
        self,
        *,
        network_id: bytes,
        clock: LedgerClock,
        cadence: Cadence,
        state: LedgerState,
        birth: GenesisIdentities,
        interference: Interference,
        version: WireVersion,
        engine: Engine | None = None,
        age_seconds: float = 0.0,
    ) -> None:
        """Start a node whose first ledger closed `age_seconds` ago; those that were due since are closed at once."""
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.clock = clock
        self.state = state
        self.version = version
        self.book = Book(version)
        self.birth = birth
        self.interference = interference
        self.network_id = network_id
        self._engine = engine
        self._cadence = cadence
        self._pending: list[Transaction] = []
        self._closed_wall = clock.wall() - age_seconds
        self.book.add(
            ClosedLedger(
                sequence=birth.first_ledger,
                closed_at_ms=clock.time_before_ms(self._closed_wall),
                transactions=(),
                fee_pool=state.fee_pool,
                total_coins=state.total_coins,
            )
        )

    @property
    def engine(self) -> Engine:
        """What runs contracts: the real host where one was given, else the models the ledger was born with."""
        return self._engine or ModelEngine(self.birth.contracts)

    @property
    def closes_at_once(self) -> bool:
        """Whether an accepted transaction closes a ledger of its own."""
        return self._cadence.on_submission

    def view(self) -> View:
        """Close what is due and return what the backend knows."""
        with self.lock:
            self.tick()
            newest = self.book.latest
            sequence = max(newest.sequence - self.interference.lag_ledgers, self.book.oldest.sequence)
            if sequence == newest.sequence:
                return View(reader=self.state, latest=newest)
            return View(reader=self.state.as_of(sequence), latest=self.book.ledger(sequence))

    def tick(self) -> None:
        """Close the ledgers that are due by now."""
        with self.lock:
            now = self.clock.wall()
            ahead_seconds = self.book.latest.closed_at - now
            for wall in self._cadence.due(self._closed_wall, now, ahead_seconds=ahead_seconds):
                self._close(wall)

    def close_now(self) -> None:
        """Close a ledger at once, whatever the cadence says."""
        with self.lock:
            self._close(self.clock.wall())

    def advance(self, seconds: int) -> None:
        """Move ledger time on by `seconds` and close a ledger that shows it."""
        with self.lock:
            self.clock.advance(seconds)
            self.close_now()

    def simulate(self, request: SimulationRequest) -> tuple[SimulationResult | SimulationRefused, ClosedLedger]:
        """Simulate in the ledger after the newest known one; returns that newest one too."""
        with self.lock:
            view = self.view()
            ledger = LedgerInfo(
                sequence=view.latest.sequence + 1,
                timestamp=self.clock.close_time_ms(view.latest.closed_at_ms) // 1_000,
                network_id=self.network_id,
            )
            if not self.version.offers_upgraded_auth:
                request = msgspec.structs.replace(request, upgraded_auth=False)
            answer = simulate(request, view.reader, ledger=ledger, engine=self.engine)
            return answer, view.latest

    def send(self, transaction: Transaction) -> Submission:
        """Take a transaction as the RPC does, faults included."""
        with self.lock:
            self.tick()
            return self.interference.sending(transaction) or self.accept(transaction)

    def accept(self, transaction: Transaction) -> Submission:
        """Queue a transaction, or say why not; at most one of each source account is queued."""
        with self.lock:
            hash_hex = transaction.hash.hex()
            for queued in self._pending:
                if queued.hash == transaction.hash:
                    return Submission(status="DUPLICATE", hash=hash_hex)
                if queued.source == transaction.source:
                    return Submission(status="TRY_AGAIN_LATER", hash=hash_hex)
            refused = refuse(transaction, self.state, self.clock.wall())
            if refused is not None:
                return Submission(status="ERROR", hash=hash_hex, error=refused)
            self._pending.append(transaction)
            if self._cadence.on_submission:
                self._close(self.clock.wall())
            return Submission(status="PENDING", hash=hash_hex)

    def is_busy(self, address: str) -> bool:
        """Whether a transaction of this source account is queued."""
        with self.lock:
            return any(queued.source == address for queued in self._pending)

    def wait_for(self, hash_hex: str, *, within_seconds: float) -> LedgerTransaction | None:
        """Wait until a transaction has closed; None when the time is up or the server stops."""
        return self.wait_until(lambda: self.book.transaction(hash_hex), within_seconds=within_seconds)

    def wait_until(self, look: Callable[[], Found | None], *, within_seconds: float) -> Found | None:
        """Wait until `look` finds something; None when the time is up or the server stops."""
        give_up_at = time.monotonic() + within_seconds
        while True:
            self.tick()
            with self.lock:
                found = look()
            if found is not None or time.monotonic() >= give_up_at or self.stopping.wait(_POLL_SECONDS):
                return found

    def _close(self, wall: float) -> None:
        previous = self.book.latest
        sequence = previous.sequence + 1
        closed_at_ms = self.clock.close_time_ms(previous.closed_at_ms, wall)
        closed_at = closed_at_ms // 1_000
        self.state.begin_ledger(sequence)
        rules = Rules(
            ledger=LedgerInfo(sequence=sequence, timestamp=closed_at, network_id=self.network_id),
            engine=self.engine,
            native_token=self.birth.native_token_id,
        )
        closed: list[LedgerTransaction] = []
        for transaction in self._take_pending(wall):
            applied = apply_transaction(transaction, self.state, rules, self.interference.applying(transaction))
            closed.append(
                LedgerTransaction(
                    transaction=transaction,
                    applied=applied,
                    ledger=sequence,
                    closed_at=closed_at,
                    order=len(closed) + 1,
                )
            )
        self._closed_wall = wall
        self.book.add(
            ClosedLedger(
                sequence=sequence,
                closed_at_ms=closed_at_ms,
                transactions=tuple(closed),
                fee_pool=self.state.fee_pool,
                total_coins=self.state.total_coins,
            )
        )

    def _take_pending(self, wall: float) -> list[Transaction]:
        """Empty the queue; what has become invalid while it waited is dropped without a trace, as by stellar-core."""
        queued, self._pending = self._pending, []
        if self._cadence.on_submission:
            return queued
        return [transaction for transaction in queued if refuse(transaction, self.state, wall) is None]
