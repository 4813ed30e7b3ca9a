"""The ledger's state: entries under their keys, drafts of changes, and the sum of all native coins.

Entries and the XDR inside them are never changed in place: a change is a new entry.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final, Protocol

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.keys import (
    INSTANCE,
    PERSISTENT,
    TEMPORARY,
    Key,
    account_id,
    account_key,
    instance_key,
    nonce_value,
)
from streampay_sandbox.ledger.values import I128, map_items, sc_address, vec_items
from streampay_smoke.core.errors import SmokeError

Type = xdr.LedgerEntryType
HISTORY_LEDGERS: Final = 16
BASE_RESERVE_STROOPS: Final = 5_000_000
MINIMUM_BALANCE_STROOPS: Final = 2 * BASE_RESERVE_STROOPS


class SupplyBroken(SmokeError):
    """Native coins appeared or vanished: the sandbox itself is wrong."""

    kind = "sandbox_supply_broken"


class StateEntry(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A ledger entry. `live_until` is the last ledger it lives in, None where entries do not expire."""

    data: xdr.LedgerEntryData
    last_modified: int
    live_until: int | None = None

    @cached_property
    def data_bytes(self) -> int:
        """How large its data is as XDR: asked for by every fee."""
        return len(self.data.to_xdr_bytes())

    def ledger_entry(self) -> xdr.LedgerEntry:
        """Return it as the LedgerEntry that metas carry."""
        return xdr.LedgerEntry(xdr.Uint32(self.last_modified), self.data, xdr.LedgerEntryExt(0))


class EntryReader(Protocol):
    """Anything entries can be read from."""

    def get(self, key: Key) -> StateEntry | None:
        """Return the entry under `key`, None where there is none."""


class LedgerState:
    """All live entries, with the last few ledgers' undo records so that a lagging backend can be played."""

    def __init__(self) -> None:
        self.fee_pool = 0
        self.total_coins = 0
        self._entries: dict[Key, StateEntry] = {}
        self._undo: deque[tuple[int, dict[Key, StateEntry | None]]] = deque(maxlen=HISTORY_LEDGERS)

    def get(self, key: Key) -> StateEntry | None:
        return self._entries.get(key)

    def begin_ledger(self, sequence: int) -> None:
        """Open the undo record of ledger `sequence`."""
        self._undo.append((sequence, {}))

    def write(self, changes: Mapping[Key, StateEntry | None]) -> None:
        """Store changed entries, remove those that are None."""
        for key, entry in changes.items():
            before = self._entries.get(key)
            if self._undo:
                self._undo[-1][1].setdefault(key, before)
            if entry is None:
                self._entries.pop(key, None)
            else:
                self._entries[key] = entry

    def as_of(self, sequence: int) -> "Past":
        """Return the state as it was when ledger `sequence` had closed."""
        differences: dict[Key, StateEntry | None] = {}
        for closed, undo in reversed(self._undo):
            if closed <= sequence:
                break
            differences.update(undo)
        return Past(self, differences)

    def native_supply(self) -> int:
        """Return all native coins there are: on accounts, held by contracts, and burnt as fees."""
        return self.fee_pool + sum(native_of(entry) for entry in self._entries.values())

    def check_supply(self) -> None:
        """Raise SupplyBroken unless every coin is accounted for."""
        found = self.native_supply()
        if found != self.total_coins:
            raise SupplyBroken(f"{found} stroops exist, the ledger was born with {self.total_coins}")


class Past:
    """The state some ledgers ago."""

    def __init__(self, state: LedgerState, differences: Mapping[Key, StateEntry | None]) -> None:
        self._state = state
        self._differences = differences

    def get(self, key: Key) -> StateEntry | None:
        return self._differences[key] if key in self._differences else self._state.get(key)


class Draft:
    """Changes on top of a state that are either committed as a whole or forgotten."""

    def __init__(self, base: EntryReader, ledger: int) -> None:
        self.base = base
        self.ledger = ledger
        self.changes: dict[Key, StateEntry | None] = {}

    def get(self, key: Key) -> StateEntry | None:
        return self.changes[key] if key in self.changes else self.base.get(key)

    def put(self, key: Key, data: xdr.LedgerEntryData, live_until: int | None = None) -> None:
        """Set the entry under `key` as changed in this ledger."""
        self.changes[key] = StateEntry(data=data, last_modified=self.ledger, live_until=live_until)

    def extend(self, key: Key, live_until: int) -> None:
        """Let the entry under `key` live until ledger `live_until`; its content is untouched."""
        entry = self.get(key)
        if entry is not None:
            self.changes[key] = msgspec.structs.replace(entry, live_until=live_until)

    def remove(self, key: Key) -> None:
        """Let there be no entry under `key`."""
        self.changes[key] = None

    def native_delta(self) -> int:
        """Return by how much these changes alter the sum of native coins outside the fee pool."""
        return sum(
            (native_of(entry) if entry else 0) - (native_of(before) if (before := self.base.get(key)) else 0)
            for key, entry in self.changes.items()
        )

    def entry_changes(self) -> xdr.LedgerEntryChanges:
        """Return the changes as metas show them: STATE before UPDATED, CREATED alone, TTL rows beside."""
        return xdr.LedgerEntryChanges(list(self._changes()))

    def _changes(self) -> Iterable[xdr.LedgerEntryChange]:
        for key, entry in self.changes.items():
            before = self.base.get(key)
            if entry is None:
                if before is not None:
                    yield _state(before.ledger_entry())
                    yield xdr.LedgerEntryChange(_Change.LEDGER_ENTRY_REMOVED, removed=key.ledger_key)
                continue
            if before is None:
                yield xdr.LedgerEntryChange(_Change.LEDGER_ENTRY_CREATED, created=entry.ledger_entry())
            elif before.data is not entry.data:
                yield _state(before.ledger_entry())
                yield xdr.LedgerEntryChange(_Change.LEDGER_ENTRY_UPDATED, updated=entry.ledger_entry())
            yield from self._ttl_changes(key, before, entry)

    def _ttl_changes(self, key: Key, before: StateEntry | None, entry: StateEntry) -> Iterable[xdr.LedgerEntryChange]:
        if entry.live_until is None or (before is not None and before.live_until == entry.live_until):
            return
        after = _ttl_entry(key, entry.live_until, self.ledger)
        if before is None or before.live_until is None:
            yield xdr.LedgerEntryChange(_Change.LEDGER_ENTRY_CREATED, created=after)
        else:
            yield _state(_ttl_entry(key, before.live_until, before.last_modified))
            yield xdr.LedgerEntryChange(_Change.LEDGER_ENTRY_UPDATED, updated=after)


