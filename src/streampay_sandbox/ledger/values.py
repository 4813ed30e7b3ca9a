"""Contract values: each kind turns an SCVal into a Python value and back, and names itself in a contract spec.

In Python: integers are int, symbols and strings str, addresses G.../C... strkeys, vectors list, `Option` None or the
value, structs the msgspec record they belong to, unit enums their variant's name.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec
from stellar_sdk import Address, MuxedAccount, StrKey, scval, xdr

Spec = xdr.SCSpecTypeDef
SpecType = xdr.SCSpecType
Tag = xdr.SCValType


class WrongValue(Exception):
    """An SCVal is not of the kind an entry point takes: the guest would trap."""


class Kind(Protocol):
    """One type of contract value."""

    def encode(self, value: Any) -> xdr.SCVal:
        """Return `value` as an SCVal."""

    def decode(self, value: xdr.SCVal) -> Any:
        """Return the Python value; raises WrongValue."""

    def spec(self) -> Spec:
        """Return the type as contract specs name it."""


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """A built-in type: its SCVal tag, its spec tag, and the codec functions of the SDK."""

    tag: Tag
    spec_type: SpecType
    to: Any
    of: Any

    def encode(self, value: Any) -> xdr.SCVal:
        scalar: xdr.SCVal = self.to(value)
        return scalar

    def decode(self, value: xdr.SCVal) -> Any:
        if value.type != self.tag:
            raise WrongValue(f"{value.type.name} where {self.tag.name} is due")
        return self.of(value)

    def spec(self) -> Spec:
        return Spec(self.spec_type)


@lru_cache(maxsize=4096)
def sc_address(address: str) -> xdr.SCAddress:
    """Return the SCAddress of a G.../C... strkey; shared, so never changed in place."""
    return Address(address).to_xdr_sc_address()


def strkey(address: xdr.SCAddress) -> str:
    """Return the G.../C... strkey of an SCAddress."""
    if address.account_id is not None and (key := address.account_id.account_id.ed25519) is not None:
        return account_strkey(key.uint256)
    if address.contract_id is not None:
        return contract_strkey(address.contract_id.contract_id.hash)
    return Address.from_xdr_sc_address(address).address


@lru_cache(maxsize=4096)
def account_strkey(key: bytes) -> str:
    """Return the G... address of an account's key."""
    return StrKey.encode_ed25519_public_key(key)


@lru_cache(maxsize=256)
def contract_strkey(contract_hash: bytes) -> str:
    """Return the C... address of a contract."""
    return StrKey.encode_contract(contract_hash)


def _address_scval(address: str) -> xdr.SCVal:
    return xdr.SCVal(Tag.SCV_ADDRESS, address=sc_address(address))


def _text(value: xdr.SCVal) -> str:
    return scval.from_string(value).decode()


def _void(_: None) -> xdr.SCVal:
    return xdr.SCVal(Tag.SCV_VOID)


VOID = Scalar(tag=Tag.SCV_VOID, spec_type=SpecType.SC_SPEC_TYPE_VOID, to=_void, of=lambda _: None)
BOOL = Scalar(tag=Tag.SCV_BOOL, spec_type=SpecType.SC_SPEC_TYPE_BOOL, to=scval.to_bool, of=scval.from_bool)
U32 = Scalar(tag=Tag.SCV_U32, spec_type=SpecType.SC_SPEC_TYPE_U32, to=scval.to_uint32, of=scval.from_uint32)
U64 = Scalar(tag=Tag.SCV_U64, spec_type=SpecType.SC_SPEC_TYPE_U64, to=scval.to_uint64, of=scval.from_uint64)
I128 = Scalar(tag=Tag.SCV_I128, spec_type=SpecType.SC_SPEC_TYPE_I128, to=scval.to_int128, of=scval.from_int128)
SYMBOL = Scalar(tag=Tag.SCV_SYMBOL, spec_type=SpecType.SC_SPEC_TYPE_SYMBOL, to=scval.to_symbol, of=scval.from_symbol)
STRING = Scalar(tag=Tag.SCV_STRING, spec_type=SpecType.SC_SPEC_TYPE_STRING, to=scval.to_string, of=_text)
ADDRESS = Scalar(
    tag=Tag.SCV_ADDRESS,
    spec_type=SpecType.SC_SPEC_TYPE_ADDRESS,
    to=_address_scval,
    of=lambda value: strkey(value.address),
)


class Muxed(msgspec.Struct, frozen=True, kw_only=True):
    """An address and, where it is a multiplexed account, the id in it."""

    address: str
    muxed_id: int | None = None


class MuxedAddress(msgspec.Struct, frozen=True):
    """`MuxedAddress`: an account, a contract or a multiplexed account (CAP-67)."""

    def encode(self, value: Muxed) -> xdr.SCVal:
        if value.muxed_id is None:
            return ADDRESS.encode(value.address)
        muxed = MuxedAccount(value.address, value.muxed_id)
        return ADDRESS.encode(muxed.account_muxed)

    def decode(self, value: xdr.SCVal) -> Muxed:
        address: str = ADDRESS.decode(value)
        if not StrKey.is_valid_med25519_public_key(address):
            return Muxed(address=address)
        account = MuxedAccount.from_account(address)
        return Muxed(address=account.account_id, muxed_id=account.account_muxed_id)

    def spec(self) -> Spec:
        return Spec(SpecType.SC_SPEC_TYPE_MUXED_ADDRESS)


