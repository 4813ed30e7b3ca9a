"""Ways in which settling a stream goes wrong: money that is not moved, moved twice, or not as the papers say."""

import secrets
from typing import Final

from msgspec.structs import replace

from streampay_smoke.sandbox.fault import Severity
from streampay_smoke.sandbox.service.clock import iso_now
from streampay_smoke.sandbox.service.errors import Refusal
from streampay_smoke.sandbox.service.faults.fault import SETTLE, ServiceFault, around, around_with, both, is_create
from streampay_smoke.sandbox.service.idempotency import HEADER, REPLAY_HEADER
from streampay_smoke.sandbox.service.parts import Parts
from streampay_smoke.sandbox.service.seeds import SEEDS
from streampay_smoke.sandbox.service.streams import Settlement, Stream, StreamStore
from streampay_smoke.sandbox.service.wire import Answer, Call, Handler


def _invented_hash() -> str:
    return secrets.token_hex(32)


def _pay(parts: Parts, recipient: str, amount_stroops: int) -> None:
    treasury = parts.treasury
    treasury.invoke(
        treasury.token,
        "transfer",
        treasury.operator.address,
        recipient,
        amount_stroops,
    )


def _somebody_else(parts: Parts) -> str:
    stranger = parts.treasury.adapter.account("somebody-else").address
    parts.treasury.adapter.fund(stranger)
    return stranger


def _settle_lies(parts: Parts) -> Parts:
    def settle(_stream: Stream) -> Settlement:
        return Settlement(settled_at=iso_now(), tx_hash=_invented_hash())

    return replace(parts, settle=settle)


def _settle_pays_twice(parts: Parts) -> Parts:
    def settle(stream: Stream) -> Settlement:
        settled = parts.settle(stream)
        _pay(parts, stream.recipient, parts.treasury.released(stream.chain_id))
        return settled

    return replace(parts, settle=settle)


def _settle_pays_other_recipient(parts: Parts) -> Parts:
    def escrow(order_id: str, _recipient: str, total_stroops: int, duration_seconds: int) -> int:
        return parts.escrow(order_id, _somebody_else(parts), total_stroops, duration_seconds)

    return replace(parts, escrow=escrow)


def _settle_pays_less(parts: Parts) -> Parts:
    def escrow(order_id: str, recipient: str, total_stroops: int, duration_seconds: int) -> int:
        return parts.escrow(order_id, recipient, total_stroops - max(1, total_stroops // 10), duration_seconds)

    return replace(parts, escrow=escrow)


def _settle_old_transaction(parts: Parts) -> Parts:
    chain_id = parts.escrow(f"old-{_invented_hash()}", _somebody_else(parts), 10_000_000, 1)
    parts.treasury.start(chain_id)
    old = parts.treasury.cancel(chain_id).settlement

    def settle(_stream: Stream) -> Settlement:
        return Settlement(settled_at=iso_now(), tx_hash=old.tx_hash)

    return replace(parts, settle=settle)


def _answers_settlement_failed(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    if call.route != SETTLE or answer.status != 200:
        return answer
    return Refusal(502, "SETTLEMENT_FAILED", "The settlement failed.").answer()


def _receipt_differs(inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    match answer.document:
        case {"data": {"settlementTxHash": _} as data} if call.route == SETTLE:
            return answer.with_document({**answer.document, "data": {**data, "settlementTxHash": _invented_hash()}})
    return answer


class _ForgetfulStore(StreamStore):
    def save(self, stream: Stream) -> None:
        if stream.settlement is None:
            super().save(stream)


def _replay_pays(parts: Parts, inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    if call.route == SETTLE and answer.headers.get(REPLAY_HEADER) == "true":
        stream = next(stream for stream in parts.store.everything() if stream.id == call.params["stream_id"])
        _pay(parts, stream.recipient, parts.treasury.released(stream.chain_id))
    return answer


def _without_key(inner: Handler, call: Call) -> Answer:
    if is_create(call):
        call = replace(call, headers={name: value for name, value in call.headers.items() if name != HEADER})
    return inner(call)


def _body_only(call: Call) -> str:
    return call.body.decode("utf-8", errors="replace")


FAULTS: Final = (
    ServiceFault(
        name="settle-lies",
        story="measured: settle says success with an invented hash, nothing is on chain",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_lies,
    ),
    ServiceFault(
        name="settle-pays-twice",
        story="operations: a retry inside the service pays a second time",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_pays_twice,
    ),
    ServiceFault(
        name="settle-pays-other-recipient",
        story="operations: a mixed-up address book",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_pays_other_recipient,
    ),
    ServiceFault(
        name="settle-pays-less",
        story="operations: a fee nobody announced is taken from the escrow",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_pays_less,
    ),
    ServiceFault(
        name="settle-old-transaction",
        story="operations: a cache answers with an earlier hash",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_old_transaction,
    ),
    ServiceFault(
        name="settle-failed-but-ended",
        story="release: 502 SETTLEMENT_FAILED, yet the stream is ended with a hash",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=both(_settle_lies, around(_answers_settlement_failed)),
    ),
    ServiceFault(
        name="settle-receipt-differs",
        story="measured: data.settlementTxHash and settlement.txHash are two different values",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=around(_receipt_differs),
    ),
    ServiceFault(
        name="record-not-settled",
        story="operations: the write of the record is lost after the payment",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=lambda parts: replace(parts, store=_ForgetfulStore(SEEDS)),
    ),
    ServiceFault(
        name="replay-pays-again",
        story="operations: a replica without the key store pays again",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-that-is-repeated",
        mutation=around_with(_replay_pays),
    ),
    ServiceFault(
        name="key-answers-for-other-stream",
        story="measured: a settle key is global and swallows another stream's settlement",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-that-is-repeated",
        mutation=lambda parts: replace(parts, fingerprint=_body_only),
    ),
    ServiceFault(
        name="create-repeats",
        story="operations: the proxy drops Idempotency-Key",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=around(_without_key),
    ),
)
