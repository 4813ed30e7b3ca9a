"""Steps about records that have to say the same, whoever asks."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import orders, settlement, streams
from streampay_smoke.acceptance.checks import statements
from streampay_smoke.acceptance.observations import listing
from streampay_smoke.runner.budget import takes


@given("the user has placed an order in the newer way")
@takes("journey")
def place_order(context: Context) -> None:
    context.world.placed = orders.place_order(context.world.run_context)


@when("the order is repeated with its key")
@takes("journey")
def repeat_order(context: Context) -> None:
    context.world.placed_again = orders.repeat_order(context.world.run_context, context.world.placed)


@when("another order is placed under its key")
@takes("journey")
def place_other_order(context: Context) -> None:
    world = context.world
    world.other_order = orders.place_other_order(world.run_context, world.credential, world.placed.key)


@then("the repeated order is the first stream")
def repeated_order_is_the_first(context: Context) -> None:
    world = context.world
    statements.repeated_order_is_the_first(world.placed.stream, world.placed_again, world.expect)


@then("the key does not answer for the other order")
def key_does_not_answer_for_other_order(context: Context) -> None:
    world = context.world
    statements.key_does_not_answer_for_other_order(world.other_order, world.placed.stream, world.expect)


@then("every replica that answers shows the stream")
@takes("journey")
def every_replica_shows(context: Context) -> None:
    world, stream = context.world, context.world.placed.stream
    looks = streams.looks_over_new_connections(world.run_context, world.credential, stream.id)
    statements.every_replica_shows(looks, stream, world.expect)


@given("the user has a settled stream")
@takes("ledger")
def have_settled_stream(context: Context) -> None:
    world = context.world
    world.settlement = settlement.settled_stream(world.run_context, world.credential)


@when("the user withdraws what was settled")
@takes("journey")
def withdraw(context: Context) -> None:
    world = context.world
    world.withdrawal = settlement.withdraw(world.run_context, world.credential, world.settlement.stream_id)


@then("the withdrawal is of the settled money")
def withdrawal_is_of_settlement(context: Context) -> None:
    world, settled = context.world, context.world.settlement
    statements.withdrawal_is_of(world.withdrawal, settled.stream_id, settled.receipt, world.expect)


@then("the older and the newer way tell the same story of the streams of this run")
@takes("journey")
def told_alike(context: Context) -> None:
    world = context.world
    asked, size = (world.deployment, world.credential), listing.LARGEST_PAGE
    older, newer = listing.pages_of(*asked, page_size=size), listing.pages_of_v2(*asked, page_size=size)
    opened = world.deployment.stream(world.credential, world.settlement.stream_id)
    statements.told_alike(older, newer, opened, world.run_context.streams.unfinished, world.expect)


@when("the user looks for the stream that is kept from release to release")
def look_for_kept_stream(context: Context) -> None:
    world = context.world
    world.kept = world.deployment.stream_answer(world.credential, world.settings.facts.service.canary_stream)


@then("it is there, and it is theirs")
def is_still_there(context: Context) -> None:
    world = context.world
    statements.is_still_there(world.kept, world.settings.facts.service.canary_stream, world.expect)
