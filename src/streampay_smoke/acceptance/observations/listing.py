"""How a list of streams is read to its end, over as many pages as it takes."""

from collections.abc import Callable

from streampay_smoke.core.errors import PromiseBroken
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.deployment import Deployment
from streampay_smoke.service.records import StreamPage, StreamRecord

LARGEST_PAGE = 100
"""How many streams the longest page may hold."""

PAGE_LIMIT = 200
"""More pages than this are a list that never ends."""


def pages_of(deployment: Deployment, credential: Credential, *, page_size: int) -> tuple[StreamPage, ...]:
    """Follow the list to its end; raises PromiseBroken when it leads in a circle or a page has the wrong shape."""
    return _followed(lambda cursor: deployment.streams(credential, limit=page_size, cursor=cursor), page_size)


def pages_of_v2(deployment: Deployment, credential: Credential, *, page_size: int) -> tuple[StreamPage, ...]:
    """Follow the list of API v2 to its end; raises as `pages_of`."""
    return _followed(lambda cursor: deployment.streams_v2(credential, limit=page_size, cursor=cursor), page_size)


def records_of(deployment: Deployment, credential: Credential) -> tuple[StreamRecord, ...]:
    """Return all streams of the credential's holder, by whichever list works; raises what that of API v2 raises."""
    try:
        pages = pages_of(deployment, credential, page_size=LARGEST_PAGE)
    except PromiseBroken:  # a broken list hides nothing that has to be brought to an end
        pages = pages_of_v2(deployment, credential, page_size=LARGEST_PAGE)
    return tuple(stream for page in pages for stream in page.streams)


def status_in_each_form(deployment: Deployment, credential: Credential, stream_id: str) -> dict[str, str]:
    """Return the status of a stream by where it is shown, "" where a list lacks it; raises as `pages_of`."""

    def listed(pages: tuple[StreamPage, ...]) -> str:
        return next((each.status for page in pages for each in page.streams if each.id == stream_id), "")

    return {
        "list of API v1": listed(pages_of(deployment, credential, page_size=LARGEST_PAGE)),
        "list of API v2": listed(pages_of_v2(deployment, credential, page_size=LARGEST_PAGE)),
        "stream of API v2": deployment.stream(credential, stream_id).status,
    }


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
