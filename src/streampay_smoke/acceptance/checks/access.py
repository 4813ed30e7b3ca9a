"""What StreamPay promises of access: who is refused, and what a refusal or an error may show."""

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.listing import streams_in
from streampay_smoke.acceptance.checks.refusals import NOT_AVAILABLE, NOT_SIGNED_IN, NOT_VISIBLE
from streampay_smoke.core.errors import Blame, SmokeError
from streampay_smoke.evidence.values import in_words
from streampay_smoke.service.exchange import Answer, folded_name, objects_in
from streampay_smoke.service.records import StreamRecord
from streampay_smoke.service.shape import unfit_answer

_TOKEN_FIELDS = frozenset({"token", "accesstoken", "refreshtoken", "idtoken", "jwt", "session", "sessiontoken"})
_PRIVATE_MEMBERS = ("d", "k", "oth", "p", "q", "dp", "dq", "qi")
_SHARED_CACHES = ("cache-control", "cdn-cache-control", "surrogate-control")
_LET_STORE = frozenset({"public", "s-maxage"})

_SECRET_SHAPES = {
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/@:\"']*:[^\s/@\"']+@", re.IGNORECASE),
    "a token": re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"),
    "a Stellar seed": re.compile(r"\bS[A-Z2-7]{55}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
_INTERNALS = {
    "a stack trace": re.compile(
        r"\bat [^\"\n]{0,200}?(?:\.[a-z]{1,4}|node:[\w/]+):\d+:\d+"
        r"|\bat [\w$.<>]+\(\w+\.\w+:\d+\)"
        r"|Traceback \(most recent call last\)"
    ),
    "a file path": re.compile(r"/(?:node_modules|\.next/server|usr/src|var/task)/[\w.@-]+"),
}
_STACK_FIELDS = frozenset({"stack", "stacktrace", "traceback"})


class SyntheticUserAdministers(SmokeError):
    """The credential given to this run can read what only administrators may: it is not a synthetic user's."""

    kind = "synthetic_user_administers"
    blame = Blame.CONFIG

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step or "give this run the credential of a user without any role")


class UnauthorizedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a caller tried without any right to it, and the answer; `refusals` are the statuses that refuse it."""

    what: str
    answer: Answer
    refusals: frozenset[int] = NOT_VISIBLE

    @property
    def succeeded(self) -> bool:
        """Whether the answer is no refusal."""
        return self.answer.status not in self.refusals


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller tried without any right to it, up to the first thing that succeeded.

    `perhaps_entitled` says that the operator supplied the caller's credential, and may have taken an administrator's.
    """

    who: str
    made: tuple[UnauthorizedAttempt, ...]
    perhaps_entitled: bool = False


def refused(attempts: Attempts, expect: Expect) -> None:
    """Each attempt is refused; raises SyntheticUserAdministers for a caller who may be entitled to it."""
    expect = expect.raising(SyntheticUserAdministers) if attempts.perhaps_entitled else expect
    for attempt in attempts.made:
        expect.refused(f"{attempts.who} cannot {attempt.what}", attempt.answer, not attempt.succeeded)


def contains_no_stream(attempts: Attempts, expect: Expect) -> None:
    """A refusal does not contain what was asked for."""
    count = sum(streams_in(attempt.answer) for attempt in attempts.made)
    expect(f"{attempts.who} receives no stream", count == 0, expected="no stream", observed=f"{count} streams")


def names_no_administrator(attempts: Attempts, expect: Expect) -> None:
    """The answers do not say who administers."""
    named = sorted({name for attempt in attempts.made for name in administrators_in(attempt.answer)})
    promise = f"{attempts.who} is not told who administers"
    expect(promise, not named, expected="no name", observed=", ".join(named) or "no name")


def administrators_in(answer: Answer) -> dict[str, str]:
    """Return the fields of an answer that name an administrator, and whom."""
    return {
        name: value
        for found in objects_in(answer.json)
        for name, value in found.items()
        if folded_name(name).startswith("admin") and isinstance(value, str) and value
    }


def publishes_no_secret(answer: Answer, secrets: Collection[str], expect: Expect) -> None:
    """The published keys, where there are any, are public keys, and contain no secret known to this run."""
    expect(
        "keys are published, or no keys",
        answer.status == 200 or answer.status in NOT_AVAILABLE,
        expected="keys, or none",
        observed=answer.outcome,
        unfit=unfit_answer(answer),
    )
    leaks = sorted({*_private_members(answer), *_known_in(answer.body_text, secrets)})
    expect(
        "the published signing keys contain no secret",
        not leaks,
        expected="public keys",
        observed=", ".join(leaks) or "public keys",
    )


