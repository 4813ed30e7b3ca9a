"""What StreamPay promises to its web app in a browser, and what it keeps other sites' pages from."""

from collections.abc import Collection, Mapping

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.service.exchange import Answer

FORGED_WRITE_REFUSED = frozenset({400, 403, 419})
"""How a write is refused that does not show that it comes from the app's own page."""

_ALLOWED_ORIGIN = "access-control-allow-origin"
_ALLOWED_METHODS = "access-control-allow-methods"
_ALLOWED_HEADERS = "access-control-allow-headers"
_ALLOWED_CREDENTIALS = "access-control-allow-credentials"


def page_has_a_token(proof: Mapping[str, str], expect: Expect) -> None:
    """The app's page is given something to show with its writes."""
    expect(
        "the app's page is given a proof of its own",
        len(proof) > 1,
        expected="a proof in two halves",
        observed="a proof in two halves" if len(proof) > 1 else "none",
    )


def halves_of(proof: Mapping[str, str], other: str) -> dict[str, dict[str, str]]:
    """Return what a page that is not the app's may show, in words: `other` is a value nobody handed out."""
    (first, first_value), (second, second_value) = proof.items()
    return {
        "nothing to show": {},
        "what the browser keeps": {first: first_value},
        "what the page adds": {second: second_value},
        "two halves that differ": {first: first_value, second: other},
    }


def own_page_gets_through(answer: Answer, statuses: Collection[int], expect: Expect) -> None:
    """The same write with the whole proof is dealt with: what was refused was the missing proof, and no more."""
    expect(
        "the same write is let through with the whole proof",
        answer.status in statuses,
        expected=f"status {' or '.join(map(str, statuses))}",
        observed=f"status {answer.status} (request {answer.request_id})",
    )


def app_may_write(answer: Answer, origin: str, sent: Mapping[str, str], expect: Expect) -> None:
    """A browser lets the app's page write: its origin is allowed by name, with credentials and with all it sends."""
    allowed = answer.headers
    expect(
        "the browser's question is answered",
        200 <= answer.status < 300,
        expected="a yes",
        observed=f"status {answer.status} (request {answer.request_id})",
    )
    expect.equal("the app's origin is allowed by its name", allowed.get(_ALLOWED_ORIGIN, "none"), origin)
    expect.equal("the app may send what the browser keeps", allowed.get(_ALLOWED_CREDENTIALS, "unsaid"), "true")
    for what, asked, answered in (
        ("write", sent["access-control-request-method"], allowed.get(_ALLOWED_METHODS, "")),
        ("send what a write needs", sent["access-control-request-headers"], allowed.get(_ALLOWED_HEADERS, "")),
    ):
        missing = sorted(_listed(asked) - _listed(answered))
        expect(
            f"the app may {what}",
            not missing,
            expected=asked,
            observed=f"not {', '.join(missing)}" if missing else asked,
        )


def stranger_may_not(answers: Collection[Answer], origin: str, expect: Expect) -> None:
    """A browser keeps another site's page from asking, and from reading what was answered."""
    for answer in answers:
        allowed = {part.strip() for part in answer.headers.get(_ALLOWED_ORIGIN, "").split(",")}
        expect(
            f"another site is not allowed to ask by {answer.method}",
            not allowed & {origin, "*", "null"},
            expected="no leave for it",
            observed=answer.headers.get(_ALLOWED_ORIGIN, "no leave for it"),
        )


def _listed(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",")} - {""}
