"""Which entries an invocation touches: written down in simulation, held to when a transaction is applied."""

from collections.abc import Iterable
from typing import Protocol

from stellar_sdk import xdr

from streampay_sandbox.ledger.failures import ErrorCode, ErrorType, HostError, host_error
from streampay_sandbox.ledger.keys import Key


class Footprint(Protocol):
    """Is told of every access before it happens."""

    def reading(self, key: Key) -> None:
        """Note or allow a read; raises HostError."""

    def writing(self, key: Key) -> None:
        """Note or allow a write; raises HostError."""


class FootprintRecorder:
    """Writes down every access, as simulation does; keys that were only looked up are read-only."""

    def __init__(self) -> None:
        self._reads: dict[Key, None] = {}
        self._writes: dict[Key, None] = {}

    def reading(self, key: Key) -> None:
        self._reads.setdefault(key)

    def writing(self, key: Key) -> None:
        self._writes.setdefault(key)

    @property
    def read_only(self) -> list[Key]:
        """Keys that were read and never written, in the order of their XDR."""
        return sorted((key for key in self._reads if key not in self._writes), key=lambda key: key.raw)

    @property
    def read_write(self) -> list[Key]:
        """Keys that were written, in the order of their XDR."""
        return sorted(self._writes, key=lambda key: key.raw)


class FootprintLimit:
    """Allows only what a transaction declared."""

    def __init__(self, read_only: Iterable[Key], read_write: Iterable[Key]) -> None:
        self._read_write = frozenset(read_write)
        self._readable = self._read_write | frozenset(read_only)

    def reading(self, key: Key) -> None:
        if key not in self._readable:
            raise _outside(key, "access")

    def writing(self, key: Key) -> None:
        if key not in self._read_write:
            raise _outside(key, "write" if key in self._readable else "access")


def _outside(key: Key, verb: str) -> HostError:
    what, details = _describe(key)
    return host_error(
        ErrorType.SCE_STORAGE,
        ErrorCode.SCEC_EXCEEDED_LIMIT,
        f"trying to {verb} {what} outside of the footprint",
        *details,
    )


def _describe(key: Key) -> tuple[str, tuple[xdr.SCVal, ...]]:
    data = key.ledger_key.contract_data
    if data is None:
        return key.ledger_key.type.name.lower().replace("_", " "), ()
    if data.key.type == xdr.SCValType.SCV_LEDGER_KEY_NONCE:
        return "nonce", ()
    contract = xdr.SCVal(xdr.SCValType.SCV_ADDRESS, address=data.contract)
    if data.key.type == xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE:
        return "contract instance key", (contract,)
    return "contract data key", (contract, data.key)
