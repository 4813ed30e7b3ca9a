"""The mark on synthetic data, and what an operator's token says of itself: both ways."""

import base64
import json
import time
from typing import Any

import pytest

from streampay_smoke.service.claims import (
    CredentialExpired,
    IdentityRefused,
    claims_of,
    refuse_expired,
    refuse_unfit,
    seconds_left,
)
from streampay_smoke.service.lease import Lease, lease_in


def token(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


def test_a_mark_survives_its_tags() -> None:
    mark = Lease(run_id="20261123T1-ab", lease_until_seconds=1_800_000_000)
    assert lease_in(["mine", *mark.tags, "other"]) == mark


@pytest.mark.parametrize(
    "tags",
    [
        None,
        "smoke:r lease:1",
        [],
        ["smoke:r"],
        ["lease:1"],
        ["smoke:", "lease:1"],
        ["smoke:r", "lease:x"],
        ["smoke:r", "lease:-1"],
        ["smoke:r", "lease:1.5"],
        ["smoke:r", "lease:" + "9" * 5000],
        ["smoke:r", "lease:\u0661"],
        ["smoke:r", "smoke:s", "lease:1"],
        ["smoke:r", "lease:1", "lease:2"],
        [1, {"smoke": "r"}, None],
    ],
)
def test_what_only_looks_like_a_mark_is_none(tags: object) -> None:
    assert lease_in(tags) is None


@pytest.mark.parametrize("text", ["opaque-token", "a.b", "a.%%%.c", "a.bm8.c", f"a.{'W10'}.c", ""])
def test_a_token_that_is_no_jwt_says_nothing(text: str) -> None:
    assert claims_of(text) == {}
    assert seconds_left(text) is None
    refuse_unfit("SMOKE_AUTH_TOKEN", text)


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": ["user", "admin"]},
        {"role": "Admin"},
        {"roles": "user finance"},
        {"scope": "streams:read streampay:security"},
        {"groups": ["compliance-team"]},
        {"role": "support"},
        {"permissions": ["system"]},
        {"realm_access": {"roles": ["administrator"]}},
        {"sub": "ada@example.com"},
        {"sub": "u-1", "email": "ada@example.com"},
        {"preferred_username": " ada@example.com "},
    ],
)
def test_staff_and_persons_are_refused_without_quoting_the_token(claims: dict[str, Any]) -> None:
    given = token(**claims)
    with pytest.raises(IdentityRefused, match="SMOKE_AUTH_TOKEN") as caught:
        refuse_unfit("SMOKE_AUTH_TOKEN", given)
    assert caught.value.kind == "identity_refused"
    assert caught.value.next_step
    assert given not in str(caught.value)
    assert "ada@" not in str(caught.value)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"roles": ["user"], "sub": "G" + "A" * 55},
        {"role": "user", "sub": "smoke-staging"},
        {"sub": "smoke-staging@streampay.example"},
        {"sub": "synthetic@streampay.example"},
        {"sub": "7d9a"},
        {"roles": None, "scope": 5, "realm_access": []},
        {"sub": "administrators-are-not-roles"},
    ],
)
def test_a_synthetic_user_is_let_through(claims: dict[str, Any]) -> None:
    refuse_unfit("SMOKE_AUTH_TOKEN", token(**claims))


def test_the_time_left_is_read_from_the_token() -> None:
    assert seconds_left(token(exp=1_000), now_seconds=400.0) == 600.0
    assert seconds_left(token(exp=True)) is None
    assert seconds_left(token(exp="soon")) is None
    ends_at = time.time() + 100
    left = seconds_left(token(exp=ends_at))
    assert left is not None
    assert ends_at - time.time() <= left <= 100


def test_only_a_rotation_without_any_good_token_is_refused() -> None:
    old, new, endless = token(exp=1), token(exp=9), token()
    for tokens in ({}, {"A": new}, {"A": old, "B": new}, {"A": old, "B": endless}, {"A": "opaque"}):
        refuse_expired(tokens, now_seconds=5.0)
    for tokens in ({"A": old}, {"A": old, "B": old}):
        with pytest.raises(CredentialExpired, match=" and in ".join(tokens)):
            refuse_expired(tokens, now_seconds=5.0)
