"""Which replica answered, and what its answer tells."""

from typing import Any

import pytest

from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.replicas import MOST_CHARACTERS, NO_KEYS, NO_LIMITS, published_keys, replica_of

NOON = "Thu, 01 Jan 2026 12:00:00 GMT"
NOON_SECONDS = 1767268800.0
EC = {"kty": "EC", "crv": "P-256", "kid": "one", "x": "xx", "y": "yy"}


def answer(
    headers: dict[str, str] | None = None, *, status: int = 200, json: Any = None, received_at: float = NOON_SECONDS
) -> Answer:
    return Answer(
        method="GET",
        path="/api/readyz?verbose=1",
        status=status,
        headers=headers or {},
        body_text="",
        json=json,
        request_id="",
        release="v1",
        simulated=False,
        duration_ms=400,
        received_at=received_at,
    )


@pytest.mark.parametrize(
    ("headers", "given", "name"),
    [
        ({}, "", ""),
        ({"x-pod-name": "pod-1"}, "", "pod-1"),
        ({"x-instance-id": "i-1", "x-pod-name": "pod-1"}, "", "i-1"),
        ({"x-served-by": "cache-1"}, "", ""),
        ({"x-served-by": "web-1"}, "X-Served-By", "web-1"),
        ({"x-pod-name": "pod-1"}, "x-served-by", ""),
    ],
)
def test_a_replica_is_told_by_its_header(headers: dict[str, str], given: str, name: str) -> None:
    assert replica_of(answer(headers), given).replica == name


def test_the_clock_is_told_as_closely_as_an_answer_can() -> None:
    seen = replica_of(answer({"date": NOON}, received_at=NOON_SECONDS + 2))
    assert seen.clock_low_seconds == -2.0  # told at the very end
    assert seen.clock_high_seconds == pytest.approx(-0.6)  # told when asked, at the end of its second
    assert replica_of(answer()).clock_low_seconds is None


@pytest.mark.parametrize(
    ("status", "headers", "limits"),
    [
        (200, {}, NO_LIMITS),
        (200, {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "3"}, "x-ratelimit-limit: 60"),
        (503, {"x-ratelimit-limit": "60"}, ""),
    ],
)
def test_limits_are_those_an_answer_states(status: int, headers: dict[str, str], limits: str) -> None:
    assert replica_of(answer(headers, status=status)).limits == limits


def test_what_was_asked_has_no_query() -> None:
    assert replica_of(answer()).asked == "GET /api/readyz"


@pytest.mark.parametrize(
    ("status", "json", "keys"),
    [
        (404, None, NO_KEYS),
        (200, {"keys": []}, NO_KEYS),
        (200, {"keys": "none"}, ""),
        (200, None, ""),
        (503, {"keys": [EC]}, ""),
    ],
)
def test_only_a_document_of_keys_tells_them(status: int, json: Any, keys: str) -> None:
    assert published_keys(answer(status=status, json=json)) == keys


def test_keys_are_told_by_their_public_half_in_any_order() -> None:
    other = {**EC, "kid": "two"}
    told = published_keys(answer(json={"keys": [EC, other]}))
    assert told == published_keys(answer(json={"keys": [other, EC]}))
    assert told.startswith("key one (")
    assert ", key two (" in told
    assert published_keys(answer(json={"keys": [{**EC, "x": "zz"}]})) != published_keys(answer(json={"keys": [EC]}))


def test_what_somebody_else_wrote_is_kept_short() -> None:
    seen = replica_of(answer({"x-pod-name": "p" * 5000, "x-ratelimit-limit": "6" * 5000}))
    assert len(seen.replica) == MOST_CHARACTERS
    assert len(seen.limits) < 2 * MOST_CHARACTERS
    assert len(published_keys(answer(json={"keys": [{**EC, "kid": "one\n" * 500}]}))) < 2 * MOST_CHARACTERS


def test_a_secret_half_leaves_no_trace() -> None:
    secret = {"kty": "oct", "kid": "one", "k": "a-secret-that-leaks", "d": "another"}
    assert published_keys(answer(json={"keys": [secret]})) == published_keys(
        answer(json={"keys": [{"kty": "oct", "kid": "one", "k": "other"}]})
    )
