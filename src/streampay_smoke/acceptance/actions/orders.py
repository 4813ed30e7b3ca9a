"""What a user does with orders by API v2; nobody is ever paid by them."""

import msgspec

from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.service.credentials import Credential
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamOrder, StreamRecord


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order, the key it was placed with, and the stream that came of it."""

    order: StreamOrder
    key: str
    stream: StreamRecord


def place_order(run: RunContext) -> PlacedOrder:
    """Create a stream by an order."""
    order, key = order_to(unowned_address()), run.new_key("order")
    return PlacedOrder(order=order, key=key, stream=run.streams.create_v2(order, key))


def repeat_order(run: RunContext, placed: PlacedOrder) -> StreamRecord:
    """Place the same order again with its key."""
    return run.streams.create_v2(placed.order, placed.key)


def place_other_order(run: RunContext, credential: Credential, used_key: str) -> Answer:
    """Place another order under a used key; a stream that comes of it is removed again too."""
    answer = run.deployment.create_v2_answer(credential, order_to(unowned_address()), used_key)
    made = run.deployment.created_by(answer)
    if made is not None:
        run.streams.remember(made)
    return answer
