"""What a list of streams promises, on lists a service could show."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from step_parts import Asked, Honest, Says, SmallStreamPay, Witness, answer, page, record

from streampay_smoke.acceptance.checks import listing
from streampay_smoke.acceptance.observations import listing as lists
from streampay_smoke.acceptance.observations.listing import pages_of
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import PRIVATE_FIELDS, Answer
from streampay_smoke.service.records import StreamPage

OWNER = Credential(kind="wallet", headers={"authorization": "Bearer owner"}, shown_as="the owner")


@pytest.fixture
def deployment(small: SmallStreamPay, witness: Witness) -> Iterator[Deployment]:
    with Deployment.at(
        small.url,
        dialect="app-v1",
        record=witness.events.append,
        timeout_seconds=5,
        learn_secret=lambda secret: None,
    ) as deployment:
        yield deployment


def shown(pages: Sequence[StreamPage]) -> list[str]:
    return [stream.id for page in pages for stream in page.streams]


@pytest.mark.parametrize(("streams", "page_size", "pages"), [(0, 1, 1), (1, 1, 1), (4, 2, 2), (5, 2, 3), (3, 100, 1)])
def test_pages_of_follows_the_list_to_its_end(
    streams: int, page_size: int, pages: int, small: SmallStreamPay, deployment: Deployment
) -> None:
    own = [small.add("owner") for _ in range(streams)]
    small.add("somebody else")

    found = pages_of(deployment, OWNER, page_size=page_size)

    assert shown(found) == own
    assert len(found) == pages
    assert not small.writes


def test_pages_of_fails_when_the_list_never_ends(
    small: SmallStreamPay, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE_LIMIT", 7)

    def endless(asked: Asked, honest: Honest) -> Says:
        place = int(asked.query.get("cursor", "0"))
        row = {"id": f"stream-{place}", "status": "draft", "recipient": "G", "rate": "1", "schedule": "day"}
        return Says(json={"data": [row], "meta": {"hasNext": True, "nextCursor": str(place + 1), "total": 9}})

    small.lie("GET /api/streams", endless)

    with pytest.raises(PromiseBroken, match="list does not end: after 7 pages of 1"):
        pages_of(deployment, OWNER, page_size=1)

    assert len(small.asked) == 7


def test_pages_of_fails_when_the_cursor_leads_back_to_the_first_page(
    small: SmallStreamPay, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE_LIMIT", 5)
    small.add("owner")
    small.add("owner")
    small.lie("GET /api/streams", lambda asked, honest: honest(_without_cursor(asked)))

    with pytest.raises(PromiseBroken) as caught:
        pages_of(deployment, OWNER, page_size=1)

    assert caught.type is PromiseBroken
    assert len(small.asked) <= 5


ROW = {"id": "stream-1", "status": "draft", "recipient": "G", "rate": "1", "schedule": "day"}
LAST = {"hasNext": False, "nextCursor": None, "total": 1}


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        pytest.param(Says(json={"items": [ROW]}), "body.data is missing", id="another shape"),
        pytest.param(Says(json=[ROW]), "a list of 1", id="a bare list"),
        pytest.param(Says(text="<html><title>Log in</title></html>"), "but not a page of streams", id="a page"),
        pytest.param(
            Says(json={"data": [ROW], "meta": {**LAST, "hasNext": True}}), "no meta.nextCursor", id="no cursor"
        ),
        pytest.param(Says(json={"data": [ROW, ROW], "meta": {**LAST, "total": 2}}), "twice", id="twice on a page"),
        pytest.param(Says(json={"data": [{**ROW, "status": "?"}], "meta": LAST}), "status", id="an unknown status"),
        pytest.param(Says(json={"data": [ROW], "meta": {**LAST, "total": 0}}), "meta.total", id="a total too small"),
        pytest.param(Says(status=204), "answered 204, not 200", id="no content"),
        pytest.param(Says(status=302, headers={"location": "/login"}), "answered 302, not 200", id="a redirect"),
        pytest.param(Says(status=500), "answered 500, not 200", id="a crash"),
    ],
)
def test_pages_of_fails_when_a_page_is_not_what_was_promised(
    says: Says, reason: str, small: SmallStreamPay, deployment: Deployment
) -> None:
    small.lie("GET /api/streams", says)

    with pytest.raises(PromiseBroken, match=reason):
        pages_of(deployment, OWNER, page_size=2)


EACH_ONCE = (
    "every stream is listed on one page only",
    "no page is longer than asked",
    "the list goes over several pages",
    "all streams of the user are listed",
)


@pytest.mark.parametrize(
    ("pages", "own"),
    [
        pytest.param([page("a", "b"), page("c")], ["a", "b", "c"], id="all of them"),
        pytest.param([page("a", "b"), page("c")], ["b"], id="more than the own ones"),
        pytest.param([page("a", "b"), page()], ["a", "b"], id="an empty page at the end"),
        pytest.param([page("a"), page("A")], ["a"], id="names that differ in case"),
    ],
)
def test_each_shown_once_passes_for_every_stream_on_one_page(
    pages: Sequence[StreamPage], own: Sequence[str], witness: Witness
) -> None:
    listing.each_listed_once(pages, own, page_size=2, expect=witness.expect)

    witness.saw_held(*EACH_ONCE)


@pytest.mark.parametrize(
    ("pages", "own", "promise", "saw"),
    [
        pytest.param([page("a", "b"), page("b", "c")], ["a"], EACH_ONCE[0], "b", id="on two pages"),
        pytest.param([page("a", "a"), page("c")], ["a"], EACH_ONCE[0], "a", id="twice on one page"),
        pytest.param([page("a", "b")] * 2, ["a"], EACH_ONCE[0], "a, b", id="the first page again"),
        pytest.param([page("a", "b", "c"), page("d")], ["a"], EACH_ONCE[1], "3", id="a page too long"),
        pytest.param([page("a", "b")], ["a"], EACH_ONCE[2], "1", id="one page only"),
        pytest.param([page()], ["a"], EACH_ONCE[2], "1", id="an empty list"),
        pytest.param([], ["a"], EACH_ONCE[2], "0", id="no page at all"),
        pytest.param([page("a"), page("c")], ["a", "b"], EACH_ONCE[3], "missing: b", id="a stream was lost"),
        pytest.param([page(), page()], ["b", "a"], EACH_ONCE[3], "missing: a, b", id="all were lost"),
    ],
)
def test_each_shown_once_fails_when_a_stream_is_repeated_or_lost(
    pages: Sequence[StreamPage], own: Sequence[str], promise: str, saw: str, witness: Witness
) -> None:
    with witness.breaks(promise, saw=saw):
        listing.each_listed_once(pages, own, page_size=2, expect=witness.expect)


HARMLESS = {"id": "a", "status": "draft", "recipient": "G", "emailed": 1, "labels": [], "partner": "x"}


def test_nothing_private_passes_for_the_promised_fields(witness: Witness) -> None:
    listing.contains_no_personal_data([page("a", items=[HARMLESS]), page(items=[])], witness.expect)

    witness.saw_held("no personal data is listed")


SPELLINGS = [
    *sorted(PRIVATE_FIELDS),
    "partnerId",
    "partner_id",
    "partner-id",
    "PartnerID",
    "PARTNER_ID",
    "Email",
    "EMAIL",
    "e_mail",
    "Memo",
    "_label",
]


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("place", ["first page", "last page"])
def test_nothing_private_fails_when_a_personal_field_is_shown(name: str, place: str, witness: Witness) -> None:
    leaking = page("b", items=[HARMLESS, {**HARMLESS, name: "ada@example.org"}])
    pages = [leaking, page("a")] if place == "first page" else [page("a"), leaking]

    with witness.breaks("no personal data is listed", expected="no personal fields", saw=name):
        listing.contains_no_personal_data(pages, witness.expect)


def test_nothing_private_names_fields_but_never_what_is_in_them(witness: Witness) -> None:
    with witness.breaks("no personal data is listed", saw="email, memo"):
        listing.contains_no_personal_data([page(items=[{"email": "ada@example.org", "memo": "rent"}])], witness.expect)

    assert "ada" not in witness.checks[0].observed


REFUSED = {"error": {"code": "UNAUTHORIZED", "message": "no"}}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_passes_for_a_refusal(status: int, witness: Witness) -> None:
    listing.refused(answer(status, REFUSED), "no credential", witness.expect)

    witness.saw_held("a caller with no credential is refused")


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 400, 404, 422, 429, 500, 502, 503])
@pytest.mark.parametrize("body", [None, {"data": []}])
def test_refused_fails_when_the_caller_is_not_told_so(status: int, body: Any, witness: Witness) -> None:
    with witness.breaks("a caller with junk is refused", expected="a refusal", saw=f"status {status}"):
        listing.refused(answer(status, body), "junk", witness.expect)


def test_an_open_list_that_happens_to_be_empty_is_still_no_refusal(witness: Witness) -> None:
    empty = answer(200, {"data": [], "meta": LAST})

    with witness.breaks("a caller with no credential is refused", saw="status 200"):
        listing.refused(empty, "no credential", witness.expect)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(answer(401), id="no body"),
        pytest.param(answer(401, REFUSED), id="an error"),
        pytest.param(answer(401, {"data": []}), id="an empty list"),
        pytest.param(answer(401, {"data": None}), id="nothing under data"),
        pytest.param(answer(401, {"streams": []}), id="an empty list of the other shape"),
        pytest.param(answer(401, []), id="a bare empty list"),
        pytest.param(answer(401, text="<html>no</html>"), id="a page"),
        pytest.param(answer(401, "no"), id="a word"),
    ],
)
def test_shows_no_stream_passes_for_a_refusal_without_data(told: Answer, witness: Witness) -> None:
    listing.contains_no_stream(told, "junk", witness.expect)

    witness.saw_held("a caller with junk receives no stream")


@pytest.mark.parametrize(
    ("told", "saw"),
    [
        pytest.param(answer(401, {"data": [ROW]}), "1 streams", id="in a refusal"),
        pytest.param(answer(403, {**REFUSED, "data": [ROW, ROW]}), "2 streams", id="beside an error"),
        pytest.param(answer(200, {"streams": [ROW]}), "1 streams", id="in the other shape"),
        pytest.param(answer(401, [ROW, ROW, ROW]), "3 streams", id="as a bare list"),
        pytest.param(answer(401, {"data": {"streams": [ROW]}}), "1 streams", id="one level deeper"),
    ],
)
def test_shows_no_stream_fails_when_the_answer_holds_some(told: Answer, saw: str, witness: Witness) -> None:
    with witness.breaks("a caller with junk receives no stream", expected="no stream", saw=saw):
        listing.contains_no_stream(told, "junk", witness.expect)


@pytest.mark.parametrize("pages", [[], [page()], [page("x", "y"), page("z")]])
def test_hidden_from_passes_for_a_list_without_them(pages: Sequence[StreamPage], witness: Witness) -> None:
    listing.contains_none_of(pages, [record(id="a"), record(id="b")], witness.expect)

    witness.saw_held("another user's list contains none of them")


@pytest.mark.parametrize(
    ("pages", "saw"),
    [
        pytest.param([page("a")], "a", id="one of them"),
        pytest.param([page("x"), page("y", "b")], "b", id="on a later page"),
        pytest.param([page("b", "a")], "a, b", id="all of them"),
    ],
)
def test_hidden_from_fails_when_another_user_sees_them(pages: Sequence[StreamPage], saw: str, witness: Witness) -> None:
    with witness.breaks("another user's list contains none of them", expected="none", saw=saw):
        listing.contains_none_of(pages, [record(id="a"), record(id="b")], witness.expect)


def _without_cursor(asked: Asked) -> Asked:
    return Asked(
        method=asked.method,
        path=asked.path,
        query={"limit": asked.query["limit"]},
        headers=asked.headers,
        json=None,
    )
