"""Steps about stream records: repeated requests, API versions, replicas and releases."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import create_requests, settlement, streams
from streampay_smoke.acceptance.checks import records
from streampay_smoke.acceptance.observations import listing
from streampay_smoke.runner.budget import takes


@given("the user has created a stream through API v2")
@takes("journey")
def create_through_v2(context: Context) -> None:
    context.world.created = create_requests.create_stream(context.world.run_context)


@when("the user repeats the create request with the same key")
@takes("journey")
def repeat_create_request(context: Context) -> None:
    context.world.created_again = create_requests.repeat(context.world.run_context, context.world.created)


@when("the user sends another create request with the used key")
@takes("journey")
def send_other_create_request(context: Context) -> None:
    world = context.world
    world.other_create = create_requests.send_another(world.run_context, world.credential, world.created.key)


@then("the repeated create request returns the first stream")
def repeated_create_returns_first_stream(context: Context) -> None:
    world = context.world
    records.repeated_create_returns_first_stream(world.created.stream, world.created_again, world.expect)


@then("the other create request with the used key is refused")
def other_create_is_refused(context: Context) -> None:
    world = context.world
    records.other_create_is_refused(world.other_create, world.created.stream, world.expect)


@then("every replica that answers shows the stream")
@takes("journey")
def every_replica_shows(context: Context) -> None:
    world, stream = context.world, context.world.created.stream
    looks = streams.looks_over_new_connections(world.run_context, world.credential, stream.id)
    records.every_replica_shows(looks, stream, world.expect)


@given("the user has a settled stream")
@takes("ledger")
def have_settled_stream(context: Context) -> None:
    world = context.world
    world.settlement = settlement.settled_stream(world.run_context, world.credential)


@when("the user withdraws the settled amount")
@takes("journey")
def withdraw(context: Context) -> None:
    world = context.world
    world.withdrawal = settlement.withdraw(world.run_context, world.credential, world.settlement.stream_id)


@then("the withdrawal names the settled stream and its transaction")
def withdrawal_is_of_settlement(context: Context) -> None:
    world, settled = context.world, context.world.settlement
    records.withdrawal_is_of(world.withdrawal, settled.stream_id, settled.receipt, world.expect)


@then("API v1 and API v2 return the same records of the streams of this run")
@takes("journey")
def same_in_both_versions(context: Context) -> None:
    world = context.world
    asked, size = (world.deployment, world.credential), listing.LARGEST_PAGE
    v1, v2 = listing.pages_of(*asked, page_size=size), listing.pages_of_v2(*asked, page_size=size)
    opened = world.deployment.stream(world.credential, world.settlement.stream_id)
    records.same_in_both_versions(v1, v2, opened, world.run_context.streams.unfinished, world.expect)


@when("the user reads the stream that is kept across releases")
@takes("journey")
def read_kept_stream(context: Context) -> None:
    world, kept = context.world, context.world.settings.facts.service.canary_stream
    world.kept = streams.looks_over_new_connections(world.run_context, world.credential, kept)


@then("the service shows the kept stream to its owner")
def kept_stream_exists(context: Context) -> None:
    world = context.world
    records.kept_stream_exists(world.kept, world.settings.facts.service.canary_stream, world.expect)
