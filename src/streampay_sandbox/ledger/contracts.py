"""What a contract is to the host: entry points with typed arguments, and the types its spec publishes."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streampay_sandbox.ledger.values import Kind, Record, Variants


class EntryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One function of a contract: `body(env, *arguments)` answers a Python value of kind `output`."""

    name: str
    inputs: tuple[tuple[str, Kind], ...]
    output: Kind
    body: Callable[..., Any]


class EventShape(msgspec.Struct, frozen=True, kw_only=True):
    """An event: its leading topic symbols, and the fields of its data vector in order."""

    name: str
    topics: tuple[str, ...]
    data: tuple[tuple[str, Kind], ...]


class ContractModel(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's behaviour and its published interface. `errors` maps code to name.

    A built-in one is part of the host, which has errors of its own for calls that fit nothing.
    """

    name: str
    version: str
    entry_points: Mapping[str, EntryPoint]
    records: tuple[Record, ...] = ()
    variants: tuple[Variants, ...] = ()
    errors: Mapping[int, str] = {}
    events: tuple[EventShape, ...] = ()
    is_built_in: bool = False


def entry_points(*points: EntryPoint) -> Mapping[str, EntryPoint]:
    """Index entry points by name."""
    return {point.name: point for point in points}
