"""Steps about live events."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import live_events, unauthorized_attempts
from streampay_smoke.acceptance.checks import live_events as checks
from streampay_smoke.runner.budget import takes


@when("callers without a valid credential listen to a stream of the user")
@takes("journey")
def listen_without_valid_credential(context: Context) -> None:
    scenario = context.scenario_context
    scenario.attempts = unauthorized_attempts.listen_with_bad_credentials(
        scenario.run_context, scenario.own_streams[0].id
    )


@when("a second user listens to a stream of the first user")
@takes("journey")
def second_user_listens(context: Context) -> None:
    scenario = context.scenario_context
    scenario.attempts = unauthorized_attempts.listen_as_second_user(scenario.run_context, scenario.own_streams[0].id)


@when("the user listens to the draft stream and to a new stream, and starts the new stream")
@takes("ledger")
def listen_to_a_start(context: Context) -> None:
    scenario = context.scenario_context
    scenario.heard = live_events.listen_to_a_start(scenario.run_context, scenario.credential, scenario.own_stream.id)


@then("the live events begin within seconds")
def events_begin(context: Context) -> None:
    checks.events_begin_in_time(context.scenario_context.heard, context.scenario_context.expect)


@then("the start is reported to the listener of the started stream")
def start_is_reported(context: Context) -> None:
    checks.start_is_reported(context.scenario_context.heard, context.scenario_context.expect)


@then("each listener receives events of their own stream only")
def events_of_own_stream_only(context: Context) -> None:
    checks.events_are_of_own_stream(context.scenario_context.heard, context.scenario_context.expect)
