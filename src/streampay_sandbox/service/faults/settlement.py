"""Ways in which settling a stream goes wrong: money not moved, moved twice, or not as receipt and record say."""

import contextlib
import hashlib
import secrets
import threading
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.ledger.genesis import twin_contract_id
from streampay_sandbox.service.clock import iso_now
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import SETTLE, ServiceFault, around, around_with, both, is_create
from streampay_sandbox.service.idempotency import HEADER, REPLAY_HEADER
from streampay_sandbox.service.orders import PERIOD_SECONDS
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.plain_payments import FIRST_COINS_STROOPS, PlainPayer
from streampay_sandbox.service.seeds import CANARY, SEEDS
from streampay_sandbox.service.settlement import Treasury
from streampay_sandbox.service.stellar import LedgerError
from streampay_sandbox.service.streams import Stream, StreamSettlement, StreamStore
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

MORE_THAN_IT_HAS_STROOPS: Final = 10**17
OTHER_NETWORK: Final = "Test SDF Network ; September 2015"
FAKE: Final = "fake-tx-"


def _invented_hash() -> str:
    return secrets.token_hex(32)


def _somebody_else(parts: Parts) -> str:
    return parts.treasury.new_account(FIRST_COINS_STROOPS).public_key


def _settle_lies(parts: Parts) -> Parts:
    def settle(_stream: Stream) -> StreamSettlement:
        return StreamSettlement(settled_at=iso_now(), tx_hash=_invented_hash())

    return replace(parts, settle=settle)


def _settle_invents(parts: Parts) -> Parts:
    def settle(stream: Stream) -> StreamSettlement:
        return StreamSettlement(settled_at=iso_now(), tx_hash=_fake_transaction(stream.id))

    return replace(parts, settle=settle)


def _fake_transaction(of: str) -> str:
    return f"{FAKE}{hashlib.sha256(of.encode()).hexdigest()[:8]}"


def _settle_pays_twice(parts: Parts) -> Parts:
    def settle(stream: Stream) -> StreamSettlement:
        settled = parts.settle(stream)
        parts.treasury.pay(stream.recipient, parts.treasury.released(stream.chain_id))
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

    def settle(_stream: Stream) -> StreamSettlement:
        return StreamSettlement(settled_at=iso_now(), tx_hash=old.tx_hash)

    return replace(parts, settle=settle)