MUXED_ADDRESS = MuxedAddress()

U64_MAX = 2**64 - 1
I128_MAX = 2**127 - 1


class Vector(msgspec.Struct, frozen=True):
    """`Vec<element>`."""

    element: Kind

    def encode(self, value: Sequence[Any]) -> xdr.SCVal:
        return vec(*(self.element.encode(item) for item in value))

    def decode(self, value: xdr.SCVal) -> list[Any]:
        return [self.element.decode(item) for item in vec_items(value)]

    def spec(self) -> Spec:
        return Spec(SpecType.SC_SPEC_TYPE_VEC, vec=xdr.SCSpecTypeVec(self.element.spec()))


class Optional(msgspec.Struct, frozen=True):
    """`Option<value>`; None travels as void."""

    value: Kind

    def encode(self, value: Any) -> xdr.SCVal:
        return VOID.encode(None) if value is None else self.value.encode(value)

    def decode(self, value: xdr.SCVal) -> Any:
        return None if value.type == Tag.SCV_VOID else self.value.decode(value)

    def spec(self) -> Spec:
        return Spec(SpecType.SC_SPEC_TYPE_OPTION, option=xdr.SCSpecTypeOption(self.value.spec()))


class ResultOf(msgspec.Struct, frozen=True):
    """`Result<ok, Error>`: on the wire it is `ok`, a failure ends the call instead."""

    ok: Kind

    def encode(self, value: Any) -> xdr.SCVal:
        return self.ok.encode(value)

    def decode(self, value: xdr.SCVal) -> Any:
        return self.ok.decode(value)

    def spec(self) -> Spec:
        return Spec(
            SpecType.SC_SPEC_TYPE_RESULT,
            result=xdr.SCSpecTypeResult(self.ok.spec(), Spec(SpecType.SC_SPEC_TYPE_ERROR)),
        )


class Variants(msgspec.Struct, frozen=True):
    """A contract enum without payloads: a vector of one symbol on the wire."""

    name: str
    cases: tuple[str, ...]

    def encode(self, value: str) -> xdr.SCVal:
        return vec(SYMBOL.encode(value))

    def decode(self, value: xdr.SCVal) -> str:
        items = vec_items(value)
        case: str = SYMBOL.decode(items[0]) if len(items) == 1 else ""
        if case not in self.cases:
            raise WrongValue(f"{case!r} is no case of {self.name}")
        return case

    def spec(self) -> Spec:
        return _named(self.name)


class Record(msgspec.Struct, frozen=True):
    """A contract struct: a map from field symbols to values, kept as an instance of the msgspec record `type`."""

    name: str
    type: type[msgspec.Struct]
    fields: tuple[tuple[str, Kind], ...]

    def encode(self, value: msgspec.Struct) -> xdr.SCVal:
        return symbol_map({name: kind.encode(getattr(value, name)) for name, kind in self.fields})

    def decode(self, value: xdr.SCVal) -> msgspec.Struct:
        found = map_items(value)
        if found.keys() != {name for name, _ in self.fields}:
            raise WrongValue(f"not the fields of {self.name}")
        return self.type(**{name: kind.decode(found[name]) for name, kind in self.fields})

    def spec(self) -> Spec:
        return _named(self.name)


def _named(name: str) -> Spec:
    return Spec(SpecType.SC_SPEC_TYPE_UDT, udt=xdr.SCSpecTypeUDT(name.encode()))


def vec(*items: xdr.SCVal) -> xdr.SCVal:
    """Return a vector SCVal."""
    return xdr.SCVal(Tag.SCV_VEC, vec=xdr.SCVec(list(items)))


def vec_items(value: xdr.SCVal) -> list[xdr.SCVal]:
    """Return the items of a vector SCVal; raises WrongValue."""
    if value.type != Tag.SCV_VEC or value.vec is None:
        raise WrongValue(f"{value.type.name} where SCV_VEC is due")
    return value.vec.sc_vec


def symbol_map(entries: dict[str, xdr.SCVal]) -> xdr.SCVal:
    """Return a map SCVal with symbol keys, in the order the host requires."""
    ordered = [xdr.SCMapEntry(SYMBOL.encode(name), entries[name]) for name in sorted(entries)]
    return xdr.SCVal(Tag.SCV_MAP, map=xdr.SCMap(ordered))


def map_items(value: xdr.SCVal) -> dict[str, xdr.SCVal]:
    """Return a map SCVal with symbol keys as a dict; raises WrongValue."""
    if value.type != Tag.SCV_MAP or value.map is None:
        raise WrongValue(f"{value.type.name} where SCV_MAP is due")
    return {SYMBOL.decode(entry.key): entry.val for entry in value.map.sc_map}
