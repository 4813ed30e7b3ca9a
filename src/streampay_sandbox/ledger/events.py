"""getEvents: contract events by contract, topic and place, page by page."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from stellar_sdk import StrKey, xdr

from streampay_sandbox.ledger.book import Book, EmittedEvent, LedgerTransaction, toid
from streampay_sandbox.ledger.node import View
from streampay_sandbox.ledger.parameters import INVALID_PARAMS, INVALID_REQUEST, Parameters, RpcError
from streampay_sandbox.ledger.values import strkey
from streampay_smoke.core.times import iso

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 10_000
MAX_FILTERS: Final = 5
MAX_TOPICS: Final = 4
_ANY_SEGMENT: Final = "*"
_ANY_REST: Final = "**"


class _Filter(msgspec.Struct, frozen=True, kw_only=True):
    contracts: frozenset[str]
    topics: tuple[tuple[str, ...], ...]

    def lets_through(self, contract: str, topics: Sequence[str]) -> bool:
        if self.contracts and contract not in self.contracts:
            return False
        return not self.topics or any(_topics_match(wanted, topics) for wanted in self.topics)


def get_events(parameters: Parameters, view: View, book: Book, *, tells_success: bool) -> dict[str, Any]:
    """Answer getEvents, each event with the deprecated `inSuccessfulContractCall` or without; raises RpcError."""
    filters = [_filter(Parameters(item)) for item in _limited(parameters.items("filters"), MAX_FILTERS, "filters")]
    pagination = parameters.inner("pagination")
    limit = pagination.whole("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise RpcError(INVALID_REQUEST, f"limit must be between 1 and {MAX_LIMIT}")
    first, last, after = _window(parameters, pagination, view, book)
    found: list[dict[str, Any]] = []
    success = {"inSuccessfulContractCall": True} if tells_success else {}
    for transaction, event in _between(book, first, last, after):
        contract, topics = _contract(event), [topic.to_xdr() for topic in _body(event).topics]
        if not filters or any(each.lets_through(contract, topics) for each in filters):
            found.append(_as_json(transaction, event, contract, topics) | success)
        if len(found) == limit:
            break
    cursor = found[-1]["id"] if len(found) == limit else f"{toid(last + 1) - 1:019d}-{2**32 - 1:010d}"
    return {
        "events": found,
        "cursor": cursor,
        "latestLedger": view.latest.sequence,
        "oldestLedger": book.oldest.sequence,
        "latestLedgerCloseTime": str(view.latest.closed_at),
        "oldestLedgerCloseTime": str(book.oldest.closed_at),
    }


def _window(parameters: Parameters, pagination: Parameters, view: View, book: Book) -> tuple[int, int, tuple[int, int]]:
    """Return first and last ledger to look at, and the place after which to start."""
    oldest, latest = book.oldest.sequence, view.latest.sequence
    if pagination.has("cursor"):
        if parameters.has("startLedger") or parameters.has("endLedger"):
            raise RpcError(INVALID_REQUEST, "ledger ranges and cursor cannot both be set")
        place, index = _cursor(pagination.text("cursor"))
        return max(place >> 32, oldest), latest, (place, index)
    start = parameters.whole("startLedger", 0)
    if not oldest <= start <= latest:
        raise RpcError(INVALID_REQUEST, f"startLedger must be within the ledger range: {oldest} - {latest}")
    end = parameters.whole("endLedger", 0)
    if end and end <= start:
        raise RpcError(INVALID_REQUEST, "endLedger must be after startLedger")
    return start, min(end - 1, latest) if end else latest, (-1, -1)


def _cursor(cursor: str) -> tuple[int, int]:
    place, _, index = cursor.partition("-")
    if not place.isdecimal() or not index.isdecimal():
        raise RpcError(INVALID_PARAMS, f"invalid cursor {cursor}")
    return int(place), int(index)


def _between(
    book: Book, first: int, last: int, after: tuple[int, int]
) -> Iterator[tuple[LedgerTransaction, EmittedEvent]]:
    for sequence in range(first, last + 1):
        for transaction, event in book.ledger(sequence).events():
            if (event.toid, event.index) > after:
                yield transaction, event


def _filter(parameters: Parameters) -> _Filter:
    kind = parameters.text("type", "contract")
    if kind not in ("contract", "system"):
        raise RpcError(INVALID_PARAMS, f"filter type {kind} is invalid: only contract and system events are kept")
    contracts = _limited(parameters.items("contractIds"), MAX_FILTERS, "contract IDs")
    for contract in contracts:
        if not isinstance(contract, str) or not StrKey.is_valid_contract(contract):
            raise RpcError(INVALID_PARAMS, f"contract ID {contract} is invalid")
    topics = _limited(parameters.items("topics"), MAX_FILTERS, "topics")
    return _Filter(contracts=frozenset(contracts), topics=tuple(_topic_filter(topic) for topic in topics))


def _topic_filter(segments: Any) -> tuple[str, ...]:
    if not isinstance(segments, list) or not 1 <= len(segments) <= MAX_TOPICS + 1:
        raise RpcError(INVALID_PARAMS, "a topic filter has one to four segments")
    if any(not isinstance(segment, str) for segment in segments) or _ANY_REST in segments[:-1]:
        raise RpcError(INVALID_PARAMS, "a topic segment is *, base64 XDR, or ** in the last place")
    for segment in segments:
        if segment not in (_ANY_SEGMENT, _ANY_REST):
            _check_scval(segment)
    return tuple(segments)


def _check_scval(segment: str) -> None:
    try:
        xdr.SCVal.from_xdr(segment)
    except Exception as error:  # the codec raises whatever its unpacker trips over
        raise RpcError(INVALID_PARAMS, f"topic segment {segment} is no ScVal") from error


def _topics_match(wanted: Sequence[str], topics: Sequence[str]) -> bool:
    if wanted[-1] == _ANY_REST:
        wanted = wanted[:-1]
        topics = topics[: len(wanted)]
    return len(wanted) == len(topics) and all(
        segment in (_ANY_SEGMENT, topic) for segment, topic in zip(wanted, topics, strict=True)
    )


def _limited(items: list[Any], most: int, what: str) -> list[Any]:
    if len(items) > most:
        raise RpcError(INVALID_PARAMS, f"maximum {most} {what} per request")
    return items


def _body(event: EmittedEvent) -> xdr.ContractEventV0:
    body = event.event.body.v0
    assert body is not None
    return body


def _contract(event: EmittedEvent) -> str:
    contract_id = event.event.contract_id
    return strkey(xdr.SCAddress(xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT, contract_id=contract_id))


def _as_json(transaction: LedgerTransaction, event: EmittedEvent, contract: str, topics: list[str]) -> dict[str, Any]:
    return {
        "type": "contract",
        "ledger": transaction.ledger,
        "ledgerClosedAt": iso(transaction.closed_at * 1000),
        "contractId": contract,
        "id": event.id,
        "operationIndex": event.operation,
        "transactionIndex": transaction.order,
        "txHash": transaction.hash,
        "topic": topics,
        "value": _body(event).data.to_xdr(),
    }
