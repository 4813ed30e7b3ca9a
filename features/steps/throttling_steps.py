"""Steps about rate limits."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import throttling as callers
from streampay_smoke.acceptance.checks import throttling
from streampay_smoke.runner.budget import takes


@when("a new caller lists streams")
def list_as_new_caller(context: Context) -> None:
    context.scenario_context.refusal = callers.list_as_new_caller(context.scenario_context.run_context)


@then("the new caller is not throttled")
def new_caller_is_not_throttled(context: Context) -> None:
    throttling.new_caller_is_not_throttled(context.scenario_context.refusal, context.scenario_context.expect)


@when("the first user lists streams after a second user exceeded the read limit")
@takes("journey")
def exceed_limit(context: Context) -> None:
    scenario, run = context.scenario_context, context.scenario_context.run_context
    exceeded = callers.exceed_limit_and_list_as_another(run, run.second_credential, scenario.credential)
    scenario.burst, scenario.refusal = exceeded


@then("the second user is throttled")
def second_user_is_throttled(context: Context) -> None:
    throttling.burst_is_throttled(context.scenario_context.burst, context.scenario_context.expect)


@then("the first user is served")
def first_user_is_served(context: Context) -> None:
    throttling.others_are_served(context.scenario_context.refusal, context.scenario_context.expect)
