"""Ways in which live events, and what other services report, go to or come from the wrong people, or nowhere."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import ServiceFault, around, around_with
from streampay_sandbox.service.live import Listener, LiveEvents
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.streams import Stream, StreamStore
from streampay_sandbox.service.webhooks import SIGNATURE_HEADER
from streampay_sandbox.service.wire import KEEP_ALIVE_SECONDS, WEBHOOKS, Handler, HttpAnswer, HttpCall

EVENTS: Final = "/api/streams/{stream_id}/events"


class _Silent(LiveEvents):
    def publish(self, name: str, stream: Stream) -> None:
        """Tell nobody."""


class _Mixed(LiveEvents):
    """Whoever listens to one stream hears of all that are in the store."""

    def __init__(self, store: StreamStore) -> None:
        super().__init__()
        self._store = store

    @contextmanager
    def heard(self, stream_id: str, listener: Listener) -> Iterator[None]:
        with ExitStack() as all_of_them:
            for stream in self._store.everything():
                all_of_them.enter_context(super().heard(stream.id, listener))
            yield


def _buffered(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    if call.route == EVENTS and answer.status == 200:
        parts.stopping.wait(KEEP_ALIVE_SECONDS)
    return answer


def _or_nobody(authenticator: Callable[[HttpCall], str]) -> Callable[[HttpCall], str]:
    def who(call: HttpCall) -> str:
        try:
            return authenticator(call)
        except Refusal:
            return ""

    return who


def _intake_fails(inner: Handler, call: HttpCall) -> HttpAnswer:
    return HttpAnswer(status=500) if call.route == WEBHOOKS and call.method == "POST" else inner(call)


FAULTS: Final = (
    ServiceFault(
        name="events-open",
        story="operations: the events of a stream are mounted outside of the guard",
        severity=Severity.CATASTROPHIC,
        caught_by="events/live-events-are-refused-to-a-caller",
        mutation=lambda parts: replace(
            parts,
            event_authenticator=_or_nobody(parts.event_authenticator),
            subscribes=lambda caller, tenant: not caller or parts.subscribes(caller, tenant),
        ),
    ),
    ServiceFault(
        name="events-to-others",
        story="operations: whoever is signed in may listen to anybody's stream",
        severity=Severity.CATASTROPHIC,
        caught_by="events/live-events-are-refused-to-another-user",
        mutation=lambda parts: replace(parts, subscribes=lambda caller, tenant: True),
    ),
    ServiceFault(
        name="events-mixed",
        story="operations: one channel for all, and a listener hears of other people's streams as well",
        severity=Severity.CATASTROPHIC,
        caught_by="events/live-events-of-a-stream-report-no-other-stream",
        mutation=lambda parts: replace(parts, live=_Mixed(parts.store)),
    ),
    ServiceFault(
        name="events-silent",
        story="measured: nothing is told when a stream starts or is settled",
        severity=Severity.SERIOUS,
        caught_by="events/live-events-report-the-start-of-a-stream-within-seconds",
        mutation=lambda parts: replace(parts, live=_Silent()),
    ),
    ServiceFault(
        name="events-buffered",
        story=f"measured: not even the headers come before {KEEP_ALIVE_SECONDS:g} s have passed",
        severity=Severity.SERIOUS,
        caught_by="events/live-events-report-the-start-of-a-stream-within-seconds",
        mutation=around_with(_buffered),
    ),
    ServiceFault(
        name="webhooks-unsigned",
        story="measured: any event is taken, from anybody",
        severity=Severity.CATASTROPHIC,
        caught_by="webhooks/a-webhook-event-with-no-signature-is-refused",
        mutation=lambda parts: replace(parts, signed=lambda call: True),
    ),
    ServiceFault(
        name="webhooks-any-signature",
        story="operations: a signature has to be there, and nobody checks it",
        severity=Severity.CATASTROPHIC,
        caught_by="webhooks/a-webhook-event-with-a-signature",
        mutation=lambda parts: replace(parts, signed=lambda call: bool(call.header(SIGNATURE_HEADER))),
    ),
    ServiceFault(
        name="webhooks-fail",
        story="measured: the intake answers 500 to whatever is reported",
        severity=Severity.SERIOUS,
        caught_by="webhooks/",
        mutation=around(_intake_fails),
    ),
)