_Change = xdr.LedgerEntryChangeType


def _state(entry: xdr.LedgerEntry) -> xdr.LedgerEntryChange:
    return xdr.LedgerEntryChange(_Change.LEDGER_ENTRY_STATE, state=entry)


def _ttl_entry(key: Key, live_until: int, last_modified: int) -> xdr.LedgerEntry:
    data = xdr.LedgerEntryData(Type.TTL, ttl=xdr.TTLEntry(xdr.Hash(key.hash), xdr.Uint32(live_until)))
    return StateEntry(data=data, last_modified=last_modified).ledger_entry()


def native_of(entry: StateEntry) -> int:
    """Return the native coins an entry holds in stroops: an account's balance, or a contract's balance row."""
    data = entry.data
    if data.type == Type.ACCOUNT and data.account is not None:
        return data.account.balance.int64
    if data.type == Type.CONTRACT_DATA and data.contract_data is not None:
        key = data.contract_data.key
        if key.type == xdr.SCValType.SCV_VEC and len(vec_items(key)) == 2 and _is_symbol(vec_items(key)[0], b"Balance"):
            amount: int = I128.decode(map_items(data.contract_data.val)["amount"])
            return amount
    return 0


def _is_symbol(value: xdr.SCVal, text: bytes) -> bool:
    return value.sym is not None and value.sym.sc_symbol == text


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What this ledger keeps of an account: one master key of weight 1, no trustlines, no sub-entries."""

    address: str
    balance: int
    sequence: int

    def data(self) -> xdr.LedgerEntryData:
        """Return it as ledger entry data."""
        account = xdr.AccountEntry(
            account_id=account_id(self.address),
            balance=xdr.Int64(self.balance),
            seq_num=xdr.SequenceNumber(xdr.Int64(self.sequence)),
            num_sub_entries=xdr.Uint32(0),
            inflation_dest=None,
            flags=xdr.Uint32(0),
            home_domain=xdr.String32(b""),
            thresholds=xdr.Thresholds(b"\x01\x00\x00\x00"),
            signers=[],
            ext=xdr.AccountEntryExt(0),
        )
        return xdr.LedgerEntryData(Type.ACCOUNT, account=account)

    @property
    def available(self) -> int:
        """What may be spent without falling below the reserve, in stroops."""
        return self.balance - MINIMUM_BALANCE_STROOPS


def load_account(reader: EntryReader, address: str) -> Account | None:
    """Return the account at `address`, None where it does not exist."""
    entry = reader.get(account_key(address))
    if entry is None or entry.data.account is None:
        return None
    account = entry.data.account
    return Account(address=address, balance=account.balance.int64, sequence=account.seq_num.sequence_number.int64)


def store_account(draft: Draft, account: Account) -> None:
    """Put the account into the draft."""
    draft.put(account_key(account.address), account.data())


def data_row(
    contract: str, key: xdr.SCVal, value: xdr.SCVal, durability: xdr.ContractDataDurability = PERSISTENT
) -> xdr.LedgerEntryData:
    """Return a row of contract data."""
    return xdr.LedgerEntryData(
        Type.CONTRACT_DATA,
        contract_data=xdr.ContractDataEntry(xdr.ExtensionPoint(0), sc_address(contract), key, durability, value),
    )


def nonce_row(address: str, nonce: int) -> xdr.LedgerEntryData:
    """Return the row that marks an authorisation nonce as used."""
    return data_row(address, nonce_value(nonce), xdr.SCVal(xdr.SCValType.SCV_VOID), TEMPORARY)


def instance_row(contract: str, executable: xdr.ContractExecutable, storage: xdr.SCMap | None) -> xdr.LedgerEntryData:
    """Return a contract's instance."""
    instance = xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=xdr.SCContractInstance(executable, storage))
    return data_row(contract, INSTANCE, instance)


def load_instance(reader: EntryReader, contract: str) -> xdr.SCContractInstance | None:
    """Return a contract's instance, None where no contract is deployed."""
    entry = reader.get(instance_key(contract))
    return entry.data.contract_data.val.instance if entry and entry.data.contract_data else None
