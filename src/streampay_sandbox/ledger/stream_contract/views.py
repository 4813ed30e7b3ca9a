"""What anybody may read: one stream, what it has earned, and pages of streams."""

from collections.abc import Callable

from streampay_sandbox.ledger.contracts import EntryPoint
from streampay_sandbox.ledger.host import Env
from streampay_sandbox.ledger.stream_contract import arithmetic, storage
from streampay_sandbox.ledger.stream_contract.records import STATUS, STREAM, STREAM_PAGE, Stream, StreamPage
from streampay_sandbox.ledger.values import ADDRESS, I128, U64, Optional, ResultOf

MAX_PAGE_SIZE = 100


def _withdrawable(env: Env, stream_id: int) -> int:
    return arithmetic.withdrawable(storage.existing_stream(env, stream_id), env.now)


def _stream_balance(env: Env, stream_id: int) -> int:
    return arithmetic.vested(storage.existing_stream(env, stream_id), env.now)


def _page(env: Env, start_after: int | None, limit: int, wanted: Callable[[Stream], bool]) -> StreamPage:
    """Scan ids upwards; the cursor is the last id looked at, so a page may be followed by an empty one."""
    end = storage.stream_count_end(env)
    stream_id = (start_after or 0) + 1
    found: list[Stream] = []
    while stream_id < end and len(found) < min(limit, MAX_PAGE_SIZE):
        stream: Stream | None = storage.row(env, storage.stream_key(stream_id), STREAM)
        if stream is not None and wanted(stream):
            found.append(stream)
        stream_id += 1
    return StreamPage(streams=found, next_cursor=stream_id - 1 if stream_id < end else None)


def _list_streams(env: Env, start_after: int | None, limit: int) -> StreamPage:
    return _page(env, start_after, limit, lambda _: True)


def _by_sender(env: Env, sender: str, start_after: int | None, limit: int) -> StreamPage:
    return _page(env, start_after, limit, lambda stream: stream.sender == sender)


def _by_recipient(env: Env, recipient: str, start_after: int | None, limit: int) -> StreamPage:
    return _page(env, start_after, limit, lambda stream: stream.recipient == recipient)


def _by_status(env: Env, status: str, start_after: int | None, limit: int) -> StreamPage:
    return _page(env, start_after, limit, lambda stream: stream.status == status)


_STREAM_ID = (("stream_id", U64),)
_PAGE = (("start_after", Optional(U64)), ("limit", U64))

VIEWS = (
    EntryPoint(name="get_stream", inputs=_STREAM_ID, output=ResultOf(STREAM), body=storage.existing_stream),
    EntryPoint(name="withdrawable", inputs=_STREAM_ID, output=ResultOf(I128), body=_withdrawable),
    EntryPoint(name="claim_drip", inputs=_STREAM_ID, output=ResultOf(I128), body=_withdrawable),
    EntryPoint(name="stream_balance", inputs=_STREAM_ID, output=ResultOf(I128), body=_stream_balance),
    EntryPoint(name="list_streams", inputs=_PAGE, output=STREAM_PAGE, body=_list_streams),
    EntryPoint(
        name="list_streams_by_sender", inputs=(("sender", ADDRESS), *_PAGE), output=STREAM_PAGE, body=_by_sender
    ),
    EntryPoint(
        name="list_streams_by_recipient",
        inputs=(("recipient", ADDRESS), *_PAGE),
        output=STREAM_PAGE,
        body=_by_recipient,
    ),
    EntryPoint(name="list_streams_by_status", inputs=(("status", STATUS), *_PAGE), output=STREAM_PAGE, body=_by_status),
)
