"""What is promised of access, on answers a service could give: shown to hold, and to break in each way there is."""

from collections.abc import Mapping
from typing import Any

import pytest
from step_parts import Witness, answer, record

from streampay_smoke.acceptance.checks import access
from streampay_smoke.acceptance.checks.access import (
    Attempts,
    SyntheticUserAdministers,
    UnauthorizedAttempt,
)
from streampay_smoke.acceptance.checks.refusals import NOT_AUTHORIZED, NOT_AVAILABLE, NOT_VISIBLE
from streampay_smoke.core.errors import Blame, PromiseBroken
from streampay_smoke.service.records import StreamRecord

ROW = {"id": "stream-1", "status": "draft", "recipient": "G", "rate": "1", "schedule": "day"}
ADMINISTRATOR = {"data": {"paused": False, "adminAddress": "GADMIN"}}
REFUSAL = {"error": {"code": "UNAUTHORIZED", "message": "Only the admin may perform this operation."}}


def attempt(
    status: int, body: Any = None, refusals: frozenset[int] = NOT_VISIBLE, what: str = "do it"
) -> UnauthorizedAttempt:
    return UnauthorizedAttempt(what=what, answer=answer(status, body), refusals=refusals)


def by_a_stranger(*made: UnauthorizedAttempt) -> Attempts:
    return Attempts(who="a stranger", made=made)


@pytest.mark.parametrize(
    ("refusals", "statuses"),
    [(NOT_AUTHORIZED, [401, 403]), (NOT_VISIBLE, [401, 403, 404]), (NOT_AVAILABLE, [401, 403, 404, 405, 410, 501])],
)
def test_refused_passes_where_every_attempt_is_refused(
    refusals: frozenset[int], statuses: list[int], witness: Witness
) -> None:
    access.refused(by_a_stranger(*(attempt(status, refusals=refusals) for status in statuses)), witness.expect)

    witness.saw_held(*["a stranger cannot do it"] * len(statuses))


@pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 400, 404, 409, 422, 429, 500, 502, 503])
def test_refused_fails_for_an_attempt_that_succeeds(status: int, witness: Witness) -> None:
    attempts = by_a_stranger(attempt(401), attempt(status, refusals=NOT_AUTHORIZED, what="settle the stream"))

    with witness.breaks("a stranger cannot settle the stream", expected="a refusal", saw=f"status {status}"):
        access.refused(attempts, witness.expect)


def test_an_operators_own_credential_that_administers_is_a_matter_of_settings(witness: Witness) -> None:
    with pytest.raises(SyntheticUserAdministers, match="the synthetic user cannot do it") as caught:
        access.refused(Attempts(who="the synthetic user", made=(attempt(200),), perhaps_entitled=True), witness.expect)

    assert caught.value.blame is Blame.CONFIG
    assert "without any role" in caught.value.next_step
    assert not isinstance(caught.value, PromiseBroken)


@pytest.mark.parametrize(
    "body", [None, REFUSAL, {"data": {"adminAddress": ""}}, {"data": {"adminCount": 2}}, ["admin"]]
)
def test_names_no_administrator_passes_for_answers_that_name_nobody(body: Any, witness: Witness) -> None:
    access.names_no_administrator(by_a_stranger(attempt(403, body)), witness.expect)

    witness.saw_held("a stranger is not told who administers")


@pytest.mark.parametrize(
    ("body", "saw"),
    [
        (ADMINISTRATOR, "adminAddress"),
        ({"error": {"code": "X", "details": [{"admin_address": "G"}]}}, "admin_address"),
        ({"administrator": "ada"}, "administrator"),
    ],
)
def test_names_no_administrator_fails_for_a_name_anywhere_and_does_not_repeat_it(
    body: Any, saw: str, witness: Witness
) -> None:
    with witness.breaks("a stranger is not told who administers", expected="no name", saw=saw):
        access.names_no_administrator(by_a_stranger(attempt(403), attempt(403, body)), witness.expect)

    assert "GADMIN" not in witness.checks[-1].observed


