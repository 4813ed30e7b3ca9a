"""What the web app is promised in a browser, and what other sites' pages are kept from."""

from typing import Any

import pytest
from step_parts import Witness, answer

from streampay_smoke.acceptance.checks import webapp

ORIGIN, OTHER = "https://app.example", "https://another-site.example"
SENT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-csrf-token",
}
LEAVE = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET, POST, PATCH",
    "access-control-allow-headers": "Authorization, Content-Type, X-CSRF-Token, x-request-id",
}
MAY_WRITE = (
    "the CORS preflight is answered",
    "the origin of the web app is allowed by name",
    "the web app may send credentials",
    "the web app may send the method of a write",
    "the web app may send the headers of a write",
)
PAIR = {"cookie": "csrf-token=a", "x-csrf-token": "a"}


def test_a_page_with_both_halves_has_a_proof(witness: Witness) -> None:
    webapp.page_has_csrf_token(PAIR, witness.expect)

    witness.saw_held("the web app receives a CSRF token")


def test_a_page_that_is_given_nothing_has_none(witness: Witness) -> None:
    with witness.breaks("the web app receives a CSRF token", saw="none"):
        webapp.page_has_csrf_token({}, witness.expect)


def test_another_sites_page_never_shows_the_whole_proof() -> None:
    shown = webapp.invalid_tokens(PAIR, other="b")

    assert list(shown.values()) == [
        {},
        {"cookie": "csrf-token=a"},
        {"x-csrf-token": "a"},
        {"cookie": "csrf-token=a", "x-csrf-token": "b"},
    ]


def test_own_page_gets_through_with_the_promised_answer(witness: Witness) -> None:
    webapp.valid_write_is_accepted(answer(404), (404,), witness.expect)

    witness.saw_held("the same write with a valid CSRF token is accepted")


@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_own_page_that_is_answered_otherwise_did_not_get_through(status: int, witness: Witness) -> None:
    with witness.breaks(
        "the same write with a valid CSRF token is accepted", expected="status 404", saw=f"status {status}"
    ):
        webapp.valid_write_is_accepted(answer(status), (404,), witness.expect)


@pytest.mark.parametrize("status", [200, 204])
def test_app_may_write_passes_for_leave_by_name(status: int, witness: Witness) -> None:
    webapp.preflight_allows_writes(answer(status, headers=LEAVE), ORIGIN, SENT, witness.expect)

    witness.saw_held(*MAY_WRITE)


@pytest.mark.parametrize(
    ("status", "changes", "promise", "saw"),
    [
        (403, {}, MAY_WRITE[0], "status 403"),
        (302, {}, MAY_WRITE[0], "status 302"),
        (204, {"access-control-allow-origin": None}, MAY_WRITE[1], "none"),
        (204, {"access-control-allow-origin": "*"}, MAY_WRITE[1], "*"),
        (204, {"access-control-allow-origin": f"{ORIGIN}, {ORIGIN}"}, MAY_WRITE[1], ORIGIN),
        (204, {"access-control-allow-origin": "https://app.example:443"}, MAY_WRITE[1], "443"),
        (204, {"access-control-allow-credentials": None}, MAY_WRITE[2], "not given"),
        (204, {"access-control-allow-credentials": "false"}, MAY_WRITE[2], "false"),
        (204, {"access-control-allow-methods": "GET"}, MAY_WRITE[3], "not post"),
        (204, {"access-control-allow-methods": None}, MAY_WRITE[3], "not post"),
        (204, {"access-control-allow-headers": "authorization, content-type"}, MAY_WRITE[4], "not x-csrf-token"),
        (204, {"access-control-allow-headers": "*"}, MAY_WRITE[4], "authorization, content-type, x-csrf-token"),
    ],
)
def test_app_may_write_fails_for_less(
    status: int, changes: dict[str, Any], promise: str, saw: str, witness: Witness
) -> None:
    headers = {name: value for name, value in {**LEAVE, **changes}.items() if value is not None}

    with witness.breaks(promise, saw=saw):
        webapp.preflight_allows_writes(answer(status, headers=headers), ORIGIN, SENT, witness.expect)


@pytest.mark.parametrize("status", [200, 204, 403])
@pytest.mark.parametrize("headers", [{}, {"access-control-allow-origin": ORIGIN}])
def test_stranger_may_not_passes_where_another_site_gets_no_leave(
    status: int, headers: dict[str, str], witness: Witness
) -> None:
    webapp.origin_is_not_allowed([answer(status, headers=headers)], OTHER, witness.expect)

    witness.saw_held("another site is not allowed to send POST")


@pytest.mark.parametrize("allowed", [OTHER, "*", "null", f"{ORIGIN}, {OTHER}"])
def test_stranger_may_not_fails_where_another_site_gets_leave(allowed: str, witness: Witness) -> None:
    answers = [answer(403), answer(204, headers={"access-control-allow-origin": allowed})]

    with witness.breaks("another site is not allowed to send POST", expected="not allowed", saw=allowed):
        webapp.origin_is_not_allowed(answers, OTHER, witness.expect)
