"""Steps about listing streams, and about those who may not."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import intruders, journeys
from streampay_smoke.acceptance.checks import doors, listing
from streampay_smoke.runner.budget import takes


@given("the synthetic user is signed in")
@takes("journey")
def sign_in(context: Context) -> None:
    context.world.credential = context.world.run_context.credential


@given("they have at least {count:d} stream")
@given("they have at least {count:d} streams")
@takes("journey")
def have_streams(context: Context, count: int) -> None:
    context.world.own_streams = journeys.streams_of_the_user(context.world.run_context, at_least=count)


@when("they list their streams over several pages")
@takes("journey")
def list_page_by_page(context: Context) -> None:
    context.world.pages = journeys.pages_of_own_streams(context.world)


@then("every stream is shown exactly once")
def each_shown_once(context: Context) -> None:
    world = context.world
    own = [stream.id for stream in world.own_streams]
    listing.each_shown_once(world.pages, own, page_size=world.page_size, expect=world.expect)


@then("no private details are shown")
def nothing_private(context: Context) -> None:
    listing.nothing_private(context.world.pages, context.world.expect)


@when("a caller with {caller} lists streams")
def list_as_a_stranger(context: Context, caller: str) -> None:
    credential = intruders.come_as(context.world, caller)
    context.world.refusal = context.world.deployment.refusal(credential)


@then("the caller is refused")
def caller_is_refused(context: Context) -> None:
    listing.refused(context.world.refusal, context.world.caller, context.world.expect)


@then("no stream is shown to them")
def no_stream_is_shown(context: Context) -> None:
    listing.shows_no_stream(context.world.refusal, context.world.caller, context.world.expect)


@when("a second synthetic user lists their own streams")
@takes("journey")
def list_as_second_user(context: Context) -> None:
    world = context.world
    world.pages = listing.pages_of(world.deployment, world.run_context.second_credential, page_size=100)


@then("none of the first user's streams is shown")
def hidden_from_second_user(context: Context) -> None:
    listing.hidden_from(context.world.pages, context.world.own_streams, context.world.expect)


@then("the second user cannot open any of them")
@takes("journey")
def second_user_cannot_open(context: Context) -> None:
    world = context.world
    world.caller = "another user"
    intruders.look_in(world, world.run_context.second_credential, [stream.id for stream in world.own_streams[:3]])
    doors.refused(world.knocks, world.caller, world.expect)
    doors.shown_nothing(world.knocks, world.caller, world.expect)
