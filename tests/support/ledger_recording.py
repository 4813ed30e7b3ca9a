"""Every XDR blob the sandbox ledger gives out, with its type, as a wire recording."""

from collections.abc import Iterator
from typing import Any

import pytest
from stellar_sdk import xdr

from streampay_sandbox.ledger import friendbot as friendbot_module
from streampay_sandbox.ledger.rpc import Rpc
from streampay_sandbox.wire_versions import WireVersion

Blob = tuple[str, str]
"""An XDR type in the naming of SDF's Rust codec, and base64."""

_ANYWHERE = {
    "envelopeXdr": "TransactionEnvelope",
    "envelope_xdr": "TransactionEnvelope",
    "resultXdr": "TransactionResult",
    "errorResultXdr": "TransactionResult",
    "resultMetaXdr": "TransactionMeta",
    "diagnosticEventsXdr": "DiagnosticEvent",
    "transactionEventsXdr": "TransactionEvent",
    "contractEventsXdr": "ContractEvent",
    "transactionData": "SorobanTransactionData",
    "auth": "SorobanAuthorizationEntry",
    "metadataXdr": "LedgerCloseMeta",
    "extXdr": "LedgerEntryExt",
    "before": "LedgerEntry",
    "after": "LedgerEntry",
    "key": "LedgerKey",
    "topic": "ScVal",
    "value": "ScVal",
}
_BY_METHOD = {
    ("getLatestLedger", "headerXdr"): "LedgerHeader",
    ("getLedgers", "headerXdr"): "LedgerHeaderHistoryEntry",
    ("getLedgerEntries", "xdr"): "LedgerEntryData",
    ("simulateTransaction", "xdr"): "ScVal",
    ("simulateTransaction", "events"): "DiagnosticEvent",
}


def record(monkeypatch: pytest.MonkeyPatch) -> list[Blob]:
    """Return a list that fills with every blob any ledger of this process gives out from now on."""
    blobs: list[Blob] = []
    call, fund = Rpc.call, friendbot_module.Friendbot.fund

    def recorded_call(self: Rpc, method: str, parameters: Any) -> dict[str, Any]:
        result = call(self, method, parameters)
        blobs.extend(blobs_in(method, result))
        return result

    def recorded_fund(self: friendbot_module.Friendbot, address: str) -> friendbot_module.FriendbotAnswer:
        answer = fund(self, address)
        blobs.extend(blobs_in("friendbot", answer.body))
        return answer

    monkeypatch.setattr(Rpc, "call", recorded_call)
    monkeypatch.setattr(friendbot_module.Friendbot, "fund", recorded_fund)
    return blobs


def blobs_in(method: str, value: Any) -> Iterator[Blob]:
    """Yield the blobs of one answer."""
    if isinstance(value, list):
        for item in value:
            yield from blobs_in(method, item)
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        kind = _BY_METHOD.get((method, name)) or _ANYWHERE.get(name)
        if kind is not None and not isinstance(item, dict) and not _holds_objects(item):
            yield from ((kind, text) for text in _texts(item))
        else:
            assert kind is not None or not name.lower().endswith("xdr"), f"what is {method}.{name}?"
            yield from blobs_in(method, item)


def _holds_objects(item: Any) -> bool:
    return isinstance(item, list) and any(isinstance(part, dict) for part in item)


def _texts(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    else:
        for part in item:
            yield from _texts(part)


def code_sections(blobs: list[Blob]) -> dict[str, bytes]:
    """Return the custom sections of the contract codes among the blobs, by name."""
    sections: dict[str, bytes] = {}
    for kind, text in blobs:
        if kind == "LedgerEntryData":
            code = xdr.LedgerEntryData.from_xdr(text).contract_code
            if code is not None:
                sections |= _sections(code.code[8:])
    return sections


def _sections(code: bytes) -> dict[str, bytes]:
    found = {}
    while code:
        size, code = _leb128(code[1:])
        content, code = code[:size], code[size:]
        length, content = _leb128(content)
        found[content[:length].decode()] = content[length:]
    return found


def _leb128(data: bytes) -> tuple[int, bytes]:
    number = shift = 0
    for place, byte in enumerate(data):
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, data[place + 1 :]
    raise ValueError("an unfinished number")


_WITH_HEADERS = frozenset({"LedgerHeader", "LedgerHeaderHistoryEntry", "LedgerCloseMeta"})


def known_to_sdfs_codec(blobs: list[Blob], version: WireVersion) -> list[Blob]:
    """Leave out what the installed codec, of protocol 27, cannot know: headers that carry milliseconds."""
    return [blob for blob in blobs if not version.has_millisecond_headers or blob[0] not in _WITH_HEADERS]
