"""Contract code that is all interface: a wasm module without a body, whose custom sections say what can be called.

Readers of on-chain specs (`SorobanServer.get_contract_spec`, `contract.Client.from` in JavaScript) find everything
they look for. Source: CAP-46-1 and SEP-48.
"""

import hashlib
from collections.abc import Iterable

from stellar_sdk import xdr

from streampay_sandbox.ledger.contracts import ContractModel, EntryPoint, EventShape
from streampay_sandbox.ledger.values import Kind, Record, Variants

INTERFACE_VERSION = 27
"""The protocol that the contracts were built for: they are older than the networks they run on."""

_HEADER = b"\0asm\x01\x00\x00\x00"
_Kind = xdr.SCSpecEntryKind


def build_wasm(model: ContractModel) -> bytes:
    """Return the module that publishes `model`'s interface."""
    spec = b"".join(entry.to_xdr_bytes() for entry in spec_entries(model))
    environment = xdr.SCEnvMetaEntry(
        xdr.SCEnvMetaKind.SC_ENV_META_KIND_INTERFACE_VERSION,
        interface_version=xdr.SCEnvMetaEntryInterfaceVersion(xdr.Uint32(INTERFACE_VERSION), xdr.Uint32(0)),
    )
    meta = b"".join(
        xdr.SCMetaEntry(xdr.SCMetaKind.SC_META_V0, xdr.SCMetaV0(key, value)).to_xdr_bytes()
        for key, value in ((b"name", model.name.encode()), (b"binver", model.version.encode()), (b"simulated", b"true"))
    )
    return (
        _HEADER
        + _section(b"contractspecv0", spec)
        + _section(b"contractenvmetav0", environment.to_xdr_bytes())
        + _section(b"contractmetav0", meta)
    )


def wasm_hash(code: bytes) -> bytes:
    """Return what an instance points at its code by."""
    return hashlib.sha256(code).digest()


def spec_entries(model: ContractModel) -> Iterable[xdr.SCSpecEntry]:
    """Return the interface: functions, structs, unit enums, the error enum, events."""
    for entry_point in model.entry_points.values():
        yield xdr.SCSpecEntry(_Kind.SC_SPEC_ENTRY_FUNCTION_V0, function_v0=_function(entry_point))
    for record in model.records:
        yield xdr.SCSpecEntry(_Kind.SC_SPEC_ENTRY_UDT_STRUCT_V0, udt_struct_v0=_struct(record))
    for variants in model.variants:
        yield xdr.SCSpecEntry(_Kind.SC_SPEC_ENTRY_UDT_UNION_V0, udt_union_v0=_union(variants))
    if model.errors:
        yield xdr.SCSpecEntry(_Kind.SC_SPEC_ENTRY_UDT_ERROR_ENUM_V0, udt_error_enum_v0=_errors(model))
    for event in model.events:
        yield xdr.SCSpecEntry(_Kind.SC_SPEC_ENTRY_EVENT_V0, event_v0=_event(event))


def _function(entry_point: EntryPoint) -> xdr.SCSpecFunctionV0:
    output = entry_point.output.spec()
    returns_nothing = output.type == xdr.SCSpecType.SC_SPEC_TYPE_VOID
    return xdr.SCSpecFunctionV0(
        doc=b"",
        name=xdr.SCSymbol(entry_point.name.encode()),
        inputs=[xdr.SCSpecFunctionInputV0(b"", name.encode(), kind.spec()) for name, kind in entry_point.inputs],
        outputs=[] if returns_nothing else [output],
    )


def _struct(record: Record) -> xdr.SCSpecUDTStructV0:
    fields = [xdr.SCSpecUDTStructFieldV0(b"", name.encode(), kind.spec()) for name, kind in sorted(_fields(record))]
    return xdr.SCSpecUDTStructV0(b"", b"", record.name.encode(), fields)


def _fields(record: Record) -> list[tuple[str, Kind]]:
    return list(record.fields)


def _union(variants: Variants) -> xdr.SCSpecUDTUnionV0:
    cases = [
        xdr.SCSpecUDTUnionCaseV0(
            xdr.SCSpecUDTUnionCaseV0Kind.SC_SPEC_UDT_UNION_CASE_VOID_V0,
            void_case=xdr.SCSpecUDTUnionCaseVoidV0(b"", case.encode()),
        )
        for case in variants.cases
    ]
    return xdr.SCSpecUDTUnionV0(b"", b"", variants.name.encode(), cases)


def _errors(model: ContractModel) -> xdr.SCSpecUDTErrorEnumV0:
    cases = [
        xdr.SCSpecUDTErrorEnumCaseV0(name.encode(), name.encode(), xdr.Uint32(code))
        for code, name in model.errors.items()
    ]
    return xdr.SCSpecUDTErrorEnumV0(b"", b"", b"Error", cases)


def _event(event: EventShape) -> xdr.SCSpecEventV0:
    in_data = xdr.SCSpecEventParamLocationV0.SC_SPEC_EVENT_PARAM_LOCATION_DATA
    return xdr.SCSpecEventV0(
        doc=b"",
        lib=b"",
        name=xdr.SCSymbol(event.name.encode()),
        prefix_topics=[xdr.SCSymbol(topic.encode()) for topic in event.topics],
        params=[xdr.SCSpecEventParamV0(b"", name.encode(), kind.spec(), in_data) for name, kind in event.data],
        data_format=xdr.SCSpecEventDataFormat.SC_SPEC_EVENT_DATA_FORMAT_VEC,
    )


def _section(name: bytes, payload: bytes) -> bytes:
    content = _leb128(len(name)) + name + payload
    return b"\0" + _leb128(len(content)) + content


def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        if not number:
            encoded.append(byte)
            return bytes(encoded)
        encoded.append(byte | 0x80)
