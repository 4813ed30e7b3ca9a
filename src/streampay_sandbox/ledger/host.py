"""The host environment contracts run in: storage, calls, authorisation, events and the ledger's time."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from stellar_sdk import xdr

from streampay_sandbox.ledger.authorization import Authorizer, Frame
from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint
from streampay_sandbox.ledger.failures import ErrorCode, ErrorType, HostError, host_error, panic
from streampay_sandbox.ledger.fees import MOST_INSTRUCTIONS
from streampay_sandbox.ledger.footprint import Footprint
from streampay_sandbox.ledger.keys import PERSISTENT, Durability, Key, code_key, data_key, instance_key
from streampay_sandbox.ledger.state import Draft, StateEntry, data_row, instance_row, load_instance
from streampay_sandbox.ledger.values import (
    ADDRESS,
    SYMBOL,
    Kind,
    WrongValue,
    sc_address,
    vec,
)

# Recorded: 235,125 for a call of a small contract with 4 imports and 7 exports, of which 25,905 and 16,247 are theirs;
# 29,854 for the asset contract's `balance`; 377,551 for a signature. A StreamPay contract imports some 30 functions.
_WASM_CALL_INSTRUCTIONS: Final = 190_000 + 30 * 6_476
_EXPORT_INSTRUCTIONS: Final = 2_321
_ASSET_CALL_INSTRUCTIONS: Final = 25_000
_ACCESS_INSTRUCTIONS: Final = 5_000
SIGNATURE_INSTRUCTIONS: Final = 380_000


class LifetimeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many ledgers an entry lives, the current one included: at first, and at most. The defaults are testnet's."""

    least_persistent: int = 120_960
    least_temporary: int = 720
    most: int = 3_110_400


LIFETIMES: Final = LifetimeLimits()


class LedgerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger an invocation runs in: `sequence`, and `timestamp` as its close time in Unix seconds."""

    sequence: int
    timestamp: int
    network_id: bytes
    lifetimes: LifetimeLimits = LIFETIMES

    @property
    def last_possible(self) -> int:
        """The last ledger an entry can live in now."""
        return self.sequence + self.lifetimes.most - 1


class Contracts(msgspec.Struct, frozen=True, kw_only=True):
    """The code this ledger can run: models by the hash of their wasm, and the built-in asset contract."""

    by_wasm_hash: Mapping[bytes, ContractModel]
    asset_contract: ContractModel


class Host:
    """Runs one invocation against a draft of the state."""

    def __init__(
        self, *, ledger: LedgerInfo, draft: Draft, footprint: Footprint, authorizer: Authorizer, contracts: Contracts
    ) -> None:
        self.ledger = ledger
        self.draft = draft
        self.footprint = footprint
        self.events: list[xdr.ContractEvent] = []
        self.instructions = 0
        self._authorizer = authorizer
        self._contracts = contracts
        self._frames: list[Frame] = []
        self._failed_in: xdr.ContractID | None = None

    @property
    def failed_in(self) -> xdr.ContractID | None:
        """The innermost contract at the moment of failure."""
        return self._failed_in

    def call(self, contract: str, function: str, arguments: list[xdr.SCVal]) -> xdr.SCVal:
        """Run a function of a contract and return its SCVal; raises HostError."""
        frame = Frame(contract, function, arguments)
        self._frames.append(frame)
        try:
            model, instance = self._load(contract)
            self.spend(_instructions_of_call(model, is_asset=instance.executable.wasm_hash is None))
            entry_point = _entry_point(model, frame)
            env = Env(self, contract, instance)
            answer = entry_point.output.encode(entry_point.body(env, *_decode(entry_point, arguments)))
            env.keep_instance()
            return answer
        except HostError:
            if self._failed_in is None:
                self._failed_in = sc_address(contract).contract_id
            raise
        finally:
            self._frames.pop()

    def spend(self, instructions: int) -> None:
        """Count instructions; raises HostError beyond what a transaction may use."""
        self.instructions += instructions
        if self.instructions > MOST_INSTRUCTIONS:
            raise host_error(ErrorType.SCE_BUDGET, ErrorCode.SCEC_EXCEEDED_LIMIT, "cpu limit exceeded")

    def require_auth(self, address: str) -> None:
        """Require `address` to agree to the current call; a contract agrees to the calls it makes itself."""
        if len(self._frames) > 1 and self._frames[-2].contract == address:
            return
        self._authorizer.require(address, self._frames)

    def emit(self, contract: str, topics: list[xdr.SCVal], data: xdr.SCVal) -> None:
        """Publish a contract event."""
        self.events.append(contract_event(contract, topics, data))

    def read(self, key: Key) -> xdr.LedgerEntryData | None:
        """Return the entry under `key`, None where there is none or a temporary one has run out."""
        self.spend(_ACCESS_INSTRUCTIONS)
        entry = self._live(key)
        return None if entry is None else entry.data

    def _live(self, key: Key) -> StateEntry | None:
        """Look an entry up; a persistent one that has run out is restored, as since protocol 23."""
        self.footprint.reading(key)
        entry = self.draft.get(key)
        if entry is None or entry.live_until is None or entry.live_until >= self.ledger.sequence:
            return entry
        if key.temporary:
            return None
        self.footprint.writing(key)
        self.draft.extend(key, self._least_live_until(key))
        return self.draft.get(key)

    def write(self, key: Key, data: xdr.LedgerEntryData) -> None:
        """Write an entry; a new row of contract data gets the network's minimum time to live."""
        self.spend(_ACCESS_INSTRUCTIONS)
        self.footprint.writing(key)
        before = self.draft.get(key)
        live_until = before.live_until if before is not None else None
        if key.durable and (live_until is None or live_until < self.ledger.sequence):
            live_until = self._least_live_until(key)
        self.draft.put(key, data, live_until)

    def remove(self, key: Key) -> None:
        """Remove an entry and its time to live."""
        self.spend(_ACCESS_INSTRUCTIONS)
        self.footprint.writing(key)
        self.draft.remove(key)

    def extend(self, key: Key, threshold: int, extend_to: int) -> None:
        """Let an entry live `extend_to` ledgers from now if it has no more than `threshold` left."""
        entry = self._live(key)
        if entry is None or entry.live_until is None:
            return
        target = min(self.ledger.sequence + extend_to, self.ledger.last_possible)
        if entry.live_until - self.ledger.sequence <= threshold and target > entry.live_until:
            self.draft.extend(key, target)

    def _least_live_until(self, key: Key) -> int:
        """Return the last ledger that a new entry lives in."""
        limits = self.ledger.lifetimes
        return self.ledger.sequence + (limits.least_temporary if key.temporary else limits.least_persistent) - 1

    def _load(self, contract: str) -> tuple[ContractModel, xdr.SCContractInstance]:
        self._live(instance_key(contract))
        instance = load_instance(self.draft, contract)
        if instance is None:
            raise host_error(
                ErrorType.SCE_STORAGE,
                ErrorCode.SCEC_MISSING_VALUE,
                "trying to get non-existing value for contract instance",
                ADDRESS.encode(contract),
            )
        wasm_hash = instance.executable.wasm_hash
        if wasm_hash is None:
            return self._contracts.asset_contract, instance
        self._live(code_key(wasm_hash.hash))
        return self._contracts.by_wasm_hash[wasm_hash.hash], instance


class Env:
    """What one contract call sees of the host."""

    def __init__(self, host: Host, contract: str, instance: xdr.SCContractInstance) -> None:
        self.contract = contract
        self.host = host
        self._instance = instance
        self._rows = {entry.key.to_xdr_bytes(): entry for entry in _instance_rows(instance)}
        self._instance_changed = False

    @property
    def now(self) -> int:
        """The ledger's close time in Unix seconds."""
        return self.host.ledger.timestamp

    @property
    def ledger(self) -> int:
        """The ledger's sequence number."""
        return self.host.ledger.sequence

    def require_auth(self, address: str) -> None:
        """Require `address` to agree to this call."""
        self.host.require_auth(address)

    def call(self, contract: str, function: str, *arguments: xdr.SCVal) -> xdr.SCVal:
        """Call another contract."""
        return self.host.call(contract, function, list(arguments))

    def emit(self, topics: list[xdr.SCVal], data: xdr.SCVal) -> None:
        """Publish an event of this contract."""
        self.host.emit(self.contract, topics, data)

    def get(self, key: xdr.SCVal, kind: Kind, durability: Durability = PERSISTENT) -> Any:
        """Return a row's value, None where there is none."""
        data = self.host.read(data_key(self.contract, key, durability))
        return None if data is None or data.contract_data is None else kind.decode(data.contract_data.val)

    def put(self, key: xdr.SCVal, kind: Kind, value: Any, durability: Durability = PERSISTENT) -> None:
        """Write a row."""
        row = data_row(self.contract, key, kind.encode(value), durability)
        self.host.write(data_key(self.contract, key, durability), row)

    def remove(self, key: xdr.SCVal) -> None:
        """Remove a persistent row."""
        self.host.remove(data_key(self.contract, key))

    def extend(self, key: xdr.SCVal, threshold: int, extend_to: int, durability: Durability = PERSISTENT) -> None:
        """Extend a row's time to live, in ledgers."""
        self.host.extend(data_key(self.contract, key, durability), threshold, extend_to)

    def instance_get(self, key: xdr.SCVal, kind: Kind) -> Any:
        """Return a value kept in the contract's instance, None where there is none."""
        entry = self._rows.get(key.to_xdr_bytes())
        return None if entry is None else kind.decode(entry.val)

    def instance_put(self, key: xdr.SCVal, kind: Kind, value: Any) -> None:
        """Keep a value in the contract's instance."""
        self._rows[key.to_xdr_bytes()] = xdr.SCMapEntry(key, kind.encode(value))
        self._instance_changed = True

    def instance_extend(self, threshold: int, extend_to: int) -> None:
        """Extend the time to live of the instance and of its code, in ledgers."""
        self.keep_instance()
        self.host.extend(instance_key(self.contract), threshold, extend_to)
        if self._instance.executable.wasm_hash is not None:
            self.host.extend(code_key(self._instance.executable.wasm_hash.hash), threshold, extend_to)

    def keep_instance(self) -> None:
        """Write the instance back if a value in it changed."""
        if not self._instance_changed:
            return
        self._instance_changed = False
        storage = instance_storage(self._rows.values())
        row = instance_row(self.contract, self._instance.executable, storage)
        self.host.write(instance_key(self.contract), row)