@pytest.mark.parametrize("body", [None, REFUSAL, {"data": []}])
def test_shown_nothing_passes_for_answers_without_a_stream(body: Any, witness: Witness) -> None:
    access.contains_no_stream(by_a_stranger(attempt(404, body)), witness.expect)

    witness.saw_held("a stranger receives no stream")


def test_shown_nothing_fails_for_a_refusal_that_shows_the_stream(witness: Witness) -> None:
    with witness.breaks("a stranger receives no stream", expected="no stream", saw="2 streams"):
        access.contains_no_stream(by_a_stranger(attempt(404, {"data": ROW}), attempt(403, [ROW])), witness.expect)


SECRET = "the-secret-that-signs-tokens"
PUBLISHED = ("keys are published, or no keys", "the published signing keys contain no secret")
RSA = {"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (200, {"keys": []}, ""),
        (200, {"keys": [RSA, {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}]}, ""),
        (404, None, "<html><title>404</title></html>"),
        (403, REFUSAL, ""),
        (200, None, '<html><script>{"k": 1, "d": 2}</script></html>'),
    ],
)
def test_publishes_no_secret_passes_for_public_halves_and_for_none(
    status: int, body: Any, text: str, witness: Witness
) -> None:
    access.publishes_no_secret(answer(status, body, text=text), [SECRET], witness.expect)

    witness.saw_held(*PUBLISHED)


@pytest.mark.parametrize("status", [204, 302, 400, 429, 500])
def test_publishes_no_secret_fails_where_it_cannot_be_told(status: int, witness: Witness) -> None:
    with witness.breaks(PUBLISHED[0], saw=f"status {status}"):
        access.publishes_no_secret(answer(status), [SECRET], witness.expect)


@pytest.mark.parametrize(
    ("body", "saw"),
    [
        ({"keys": [{"kty": "oct", "kid": "streampay-current", "k": "c2VjcmV0"}]}, "a secret that signs (kty oct)"),
        ({"keys": [RSA, {"kty": "oct", "kid": "streampay-previous"}]}, "a secret that signs (kty oct)"),
        *[({"keys": [{**RSA, name: "AQAB"}]}, f"private member {name}") for name in ("d", "p", "q", "dp", "dq", "qi")],
        ({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "d": "b"}]}, "private member d"),
        ({"keys": [{"kid": "a", "k": "b"}]}, "private member k"),
        ({"keys": [], "hint": SECRET}, "a secret known to this run"),
        ({"keys": [], "hint": "dGhlLXNlY3JldC10aGF0LXNpZ25zLXRva2Vucw"}, "a secret known to this run"),
        ({"keys": [], "hint": SECRET.encode().hex()}, "a secret known to this run"),
    ],
)
def test_publishes_no_secret_fails_for_whatever_is_not_public(body: Any, saw: str, witness: Witness) -> None:
    with witness.breaks(PUBLISHED[1], expected="public keys", saw=saw):
        access.publishes_no_secret(answer(200, body), [SECRET], witness.expect)

    assert SECRET not in witness.checks[-1].observed


def test_publishes_no_secret_fails_for_a_private_key_in_plain_text(witness: Witness) -> None:
    with witness.breaks(PUBLISHED[1], saw="a private key"):
        access.publishes_no_secret(answer(200, text="-----BEGIN RSA PRIVATE KEY-----\nMII"), [SECRET], witness.expect)


LET_IN = ("a sign-in with a forgery is refused", "no token is issued")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_not_let_in_passes_for_a_refusal(status: int, witness: Witness) -> None:
    access.sign_in_refused(answer(status, REFUSAL), "a forgery", witness.expect)

    witness.saw_held(*LET_IN)


