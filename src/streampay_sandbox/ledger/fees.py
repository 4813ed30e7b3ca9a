"""What a transaction costs, in stroops, and how much it may use: the formulas and the rates of the public network.

Formulas: `fees.rs` of soroban-env-host and the default adjustments of soroban-simulation. Rates and limits: the public
network's on 2026-07-10, as soroban-sdk's cost estimates carry them. docs/truth.md has the numbers beside recorded ones.

The non-refundable part follows from the declared resources, the refundable part (events, return value, rent) from
what was really used; the rest of the declared resource fee is given back.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.keys import Key, is_durable
from streampay_sandbox.ledger.state import Draft, StateEntry

BASE_FEE_STROOPS: Final = 100

_PER_10_000_INSTRUCTIONS: Final = 7
_PER_DISK_READ_ENTRY: Final = 1_563
_PER_WRITTEN_ENTRY: Final = 2_500
_PER_DISK_READ_KIB: Final = 447
_PER_WRITTEN_KIB: Final = 875
_PER_HISTORY_KIB: Final = 4_059
_PER_TRANSACTION_KIB: Final = 406
_PER_EVENT_KIB: Final = 5_000
_PER_RENT_KIB: Final = 12_000
_PERSISTENT_RENT_LEDGERS: Final = 1_215
_TEMPORARY_RENT_LEDGERS: Final = 2_430
_CODE_RENT_DISCOUNT: Final = 3
_RESULT_BYTES: Final = 300
_LIFETIME_ENTRY_BYTES: Final = 48

MOST_INSTRUCTIONS: Final = 400_000_000
MOST_EVENT_BYTES: Final = 16_384
_MOST_DISK_READ_ENTRIES: Final = 200
_MOST_WRITTEN_ENTRIES: Final = 200
_MOST_ENTRIES: Final = 400
_MOST_DISK_READ_BYTES: Final = 200_000
_MOST_WRITTEN_BYTES: Final = 132_096


class RentChange(msgspec.Struct, frozen=True, kw_only=True):
    """How an entry's size in bytes and its last ledger change; 0 before for a new one, 0 after for one removed."""

    persistent: bool
    code: bool
    old_bytes: int
    new_bytes: int
    old_live_until: int
    new_live_until: int


def non_refundable_fee(resources: xdr.SorobanResources, transaction_bytes: int) -> int:
    """Return what declared resources and the transaction's size cost whether it succeeds or not."""
    footprint = resources.footprint
    return (
        _share(resources.instructions.uint32, 10_000, _PER_10_000_INSTRUCTIONS)
        + _PER_DISK_READ_ENTRY * _disk_read_entries(footprint)
        + _PER_WRITTEN_ENTRY * len(footprint.read_write)
        + _share(resources.disk_read_bytes.uint32, 1024, _PER_DISK_READ_KIB)
        + _share(resources.write_bytes.uint32, 1024, _PER_WRITTEN_KIB)
        + _share(transaction_bytes + _RESULT_BYTES, 1024, _PER_HISTORY_KIB)
        + _share(transaction_bytes, 1024, _PER_TRANSACTION_KIB)
    )


def event_fee(event_bytes: int) -> int:
    """Return what events and the return value cost."""
    return _share(event_bytes, 1024, _PER_EVENT_KIB)


def rent_fee(changes: Iterable[RentChange], sequence: int) -> int:
    """Return what longer lives and larger entries cost in ledger `sequence`."""
    changes = tuple(changes)
    extended = sum(change.new_live_until > change.old_live_until for change in changes)
    return (
        sum(_rent_of(change, sequence) for change in changes)
        + _PER_WRITTEN_ENTRY * extended
        + _share(_LIFETIME_ENTRY_BYTES * extended, 1024, _PER_WRITTEN_KIB)
    )


def rent_changes(draft: Draft, keys: Collection[Key]) -> Iterator[RentChange]:
    """Yield how those of a draft's entries change that pay rent."""
    for key in keys:
        if key.durable:
            before, after = draft.base.get(key), draft.get(key)
            yield RentChange(
                persistent=not key.temporary,
                code=key.ledger_key.type == xdr.LedgerEntryType.CONTRACT_CODE,
                old_bytes=entry_bytes(before),
                new_bytes=entry_bytes(after),
                old_live_until=_live_until(before),
                new_live_until=_live_until(after),
            )


def entry_bytes(entry: StateEntry | None) -> int:
    """Return how large an entry is on the ledger, 0 for none."""
    return 0 if entry is None else entry.data_bytes + 8


def beyond_limits(resources: xdr.SorobanResources) -> str:
    """Return what a transaction declares more of than any may use, "" where it does not."""
    footprint = resources.footprint
    used = (
        ("instructions", resources.instructions.uint32, MOST_INSTRUCTIONS),
        ("entries read from disk", _disk_read_entries(footprint), _MOST_DISK_READ_ENTRIES),
        ("written entries", len(footprint.read_write), _MOST_WRITTEN_ENTRIES),
        ("entries", len(footprint.read_only) + len(footprint.read_write), _MOST_ENTRIES),
        ("bytes read from disk", resources.disk_read_bytes.uint32, _MOST_DISK_READ_BYTES),
        ("written bytes", resources.write_bytes.uint32, _MOST_WRITTEN_BYTES),
    )
    return next((f"{amount} {what}, at most {most}" for what, amount, most in used if amount > most), "")


def adjusted_instructions(instructions: int) -> int:
    """Return what simulation declares for instructions it has seen."""
    return max(instructions + 50_000, instructions * 104 // 100)


def adjusted_size(transaction_bytes: int) -> int:
    """Return the size that simulation reckons with."""
    return max(transaction_bytes + 500, transaction_bytes * 110 // 100)


def adjusted_refundable_fee(stroops: int) -> int:
    """Return the refundable fee that simulation asks for."""
    return stroops * 115 // 100


def _rent_of(change: RentChange, sequence: int) -> int:
    new = change.old_bytes == 0 and change.old_live_until == 0
    added_ledgers = max(change.new_live_until - (sequence - 1 if new else change.old_live_until), 0)
    fee = _rent(change, change.new_bytes, added_ledgers)
    if not new and change.new_bytes > change.old_bytes:
        paid_ledgers = max(change.old_live_until - sequence + 1, 0)
        fee += _rent(change, change.new_bytes - change.old_bytes, paid_ledgers)
    return -(-fee // _CODE_RENT_DISCOUNT) if change.code else fee


def _rent(change: RentChange, size_bytes: int, ledgers: int) -> int:
    unit_ledgers = _PERSISTENT_RENT_LEDGERS if change.persistent else _TEMPORARY_RENT_LEDGERS
    return _share(size_bytes * ledgers, 1024 * unit_ledgers, _PER_RENT_KIB)


def _disk_read_entries(footprint: xdr.LedgerFootprint) -> int:
    """Count the entries that no contract keeps: contracts' own are in memory."""
    return sum(not is_durable(key) for key in (*footprint.read_only, *footprint.read_write))


def _live_until(entry: StateEntry | None) -> int:
    return 0 if entry is None or entry.live_until is None else entry.live_until


def _share(amount: int, unit: int, price: int) -> int:
    return -(-amount * price // unit)
