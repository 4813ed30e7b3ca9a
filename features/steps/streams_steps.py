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
    context.scenario_context.credential = context.scenario_context.run_context.credential


@given("the user has at least {count:d} stream")
@given("the user has at least {count:d} streams")
@takes("journey")
def have_streams(context: Context, count: int) -> None:
    scenario = context.scenario_context
    scenario.own_streams = streams.streams_of_the_user(scenario.run_context, scenario.credential, at_least=count)


@when("the user lists their streams over several pages")
@takes("journey")
def list_page_by_page(context: Context) -> None:
    scenario = context.scenario_context
    list_own, number = streams.list_over_several_pages, len(scenario.own_streams)
    scenario.page_size, scenario.pages = list_own(scenario.deployment, scenario.credential, number)


@when("the user reads one page of their streams")
def read_one_page(context: Context) -> None:
    scenario = context.scenario_context
    scenario.pages = (scenario.deployment.streams(scenario.credential, limit=listings.LARGEST_PAGE),)


@then("every stream is listed exactly once")
def each_listed_once(context: Context) -> None:
    scenario = context.scenario_context
    own = [stream.id for stream in scenario.own_streams]
    listing.each_listed_once(scenario.pages, own, page_size=scenario.page_size, expect=scenario.expect)


@then("no personal data is listed")
def no_personal_data(context: Context) -> None:
    listing.contains_no_personal_data(context.scenario_context.pages, context.scenario_context.expect)


@when("a caller with {credential} lists streams")
def list_with(context: Context, credential: str) -> None:
    scenario = context.scenario_context
    scenario.caller, scenario.refusal = unauthorized_attempts.list_streams(scenario.run_context, credential)


@then("the request is refused as not authorized")
def request_is_refused(context: Context) -> None:
    listing.refused(context.scenario_context.refusal, context.scenario_context.caller, context.scenario_context.expect)


@then("the answer contains no stream")
def answer_contains_no_stream(context: Context) -> None:
    listing.contains_no_stream(
        context.scenario_context.refusal, context.scenario_context.caller, context.scenario_context.expect
    )


@when("a second user lists their own streams")
@takes("journey")
def list_as_second_user(context: Context) -> None:
    scenario = context.scenario_context
    scenario.pages = streams.all_pages(scenario.deployment, scenario.run_context.second_credential)


@when("the second user reads streams of the first user by id")
@takes("journey")
def read_as_second_user(context: Context) -> None:
    scenario, run = context.scenario_context, context.scenario_context.run_context
    stream_ids = [stream.id for stream in scenario.own_streams[:3]]
    actor, expected = ("another user", run.second_credential), refusals_of(context.table)
    scenario.attempts = unauthorized_attempts.read_streams(run, *actor, stream_ids, expected)


@then("the list contains no stream of the first user")
def no_stream_of_first_user(context: Context) -> None:
    listing.contains_none_of(
        context.scenario_context.pages, context.scenario_context.own_streams, context.scenario_context.expect
    )
