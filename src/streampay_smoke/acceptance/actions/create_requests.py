"""Create requests through API v2: streams that are never started, so that nobody is paid by them."""

import msgspec

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamOrder, StreamRecord


class CreatedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A create request: its order, its idempotency key, and the stream it returned."""

    order: StreamOrder
    key: str
    stream: StreamRecord


def create_stream(run: RunContext) -> CreatedStream:
    """Create a stream."""
    order, key = order_to(unowned_address()), run.new_key("order")
    return CreatedStream(order=order, key=key, stream=run.streams.create_v2(order, key))


def repeat(run: RunContext, created: CreatedStream) -> StreamRecord:
    """Send the same create request again with its key."""
    return run.streams.create_v2(created.order, created.key)


def send_another(run: RunContext, credential: Credential, used_key: str) -> Answer:
    """Send another create request with a used key; a stream that it makes is ended too."""
    answer = run.deployment.create_v2_answer(credential, order_to(unowned_address()), used_key)
    made = run.deployment.created_by(answer)
    if made is not None:
        run.streams.remember(made)
    return answer
