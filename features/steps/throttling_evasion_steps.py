"""Steps about getting around limits."""

from behave import then, when
from behave.runner import Context

from streampay_smoke.acceptance.actions import throttling_evasion as callers
from streampay_smoke.acceptance.checks import throttling_evasion as limits
from streampay_smoke.runner.budget import takes


@when("a second user exceeds the read limit and claims {claim} each time")
@takes("journey")
def read_claiming(context: Context, claim: str) -> None:
    context.world.burst = callers.read_claiming(context.world.run_context, claim)


@when("forged tokens name a second user who has used up their read limit")
@takes("journey")
def forge_reads(context: Context) -> None:
    world = context.world
    world.burst, world.forged_reads = callers.forge_reads_of_throttled_user(world.run_context)


@when("a caller guesses signatures and claims a new network address each time")
@takes("journey")
def guess_signatures(context: Context) -> None:
    context.world.burst = callers.sign_in_claiming_addresses(context.world.run_context)


@then("the second user is throttled all the same")
def evading_user_is_throttled(context: Context) -> None:
    limits.limited(context.world.burst, "the second user", context.world.expect)


@then("the caller is throttled")
def caller_is_throttled(context: Context) -> None:
    limits.limited(context.world.burst, "the caller", context.world.expect)


@then("the forged tokens do not count against the second user")
def forged_tokens_count_apart(context: Context) -> None:
    limits.counted_apart(context.world.forged_reads, context.world.expect)
