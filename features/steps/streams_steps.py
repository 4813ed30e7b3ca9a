"""Steps about listing streams, and about those who may not."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import streams, unauthorized_attempts
from streampay_smoke.acceptance.checks import listing
from streampay_smoke.runner.budget import takes


@given("the synthetic user is signed in")
@takes("journey")
def sign_in(context: Context) -> None:
    context.world.credential = context.world.run_context.credential


@given("they have at least {count:d} stream")
@given("they have at least {count:d} streams")
@takes("journey")
def have_streams(context: Context, count: int) -> None:
    world = context.world
    world.own_streams = streams.streams_of_the_user(world.run_context, world.credential, at_least=count)


@when("they list their streams over several pages")
@takes("journey")
def list_page_by_page(context: Context) -> None:
    world = context.world
    list_own, number = streams.list_over_several_pages, len(world.own_streams)
    world.page_size, world.pages = list_own(world.deployment, world.credential, number)


@then("every stream is shown exactly once")
def each_shown_once(context: Context) -> None:
    world = context.world
    own = [stream.id for stream in world.own_streams]
    listing.each_shown_once(world.pages, own, page_size=world.page_size, expect=world.expect)


@then("no private details are shown")
def nothing_private(context: Context) -> None:
    listing.nothing_private(context.world.pages, context.world.expect)


@when("a caller with {credential} lists streams")
def list_with(context: Context, credential: str) -> None:
    world = context.world
    world.caller, world.refusal = unauthorized_attempts.list_streams(world.run_context, credential)


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
    world.pages = streams.all_pages(world.deployment, world.run_context.second_credential)


@when("they open streams of the first user by their names")
@takes("journey")
def open_as_second_user(context: Context) -> None:
    world, run = context.world, context.world.run_context
    stream_ids = [stream.id for stream in world.own_streams[:3]]
    opened_by = ("another user", run.second_credential)
    world.attempts = unauthorized_attempts.open_streams(run, *opened_by, stream_ids)


@then("none of the first user's streams is shown")
def hidden_from_second_user(context: Context) -> None:
    listing.hidden_from(context.world.pages, context.world.own_streams, context.world.expect)
