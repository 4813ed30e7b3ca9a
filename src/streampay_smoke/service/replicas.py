"""Which replica answered, and what its answer says that every replica should say alike."""

import hashlib
import json
from typing import Any

from streampay_smoke.evidence.events import ReplicaSeen
from streampay_smoke.service.exchange import Answer

NAME_HEADERS = ("x-replica-id", "x-instance-id", "x-pod-name")
"""Headers in which replicas commonly name themselves, for environments that name none. Those of caches are not here."""

LIMIT_HEADERS = ("ratelimit-limit", "ratelimit-policy", "x-ratelimit-limit")
"""Headers that state a rate limit; how much of it is left differs from answer to answer, and is not compared."""

NO_LIMITS = "no limits stated"
NO_KEYS = "no keys"

MOST_CHARACTERS = 120
"""Longest name, key or limit that is kept: they come from whoever answers."""

_WELL, _MISSING = 200, 404
_PUBLIC_FIELDS = ("kty", "alg", "crv", "n", "e", "x", "y")
"""The public half of a key (RFC 7517): nothing is told, not even as a digest, of a half that has to stay secret."""

_CLOCK_TICK_SECONDS = 1.0
"""The Date header tells whole seconds: the clock is up to this much ahead of it."""


def replica_of(answer: Answer, name_header: str = "") -> ReplicaSeen:
    """Return what an answer tells of the replica that gave it: its name, its clock, the limits it states.

    `name_header` is where replicas name themselves, "" for what is common. The service set its clock's time between the
    request and the answer, which the bounds of the clock leave open.
    """
    names = (name_header.lower(),) if name_header else NAME_HEADERS
    dated_at, limits = answer.dated_at, ""
    if answer.status == _WELL:
        stated = {name: _cut(answer.headers[name]) for name in LIMIT_HEADERS if answer.headers.get(name)}
        limits = "; ".join(f"{name}: {value}" for name, value in stated.items()) or NO_LIMITS
    return ReplicaSeen(
        replica=next((_cut(answer.headers[name]) for name in names if answer.headers.get(name)), ""),
        release=answer.release,
        clock_low_seconds=None if dated_at is None else dated_at - answer.received_at,
        clock_high_seconds=None
        if dated_at is None
        else dated_at + _CLOCK_TICK_SECONDS - (answer.received_at - answer.duration_ms / 1000),
        asked=f"{answer.method} {answer.path.partition('?')[0]}",
        limits=limits,
    )


def published_keys(answer: Answer) -> str:
    """Return the keys a JWKS document publishes, each as its id and a digest of its public half; "" for no such answer.

    They are in the order of their ids: a document may list them in any.
    """
    if answer.status == _MISSING:
        return NO_KEYS
    keys = answer.json.get("keys") if isinstance(answer.json, dict) else None
    if answer.status != _WELL or not isinstance(keys, list):
        return ""
    return ", ".join(sorted(_key(key) for key in keys if isinstance(key, dict))) or NO_KEYS


def _key(key: dict[str, Any]) -> str:
    public = {name: key[name] for name in _PUBLIC_FIELDS if isinstance(key.get(name), str)}
    digest = hashlib.sha256(json.dumps(public, sort_keys=True).encode()).hexdigest()[:8]
    return f"key {_cut(str(key.get('kid') or 'without an id'))} ({digest})"


def _cut(text: str) -> str:
    """Return text on one line, and no longer than is kept."""
    return " ".join(text.split())[:MOST_CHARACTERS]
