"""Steps about evading rate limits."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import throttling_evasion as callers
from streampay_smoke.acceptance.checks import throttling
from streampay_smoke.acceptance.checks.throttling_evasion import forged_reads_are_counted_apart
from streampay_smoke.runner.budget import takes


@when("a second user exceeds the read limit and claims {claim} in each request")
@takes("journey")
def read_claiming(context: Context, claim: str) -> None:
    context.scenario_context.burst = callers.read_claiming(context.scenario_context.run_context, claim)


@when("a caller reads with forged tokens of a second user who has used up the read limit")
@takes("journey")
def forge_reads(context: Context) -> None:
    scenario = context.scenario_context
    scenario.burst, scenario.forged_reads = callers.forge_reads_of_throttled_user(scenario.run_context)


@when("a caller guesses signatures and claims a new network address in each request")
@takes("journey")
def guess_signatures(context: Context) -> None:
    context.scenario_context.burst = callers.sign_in_claiming_addresses(context.scenario_context.run_context)


@then("the caller is throttled")
def caller_is_throttled(context: Context) -> None:
    throttling.limit_holds(context.scenario_context.burst, context.scenario_context.expect)


@then("the forged tokens do not count against the second user")
def forged_tokens_count_apart(context: Context) -> None:
    forged_reads_are_counted_apart(context.scenario_context.forged_reads, context.scenario_context.expect)