def sign_in_refused(answer: Answer, response: str, expect: Expect) -> None:
    """A sign-in with a response that does not prove who signs in is refused, and brings no token."""
    expect.refused(f"a sign-in with {response} is refused", answer, answer.status in NOT_SIGNED_IN)
    issued = sorted(
        {
            name
            for found in objects_in(answer.json)
            for name, value in found.items()
            if folded_name(name) in _TOKEN_FIELDS and value
        }
    )
    expect("no token is issued", not issued, expected="no token", observed=", ".join(issued) or "no token")


def unchanged(before: StreamRecord, after: StreamRecord, expect: Expect) -> None:
    """A stream is what it was before the attempts on it."""
    expect(
        "the stream is unchanged",
        _lasting(after) == _lasting(before),
        expected=_description(before),
        observed=_description(after),
    )


def none_settled(records: Sequence[StreamRecord], expect: Expect) -> None:
    """Streams that were created with a claim of a settlement, where there are any, are drafts without one."""
    settled = [
        f"{record.id} is {record.status}, {'with a' if hashes else 'without a'} settlement"
        for record in records
        if (hashes := {record.settlement_tx_hash, record.receipt_tx_hash} - {""}) or record.status != "draft"
    ]
    expect(
        "no stream that was created as settled is settled",
        not settled,
        expected="drafts without a settlement, or no streams",
        observed="; ".join(settled) or f"{len(records)} drafts without a settlement",
    )


def not_stored_by_shared_caches(headers: Mapping[str, Mapping[str, str]], expect: Expect) -> None:
    """The headers of an answer to one user do not let a shared cache store it."""
    for what, sent in headers.items():
        stored = sorted(_storing_directives(sent))
        expect(
            f"shared caches do not store {what}",
            not stored,
            expected="private, or not to be stored",
            observed=", ".join(stored) or "private, or not to be stored",
        )


def contains_no_secret(answers: Sequence[Answer], secrets: Collection[str], expect: Expect) -> None:
    """No answer contains a secret that was sent, or one of the service's."""
    for answer in answers:
        found = sorted(
            {
                *_known_in(answer.body_text, secrets),
                *(what for what, shape in _SECRET_SHAPES.items() if shape.search(answer.body_text)),
            }
        )
        expect(
            f"the answer to {answer.asked} contains no secret",
            not found,
            expected="no secret",
            observed=", ".join(found) or "no secret",
        )


def contains_no_stack_trace(answers: Sequence[Answer], expect: Expect) -> None:
    """No answer contains a stack trace or a path of the service's files."""
    for answer in answers:
        shown = sorted({what for what, shape in _INTERNALS.items() if shape.search(answer.body_text)} | _stacks(answer))
        expect(
            f"the answer to {answer.asked} contains no stack trace or file path",
            not shown,
            expected="an error message alone",
            observed=", ".join(shown) or "an error message alone",
        )


def _private_members(answer: Answer) -> Iterator[str]:
    if answer.json is None:
        yield from ("a private key" for _ in _SECRET_SHAPES["a private key"].findall(answer.body_text))
    for key in objects_in(answer.json):
        kind = key.get("kty")
        if kind == "oct":
            yield "a secret that signs (kty oct)"
        if kind is not None or "kid" in key:
            yield from (f"private member {name}" for name in _PRIVATE_MEMBERS if name in key)


def _known_in(text: str, secrets: Collection[str]) -> Iterator[str]:
    for secret in secrets:
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        forms = {secret, encoded, encoded.translate(str.maketrans("+/", "-_")), secret.encode().hex()}
        if any(form in text for form in forms):
            yield "a secret known to this run"


def _lasting(record: StreamRecord) -> StreamRecord:
    return replace(record, updated_at="", next_action="")


def _description(record: StreamRecord) -> str:
    settled = f", settled by {record.settlement_tx_hash}" if record.settlement_tx_hash else ""
    tags = in_words(record.tags)
    return f"{record.status}, {record.rate} a {record.schedule} to {record.recipient}, tags {tags}{settled}"


def _storing_directives(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the directives that let a shared cache store an answer to a request with credentials (RFC 9111, 3.5)."""
    for header in _SHARED_CACHES:
        directives = {part.strip().lower().partition("=")[0] for part in headers.get(header, "").split(",")}
        found = directives & (_LET_STORE if "private" in directives else _LET_STORE | {"must-revalidate"})
        yield from (f"{header}: {directive}" for directive in found if "no-store" not in directives)


def _stacks(answer: Answer) -> set[str]:
    names = {folded_name(name) for found in objects_in(answer.json) for name, value in found.items() if value}
    return {"a stack trace"} if names & _STACK_FIELDS else set()
