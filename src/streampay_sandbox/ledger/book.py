"""The closed ledgers: which transactions each holds, and the chain of headers that links them."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

import msgspec
from stellar_sdk import Keypair, xdr
from xdrlib3 import Packer

from streampay_sandbox.ledger.applying import AppliedTransaction
from streampay_sandbox.ledger.fees import BASE_FEE_STROOPS
from streampay_sandbox.ledger.state import BASE_RESERVE_STROOPS
from streampay_sandbox.ledger.transactions import Transaction, is_soroban
from streampay_sandbox.wire_versions import WireVersion

RETENTION_LEDGERS: Final = 120_960
MAX_TRANSACTIONS: Final = 100
_LAST_OPERATION: Final = 4095
_NO_HASH: Final = bytes(32)


class EmittedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A contract event with its place: `toid` orders it among all events, `index` within its operation."""

    toid: int
    index: int
    operation: int
    event: xdr.ContractEvent

    @property
    def id(self) -> str:
        """The event's id, which is also its cursor."""
        return f"{self.toid:019d}-{self.index:010d}"


class LedgerTransaction(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A transaction in its ledger, `order` counting from 1; XDR is encoded when somebody asks."""

    transaction: Transaction
    applied: AppliedTransaction
    ledger: int
    closed_at: int
    order: int

    @property
    def hash(self) -> str:
        """Its hash in hex."""
        return self.transaction.hash.hex()

    @property
    def status(self) -> str:
        """SUCCESS or FAILED."""
        return "SUCCESS" if self.applied.succeeded else "FAILED"

    @property
    def toid(self) -> int:
        """Its place among all transactions, and its cursor."""
        return toid(self.ledger, self.order)

    @cached_property
    def result_xdr(self) -> str:
        """TransactionResult."""
        return self.applied.result.to_xdr()

    @cached_property
    def meta_xdr(self) -> str:
        """TransactionMeta."""
        return self.applied.meta.to_xdr()

    def events(self) -> Iterator[EmittedEvent]:
        """Yield its events: the fee before all, the operations' in order, the refund after."""
        for event in self.applied.transaction_events:
            before = event.stage == xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS
            place = toid(self.ledger) if before else toid(self.ledger, self.order, _LAST_OPERATION)
            yield EmittedEvent(toid=place, index=self.order - 1 if before else 0, operation=0, event=event.event)
        for operation, events in enumerate(self.applied.operation_events):
            place = toid(self.ledger, self.order, operation)
            for index, contract_event in enumerate(events):
                yield EmittedEvent(toid=place, index=index, operation=operation, event=contract_event)


class ClosedLedger(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger: close time in Unix milliseconds, and the coins burnt until then."""

    sequence: int
    closed_at_ms: int
    transactions: Sequence[LedgerTransaction]
    fee_pool: int
    total_coins: int

    @property
    def closed_at(self) -> int:
        """The close time in whole Unix seconds, rounded down: what contracts and time bounds know."""
        return self.closed_at_ms // 1_000

    def events(self) -> list[tuple[LedgerTransaction, EmittedEvent]]:
        """Return its events in the order of their ids."""
        found = [(transaction, event) for transaction in self.transactions for event in transaction.events()]
        return sorted(found, key=lambda pair: (pair[1].toid, pair[1].index))


def toid(ledger: int, transaction: int = 0, operation: int = 0) -> int:
    """Return the total order id of SEP-35."""
    return ledger << 32 | transaction << 12 | operation


class Book:
    """The ledgers of the retention window, the newest last.

    A validator signs the value of each ledger, as on a real network: no two networks have a ledger in common, even when
    they were born in the same second and nothing has happened on either.
    """

    def __init__(self, version: WireVersion, validator: Keypair | None = None) -> None:
        self._version = version
        self._validator = validator or Keypair.random()
        self._ledgers: dict[int, ClosedLedger] = {}
        self._transactions: dict[str, LedgerTransaction] = {}
        self._headers: dict[int, xdr.LedgerHeader] = {}
        self._hashes: dict[int, bytes] = {}
        self._oldest = 0
        self._latest = 0

    @property
    def latest(self) -> ClosedLedger:
        """The newest ledger."""
        return self._ledgers[self._latest]

    @property
    def oldest(self) -> ClosedLedger:
        """The oldest one kept."""
        return self._ledgers[self._oldest]

    def ledger(self, sequence: int) -> ClosedLedger:
        """Return a ledger of the window; raises KeyError."""
        return self._ledgers[sequence]

    def transaction(self, hash_hex: str) -> LedgerTransaction | None:
        """Return a transaction of the window."""
        return self._transactions.get(hash_hex)

    def add(self, ledger: ClosedLedger) -> None:
        """Append a ledger, forgetting what falls out of the window."""
        self._ledgers[ledger.sequence] = ledger
        self._latest = ledger.sequence
        self._oldest = self._oldest or ledger.sequence
        self._transactions.update((transaction.hash, transaction) for transaction in ledger.transactions)
        while self._latest - self._oldest >= RETENTION_LEDGERS:
            self.hash(self._oldest + 1)
            for transaction in self._ledgers.pop(self._oldest).transactions:
                self._transactions.pop(transaction.hash, None)
            self._headers.pop(self._oldest, None)
            self._hashes.pop(self._oldest, None)
            self._oldest += 1

    def header(self, sequence: int) -> xdr.LedgerHeader:
        """Return the header of a ledger of the window."""
        self.hash(sequence)
        return self._headers[sequence]

    def hash(self, sequence: int) -> bytes:
        """Return the hash of a ledger's header; hashes are worked out along the chain as far as asked."""
        known = sequence
        while known not in self._hashes and known > self._oldest:
            known -= 1
        previous = self._hashes.get(known - 1, _NO_HASH)
        for number in range(known, sequence + 1):
            if number not in self._hashes:
                header = _header(self._ledgers[number], previous, self._version, self._validator)
                self._headers[number] = header
                self._hashes[number] = hashlib.sha256(header.to_xdr_bytes()).digest()
            previous = self._hashes[number]
        return previous

    def history_entry(self, sequence: int) -> xdr.LedgerHeaderHistoryEntry:
        """Return header and hash together."""
        header = self.header(sequence)
        return xdr.LedgerHeaderHistoryEntry(
            xdr.Hash(self._hashes[sequence]), header, xdr.LedgerHeaderHistoryEntryExt(0)
        )

    def close_meta(self, sequence: int) -> xdr.LedgerCloseMeta:
        """Return everything that happened in a ledger."""
        ledger = self._ledgers[sequence]
        entry = self.history_entry(sequence)
        meta = xdr.LedgerCloseMetaV2(
            ext=xdr.LedgerCloseMetaExt(0),
            ledger_header=entry,
            tx_set=_transaction_set(ledger, entry.header.previous_ledger_hash),
            tx_processing=[_processing(transaction) for transaction in ledger.transactions],
            upgrades_processing=[],
            scp_info=[],
            total_byte_size_of_live_soroban_state=xdr.Uint64(0),
            evicted_keys=[],
        )
        return xdr.LedgerCloseMeta(2, v2=meta)


class MillisecondsExtension(xdr.StellarValueExt):
    """The arm STELLAR_VALUE_SIGNED_MS of CAP-88, which stellar-sdk does not know yet."""

    _SIGNED_MS: Final = 3

    def __init__(self, close_time_ms: int, signature: xdr.LedgerCloseValueSignature) -> None:
        self._close_time_ms = close_time_ms
        self._signature = signature

    def pack(self, packer: Packer) -> None:
        """Write the arm."""
        packer.pack_int(self._SIGNED_MS)
        xdr.Uint64(self._close_time_ms).pack(packer)
        self._signature.pack(packer)


def _header(ledger: ClosedLedger, previous: bytes, version: WireVersion, validator: Keypair) -> xdr.LedgerHeader:
    pairs = [_pair(transaction) for transaction in ledger.transactions]
    results = xdr.TransactionResultSet(pairs).to_xdr_bytes()
    transaction_set = _transaction_set(ledger, xdr.Hash(previous)).to_xdr_bytes()
    tx_set_hash = xdr.Hash(hashlib.sha256(transaction_set).digest())
    close_time = xdr.TimePoint(xdr.Uint64(ledger.closed_at))
    signature = xdr.LedgerCloseValueSignature(
        node_id=xdr.NodeID(validator.xdr_public_key()),
        signature=xdr.Signature(validator.sign(tx_set_hash.to_xdr_bytes() + close_time.to_xdr_bytes())),
    )
    value = xdr.StellarValue(
        tx_set_hash=tx_set_hash,
        close_time=close_time,
        upgrades=[],
        ext=MillisecondsExtension(ledger.closed_at_ms, signature)
        if version.has_millisecond_headers
        else xdr.StellarValueExt(xdr.StellarValueType.STELLAR_VALUE_SIGNED, lc_value_signature=signature),
    )
    return xdr.LedgerHeader(
        ledger_version=xdr.Uint32(version.protocol),
        previous_ledger_hash=xdr.Hash(previous),
        scp_value=value,
        tx_set_result_hash=xdr.Hash(hashlib.sha256(results).digest()),
        bucket_list_hash=xdr.Hash(_NO_HASH),
        ledger_seq=xdr.Uint32(ledger.sequence),
        total_coins=xdr.Int64(ledger.total_coins),
        fee_pool=xdr.Int64(ledger.fee_pool),
        inflation_seq=xdr.Uint32(0),
        id_pool=xdr.Uint64(0),
        base_fee=xdr.Uint32(BASE_FEE_STROOPS),
        base_reserve=xdr.Uint32(BASE_RESERVE_STROOPS),
        max_tx_set_size=xdr.Uint32(MAX_TRANSACTIONS),
        skip_list=[xdr.Hash(_NO_HASH)] * 4,
        ext=xdr.LedgerHeaderExt(0),
    )


def _transaction_set(ledger: ClosedLedger, previous: xdr.Hash) -> xdr.GeneralizedTransactionSet:
    """Return the classic and the contract phase, the latter as one cluster."""
    base_fee = xdr.Int64(BASE_FEE_STROOPS)
    classic: list[xdr.TransactionEnvelope] = []
    soroban: list[xdr.TransactionEnvelope] = []
    for closed in ledger.transactions:
        (soroban if is_soroban(closed.transaction) else classic).append(closed.transaction.envelope)
    component = xdr.TxSetComponent(
        xdr.TxSetComponentType.TXSET_COMP_TXS_MAYBE_DISCOUNTED_FEE,
        txs_maybe_discounted_fee=xdr.TxSetComponentTxsMaybeDiscountedFee(base_fee, classic),
    )
    stages = [xdr.ParallelTxExecutionStage([xdr.DependentTxCluster(soroban)])] if soroban else []
    phases = [
        xdr.TransactionPhase(0, v0_components=[component] if classic else []),
        xdr.TransactionPhase(1, parallel_txs_component=xdr.ParallelTxsComponent(base_fee, stages)),
    ]
    return xdr.GeneralizedTransactionSet(1, v1_tx_set=xdr.TransactionSetV1(previous, phases))


def _pair(closed: LedgerTransaction) -> xdr.TransactionResultPair:
    return xdr.TransactionResultPair(xdr.Hash(closed.transaction.hash), closed.applied.result)


def _processing(closed: LedgerTransaction) -> xdr.TransactionResultMetaV1:
    return xdr.TransactionResultMetaV1(
        ext=xdr.ExtensionPoint(0),
        result=_pair(closed),
        fee_processing=closed.applied.fee_changes,
        tx_apply_processing=closed.applied.meta,
        post_tx_apply_fee_processing=xdr.LedgerEntryChanges([]),
    )