@pytest.mark.parametrize("status", [200, 201, 204, 302, 408, 425, 429, 500, 503])
def test_not_let_in_fails_for_everything_else(status: int, witness: Witness) -> None:
    with witness.breaks(LET_IN[0], expected="a refusal", saw=f"status {status}"):
        access.sign_in_refused(answer(status), "a forgery", witness.expect)


@pytest.mark.parametrize("field", ["token", "access_token", "accessToken", "idToken", "jwt", "session"])
def test_not_let_in_fails_for_a_refusal_that_hands_a_token_out(field: str, witness: Witness) -> None:
    with witness.breaks(LET_IN[1], expected="no token", saw=field):
        access.sign_in_refused(answer(401, {**REFUSAL, "data": {field: "tok_secret"}}), "a forgery", witness.expect)

    assert "tok_secret" not in witness.checks[-1].observed


BEFORE = record(status="draft", settlement_tx_hash="", receipt_tx_hash="", tags=("smoke:run-1",), updated_at="1")


@pytest.mark.parametrize("changes", [{}, {"updated_at": "2"}, {"next_action": "start"}])
def test_unchanged_passes_for_the_same_stream(changes: Mapping[str, str], witness: Witness) -> None:
    access.unchanged(BEFORE, record(**{**_fields(BEFORE), **changes}), witness.expect)

    witness.saw_held("the stream is unchanged")


@pytest.mark.parametrize(
    ("changes", "saw"),
    [
        ({"status": "ended"}, "ended"),
        ({"recipient": "GTHIEF"}, "GTHIEF"),
        ({"rate": "100"}, "100 a"),
        ({"tags": ("taken",)}, "taken"),
        ({"settlement_tx_hash": "ab" * 32}, "settled by abab"),
    ],
)
def test_unchanged_fails_for_a_stream_that_was_meddled_with(
    changes: Mapping[str, Any], saw: str, witness: Witness
) -> None:
    with witness.breaks("the stream is unchanged", expected="draft", saw=saw):
        access.unchanged(BEFORE, record(**{**_fields(BEFORE), **changes}), witness.expect)


def test_never_settled_passes_for_drafts(witness: Witness) -> None:
    access.none_settled([BEFORE], witness.expect)

    access.none_settled([], witness.expect)

    witness.saw_held(*["no stream that was created as settled is settled"] * 2)


@pytest.mark.parametrize(
    ("changes", "saw"),
    [
        ({"status": "ended"}, "is ended, without a settlement"),
        ({"settlement_tx_hash": "ab" * 32}, "is draft, with a settlement"),
        ({"receipt_tx_hash": "ab" * 32}, "is draft, with a settlement"),
    ],
)
def test_never_settled_fails_for_a_claim_that_was_believed(
    changes: Mapping[str, str], saw: str, witness: Witness
) -> None:
    with witness.breaks("no stream that was created as settled is settled", expected="drafts", saw=saw):
        access.none_settled([BEFORE, record(**{**_fields(BEFORE), **changes})], witness.expect)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cache-control": "private, max-age=0, must-revalidate"},
        {"cache-control": "no-store"},
        {"cache-control": "No-Store, max-age=0"},
        {"cache-control": "no-store, must-revalidate"},
        {"cache-control": "max-age=60"},
    ],
)
def test_kept_by_nobody_passes_where_shared_caches_keep_their_hands_off(
    headers: dict[str, str], witness: Witness
) -> None:
    access.not_stored_by_shared_caches({"the list of streams": headers}, witness.expect)

    witness.saw_held("shared caches do not store the list of streams")


