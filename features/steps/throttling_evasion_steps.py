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
    context.world.burst = callers.read_claiming(context.world.run_context, claim)


@when("a caller reads with forged tokens of a second user who has used up the read limit")
@takes("journey")
def forge_reads(context: Context) -> None:
    world = context.world
    world.burst, world.forged_reads = callers.forge_reads_of_throttled_user(world.run_context)


@when("a caller guesses signatures and claims a new network address in each request")
@takes("journey")
def guess_signatures(context: Context) -> None:
    context.world.burst = callers.sign_in_claiming_addresses(context.world.run_context)


@then("the caller is throttled")
def caller_is_throttled(context: Context) -> None:
    throttling.limit_holds(context.world.burst, context.world.expect)


@then("the forged tokens do not count against the second user")
def forged_tokens_count_apart(context: Context) -> None:
    forged_reads_are_counted_apart(context.world.forged_reads, context.world.expect)
