"""Steps about live events."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import live_events, unauthorized_attempts
from streampay_smoke.acceptance.checks import live_events as told
from streampay_smoke.runner.budget import takes


@when("callers with bad credentials listen to a stream of the user")
@takes("journey")
def strangers_listen(context: Context) -> None:
    world = context.world
    world.attempts = unauthorized_attempts.listen_with_bad_credentials(world.run_context, world.own_streams[0].id)


@when("a second user listens to a stream of the first user")
@takes("journey")
def second_user_listens(context: Context) -> None:
    world = context.world
    world.attempts = unauthorized_attempts.listen_as_second_user(world.run_context, world.own_streams[0].id)


@when("the user listens to it and to another stream, and starts the other one")
@takes("ledger")
def listen_to_a_start(context: Context) -> None:
    world = context.world
    world.heard = live_events.listen_to_a_start(world.run_context, world.credential, world.own_stream.id)


@then("the live events begin within seconds")
def events_begin(context: Context) -> None:
    told.begins_at_once(context.world.heard, context.world.expect)


@then("the start is told to its listener")
def start_is_told(context: Context) -> None:
    told.told_at_once(context.world.heard, context.world.expect)


@then("each listener is told of their stream alone")
def told_of_no_other(context: Context) -> None:
    told.told_of_no_other(context.world.heard, context.world.expect)
