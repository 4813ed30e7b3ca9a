"""What a user does with streams that nobody is paid by: create drafts, list them, look at them."""

from collections.abc import Sequence

from msgspec.structs import replace

from streampay_smoke.acceptance.checks.records import shown_data
from streampay_smoke.acceptance.observations.listing import LARGEST_PAGE, pages_of
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamPage, StreamRecord


def streams_of_the_user(run: RunContext, credential: Credential, at_least: int) -> tuple[StreamRecord, ...]:
    """Return the synthetic user's streams, creating drafts until there are enough."""
    pages = pages_of(run.deployment, credential, page_size=LARGEST_PAGE)
    have = [stream for page in pages for stream in page.streams]
    while len(have) < at_least:
        have.append(new_draft(run))
    return tuple(have)


def new_draft(run: RunContext) -> StreamRecord:
    """Create a stream that is never started; nobody is ever paid by it."""
    return run.streams.create(order_to(unowned_address()), run.new_key("draft"))


def list_over_several_pages(
    deployment: Deployment, credential: Credential, streams: int
) -> tuple[int, tuple[StreamPage, ...]]:
    """List so many streams over at least two pages; returns the length of page that was asked for, and the pages."""
    page_size = min(LARGEST_PAGE, max(1, streams // 2))
    return page_size, pages_of(deployment, credential, page_size=page_size)


def all_pages(deployment: Deployment, credential: Credential) -> tuple[StreamPage, ...]:
    """List a user's streams over as few pages as there can be."""
    return pages_of(deployment, credential, page_size=LARGEST_PAGE)


def own_stream(run: RunContext, listed: Sequence[StreamRecord]) -> StreamRecord:
    """Return a listed stream that this run made, else the first: a list may show what is not the user's."""
    return next((stream for stream in listed if run.streams.has_made(stream.id)), listed[0])


def headers_of_own_streams(deployment: Deployment, credential: Credential, stream_id: str) -> dict[str, dict[str, str]]:
    """Look at the user's list and at one of their streams; returns the headers of each answer, by what it shows."""
    deployment.streams(credential, limit=1)
    of_list = deployment.last_headers
    deployment.stream(credential, stream_id)
    return {"the list of streams": of_list, "one stream": deployment.last_headers}


def looks_over_new_connections(run: RunContext, credential: Credential, stream_id: str) -> tuple[Answer, ...]:
    """Ask for a stream over connections of their own, often enough to meet every replica an environment names."""

    def look() -> Answer:
        with run.deployment.fresh() as replica:
            answer = replica.stream_answer(credential, stream_id)
            seen = replica.replica_of(answer)
        run.record(replace(seen, about=f"stream {stream_id}", data=shown_data(answer)))
        return answer

    return tuple(look() for _ in range(run.looks_needed))
