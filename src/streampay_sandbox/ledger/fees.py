"""What a transaction costs, in stroops. The rates have the shape and the size of the public network's.

The non-refundable part follows from the declared resources, the refundable part (events, return value, rent) from
what was really used; the rest of the declared resource fee is given back.
"""

from typing import Final

import msgspec
from stellar_sdk import xdr

BASE_FEE_STROOPS: Final = 100
EXTRA_INSTRUCTIONS_PERCENT: Final = 25
EXTRA_FEE_PERCENT: Final = 15
_PER_10_000_INSTRUCTIONS: Final = 25
_PER_READ_ENTRY: Final = 1_563
_PER_WRITTEN_ENTRY: Final = 2_500
_PER_READ_KIB: Final = 447
_PER_WRITTEN_KIB: Final = 875
_PER_TRANSACTION_KIB: Final = 4_465
_PER_EVENT_KIB: Final = 2_500
_RENT_PER_NEW_ROW: Final = 12_000
SIGNATURE_BYTES: Final = 72


class ResourceFee(msgspec.Struct, frozen=True, kw_only=True):
    """The two parts of a resource fee, and the part of the refundable one that is rent."""

    non_refundable: int
    refundable: int
    rent: int

    @property
    def total(self) -> int:
        """Both parts together."""
        return self.non_refundable + self.refundable


def non_refundable_fee(resources: xdr.SorobanResources, transaction_bytes: int) -> int:
    """Return what declared resources and the transaction's size cost whether it succeeds or not."""
    footprint = resources.footprint
    return (
        _share(resources.instructions.uint32, 10_000, _PER_10_000_INSTRUCTIONS)
        + _PER_READ_ENTRY * (len(footprint.read_only) + len(footprint.read_write))
        + _PER_WRITTEN_ENTRY * len(footprint.read_write)
        + _share(resources.disk_read_bytes.uint32, 1024, _PER_READ_KIB)
        + _share(resources.write_bytes.uint32, 1024, _PER_WRITTEN_KIB)
        + _share(transaction_bytes, 1024, _PER_TRANSACTION_KIB)
    )


def event_fee(event_bytes: int) -> int:
    """Return what events and the return value cost."""
    return _share(event_bytes, 1024, _PER_EVENT_KIB)


def rent_fee(new_rows: int) -> int:
    """Return what new rows cost to keep."""
    return new_rows * _RENT_PER_NEW_ROW


def with_leeway(amount: int, percent: int) -> int:
    """Return `amount` raised by `percent`, rounded up."""
    return amount + -(-amount * percent // 100)


def _share(amount: int, unit: int, price: int) -> int:
    return -(-amount * price // unit)
