"""What the synthetic user does, as far as it takes more than one call."""

from streampay_smoke.promises import settlement
from streampay_smoke.promises.listing import LARGEST_PAGE, pages_of
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import Receipt, StreamPage, StreamRecord
from streampay_smoke.surroundings import Surroundings
from streampay_smoke.world import World


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


def order_stream(world: World, *, requests: int) -> None:
    """Create a stream to the recipient, asking `requests` times under one key."""
    shared = world.surroundings
    world.order = order_to(world.proof.recipient)
    key = shared.new_key("create")
    world.created = tuple(shared.create(world.order, key) for _ in range(requests))


def start_stream(world: World) -> None:
    """Start the stream that was ordered, and see it run."""
    key = world.surroundings.new_key("start")
    started = world.deployment.start(world.credential, world.created[0].id, key)
    world.expect.equal("a started stream is active", started.status, "active")
    world.proof.running(world.expect)


def settle(world: World) -> None:
    """Settle the started stream under a new key."""
    world.settlement_key = world.surroundings.new_key("settle")
    receipt = world.deployment.settle(world.credential, world.created[0].id, world.settlement_key)
    _keep_receipt(world, receipt)


def settle_too_early(world: World) -> None:
    """Ask for the settlement of a stream that never started, and look at what became of it."""
    stream_id = world.created[0].id
    world.settlement_key = world.surroundings.new_key("settle")
    world.early_settlement = world.deployment.act(world.credential, stream_id, "settle", world.settlement_key)
    record = world.deployment.stream(world.credential, stream_id)
    settlement.refused_too_early(world.early_settlement, record, world.expect)


def settle_after_all(world: World) -> None:
    """Settle the started stream with the key that was refused before; with a new one where that is used up."""
    deployment, stream_id = world.deployment, world.created[0].id
    answer = deployment.act(world.credential, stream_id, "settle", world.settlement_key)
    settlement.refusal_is_not_kept(world.early_settlement, answer, deployment.error_code, world.expect)
    if answer.status == settlement.SETTLED:
        _keep_receipt(world, deployment.receipt(answer))
    else:
        settle(world)


def _keep_receipt(world: World, receipt: Receipt) -> None:
    world.receipt = receipt
    world.expect.equal("the receipt is for the stream that was settled", receipt.stream_id, world.created[0].id)


def repeat_settlement(world: World) -> None:
    """Ask again with the same key, with a new key, and with the used key on another stream."""
    shared, stream_id = world.surroundings, world.receipt.stream_id
    world.repeated_receipt = world.deployment.settle(world.credential, stream_id, world.settlement_key)
    world.second_settlement = world.deployment.act(world.credential, stream_id, "settle", shared.new_key("settle"))
    world.other_stream = new_draft(shared)
    world.other_settlement = world.deployment.act(
        world.credential, world.other_stream.id, "settle", world.settlement_key
    )
