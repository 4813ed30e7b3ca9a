"""Ways in which a fleet disagrees with itself: replicas that keep for themselves what all of them should know."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from streampay_sandbox.fault import Severity, Truth
from streampay_sandbox.service.faults.fault import SETTLE, Mutation, ServiceFault, around_with
from streampay_sandbox.service.idempotency import Kept, KeyBook
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.replicas import Balancer, Difference, WithoutKept, replicated
from streampay_sandbox.service.seeds import CANARY, SEEDS
from streampay_sandbox.service.streams import Stream, StreamStore
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

REPLICAS: Final = 2
OF_FIVE: Final = 5
_RESTORED: Final = "one of five replicas was restored from an older copy and lacks a stream that the others have"
STOP: Final = "/api/streams/{stream_id}/stop"
WITHDRAW: Final = "/api/streams/{stream_id}/withdraw"


class _StoreOfEach(StreamStore):
    """Every replica has streams of its own, in memory."""

    def __init__(self, balancer: Balancer, stores: Sequence[StreamStore]) -> None:
        super().__init__()
        self._balancer = balancer
        self._stores = stores

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

    def forget(self) -> None:
        for store in self._stores:
            store.forget()


class _BookOfEach(KeyBook):
    """Every replica has keys of its own, in memory."""

    def __init__(self, balancer: Balancer) -> None:
        super().__init__()
        self._balancer = balancer
        self._books = [KeyBook() for _ in range(REPLICAS)]

    def answer_once(self, scope: tuple[str, ...], fingerprint: str, make: Callable[[], HttpAnswer]) -> Kept:
        return self._books[self._balancer.replica].answer_once(scope, fingerprint, make)

    def forget(self) -> None:
        for book in self._books:
            book.forget()


def _stores_of_each(stores: Callable[[Parts], Sequence[StreamStore]]) -> Mutation:
    """Return the mutation whose replicas look for streams each in a store of their own."""

    def mutate(parts: Parts) -> Parts:
        balancer = Balancer(REPLICAS)
        return replace(parts, store=_StoreOfEach(balancer, stores(parts)), layers=(*parts.layers, balancer.led))

    return mutate


def _restarts_once(after: str, *, calls: int = 1) -> Mutation:
    """Return the mutation that forgets everything once, behind so many successful calls of this route."""

    def mutate(parts: Parts) -> Parts:
        counted = itertools.count(1)

        def layer(parts: Parts, inner: Handler, call: HttpCall) -> HttpAnswer:
            answer = inner(call)
            if call.route == after and answer.status == 200 and next(counted) == calls:
                parts.forget()
            return answer

        return around_with(layer)(parts)

    return mutate


def _keys_of_each(parts: Parts) -> Parts:
    balancer = Balancer(REPLICAS)
    return replace(parts, keys=_BookOfEach(balancer), layers=(*parts.layers, balancer.led))


FAULTS: Final = (
    ServiceFault(
        name="replicas-keep-streams",
        story="measured: streams live in the memory of one process, and two replicas diverge",
        severity=Severity.CATASTROPHIC,
        caught_by="records/",
        mutation=_stores_of_each(lambda parts: [StreamStore((*SEEDS, CANARY)) for _ in range(REPLICAS)]),
    ),
    ServiceFault(
        name="replicas-keep-keys",
        story="measured: idempotency keys live in the memory of one process, and another replica does not know them",
        severity=Severity.CATASTROPHIC,
        caught_by="settlement/a-repeated-settlement",
        mutation=_keys_of_each,
    ),
    ServiceFault(
        name="store-forgets",
        story="measured: a restart forgets every stream there was before it",
        severity=Severity.CATASTROPHIC,
        caught_by="records/a-stream-from",
        mutation=lambda parts: replace(parts, store=StreamStore(SEEDS)),
    ),
    ServiceFault(
        name="replica-lacks-kept-stream",
        story="operations: one replica was restored from an older copy and lacks a stream that the others have",
        severity=Severity.CATASTROPHIC,
        caught_by="records/a-stream-from",
        mutation=_stores_of_each(lambda parts: [parts.store, WithoutKept(parts.store)]),
    ),
    ServiceFault(
        name="restart-loses-streams",
        story="measured: the process restarts between two calls, and every stream of the run is gone, keys too",
        severity=Severity.CATASTROPHIC,
        caught_by="records/",  # where a run settles first
        mutation=_restarts_once(SETTLE),
    ),
    ServiceFault(
        name="restart-loses-streams-late",
        story="measured: the process restarts behind the first withdrawal, when most checks have been made",
        severity=Severity.CATASTROPHIC,
        caught_by="records/",
        mutation=_restarts_once(WITHDRAW),
    ),
    ServiceFault(
        name="restart-loses-streams-last",
        story="measured: the process restarts when the last check was made, behind the first stop of what is left",
        severity=Severity.CATASTROPHIC,
        caught_by="streams_lost",
        mutation=_restarts_once(STOP, calls=2),  # a stream whose live events were heard is stopped before
    ),
    *(
        ServiceFault(
            name=f"one-of-five-{name}",
            story=f"operations: {story}",
            severity=severity,
            caught_by=caught_by,
            mutation=replicated(OF_FIVE, [difference]),
        )
        for name, difference, severity, caught_by, story in (
            ("lacks-stream", Difference.DATA, Severity.CATASTROPHIC, "records/a-stream-from", _RESTORED),
            ("old-release", Difference.RELEASE, Severity.CATASTROPHIC, "readiness/", "a replica was left behind"),
            ("clock-ahead", Difference.CLOCK, Severity.SERIOUS, "readiness/", "one machine keeps no time by NTP"),
            ("other-keys", Difference.KEYS, Severity.CATASTROPHIC, "readiness/", "a replica missed a rotation of keys"),
            ("other-limits", Difference.LIMITS, Severity.SERIOUS, "readiness/", "a replica has an old configuration"),
        )
    ),
    *(
        ServiceFault(
            name=f"fleet-of-five-{name}",
            story=f"operations: {story}",
            severity=Severity.DISTURBANCE,
            truth=Truth.NONE,
            mutation=replicated(OF_FIVE, differs, named=named, sticky=sticky),
        )
        for name, differs, named, sticky, story in (
            ("sticky", (), True, True, "the balancer leads every connection of one address to the same replica"),
            ("drains", (Difference.DRAINS,), True, False, "one replica is drained while the run is played"),
            ("clock-skew", (Difference.SKEW,), True, False, "the clock of one replica is a second ahead"),
            ("unnamed", (), False, False, "replicas that are alike and do not name themselves"),
        )
    ),
)