def instance_storage(rows: Any) -> xdr.SCMap:
    """Return instance rows as the map the host keeps, in its order."""
    return xdr.SCMap(sorted(rows, key=lambda row: _order(row.key)))


def _order(value: xdr.SCVal) -> tuple[Any, ...]:
    """Order keys as the host orders values: by type, vectors by their items, shorter first."""
    if value.vec is not None:
        return (value.type.value, *(_order(item) for item in value.vec.sc_vec))
    if value.sym is not None:
        return (value.type.value, value.sym.sc_symbol)
    return (value.type.value, value.to_xdr_bytes())


def _instance_rows(instance: xdr.SCContractInstance) -> list[xdr.SCMapEntry]:
    return instance.storage.sc_map if instance.storage is not None else []


def _instructions_of_call(model: ContractModel, *, is_asset: bool) -> int:
    if is_asset:
        return _ASSET_CALL_INSTRUCTIONS
    return _WASM_CALL_INSTRUCTIONS + _EXPORT_INSTRUCTIONS * len(model.entry_points)


def _entry_point(model: ContractModel, frame: Frame) -> EntryPoint:
    entry_point = model.entry_points.get(frame.function)
    if entry_point is None:
        kind, code = (
            (ErrorType.SCE_VALUE, ErrorCode.SCEC_INVALID_INPUT)
            if model.is_built_in
            else (ErrorType.SCE_WASM_VM, ErrorCode.SCEC_MISSING_VALUE)
        )
        raise host_error(
            kind,
            code,
            "trying to invoke non-existent contract function",
            xdr.SCVal(xdr.SCValType.SCV_SYMBOL, sym=xdr.SCSymbol(frame.function.encode())),
        )
    if len(entry_point.inputs) != len(frame.arguments):
        raise host_error(
            ErrorType.SCE_WASM_VM,
            ErrorCode.SCEC_UNEXPECTED_SIZE,
            "the wrong number of arguments for the contract function",
            SYMBOL.encode(frame.function),
        )
    return entry_point


def _decode(entry_point: EntryPoint, arguments: list[xdr.SCVal]) -> list[Any]:
    try:
        return [kind.decode(value) for (_, kind), value in zip(entry_point.inputs, arguments, strict=True)]
    except WrongValue:
        raise panic("the arguments are of other types", SYMBOL.encode(entry_point.name)) from None


def contract_event(contract: str, topics: list[xdr.SCVal], data: xdr.SCVal) -> xdr.ContractEvent:
    """Return an event of a contract."""
    return xdr.ContractEvent(
        ext=xdr.ExtensionPoint(0),
        contract_id=sc_address(contract).contract_id,
        type=xdr.ContractEventType.CONTRACT,
        body=xdr.ContractEventBody(0, xdr.ContractEventV0(topics, data)),
    )


def storage_key(name: str, *parts: xdr.SCVal) -> xdr.SCVal:
    """Return a contract enum case as a storage key: a vector of its symbol and its payload."""
    return vec(SYMBOL.encode(name), *parts)
