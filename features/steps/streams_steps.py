"""Steps about listing and reading streams."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import streams, unauthorized_attempts
from streampay_smoke.acceptance.checks import listing
from streampay_smoke.acceptance.checks.refusals import refusals_of
from streampay_smoke.acceptance.observations import listing as listings
from streampay_smoke.runner.budget import takes


@given("the synthetic user is signed in")
@takes("journey")
def sign_in(context: Context) -> None:
    context.world.credential = context.world.run_context.credential


@given("the user has at least {count:d} stream")
@given("the user has at least {count:d} streams")
@takes("journey")
def have_streams(context: Context, count: int) -> None:
    world = context.world
    world.own_streams = streams.streams_of_the_user(world.run_context, world.credential, at_least=count)


@when("the user lists their streams over several pages")
@takes("journey")
def list_page_by_page(context: Context) -> None:
    world = context.world
    list_own, number = streams.list_over_several_pages, len(world.own_streams)
    world.page_size, world.pages = list_own(world.deployment, world.credential, number)


@when("the user reads one page of their streams")
def read_one_page(context: Context) -> None:
    world = context.world
    world.pages = (world.deployment.streams(world.credential, limit=listings.LARGEST_PAGE),)


@then("every stream is listed exactly once")
def each_listed_once(context: Context) -> None:
    world = context.world
    own = [stream.id for stream in world.own_streams]
    listing.each_listed_once(world.pages, own, page_size=world.page_size, expect=world.expect)


@then("no personal data is listed")
def no_personal_data(context: Context) -> None:
    listing.contains_no_personal_data(context.world.pages, context.world.expect)


@when("a caller with {credential} lists streams")
def list_with(context: Context, credential: str) -> None:
    world = context.world
    world.caller, world.refusal = unauthorized_attempts.list_streams(world.run_context, credential)


@then("the request is refused as not authorized")
def request_is_refused(context: Context) -> None:
    listing.refused(context.world.refusal, context.world.caller, context.world.expect)


@then("the answer contains no stream")
def answer_contains_no_stream(context: Context) -> None:
    listing.contains_no_stream(context.world.refusal, context.world.caller, context.world.expect)


@when("a second user lists their own streams")
@takes("journey")
def list_as_second_user(context: Context) -> None:
    world = context.world
    world.pages = streams.all_pages(world.deployment, world.run_context.second_credential)


@when("the second user reads streams of the first user by id")
@takes("journey")
def read_as_second_user(context: Context) -> None:
    world, run = context.world, context.world.run_context
    stream_ids = [stream.id for stream in world.own_streams[:3]]
    actor, expected = ("another user", run.second_credential), refusals_of(context.table)
    world.attempts = unauthorized_attempts.read_streams(run, *actor, stream_ids, expected)


@then("the list contains no stream of the first user")
def no_stream_of_first_user(context: Context) -> None:
    listing.contains_none_of(context.world.pages, context.world.own_streams, context.world.expect)
