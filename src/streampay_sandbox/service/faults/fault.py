"""What a fault of the service is, and the common ways to build one."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from streampay_sandbox.fault import Fault
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall

Mutation = Callable[[Parts], Parts]

SETTLE = "/api/streams/{stream_id}/settle"
V2 = "/api/v2/streams"
V2_ITEM = "/api/v2/streams/{stream_id}"
V2_BATCH = "/api/v2/streams/batch"
_LISTS = frozenset({"/api/streams", V2})


class ServiceFault(Fault, frozen=True, kw_only=True):
    """A way for the service to be wrong: what it does to the parts of an honest one."""

    mutation: Mutation


def around(layer: Callable[[Handler, HttpCall], HttpAnswer]) -> Mutation:
    """Return the mutation that puts `layer` around every route."""
    return around_with(lambda _, inner, call: layer(inner, call))


def around_with(layer: Callable[[Parts, Handler, HttpCall], HttpAnswer]) -> Mutation:
    """Return the mutation that puts `layer`, which needs parts itself, around every route."""

    def mutate(parts: Parts) -> Parts:
        def wrap(inner: Handler) -> Handler:
            return lambda call: layer(parts, inner, call)

        return replace(parts, layers=(*parts.layers, wrap))

    return mutate


def both(first: Mutation, second: Mutation) -> Mutation:
    """Return the mutation that is `first`, then `second`."""
    return lambda parts: second(first(parts))


def is_list(call: HttpCall) -> bool:
    """Whether a call asks for a list of streams."""
    return call.route in _LISTS and call.method in {"GET", "HEAD"}


def is_create(call: HttpCall) -> bool:
    """Whether a call creates a stream."""
    return call.route in _LISTS and call.method == "POST"


def is_known(parts: Parts, call: HttpCall) -> bool:
    """Whether a call's credential is a good one."""
    try:
        parts.authenticator(call)
    except Refusal:
        return False
    return True


def rows_of(document: Any) -> tuple[str, list[Any]] | None:
    """Return the name and rows of a list answer's document, None for other documents."""
    for name in ("data", "streams"):
        if isinstance(document, dict) and isinstance(document.get(name), list):
            return name, document[name]
    return None