@pytest.mark.parametrize(
    ("headers", "saw"),
    [
        ({"cache-control": "public, max-age=0, must-revalidate"}, "cache-control: public"),
        ({"cache-control": "max-age=0, s-maxage=60"}, "cache-control: s-maxage"),
        ({"cache-control": "PUBLIC"}, "cache-control: public"),
        ({"cache-control": "max-age=0, must-revalidate"}, "cache-control: must-revalidate"),
        ({"cache-control": "private", "cdn-cache-control": "public, max-age=60"}, "cdn-cache-control: public"),
        ({"cache-control": "private", "surrogate-control": "public"}, "surrogate-control: public"),
    ],
)
def test_kept_by_nobody_fails_where_a_shared_cache_is_invited(
    headers: dict[str, str], saw: str, witness: Witness
) -> None:
    with witness.breaks("shared caches do not store one stream", saw=saw):
        access.not_stored_by_shared_caches({"the list of streams": {}, "one stream": headers}, witness.expect)


SENT = "junk-0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"error":{"code":"NOT_FOUND","message":"There is no such stream."}}',
        "see https://docs.example/errors",
        "G" * 56,
    ],
)
def test_tells_no_secret_passes_for_an_error_in_plain_words(text: str, witness: Witness) -> None:
    access.contains_no_secret([answer(404, text=text, path="/api/x")], [SENT], witness.expect)

    witness.saw_held("the answer to POST /api/x contains no secret")


@pytest.mark.parametrize(
    ("text", "saw"),
    [
        (f"token {SENT} is not valid", "a secret known to this run"),
        ("connect ECONNREFUSED postgres://streampay:hunter2@db.internal:5432/streampay", "a password in an address"),
        ("redis://:hunter2@cache:6379", "a password in an address"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "a token"),
        ("S" + "A2B3C4D5E6F7" * 4 + "GHIJKLM", "a Stellar seed"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
    ],
)
def test_tells_no_secret_fails_for_one_and_does_not_repeat_it(text: str, saw: str, witness: Witness) -> None:
    answers = [answer(404), answer(500, text=text, path="/api/x")]

    with witness.breaks("the answer to POST /api/x contains no secret", expected="no secret", saw=saw):
        access.contains_no_secret(answers, [SENT], witness.expect)

    assert not {SENT, "hunter2"} & set(witness.checks[-1].observed.split())


@pytest.mark.parametrize(
    "body",
    [
        REFUSAL,
        {"error": {"code": "X", "message": "Try again at 12:30:05."}},
        {"error": {"code": "X", "message": "Nothing is at /api/streams/x."}},
        {"error": {"code": "X", "message": "m", "stack": None}},
    ],
)
def test_shows_no_workings_passes_for_an_error_in_plain_words(body: Any, witness: Witness) -> None:
    access.contains_no_stack_trace([answer(404, body, path="/api/x")], witness.expect)

    witness.saw_held("the answer to POST /api/x contains no stack trace or file path")


@pytest.mark.parametrize(
    ("body", "text", "saw"),
    [
        ({"error": {"stack": "Error: NOT_FOUND\n    at POST (/app/route.js:1:4242)"}}, "", "a stack trace"),
        ({"error": {"stackTrace": ["a", "b"]}}, "", "a stack trace"),
        (None, "TypeError: x\n    at async Server.handle (webpack-internal:///(rsc)/x.ts:12:7)", "a stack trace"),
        (None, "java.lang.X\n\tat com.foo.Bar.run(Bar.java:12)", "a stack trace"),
        (None, "Traceback (most recent call last):\n  File", "a stack trace"),
        (None, "<pre>Error: Cannot find module /usr/src/app/x.js</pre>", "a file path"),
        ({"error": {"message": "in /srv/node_modules/pg/lib/client.js"}}, "", "a file path"),
    ],
)
def test_shows_no_workings_fails_where_the_code_shows(body: Any, text: str, saw: str, witness: Witness) -> None:
    with witness.breaks(
        "the answer to POST /api/x contains no stack trace or file path", expected="an error message alone", saw=saw
    ):
        access.contains_no_stack_trace([answer(500, body, text=text, path="/api/x")], witness.expect)


def _fields(stream: StreamRecord) -> dict[str, Any]:
    return {name: getattr(stream, name) for name in stream.__struct_fields__}
