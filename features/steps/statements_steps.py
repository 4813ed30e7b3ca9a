"""Steps about records that have to say the same, whoever asks."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import journeys
from streampay_smoke.acceptance.checks import listing, statements
from streampay_smoke.runner.budget import takes


@given("the user has placed an order in the newer way")
@takes("journey")
def place_newer_order(context: Context) -> None:
    journeys.place_newer_order(context.world)


@when("the order is repeated with its key, and another order is placed under it")
@takes("journey")
def repeat_newer_order(context: Context) -> None:
    journeys.repeat_newer_order(context.world)


@then("the repeated order is the first stream")
def repeated_order_is_the_first(context: Context) -> None:
    statements.repeated_order_is_the_first(context.world.placed, context.world.placed_again, context.world.expect)


@then("the key does not answer for the other order")
def key_does_not_answer_for_other_order(context: Context) -> None:
    world = context.world
    statements.key_does_not_answer_for_other_order(world.other_order, world.placed, world.expect)


@then("every replica that answers shows the stream")
@takes("journey")
def every_replica_shows(context: Context) -> None:
    world = context.world
    looks = journeys.looks_over_new_connections(world, world.placed.id)
    statements.every_replica_shows(looks, world.placed, world.expect)


@given("the user has a settled stream")
@takes("ledger")
def have_settled_stream(context: Context) -> None:
    journeys.settled_stream(context.world)


@when("the user withdraws what was settled")
@takes("journey")
def withdraw(context: Context) -> None:
    journeys.withdraw(context.world)


@then("the withdrawal is of the settled money")
def withdrawal_is_of_settlement(context: Context) -> None:
    statements.withdrawal_is_of(context.world.withdrawal, context.world.receipt, context.world.expect)


@then("the older and the newer way tell the same story of the streams of this run")
@takes("journey")
def told_alike(context: Context) -> None:
    world = context.world
    asked = (world.deployment, world.credential)
    older, newer = (ask(*asked, page_size=listing.LARGEST_PAGE) for ask in (listing.pages_of, listing.newer_pages_of))
    opened = world.deployment.stream(world.credential, world.receipt.stream_id)
    statements.told_alike(older, newer, opened, world.run_context.streams.unfinished, world.expect)


@when("the user looks for the stream that is kept from release to release")
def look_for_kept_stream(context: Context) -> None:
    world = context.world
    world.kept = world.deployment.stream_answer(world.credential, world.settings.place.service.canary_stream)


@then("it is there, and it is theirs")
def is_still_there(context: Context) -> None:
    world = context.world
    statements.is_still_there(world.kept, world.settings.place.service.canary_stream, world.expect)
