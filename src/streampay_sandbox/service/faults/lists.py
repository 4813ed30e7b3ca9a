"""Ways in which lists of streams go wrong: no access control, other people's streams, private details, lost rows."""

from collections.abc import Callable
from typing import Final

import jwt
from msgspec.structs import replace

from streampay_sandbox.fault import Severity
from streampay_sandbox.service.auth import ALGORITHM, CHECKS, authenticator, unauthorized
from streampay_sandbox.service.errors import Refusal
from streampay_sandbox.service.faults.fault import V2, Mutation, ServiceFault, around, is_list, rows_of
from streampay_sandbox.service.parts import Parts
from streampay_sandbox.service.seeds import SEEDS
from streampay_sandbox.service.streams import Stream
from streampay_sandbox.service.wire import Handler, HttpAnswer, HttpCall


def _anybody_lists(enough: Callable[[HttpCall], bool]) -> Mutation:
    """Return the mutation that shows every stream to a caller nobody knows when `enough` says so."""

    def mutate(parts: Parts) -> Parts:
        def who(call: HttpCall) -> str:
            try:
                return parts.list_authenticator(call)
            except Refusal:
                if enough(call):
                    return ""
                raise

        def visible(caller: str, stream: Stream) -> bool:
            return not caller or parts.visible(caller, stream)

        return replace(parts, list_authenticator=who, visible=visible)

    return mutate


def _lists_read_tokens(subject: Callable[[Parts, str], str]) -> Mutation:
    def mutate(parts: Parts) -> Parts:
        return replace(
            parts, list_authenticator=authenticator(lambda token: subject(parts, token), parts.settings.api_key)
        )

    return mutate


def _without(check: str) -> Callable[[Parts, str], str]:
    return lambda parts, token: parts.tokens.subject(token, {**CHECKS, check: False})


def _signed_by_more(parts: Parts, token: str) -> str:
    return parts.tokens.subject(token, algorithms=(ALGORITHM, "HS512"))


def _unsigned_if(algorithm: str) -> Callable[[Parts, str], str]:
    def subject(parts: Parts, token: str) -> str:
        try:
            unsigned = jwt.get_unverified_header(token)["alg"] == algorithm
        except (jwt.InvalidTokenError, KeyError):
            raise unauthorized("The bearer token is not valid.") from None
        return parts.tokens.subject(token, {**CHECKS, "verify_signature": not unsigned})

    return subject


def _private_rows(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    found = rows_of(answer.document) if is_list(call) else None
    if found is None:
        return answer
    name, rows = found
    return answer.with_document({**answer.document, name: [{**row, **SEEDS[0].private} for row in rows]})


def _other_shape(inner: Handler, call: HttpCall) -> HttpAnswer:
    answer = inner(call)
    found = rows_of(answer.document) if is_list(call) else None
    return answer if found is None else answer.with_document({"items": found[1], "count": len(found[1])})


def _cursor_restarts(inner: Handler, call: HttpCall) -> HttpAnswer:
    if is_list(call):
        call = replace(call, query={name: value for name, value in call.query.items() if name != "cursor"})
    return inner(call)


FAULTS: Final = (
    ServiceFault(
        name="list-open",
        story="measured: v1 lists need no credentials",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-no-credential",
        mutation=_anybody_lists(lambda call: True),
    ),
    ServiceFault(
        name="list-accepts-junk",
        story="measured: v2 takes any Authorization text",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-a-malformed",
        mutation=_anybody_lists(lambda call: bool(call.header("authorization"))),
    ),
    ServiceFault(
        name="v2-lists-for-any-text",
        story="measured: v2 shows every stream to any Authorization text, while v1 asks for a good token",
        severity=Severity.CATASTROPHIC,
        caught_by="api_v2_access/a-caller-with-any-text-cannot-list-streams-through-api-v2",
        mutation=_anybody_lists(lambda call: call.route == V2 and bool(call.header("authorization"))),
    ),
    ServiceFault(
        name="list-accepts-expired",
        story="measured: nothing checks exp",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-an-expired",
        mutation=_lists_read_tokens(_without("verify_exp")),
    ),
    ServiceFault(
        name="list-accepts-foreign",
        story="measured: nothing checks the signature",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-a-token-signed",
        mutation=_lists_read_tokens(_unsigned_if(ALGORITHM)),
    ),
    ServiceFault(
        name="list-accepts-alg-none",
        story="measured: alg none is as good as HS256",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-an-unsigned",
        mutation=_lists_read_tokens(_unsigned_if("none")),
    ),
    ServiceFault(
        name="list-accepts-other-audience",
        story="operations: a token for another service of the house is as good",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-a-token-for",
        mutation=_lists_read_tokens(_without("verify_aud")),
    ),
    ServiceFault(
        name="list-accepts-other-issuer",
        story="operations: whoever shares the secret issues tokens",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-caller-with-a-token-of-another",
        mutation=_lists_read_tokens(_without("verify_iss")),
    ),
    ServiceFault(
        name="list-accepts-hs512",
        story="operations: a library upgrade accepts every HMAC method",
        severity=Severity.SERIOUS,
        caught_by="streams/a-caller-with-a-token-signed-with-another",
        mutation=_lists_read_tokens(_signed_by_more),
    ),
    ServiceFault(
        name="list-leaks-others",
        story="measured: every caller sees every tenant's streams",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/",
        mutation=lambda parts: replace(parts, visible=lambda caller, stream: True),
    ),
    ServiceFault(
        name="list-leaks-private",
        story="measured: rows show email, label, memo and partnerId",
        severity=Severity.CATASTROPHIC,
        caught_by="streams/a-user-lists",
        mutation=around(_private_rows),
    ),
    ServiceFault(
        name="list-pages-wrong",
        story="measured: a cursor the service does not know restarts at page one",
        severity=Severity.SERIOUS,
        caught_by="streams/a-user-lists",
        mutation=around(_cursor_restarts),
    ),
    ServiceFault(
        name="list-wrong-shape",
        story="operations: another API version answers",
        severity=Severity.SERIOUS,
        caught_by="streams/",
        mutation=around(_other_shape),
    ),
)
