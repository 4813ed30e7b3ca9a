"""What the synthetic user does, as far as it takes more than one call."""

from streampay_smoke.acceptance.checks import settlement
from streampay_smoke.acceptance.checks.fleet import samples_needed
from streampay_smoke.acceptance.checks.listing import LARGEST_PAGE, pages_of
from streampay_smoke.acceptance.run_context import RunContext
from streampay_smoke.acceptance.scenario_context import ScenarioContext
from streampay_smoke.service.exchange import Answer
from streampay_smoke.service.identity import unowned_address
from streampay_smoke.service.orders import order_to
from streampay_smoke.service.records import Receipt, StreamPage, StreamRecord

FEWEST_LOOKS = 5
"""Looks at a stream where a place names one replica: a second one that lacks it is missed once in 32 runs."""

REPEATED_ELSEWHERE = 2
"""How often a settlement is repeated over a connection of its own: kept ones stick to one replica."""


def streams_of_the_user(run_context: RunContext, at_least: int) -> tuple[StreamRecord, ...]:
    """Return the synthetic user's streams, creating drafts until there are enough."""
    pages = pages_of(run_context.deployment, run_context.credential, page_size=LARGEST_PAGE)
    have = [stream for page in pages for stream in page.streams]
    while len(have) < at_least:
        have.append(new_draft(run_context))
    return tuple(have)


def new_draft(run_context: RunContext) -> StreamRecord:
    """Create a stream that is never started; nobody is ever paid by it."""
    order = order_to(unowned_address())
    return run_context.streams.create(order, run_context.new_key("draft"))


def pages_of_own_streams(world: ScenarioContext) -> tuple[StreamPage, ...]:
    """List the user's streams over at least two pages, however many there are."""
    world.page_size = min(LARGEST_PAGE, max(1, len(world.own_streams) // 2))
    return pages_of(world.deployment, world.credential, page_size=world.page_size)


def order_stream(world: ScenarioContext, *, requests: int) -> None:
    """Create a stream to the recipient, asking `requests` times under one key."""
    shared = world.run_context
    world.order = order_to(world.proof.recipient)
    key = shared.new_key("create")
    world.created = tuple(shared.streams.create(world.order, key) for _ in range(requests))


def start_stream(world: ScenarioContext) -> None:
    """Start the stream that was ordered, and see it run."""
    key = world.run_context.new_key("start")
    started = world.deployment.start(world.credential, world.created[0].id, key)
    world.expect.equal("a started stream is active", started.status, "active")
    world.proof.running(world.expect)


def settle(world: ScenarioContext) -> None:
    """Settle the started stream under a new key."""
    world.settlement_key = world.run_context.new_key("settle")
    receipt = world.deployment.settle(world.credential, world.created[0].id, world.settlement_key)
    _keep_receipt(world, receipt)


def settle_too_early(world: ScenarioContext) -> None:
    """Ask for the settlement of a stream that never started, and look at what became of it."""
    stream_id = world.created[0].id
    world.settlement_key = world.run_context.new_key("settle")
    world.early_settlement = world.deployment.act(world.credential, stream_id, "settle", world.settlement_key)
    record = world.deployment.stream(world.credential, stream_id)
    settlement.refused_too_early(world.early_settlement, record, world.expect)


def settle_after_all(world: ScenarioContext) -> None:
    """Settle the started stream with the key that was refused before; with a new one where that is used up."""
    deployment, stream_id = world.deployment, world.created[0].id
    answer = deployment.act(world.credential, stream_id, "settle", world.settlement_key)
    settlement.refusal_is_not_kept(world.early_settlement, answer, deployment.error_code, world.expect)
    if answer.status == settlement.SETTLED:
        _keep_receipt(world, deployment.receipt(answer))
    else:
        settle(world)


def settled_stream(world: ScenarioContext) -> None:
    """Take a stream this run has settled before, or settle one."""
    if world.run_context.streams.receipts:
        world.receipt = world.run_context.streams.receipts[0]
        return
    world.proof = world.run_context.proof()
    order_stream(world, requests=1)
    start_stream(world)
    settle(world)


def place_newer_order(world: ScenarioContext) -> None:
    """Create a stream in the newer way; nobody is ever paid by it."""
    world.order, world.key = order_to(unowned_address()), world.run_context.new_key("order")
    world.placed = world.run_context.streams.create_newer(world.order, world.key)


def repeat_newer_order(world: ScenarioContext) -> None:
    """Ask again with the same key, and for another order under it; what comes of that is removed again too."""
    shared = world.run_context
    world.placed_again = shared.streams.create_newer(world.order, world.key)
    other = order_to(unowned_address())
    world.other_order = world.deployment.newer_create_answer(world.credential, other, world.key)
    made = world.deployment.created_by(world.other_order)
    if made is not None:
        shared.streams.remember(made)


def withdraw(world: ScenarioContext) -> None:
    """Ask for the withdrawal of what was settled."""
    key = world.run_context.new_key("withdraw")
    world.withdrawal = world.deployment.withdraw(world.credential, world.receipt.stream_id, key)


def looks_over_new_connections(world: ScenarioContext, stream_id: str) -> tuple[Answer, ...]:
    """Ask for a stream over connections of their own, often enough to meet every replica a place names."""
    service = world.settings.place.service
    number = max(FEWEST_LOOKS, samples_needed(service.replicas, service.replica_miss_probability))

    def look() -> Answer:
        with world.deployment.fresh() as replica:
            return replica.stream_answer(world.credential, stream_id)

    return tuple(look() for _ in range(number))


def _settled_elsewhere(world: ScenarioContext, stream_id: str) -> Receipt:
    with world.deployment.fresh() as replica:
        return replica.settle(world.credential, stream_id, world.settlement_key)


def _keep_receipt(world: ScenarioContext, receipt: Receipt) -> None:
    world.receipt = receipt
    world.run_context.streams.receipts.append(receipt)
    world.expect.equal("the receipt is for the stream that was settled", receipt.stream_id, world.created[0].id)


def repeat_settlement(world: ScenarioContext) -> None:
    """Ask again with the same key, with a new key, and with the used key on another stream."""
    shared, stream_id = world.run_context, world.receipt.stream_id
    world.repeated_receipts = (
        world.deployment.settle(world.credential, stream_id, world.settlement_key),
        *(_settled_elsewhere(world, stream_id) for _ in range(REPEATED_ELSEWHERE)),
    )
    world.second_settlement = world.deployment.act(world.credential, stream_id, "settle", shared.new_key("settle"))
    world.other_stream = new_draft(shared)
    world.other_settlement = world.deployment.act(
        world.credential, world.other_stream.id, "settle", world.settlement_key
    )
