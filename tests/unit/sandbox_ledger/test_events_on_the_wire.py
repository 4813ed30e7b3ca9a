from typing import Any

import pytest
from ledger_players import UNIT, Person, RpcRefusal, Wire, to_plain
from stellar_sdk import scval, xdr


@pytest.fixture
def settled(wire: Wire) -> tuple[Person, Person, int]:
    payer, recipient = wire.person(), wire.person()
    stream_id = payer.draft(recipient, total=4 * UNIT)
    payer.on_stream("start_stream", stream_id)
    payer.on_stream("settle", stream_id)
    return payer, recipient, stream_id


def events(wire: Wire, *filters: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire.call("getEvents", **({"startLedger": 1} | params), filters=list(filters))[
        "events"
    ]
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [to_plain(xdr.SCVal.from_xdr(event["topic"][-1])) for event in found]


def symbol(text: str) -> str:
    return scval.to_symbol(text).to_xdr()


def test_a_settlement_is_told_by_the_contract_and_the_token(wire: Wire, settled: tuple[Person, Person, int]) -> None:
    _, recipient, stream_id = settled
    found = events(wire, {"type": "contract", "contractIds": [wire.ledger.contract_id]})
    assert names(found) == ["created", "started", "settled"]
    event = found[-1]
    transaction = wire.outcome(event["txHash"])
    assert (event["ledger"], event["type"], event["contractId"]) == (
        transaction["ledger"],
        "contract",
        wire.ledger.contract_id,
    )
    assert to_plain(xdr.SCVal.from_xdr(event["value"]))[:3] == [stream_id, recipient.address, 4 * UNIT]
    assert event["ledgerClosedAt"].endswith("Z")
    assert (event["operationIndex"], event["transactionIndex"]) == (0, 1)
    transfers = events(
        wire,
        {
            "contractIds": [wire.ledger.native_token_id],
            "topics": [[symbol("transfer"), "*", recipient.value.to_xdr(), "*"]],
        },
    )
    amounts = [to_plain(xdr.SCVal.from_xdr(item["value"])) for item in transfers]
    assert amounts == [10_000 * UNIT, 4 * UNIT]


def test_topics_match_by_place_with_wildcards(wire: Wire, settled: tuple[Person, Person, int]) -> None:
    contract = {"contractIds": [wire.ledger.contract_id]}
    assert names(events(wire, contract | {"topics": [[symbol("stream"), symbol("started")]]})) == ["started"]
    assert len(events(wire, contract | {"topics": [[symbol("stream"), "*"]]})) == 3
    assert len(events(wire, contract | {"topics": [[symbol("stream"), "**"]]})) == 3
    assert len(events(wire, contract | {"topics": [["**"]]})) == 3
    assert events(wire, contract | {"topics": [[symbol("stream")]]}) == []
    assert events(wire, contract | {"topics": [[symbol("started"), "*"]]}) == []
    two = contract | {"topics": [["*", symbol("started")], ["*", symbol("settled")]]}
    assert names(events(wire, two)) == ["started", "settled"]


def test_filters_are_alternatives_and_none_lets_all_through(wire: Wire, settled: tuple[Person, Person, int]) -> None:
    both = events(
        wire,
        {"contractIds": [wire.ledger.contract_id], "topics": [["*", symbol("settled")]]},
        {"contractIds": [wire.ledger.native_token_id], "topics": [[symbol("fee"), "*"]]},
    )
    assert names(both).count("settled") == 1
    assert len(both) > 5
    everything = events(wire)
    ids = [event["id"] for event in everything]
    assert ids == sorted(set(ids))
    assert len(everything) > len(both)


def test_events_come_page_by_page_without_gap_or_overlap(wire: Wire, settled: tuple[Person, Person, int]) -> None:
    whole = [event["id"] for event in events(wire)]
    collected: list[str] = []
    page = wire.call("getEvents", startLedger=1, pagination={"limit": 4})
    while page["events"]:
        collected += [event["id"] for event in page["events"]]
        page = wire.call("getEvents", pagination={"limit": 4, "cursor": page["cursor"]})
    assert collected == whole
    again = wire.call("getEvents", pagination={"cursor": page["cursor"]})
    assert again["events"] == []


def test_a_range_ends_before_its_end(wire: Wire, settled: tuple[Person, Person, int]) -> None:
    contract = {"contractIds": [wire.ledger.contract_id]}
    ledgers = [event["ledger"] for event in events(wire, contract)]
    assert [event["ledger"] for event in events(wire, contract, endLedger=ledgers[1])] == ledgers[:1]
    assert [event["ledger"] for event in events(wire, contract, startLedger=ledgers[2])] == ledgers[2:]
    page = wire.call("getEvents", startLedger=1, endLedger=ledgers[1])
    assert int(page["cursor"].split("-")[0]) >> 32 == ledgers[1] - 1


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (-32600, {}),
        (-32600, {"startLedger": 999}),
        (-32600, {"startLedger": 1, "endLedger": 1}),
        (-32600, {"startLedger": 1, "pagination": {"limit": 0}}),
        (-32600, {"startLedger": 1, "pagination": {"limit": 10_001}}),
        (-32600, {"startLedger": 1, "pagination": {"cursor": "1-1"}}),
        (-32602, {"pagination": {"cursor": "junk"}}),
        (-32602, {"startLedger": 1, "filters": [{}] * 6}),
        (-32602, {"startLedger": 1, "filters": [{"type": "diagnostic"}]}),
        (-32602, {"startLedger": 1, "filters": [{"contractIds": ["C"]}]}),
        (-32602, {"startLedger": 1, "filters": [{"contractIds": [7]}]}),
        (-32602, {"startLedger": 1, "filters": [{"contractIds": ["C"] * 6}]}),
        (-32602, {"startLedger": 1, "filters": [{"topics": ["*"]}]}),
        (-32602, {"startLedger": 1, "filters": [{"topics": [[]]}]}),
        (-32602, {"startLedger": 1, "filters": [{"topics": [["**", "*"]]}]}),
        (-32602, {"startLedger": 1, "filters": [{"topics": [[7]]}]}),
        (-32602, {"startLedger": 1, "filters": [{"topics": [["junk"]]}]}),
        (-32602, {"startLedger": 1, "filters": [{"topics": [["*"]] * 6}]}),
    ],
    ids=str,
)
def test_wrong_questions_are_refused(wire: Wire, code: int, params: dict[str, Any]) -> None:
    with pytest.raises(RpcRefusal) as caught:
        wire.call("getEvents", **params)
    assert caught.value.code == code
