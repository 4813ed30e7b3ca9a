"""Steps about what other services report."""

from behave import when
from behave.runner import Context

from streampay_smoke.acceptance.actions import unauthorized_attempts


@when("an event is reported with {proof}")
def report_event(context: Context, proof: str) -> None:
    context.world.attempts = unauthorized_attempts.report_event(context.world.run_context, proof)
