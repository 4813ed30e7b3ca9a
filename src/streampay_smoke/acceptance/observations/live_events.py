"""Listening to the live events of a stream."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack

from streampay_smoke.acceptance.checks.live_events import WITHIN_SECONDS, Heard
from streampay_smoke.core.errors import ServiceUnavailable, SmokeError
from streampay_smoke.evidence.events import AnyEvent, Awaiting, Exchanged, Recorder
from streampay_smoke.http.bodies import one_event
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.shape import unfit_answer

TENANT_UNKNOWN = "unknown"
"""The tenant that is claimed where the credential does not name one."""

_OK = 200

OpensDeployment = Callable[[Recorder], Deployment]
"""Returns the deployment over connections of its own, whose exchanges go to this recorder."""


class Listener(AbstractContextManager["Listener"]):
    """Listens to one stream as its owner, from a thread of its own, for as long as the block runs.

    `began` is set with the first byte, `reported` with the first whole event, and both when nothing more will come.
    At its end what has come is read, and what was exchanged gets into the journal.
    """

    def __init__(
        self, opens: OpensDeployment, credential: Credential, stream_id: str, tenant: str, record: Recorder
    ) -> None:
        self.stream_id = stream_id
        self.began = threading.Event()
        self.reported = threading.Event()
        self._record = record
        self._exchanged: list[AnyEvent] = []
        self._deployment = opens(self._exchanged.append)
        self._arguments = (credential, stream_id, tenant, self._came)
        self._over = threading.Event()
        self._ended = threading.Event()
        self._length = 0
        self._answer: Answer | None = None
        self._cut_off: SmokeError | None = None
        self._thread = threading.Thread(target=self._listen, name=f"listening to {stream_id}", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the request failed, or the answer came to an end by itself."""
        return self._ended.is_set()

    def heard(self) -> Heard:
        """Return what was heard; raises PromiseBroken for an answer that is no live events."""
        answer = self._answer
        return Heard(
            stream_id=self.stream_id,
            status=answer.status if answer else None,
            events=self._deployment.live_events(answer) if answer and answer.status == _OK else (),
            cut_off=self._cut_off,
            unfit=unfit_answer(answer) if answer and answer.status != _OK else None,
        )

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        # One that has not begun cannot be asked to stop: its thread ends with the request's own time limit.
        self._thread.join(WITHIN_SECONDS if self.began.is_set() else 0.0)
        for event in tuple(self._exchanged):
            if isinstance(event, Exchanged):
                self._record(event)

    def _listen(self) -> None:
        try:
            with self._deployment as deployment:
                self._answer = deployment.live_events_answer(*self._arguments)
            if not self._over.is_set() and self._answer.status == _OK:
                self._cut_off = ServiceUnavailable(f"{self._answer.asked} came to an end by itself")
        except SmokeError as problem:
            self._cut_off = problem
        self._ended.set()
        self.began.set()
        self.reported.set()

    def _came(self, body: bytes) -> bool:
        """Take note of what has come. It is enough when it is over and nothing more has come since."""
        nothing_more, self._length = len(body) == self._length, len(body)
        if body:
            self.began.set()
        if one_event(body):
            self.reported.set()
        return self._over.is_set() and nothing_more


def heard_while(listeners: Sequence[Listener], act: Callable[[], object], record: Recorder) -> tuple[Heard, ...]:
    """Act once every listener has begun, and return what they heard until the first of them received an event.

    Nothing is done where a listener does not begin in time, or has ended.
    """
    with ExitStack() as listening:
        for listener in listeners:
            listening.enter_context(listener)
        record(Awaiting(what="live events to begin"))
        ends_seconds = time.monotonic() + WITHIN_SECONDS
        begun = [listener.began.wait(max(0.0, ends_seconds - time.monotonic())) for listener in listeners]
        if all(begun) and not any(listener.ended for listener in listeners):
            act()
            record(Awaiting(what="a live event"))
            listeners[0].reported.wait(WITHIN_SECONDS)
    return tuple(listener.heard() for listener in listeners)
