"""Steps about limits."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import throttling as callers
from streampay_smoke.acceptance.checks import throttling
from streampay_smoke.runner.budget import takes


@when("somebody new asks for streams")
def list_as_somebody_new(context: Context) -> None:
    context.world.refusal = callers.list_as_somebody_new(context.world.run_context)


@then("they are not told to wait")
def not_told_to_wait(context: Context) -> None:
    throttling.served_at_once(context.world.refusal, context.world.expect)


@when("a second synthetic user asks and asks, and then the first one asks")
@takes("journey")
def rush(context: Context) -> None:
    world, run = context.world, context.world.run_context
    rushed = callers.rush_and_list_as_another(run, run.second_credential, world.credential)
    world.rush, world.refusal = rushed


@then("the second user is told to wait")
def told_to_wait(context: Context) -> None:
    throttling.slowed_down(context.world.rush, context.world.expect)


@then("the first user is served")
def first_user_is_served(context: Context) -> None:
    throttling.others_are_served(context.world.refusal, context.world.expect)
