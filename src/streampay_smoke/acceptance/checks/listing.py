"""What StreamPay promises about lists of streams: they are complete, and only their owner reads them."""

import re
from collections.abc import Collection, Sequence

from streampay_smoke.acceptance.checks.expectation import Expect
from streampay_smoke.acceptance.checks.refusals import NOT_AUTHORIZED
from streampay_smoke.evidence.values import in_words
from streampay_smoke.service.exchange import PRIVATE_FIELDS, Answer, folded_name, objects_in
from streampay_smoke.service.records import StreamPage, StreamRecord

_STREAM_SIGNS = {"id", "recipient"}
_STREAM_IN_TEXT = re.compile(r'\\?"recipient\\?"\s*:')


def each_listed_once(pages: Sequence[StreamPage], own: Collection[str], page_size: int, expect: Expect) -> None:
    """Every stream is on exactly one page, no page is longer than asked, and the user's own are among them."""
    shown = [stream.id for page in pages for stream in page.streams]
    repeated = sorted({stream_id for stream_id in shown if shown.count(stream_id) > 1})
    expect(
        "every stream is listed on one page only", not repeated, expected="no repetition", observed=repeated or "none"
    )
    longest = max((len(page.streams) for page in pages), default=0)
    expect("no page is longer than asked", longest <= page_size, expected=f"at most {page_size}", observed=longest)
    expect("the list goes over several pages", len(pages) > 1, expected="several pages", observed=len(pages))
    lost = sorted(set(own) - set(shown))
    expect(
        "all streams of the user are listed",
        not lost,
        expected="all of them",
        observed=f"missing: {in_words(lost)}" if lost else "all of them",
    )


def contains_no_personal_data(pages: Sequence[StreamPage], expect: Expect) -> None:
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
    expect("no personal data is listed", not leaked, expected="no personal fields", observed=leaked or "none")


def refused(answer: Answer, who: str, expect: Expect) -> None:
    """A caller without a valid credential is refused."""
    expect.refused(f"a caller with {who} is refused", answer, answer.status in NOT_AUTHORIZED)


def contains_no_stream(answer: Answer, who: str, expect: Expect) -> None:
    """The refusal contains no stream."""
    count = streams_in(answer)
    expect(f"a caller with {who} receives no stream", count == 0, expected="no stream", observed=f"{count} streams")


def contains_none_of(others: Sequence[StreamPage], own: Sequence[StreamRecord], expect: Expect) -> None:
    """None of one user's streams is in another user's list."""
    foreign = {stream.id for page in others for stream in page.streams}
    seen = sorted(stream.id for stream in own if stream.id in foreign)
    expect("another user's list contains none of them", not seen, expected="none", observed=seen or "none")


def streams_in(answer: Answer) -> int:
    """Count what looks like a stream, wherever in the body it is; a body that is no JSON is searched as text."""
    if answer.json is None:
        return len(_STREAM_IN_TEXT.findall(answer.body_text))
    return sum(found.keys() >= _STREAM_SIGNS for found in objects_in(answer.json))
