"""Steps about listing streams, and about those who may not."""

from behave import given, then, when
from behave.runner import Context

from streampay_smoke import journeys
from streampay_smoke.promises import listing
from streampay_smoke.service.identity import BadName, bad_credentials
from streampay_smoke.suite.budget import takes

BAD_CREDENTIALS: dict[str, BadName] = {
    "no credential": "none",
    "junk for a token": "junk",
    "an expired token": "expired",
    "a token signed by somebody else": "foreign",
    "an unsigned token": "alg-none",
}


@given("the synthetic user is signed in")
@takes("journey")
def sign_in(context: Context) -> None:
    context.world.credential = context.world.surroundings.credential


@given("they have at least {count:d} stream")
@given("they have at least {count:d} streams")
@takes("journey")
def have_streams(context: Context, count: int) -> None:
    context.world.own_streams = journeys.streams_of_the_user(context.world.surroundings, at_least=count)


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
    world = context.world
    bad = bad_credentials(world.surroundings.user, jwt_secret=world.surroundings.jwt_secret)[BAD_CREDENTIALS[caller]]
    world.caller = f"{caller} ({bad.proof})" if bad.proof != "full" else caller
    world.refusal = world.deployment.refusal(bad.credential)


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
    world.pages = listing.pages_of(world.deployment, world.surroundings.second_credential, page_size=100)


@then("none of the first user's streams is shown")
def hidden_from_second_user(context: Context) -> None:
    listing.hidden_from(context.world.pages, context.world.own_streams, context.world.expect)


@then("the second user cannot open any of them")
@takes("journey")
def second_user_cannot_open(context: Context) -> None:
    world = context.world
    for stream in world.own_streams[:3]:
        answer = world.deployment.stream_answer(world.surroundings.second_credential, stream.id)
        listing.cannot_be_opened(answer, world.expect)