def _answers_settlement_failed(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if call.route != SETTLE or answer.status != 200:
        return answer
    return Refusal(502, "SETTLEMENT_FAILED", "The settlement failed.").answer()


def _settle_by_plain_payment(parts: Parts) -> Parts:
    def settle(stream: Stream) -> StreamSettlement:
        on_chain = parts.treasury.stream(stream.chain_id)
        period_seconds = PERIOD_SECONDS[stream.schedule]
        payer = PlainPayer(parts.treasury)
        closes_at = parts.treasury.ledger_time() + 1
        elapsed_seconds = min(closes_at - (on_chain.ends_at - period_seconds), period_seconds)
        earned = on_chain.total_stroops * max(elapsed_seconds, 0) // period_seconds
        return StreamSettlement(settled_at=iso_now(), tx_hash=payer.pay(stream.recipient, max(earned, 1)))

    return replace(parts, settle=settle)


def _settle_names_a_failure(parts: Parts) -> Parts:
    def settle(stream: Stream) -> StreamSettlement:
        return StreamSettlement(
            settled_at=iso_now(), tx_hash=PlainPayer(parts.treasury).pay(stream.recipient, MORE_THAN_IT_HAS_STROOPS)
        )

    return replace(parts, settle=settle)


def _settle_names_other_network(parts: Parts) -> Parts:
    def settle(stream: Stream) -> StreamSettlement:
        settled = parts.settle(stream)
        elsewhere = hashlib.sha256(OTHER_NETWORK.encode() + bytes.fromhex(settled.tx_hash)).hexdigest()
        return replace(settled, tx_hash=elsewhere)

    return replace(parts, settle=settle)


def _works_with_another_contract(parts: Parts) -> Parts:
    network_id = hashlib.sha256(parts.settings.network_passphrase.encode()).digest()
    treasury = Treasury(parts.treasury.contract.with_id(twin_contract_id(network_id)))
    return replace(parts, treasury=treasury, escrow=treasury.open, settle=treasury.settle)


def _sends_from_one_account(parts: Parts) -> Parts:
    parts.treasury.contract.stellar.send_from_one_account()
    return parts


def _escrows_a_stroop_less(parts: Parts) -> Parts:
    def escrow(order_id: str, recipient: str, total_stroops: int, duration_seconds: int) -> int:
        return parts.escrow(order_id, recipient, total_stroops - 1, duration_seconds)

    return replace(parts, escrow=escrow)


def _receipt_differs(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    match answer.document:
        case {"data": {"settlementTxHash": tx_hash} as data} if call.route == SETTLE:
            return answer.with_document({**answer.document, "data": {**data, "settlementTxHash": _another(tx_hash)}})
    return answer


def _another(tx_hash: str) -> str:
    """Return another hash of the same form, the same one each time: a replay repeats its receipt."""
    return _fake_transaction(tx_hash) if tx_hash.startswith(FAKE) else hashlib.sha256(tx_hash.encode()).hexdigest()


class _ForgetfulStore(StreamStore):
    def save(self, stream: Stream) -> None:
        if stream.settlement is None:
            super().save(stream)


def _replay_pays(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if call.route == SETTLE and answer.headers.get(REPLAY_HEADER) == "true":
        stream = next(stream for stream in parts.store.everything() if stream.id == call.params["stream_id"])
        parts.treasury.pay(stream.recipient, parts.treasury.released(stream.chain_id))
    return answer


def _without_key(inner: Handler, call: HttpCall) -> HttpAnswer:
    if is_create(call):
        call = replace(call, headers={name: value for name, value in call.headers.items() if name != HEADER})
    return inner(call)


def _replay_pays_later(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if call.route == SETTLE and answer.headers.get(REPLAY_HEADER) == "true":
        stream = next(stream for stream in parts.store.everything() if stream.id == call.params["stream_id"])
        threading.Thread(target=_queue_payment, args=(parts, stream), daemon=True).start()
    return answer


def _queue_payment(parts: Parts, stream: Stream) -> None:
    """Queue another payment of a stream, for the ledger that closes next, while its caller has the answer already."""
    with contextlib.suppress(LedgerError, RuntimeError):  # a sandbox that is stopping closes its connections
        parts.treasury.pay(stream.recipient, parts.treasury.released(stream.chain_id))


def _settles_by_body_alone(parts: Parts) -> Parts:
    def fingerprint(call: HttpCall) -> str:
        return call.body.decode("utf-8", errors="replace") if call.route == SETTLE else parts.fingerprint(call)

    return replace(parts, fingerprint=fingerprint)


FAULTS: Final = (
    ServiceFault(
        name="settle-lies",
        story="measured: settle says success with an invented hash, nothing is on chain",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_lies,
    ),
    ServiceFault(
        name="settle-invents-transaction",
        story="measured: settle says success with fake-tx- and 8 hex digits, which is no transaction hash at all",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement_keys/a-receipt",
        mutation=_settle_invents,
    ),
    ServiceFault(
        name="settle-invents-two",
        story="measured: settle invents one fake-tx- for each of the receipt's two fields, and nothing is on chain",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement_keys/a-receipt",
        mutation=both(_settle_invents, around(_receipt_differs)),
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
        name="settle-names-a-failure",
        story="operations: the receipt names an attempt that failed on the ledger, nothing moved",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_names_a_failure,
    ),
    ServiceFault(
        name="settle-names-other-network",
        story="operations: it pays, and hashes the transaction with another network's passphrase",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_names_other_network,
    ),
    ServiceFault(
        name="settle-by-plain-payment",
        story="operations: the right amount comes out of the service's own purse, past the contract",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_settle_by_plain_payment,
    ),
    ServiceFault(
        name="contract-id-wrong",
        story="operations: the release is configured with another contract of the same interface",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_works_with_another_contract,
    ),
    ServiceFault(
        name="sends-from-one-account",
        story="operations: the service has one account on the ledger: one write for each ledger, and the rest wait",
        severity=Severity.DISTURBANCE,
        truth=Truth.NONE,
        mutation=_sends_from_one_account,
    ),
    ServiceFault(
        name="escrow-a-stroop-less",
        story="operations: a rate that goes through a floating-point number",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=_escrows_a_stroop_less,
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
        mutation=lambda parts: replace(parts, store=_ForgetfulStore((*SEEDS, CANARY))),
    ),
    ServiceFault(
        name="replay-pays-again",
        story="operations: a replica without the key store pays again",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-repeated-settlement",
        mutation=around_with(_replay_pays),
    ),
    ServiceFault(
        name="replay-pays-later",
        story="operations: a replayed settlement is queued once more and paid a ledger after its answer",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-repeated-settlement",
        mutation=around_with(_replay_pays_later),
    ),
    ServiceFault(
        name="key-answers-for-other-stream",
        story="measured: a settle key is global and swallows another stream's settlement",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement_keys/a-used-settlement-key",
        mutation=_settles_by_body_alone,
    ),
    ServiceFault(
        name="create-repeats",
        story="operations: the proxy drops Idempotency-Key",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/",
        mutation=around(_without_key),
    ),
)
