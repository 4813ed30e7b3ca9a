"""What StreamPay promises of browser requests: its web app may send them, and other sites may not."""

from collections.abc import Collection, Mapping

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.shape import unfit_answer

_ALLOWED_ORIGIN = "access-control-allow-origin"
_ALLOWED_METHODS = "access-control-allow-methods"
_ALLOWED_HEADERS = "access-control-allow-headers"
_ALLOWED_CREDENTIALS = "access-control-allow-credentials"


def page_has_csrf_token(token: Mapping[str, str], expect: Expect) -> None:
    """The web app receives a CSRF token for its writes."""
    expect(
        "the web app receives a CSRF token",
        len(token) > 1,
        expected="a token with two parts",
        observed="a token with two parts" if len(token) > 1 else "none",
    )


def invalid_tokens(token: Mapping[str, str], other: str) -> dict[str, dict[str, str]]:
    """Return the CSRF tokens that another site can send, by their names: `other` is a value that nobody issued."""
    (first, first_value), (second, second_value) = token.items()
    return {
        "no token": {},
        "the part that the browser keeps": {first: first_value},
        "the part that the page adds": {second: second_value},
        "two parts that do not match": {first: first_value, second: other},
    }


def valid_write_is_accepted(answer: Answer, statuses: Collection[int], expect: Expect) -> None:
    """The same write with a valid CSRF token is accepted: only the token was the reason for the refusals."""
    expect(
        "the same write with a valid CSRF token is accepted",
        answer.status in statuses,
        expected=f"status {' or '.join(map(str, statuses))}",
        observed=answer.outcome,
    )


def preflight_allows_writes(answer: Answer, origin: str, sent: Mapping[str, str], expect: Expect) -> None:
    """The preflight allows the writes of the web app: its origin by name, with credentials, method and headers."""
    allowed = answer.headers
    expect(
        "the CORS preflight is answered",
        200 <= answer.status < 300,
        expected="success",
        observed=answer.outcome,
        unfit=unfit_answer(answer),
    )
    expect.equal("the origin of the web app is allowed by name", allowed.get(_ALLOWED_ORIGIN, "none"), origin)
    expect.equal("the web app may send credentials", allowed.get(_ALLOWED_CREDENTIALS, "not given"), "true")
    for what, asked, answered in (
        ("send the method of a write", sent["access-control-request-method"], allowed.get(_ALLOWED_METHODS, "")),
        ("send the headers of a write", sent["access-control-request-headers"], allowed.get(_ALLOWED_HEADERS, "")),
    ):
        missing = sorted(_listed(asked) - _listed(answered))
        expect(
            f"the web app may {what}",
            not missing,
            expected=asked,
            observed=f"not {', '.join(missing)}" if missing else asked,
        )


def origin_is_not_allowed(answers: Collection[Answer], origin: str, expect: Expect) -> None:
    """No answer allows another origin to send a request or to read the answer."""
    for answer in answers:
        allowed = {part.strip() for part in answer.headers.get(_ALLOWED_ORIGIN, "").split(",")}
        expect(
            f"another site is not allowed to send {answer.method}",
            not allowed & {origin, "*", "null"},
            expected="not allowed",
            observed=answer.headers.get(_ALLOWED_ORIGIN, "not allowed"),
        )


def _listed(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",")} - {""}
