"""What the synthetic user does, as far as it takes more than one call."""

from streampay_smoke.promises.listing import pages_of
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import StreamPage, StreamRecord
from streampay_smoke.surroundings import Surroundings
from streampay_smoke.world import World

LARGEST_PAGE = 100


def streams_of_the_user(surroundings: Surroundings, at_least: int) -> tuple[StreamRecord, ...]:
    """Return the synthetic user's streams, creating drafts until there are enough."""
    pages = pages_of(surroundings.deployment, surroundings.credential, page_size=LARGEST_PAGE)
    have = [stream for page in pages for stream in page.streams]
    while len(have) < at_least:
        have.append(new_draft(surroundings))
    return tuple(have)


def new_draft(surroundings: Surroundings) -> StreamRecord:
    """Create a stream that is never started; nobody is ever paid by it."""
    order = order_to(unowned_address())
    return surroundings.create(order, surroundings.new_key("draft"))


def pages_of_own_streams(world: World) -> tuple[StreamPage, ...]:
    """List the user's streams over at least two pages, however many there are."""
    world.page_size = min(LARGEST_PAGE, max(1, len(world.own_streams) // 2))
    return pages_of(world.deployment, world.credential, page_size=world.page_size)


def start_stream(world: World, *, requests: int) -> None:
    """Create a stream to the recipient, asking `requests` times under one key, and start it."""
    shared = world.surroundings
    world.order = order_to(world.proof.recipient)
    key = shared.new_key("create")
    world.created = tuple(shared.create(world.order, key) for _ in range(requests))
    stream_id = world.created[0].id
    started = world.deployment.start(world.credential, stream_id, shared.new_key("start"))
    world.expect.equal("a started stream is active", started.status, "active")
    world.proof.running(world.expect)


def settle(world: World) -> None:
    """Settle the started stream under a new key."""
    stream_id = world.created[0].id
    world.settlement_key = world.surroundings.new_key("settle")
    world.receipt = world.deployment.settle(world.credential, stream_id, world.settlement_key)
    world.expect.equal("the receipt is for the stream that was settled", world.receipt.stream_id, stream_id)


def repeat_settlement(world: World) -> None:
    """Ask again with the same key, with a new key, and with the used key on another stream."""
    shared, stream_id = world.surroundings, world.receipt.stream_id
    world.repeated_receipt = world.deployment.settle(world.credential, stream_id, world.settlement_key)
    world.second_settlement = world.deployment.act(world.credential, stream_id, "settle", shared.new_key("settle"))
    world.other_stream = new_draft(shared)
    world.other_settlement = world.deployment.act(
        world.credential, world.other_stream.id, "settle", world.settlement_key
    )
