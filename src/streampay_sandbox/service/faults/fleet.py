"""Ways in which a fleet disagrees with itself: replicas that keep for themselves what all of them should know."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.faults.fault import ServiceFault
from streampay_sandbox.service.idempotency import Kept, KeyBook
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.seeds import CANARY, SEEDS
from streampay_sandbox.service.streams import Stream, StreamStore
from streampay_sandbox.service.wire import Answer, Call, Handler

REPLICAS: Final = 2


class _Balancer:
    """Leads each new connection to the next replica, and keeps it there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._next: Iterator[int] = itertools.cycle(range(REPLICAS))
        self._at_work = threading.local()

    @property
    def replica(self) -> int:
        """The replica at work in this thread; the first one outside of requests."""
        return getattr(self._at_work, "replica", 0)

    def led(self, inner: Handler) -> Handler:
        """Layer: let the connection's replica do the work."""

        def handle(call: Call) -> Answer:
            with self._lock:
                if call.connection not in self._numbers:
                    self._numbers[call.connection] = next(self._next)
                self._at_work.replica = self._numbers[call.connection]
            return inner(call)

        return handle


class _StoreOfEach(StreamStore):
    """Every replica has streams of its own, in memory."""

    def __init__(self, balancer: _Balancer) -> None:
        super().__init__()
        self._balancer = balancer
        self._stores = [StreamStore((*SEEDS, CANARY)) for _ in range(REPLICAS)]

    @property
    def _here(self) -> StreamStore:
        return self._stores[self._balancer.replica]

    def add(self, stream: Stream) -> None:
        self._here.add(stream)

    def save(self, stream: Stream) -> None:
        self._here.save(stream)

    def remove(self, stream_id: str) -> None:
        self._here.remove(stream_id)

    def find(self, stream_id: str, tenant: str) -> Stream:
        return self._here.find(stream_id, tenant)

    @contextmanager
    def held(self, stream_id: str, tenant: str) -> Iterator[Stream]:
        with self._here.held(stream_id, tenant) as stream:
            yield stream

    def everything(self) -> tuple[Stream, ...]:
        return self._here.everything()


class _BookOfEach(KeyBook):
    """Every replica has keys of its own, in memory."""

    def __init__(self, balancer: _Balancer) -> None:
        super().__init__()
        self._balancer = balancer
        self._books = [KeyBook() for _ in range(REPLICAS)]

    def answer_once(self, scope: tuple[str, ...], fingerprint: str, make: Callable[[], Answer]) -> Kept:
        return self._books[self._balancer.replica].answer_once(scope, fingerprint, make)


def _streams_of_each(parts: Parts) -> Parts:
    balancer = _Balancer()
    return replace(parts, store=_StoreOfEach(balancer), layers=(*parts.layers, balancer.led))


def _keys_of_each(parts: Parts) -> Parts:
    balancer = _Balancer()
    return replace(parts, keys=_BookOfEach(balancer), layers=(*parts.layers, balancer.led))


FAULTS: Final = (
    ServiceFault(
        name="replicas-keep-streams",
        story="measured: streams live in the memory of one process, and two replicas diverge",
        severity=Severity.CATASTROPHIC,
        caught_by="statements/",
        mutation=_streams_of_each,
    ),
    ServiceFault(
        name="replicas-keep-keys",
        story="measured: idempotency keys live in the memory of one process, and another replica does not know them",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-settlement-that-is-repeated",
        mutation=_keys_of_each,
    ),
    ServiceFault(
        name="store-forgets",
        story="measured: a restart forgets every stream there was before it",
        severity=Severity.CATASTROPHIC,
        caught_by="statements/a-stream-from-before",
        mutation=lambda parts: replace(parts, store=StreamStore(SEEDS)),
    ),
)
