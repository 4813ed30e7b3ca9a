"""What StreamPay promises to people who list streams, and to those who may not."""

import re
from collections.abc import Callable, Collection, Sequence

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import PRIVATE_FIELDS, REFUSED, Answer, folded_name, objects_in
from streampay_smoke.service.records import StreamPage, StreamRecord

_STREAM_SIGNS = {"id", "recipient"}
_STREAM_IN_TEXT = re.compile(r'\\?"recipient\\?"\s*:')

LARGEST_PAGE = 100
"""How many streams the longest page may hold."""

PAGE_LIMIT = 200
"""More pages than this are a list that never ends."""


def pages_of(deployment: Deployment, credential: Credential, *, page_size: int) -> tuple[StreamPage, ...]:
    """Follow the list to its end; raises PromiseBroken when it leads in a circle or a page has the wrong shape."""
    return _followed(lambda cursor: deployment.streams(credential, limit=page_size, cursor=cursor), page_size)


def newer_pages_of(deployment: Deployment, credential: Credential, *, page_size: int) -> tuple[StreamPage, ...]:
    """Follow the list in the newer form of the API to its end; raises as `pages_of`."""
    return _followed(lambda cursor: deployment.newer_streams(credential, limit=page_size, cursor=cursor), page_size)


def records_of(deployment: Deployment, credential: Credential) -> tuple[StreamRecord, ...]:
    """Return all streams of the credential's holder, by whichever list works; raises what the newer one raises."""
    try:
        pages = pages_of(deployment, credential, page_size=LARGEST_PAGE)
    except PromiseBroken:  # a broken list hides nothing that has to be brought to an end
        pages = newer_pages_of(deployment, credential, page_size=LARGEST_PAGE)
    return tuple(stream for page in pages for stream in page.streams)


def _followed(ask: Callable[[str], StreamPage], page_size: int) -> tuple[StreamPage, ...]:
    pages = [ask("")]
    followed: set[str] = set()
    while pages[-1].has_next:
        cursor = pages[-1].next_cursor
        if cursor in followed or len(pages) == PAGE_LIMIT:
            raise PromiseBroken(
                f"the list does not end: after {len(pages)} pages of {page_size} it "
                + ("leads back to a page already shown" if cursor in followed else "still goes on"),
                next_step="see how the service reads the cursor it gave out",
            )
        followed.add(cursor)
        pages.append(ask(cursor))
    return tuple(pages)


def each_shown_once(pages: Sequence[StreamPage], own: Collection[str], page_size: int, expect: Expect) -> None:
    """Every stream is on exactly one page, no page is longer than asked, and the user's own are among them."""
    shown = [stream.id for page in pages for stream in page.streams]
    repeated = sorted({stream_id for stream_id in shown if shown.count(stream_id) > 1})
    expect(
        "every stream is shown on one page only", not repeated, expected="no repetition", observed=repeated or "none"
    )
    longest = max((len(page.streams) for page in pages), default=0)
    expect("no page is longer than asked", longest <= page_size, expected=f"at most {page_size}", observed=longest)
    expect("the list goes over several pages", len(pages) > 1, expected="several pages", observed=len(pages))
    lost = sorted(set(own) - set(shown))
    expect(
        "the user's own streams are all shown",
        not lost,
        expected="all of them",
        observed=f"missing: {lost}" if lost else "all of them",
    )


def nothing_private(pages: Sequence[StreamPage], expect: Expect) -> None:
    """No stream in the list carries personal fields: synthetic streams have none, so they would be somebody else's."""
    leaked = sorted(
        {
            name
            for page in pages
            for item in page.items
            for found in objects_in(item)
            for name in found
            if folded_name(name) in PRIVATE_FIELDS
        }
    )
    expect("no private details are shown", not leaked, expected="no personal fields", observed=leaked or "none")


def refused(answer: Answer, who: str, expect: Expect) -> None:
    """A caller without a valid credential is told so."""
    expect(
        f"a caller with {who} is refused",
        answer.status in REFUSED,
        expected="a refusal",
        observed=f"status {answer.status} (request {answer.request_id})",
    )


def shows_no_stream(answer: Answer, who: str, expect: Expect) -> None:
    """The refusal itself holds no data."""
    count = streams_in(answer)
    expect(f"a caller with {who} sees no stream", count == 0, expected="no stream", observed=f"{count} streams")


def hidden_from(others: Sequence[StreamPage], own: Sequence[StreamRecord], expect: Expect) -> None:
    """None of one user's streams is in another user's list."""
    foreign = {stream.id for page in others for stream in page.streams}
    seen = sorted(stream.id for stream in own if stream.id in foreign)
    expect("another user sees none of them", not seen, expected="none", observed=seen or "none")


def streams_in(answer: Answer) -> int:
    """Count what looks like a stream, wherever in the body it is; a body that is no JSON is searched as text."""
    if answer.json is None:
        return len(_STREAM_IN_TEXT.findall(answer.body_text))
    return sum(found.keys() >= _STREAM_SIGNS for found in objects_in(answer.json))
