"""Ways in which idempotency keys, and refusals under them, go wrong."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import SETTLE, V2, Mutation, ServiceFault, around_with, both
from streampay_sandbox.service.idempotency import Kept, KeyBook
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.stellar import LedgerSilent
from streampay_sandbox.service.streams import Status, Stream, StreamSettlement
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

REFUSED: Final = 409
FAILED: Final = 502
_KEEPS_REFUSALS: Final = frozenset({"settle", "withdraw"})


class _KeepsRefusals(KeyBook):
    """Keeps refusals too, of this status and above, whatever has happened since."""

    def __init__(self, from_status: int = REFUSED) -> None:
        super().__init__()
        self._from_status = from_status

    def answer_once(self, scope: tuple[str, ...], fingerprint: str, make: Callable[[], HttpAnswer]) -> Kept:
        if scope[1] not in _KEEPS_REFUSALS:
            return super().answer_once(scope, fingerprint, make)

        def whatever() -> HttpAnswer:
            try:
                return make()
            except Refusal as refusal:
                if refusal.status < self._from_status:
                    raise
                return refusal.answer()

        return super().answer_once(scope, fingerprint, whatever)

    def is_kept(self, answer: HttpAnswer) -> bool:
        return True


def _fails_at_first(then: Callable[[Parts, Stream], None] = lambda parts, stream: None) -> Mutation:
    """Return the mutation whose first settlement of every stream does not reach the ledger, and then does `then`."""

    def mutate(parts: Parts) -> Parts:
        failed: set[str] = set()

        def settle(stream: Stream) -> StreamSettlement:
            if stream.id in failed:
                return parts.settle(stream)
            failed.add(stream.id)
            then(parts, stream)
            raise LedgerSilent("the settlement did not reach the ledger")

        return replace(parts, settle=settle)

    return mutate


def _ends(parts: Parts, stream: Stream) -> None:
    parts.store.save(replace(stream, status=Status.ENDED))


def _refused_and_ended(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if call.route == SETTLE and answer.status == REFUSED:
        for stream in parts.store.everything():
            if stream.id == call.params["stream_id"] and stream.status == Status.DRAFT:
                parts.store.save(replace(stream, status=Status.ENDED))
    return answer


def _ignores_orders(parts: Parts) -> Parts:
    return replace(parts, fingerprint=lambda call: "" if call.route == V2 else parts.fingerprint(call))


FAULTS: Final = (
    ServiceFault(
        name="key-answers-for-other-order",
        story="measured: v2 brings the first stream back for another order under the same key",
        severity=Severity.CATASTROPHIC,
        caught_by="records/a-repeated-create",
        mutation=_ignores_orders,
    ),
    ServiceFault(
        name="refusal-frozen",
        story="measured: a settlement refused too early is refused under its key for a day, whatever happens since",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-refused",
        mutation=lambda parts: replace(parts, keys=_KeepsRefusals()),
    ),
    ServiceFault(
        name="failed-settle-ends-stream",
        story="release: 502 SETTLEMENT_FAILED comes after the stream was moved to its end, and no try can pay it later",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement_keys/a-failed-settlement",
        mutation=_fails_at_first(_ends),
    ),
    ServiceFault(
        name="failed-settle-frozen",
        story="release: a settlement that failed once answers 502 under its key for a day, though another key works",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement_keys/a-failed-settlement",
        mutation=both(_fails_at_first(), lambda parts: replace(parts, keys=_KeepsRefusals(FAILED))),
    ),
    ServiceFault(
        name="refused-settle-ends-stream",
        story="release: a settlement moves the stream to its end before it finds out that it must refuse",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-refused",
        mutation=around_with(_refused_and_ended),
    ),
)
