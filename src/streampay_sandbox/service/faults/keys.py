"""Ways in which idempotency keys, and refusals under them, go wrong."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import SETTLE, ServiceFault, around_with
from streampay_sandbox.service.idempotency import Kept, KeyBook, whole_request
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.streams import Status
from streampay_sandbox.service.wire import Answer, Call, Handler

REFUSED: Final = 409
NEWER_CREATE: Final = "/api/v2/streams"
_KEEPS_REFUSALS: Final = frozenset({"settle", "withdraw"})


class _KeepsRefusals(KeyBook):
    """Keeps whatever was answered first, refusals too."""

    def answer_once(self, scope: tuple[str, ...], fingerprint: str, make: Callable[[], Answer]) -> Kept:
        if scope[1] not in _KEEPS_REFUSALS:
            return super().answer_once(scope, fingerprint, make)

        def whatever() -> Answer:
            try:
                return make()
            except Refusal as refusal:
                return refusal.answer()

        return super().answer_once(scope, fingerprint, whatever)

    def is_kept(self, answer: Answer) -> bool:
        return True


def _refused_and_ended(parts: Parts, inner: Handler, call: Call) -> Answer:
    answer = inner(call)
    if call.route == SETTLE and answer.status == REFUSED:
        for stream in parts.store.everything():
            if stream.id == call.params["stream_id"] and stream.status == Status.DRAFT:
                parts.store.save(replace(stream, status=Status.ENDED))
    return answer


def _ignores_orders(call: Call) -> str:
    return "" if call.route == NEWER_CREATE else whole_request(call)


FAULTS: Final = (
    ServiceFault(
        name="key-answers-for-other-order",
        story="measured: v2 brings the first stream back for another order under the same key",
        severity=Severity.CATASTROPHIC,
        caught_by="statements/an-order-is-kept-once",
        mutation=lambda parts: replace(parts, fingerprint=_ignores_orders),
    ),
    ServiceFault(
        name="refusal-frozen",
        story="measured: a settlement refused too early is refused under its key for a day, whatever happens since",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-that-was-refused-too-early",
        mutation=lambda parts: replace(parts, keys=_KeepsRefusals()),
    ),
    ServiceFault(
        name="refused-settle-ends-stream",
        story="release: a settlement moves the stream to its end before it finds out that it must refuse",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-that-was-refused-too-early",
        mutation=around_with(_refused_and_ended),
    ),
)
