"""A StreamPay of several replicas behind one address, one of which may differ from the others."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from enum import StrEnum

from msgspec.structs import replace

from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.seeds import CANARY
from streampay_sandbox.service.streams import Stream, StreamStore
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

NAME_HEADER = "x-replica-id"
OLD_RELEASE = "the-release-before"
JWKS = "/.well-known/jwks.json"
DRAINED_AFTER = 12
"""So many connections come before the replica that drains is taken out."""

_CLOCK_AHEAD_SECONDS = 90.0
_LIMIT, _OTHER_LIMIT = "60", "30"
_KEY, _OTHER_KEY = (
    {"kty": "EC", "crv": "P-256", "kid": f"signs-{name}", "x": name * 16, "y": name * 16} for name in ("ab", "cd")
)


class Difference(StrEnum):
    """In what a replica differs from the others; the last two are no fault of a release."""

    DATA = "data"
    RELEASE = "release"
    CLOCK = "clock"
    KEYS = "keys"
    LIMITS = "limits"
    SKEW = "skew"
    DRAINS = "drains"


class Balancer:
    """Leads each new connection to the next replica, and keeps it there; a `sticky` one leads every one to the first.

    After `drained_after` connections the last replica gets no new ones, and answers no more on those it has.
    """

    def __init__(self, replicas: int, *, sticky: bool = False, drained_after: int | None = None) -> None:
        self._replicas = replicas
        self._sticky = sticky
        self._drained_after = drained_after
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._next: Iterator[int] = itertools.cycle(range(replicas))
        self._at_work = threading.local()

    @property
    def replica(self) -> int:
        """The replica at work in this thread; the first one outside of requests."""
        return getattr(self._at_work, "replica", 0)

    @property
    def is_drained(self) -> bool:
        """Whether the last replica was taken out."""
        return self._drained_after is not None and len(self._numbers) > self._drained_after

    def led(self, inner: Handler) -> Handler:
        """Layer: let the connection's replica do the work."""

        def handle(call: HttpCall) -> HttpAnswer:
            with self._lock:
                if call.connection not in self._numbers:
                    self._numbers[call.connection] = self._chosen()
                number = self._at_work.replica = self._numbers[call.connection]
            if number == self._replicas - 1 and self.is_drained:
                return HttpAnswer(status=503, text="draining", headers={"connection": "close"})
            return inner(call)

        return handle

    def _chosen(self) -> int:
        if self._sticky:
            return 0
        number = next(self._next)
        return next(self._next) if self.is_drained and number == self._replicas - 1 else number


class WithoutKept(StreamStore):
    """Shares another store, and does not have the stream that was there before; only where `lacks` says so."""

    def __init__(self, shared: StreamStore, lacks: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self._shared = shared
        self._lacks = lacks

    def add(self, stream: Stream) -> None:
        self._shared.add(stream)

    def save(self, stream: Stream) -> None:
        self._shared.save(stream)

    def remove(self, stream_id: str) -> None:
        self._shared.remove(stream_id)

    def find(self, stream_id: str, tenant: str) -> Stream:
        return self._shared.find("" if stream_id == CANARY.id and self._lacks() else stream_id, tenant)

    @contextmanager
    def held(self, stream_id: str, tenant: str) -> Iterator[Stream]:
        self.find(stream_id, tenant)
        with self._shared.held(stream_id, tenant) as stream:
            yield stream

    def everything(self) -> tuple[Stream, ...]:
        return tuple(each for each in self._shared.everything() if each.id != CANARY.id or not self._lacks())

    def forget(self) -> None:
        self._shared.forget()


def replicated(
    replicas: int, differs: Sequence[Difference] = (), *, named: bool = True, sticky: bool = False
) -> Callable[[Parts], Parts]:
    """Return the change that makes a StreamPay one of so many replicas, the last of which `differs`.

    `named` ones say who they are in NAME_HEADER. All publish a key and state a limit.
    """
    odd, chosen = replicas - 1, frozenset(differs)

    def change(parts: Parts) -> Parts:
        drained_after = DRAINED_AFTER if Difference.DRAINS in chosen else None
        balancer = Balancer(replicas, sticky=sticky, drained_after=drained_after)

        def differences() -> frozenset[Difference]:
            return chosen if balancer.replica == odd else frozenset()

        def name() -> str:
            return f"replica-{balancer.replica + 1}" if named else ""

        changed = _differing(parts, differences, name)
        return replace(changed, layers=(*parts.layers, balancer.led, *changed.layers[len(parts.layers) :]))

    return change


def as_replica(parts: Parts, name: str, differs: Sequence[Difference] = ()) -> Parts:
    """Return the parts of one replica that answers at an address of its own."""
    return _differing(parts, lambda: frozenset(differs), lambda: name)


def _differing(parts: Parts, differs: Callable[[], frozenset[Difference]], name: Callable[[], str]) -> Parts:
    """Return parts whose answers are those of the replica of this name that differs so, each time anew."""

    def stamped(inner: Handler) -> Handler:
        def handle(call: HttpCall) -> HttpAnswer:
            answer = inner(call)
            if call.path == JWKS:
                answer = answer.with_document({"keys": [_OTHER_KEY if Difference.KEYS in differs() else _KEY]})
            return answer.with_headers(_headers(differs(), name()))

        return handle

    store = WithoutKept(parts.store, lambda: Difference.DATA in differs())
    return replace(parts, store=store, layers=(*parts.layers, stamped))


def _headers(differs: frozenset[Difference], name: str) -> dict[str, str]:
    headers = {"x-ratelimit-limit": _OTHER_LIMIT if Difference.LIMITS in differs else _LIMIT}
    ahead = _CLOCKS_AHEAD.keys() & differs
    if ahead:
        headers["date"] = formatdate(time.time() + max(_CLOCKS_AHEAD[each] for each in ahead), usegmt=True)
    if Difference.RELEASE in differs:
        headers["x-release"] = OLD_RELEASE
    if name:
        headers[NAME_HEADER] = name
    return headers


_CLOCKS_AHEAD: Mapping[Difference, float] = {Difference.CLOCK: _CLOCK_AHEAD_SECONDS, Difference.SKEW: 1.0}
