import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_players import Wire
from stellar_sdk import SorobanServer, scval, xdr

from streampay_sandbox.ledger.early_contract import MODEL as EARLY
from streampay_sandbox.ledger.failures import ErrorType, describe
from streampay_sandbox.ledger.spec import build_wasm
from streampay_sandbox.ledger.stream_contract import pay_recipient, stream_contract
from streampay_sandbox.ledger.stream_contract.records import STATUS
from streampay_sandbox.ledger.values import (
    ADDRESS,
    BOOL,
    I128,
    I128_MAX,
    STRING,
    SYMBOL,
    U32,
    U64,
    U64_MAX,
    VOID,
    Kind,
    Optional,
    Record,
    ResultOf,
    Vector,
    WrongValue,
)

ACCOUNT = "GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7"
CONTRACT = "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"


class Pair(msgspec.Struct, frozen=True):
    zebra: int
    ant: str


PAIR = Record("Pair", Pair, (("zebra", U64), ("ant", SYMBOL)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (VOID, None),
        (BOOL, True),
        (U32, 2**32 - 1),
        (U64, U64_MAX),
        (I128, -I128_MAX - 1),
        (SYMBOL, "stream"),
        (STRING, "native"),
        (ADDRESS, ACCOUNT),
        (ADDRESS, CONTRACT),
        (Vector(U32), [1, 2, 3]),
        (Optional(U64), None),
        (Optional(U64), 5),
        (ResultOf(I128), 7),
        (STATUS, "Paused"),
        (PAIR, Pair(zebra=1, ant="a")),
    ],
)
def test_a_value_survives_the_wire(kind: Kind, value: object) -> None:
    encoded = xdr.SCVal.from_xdr(kind.encode(value).to_xdr())
    assert kind.decode(encoded) == value
    xdr.SCSpecTypeDef.from_xdr(kind.spec().to_xdr())


@given(st.integers(-(2**127), 2**127 - 1))
def test_every_128_bit_amount_survives(amount: int) -> None:
    assert I128.decode(I128.encode(amount)) == amount


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (U64, scval.to_uint32(1)),
        (Vector(U32), scval.to_uint32(1)),
        (STATUS, scval.to_vec([scval.to_symbol("Sleeping")])),
        (STATUS, scval.to_vec([])),
        (PAIR, scval.to_uint32(1)),
        (PAIR, scval.to_map({scval.to_symbol("zebra"): scval.to_uint64(1)})),
    ],
)
def test_a_value_of_another_kind_is_told_apart(kind: Kind, value: xdr.SCVal) -> None:
    with pytest.raises(WrongValue):
        kind.decode(value)


def test_maps_are_in_the_order_the_host_requires() -> None:
    encoded = PAIR.encode(Pair(zebra=1, ant="a"))
    assert encoded.map is not None
    assert [SYMBOL.decode(entry.key) for entry in encoded.map.sc_map] == ["ant", "zebra"]


def test_an_error_without_a_code_is_none() -> None:
    with pytest.raises(ValueError, match="has a contract code or a host code"):
        describe(xdr.SCError(ErrorType.SCE_AUTH))


def test_the_sdk_reads_the_interface_from_the_chain(wire: Wire) -> None:
    with SorobanServer(wire.ledger.rpc_url) as server:
        entries = server.get_contract_spec(wire.ledger.contract_id).entries
        early = server.get_contract_spec(wire.ledger.early_contract_id).entries
        assert server.get_contract_meta(wire.ledger.contract_id) is not None
    functions = {entry.function_v0.name.sc_symbol: entry.function_v0 for entry in entries if entry.function_v0}
    created = functions[b"create_draft_stream"]
    assert [field.name for field in created.inputs] == [b"sender", b"recipient", b"token", b"total_amount", b"duration"]
    assert created.outputs[0].type == xdr.SCSpecType.SC_SPEC_TYPE_RESULT
    (errors,) = [entry.udt_error_enum_v0 for entry in entries if entry.udt_error_enum_v0]
    assert {case.value.uint32: case.name for case in errors.cases}[22] == b"CooloffActive"
    (settled,) = [
        entry.event_v0 for entry in entries if entry.event_v0 and entry.event_v0.name.sc_symbol == b"StreamSettled"
    ]
    assert [topic.sc_symbol for topic in settled.prefix_topics] == [b"stream", b"settled"]
    assert {entry.function_v0.name.sc_symbol for entry in early if entry.function_v0} == {
        name.encode() for name in EARLY.entry_points
    }


def test_the_code_is_a_wasm_module_of_three_sections() -> None:
    code = build_wasm(stream_contract(pay_recipient))
    assert code.startswith(b"\0asm\x01\0\0\0")
    assert all(name in code for name in (b"contractspecv0", b"contractenvmetav0", b"contractmetav0"))
